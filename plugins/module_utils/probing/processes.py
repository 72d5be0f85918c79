# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of systemd units, as the kernel counts them for the processes in each unit's cgroup."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

#: Resident bytes, and seconds of processor time.
Usage = tuple[float, float]


def reader(units: dict[str, str], proc: Path = PROC) -> Callable[[], dict[str, Usage]]:
    """What reads the usage of units, by the name that `units` gives each. A unit without a process is left out.

    It remembers which unit a process belongs to, so that a host with many processes is read among requests without a delay.
    """
    known: dict[str, str] = {}

    def read() -> dict[str, Usage]:
        found = usage(set(units.values()), proc, known)
        return {name: found[unit] for name, unit in units.items() if unit in found}

    return read


def usage(units: set[str], proc: Path = PROC, known: dict[str, str] | None = None) -> dict[str, Usage]:
    """The usage of each of `units` that has a process, over all its processes. `known` has the units of processes seen before."""
    found: dict[str, Usage] = {}
    for unit, memory, seconds in _processes(units, proc, {} if known is None else known):
        before = found.get(unit, (0.0, 0.0))
        found[unit] = (before[0] + memory, before[1] + seconds)
    return found


def _processes(units: set[str], proc: Path, known: dict[str, str]) -> Iterator[tuple[str, float, float]]:
    """A process may end while it is read; the time of one that was waited for is in its parent's."""
    there = [name for name in os.listdir(proc) if name.isdigit()]
    for gone in known.keys() - set(there):
        del known[gone]
    for name in there:
        try:
            if name not in known:
                known[name] = _unit((proc / name / "cgroup").read_text(encoding="utf-8"), units)
            if known[name]:
                memory, own, children = _of_stat((proc / name / "stat").read_text(encoding="utf-8", errors="replace"))
                precise = cpu_seconds(int(name)) if proc == PROC else None
                yield known[name], memory, (own if precise is None else precise) + children
        except (OSError, ValueError, IndexError):
            continue


def _unit(cgroups: str, units: set[str]) -> str:
    """The unit that a process belongs to: a part of its cgroup's path, whether or not the host is a container."""
    parts = {part for line in cgroups.splitlines() for part in line.rpartition(":")[2].split("/")}
    return next(iter(sorted(parts & units)), "")


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process with all its threads, by its clock; None where there is none.

    A handful of requests takes no more than a tick of proc_pid_stat(5). Source: clock_getcpuclockid(3), as the C library makes the number.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


def _of_stat(text: str) -> tuple[float, float, float]:
    """Memory, and time of the process itself and of children that have ended, from proc_pid_stat(5).

    The name, in parentheses, may hold spaces and parentheses itself.
    """
    fields = text.rpartition(")")[2].split()
    utime, stime, children_user, children_system = (int(field) for field in fields[11:15])
    return float(int(fields[21]) * _PAGE), (utime + stime) / _TICKS, (children_user + children_system) / _TICKS
