# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of systemd units, as the kernel counts them for the processes in each unit's cgroup."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

#: Resident bytes, and seconds of processor time.
Usage = tuple[float, float]


def reader(units: dict[str, str], proc: Path = PROC) -> Callable[[], dict[str, Usage]]:
    """What reads the usage of units, by the name that `units` gives each. A unit without a process is left out."""

    def read() -> dict[str, Usage]:
        found = usage(set(units.values()), proc)
        return {name: found[unit] for name, unit in units.items() if unit in found}

    return read


def usage(units: set[str], proc: Path = PROC) -> dict[str, Usage]:
    """The usage of each of `units` that has a process, over all its processes."""
    found: dict[str, Usage] = {}
    for unit, memory, seconds in _processes(units, proc):
        before = found.get(unit, (0.0, 0.0))
        found[unit] = (before[0] + memory, before[1] + seconds)
    return found


def _processes(units: set[str], proc: Path) -> Iterator[tuple[str, float, float]]:
    """A process may end while it is read; the time of one that was waited for is in its parent's."""
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            unit = _unit((folder / "cgroup").read_text(encoding="utf-8"), units)
            if unit:
                yield unit, *_of_stat((folder / "stat").read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError, IndexError):
            continue


def _unit(cgroups: str, units: set[str]) -> str:
    """The unit that a process belongs to: a part of its cgroup's path, whether or not the host is a container."""
    parts = {part for line in cgroups.splitlines() for part in line.rpartition(":")[2].split("/")}
    return next(iter(sorted(parts & units)), "")


def _of_stat(text: str) -> Usage:
    """From proc_pid_stat(5). The name, in parentheses, may hold spaces and parentheses itself."""
    fields = text.rpartition(")")[2].split()
    utime, stime, children_user, children_system = (int(field) for field in fields[11:15])
    return float(int(fields[21]) * _PAGE), (utime + stime + children_user + children_system) / _TICKS
