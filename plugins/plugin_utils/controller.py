# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes run on a machine, named so that a number that is used again is not taken for the same process."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_PROC = Path("/proc")


def machine(proc: Path = _PROC) -> str:
    """This boot of this machine, or of this container: where process numbers mean the same.

    Empty where a user cannot see the processes of others (hidepid, no Linux): nobody can tell there who has ended.
    """
    try:
        (proc / "1/stat").read_text(encoding="utf-8", errors="replace")
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(proc / 'self/ns/pid')}"
    except OSError:
        return ""


def name_of(pid: int, proc: Path = _PROC) -> str:
    """Number and start time of a process; empty when it has ended."""
    try:
        status = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()  # the name before it can hold anything
    return f"{pid}:{fields[19]}" if fields[0] not in ("Z", "X") else ""


def running(proc: Path = _PROC) -> list[str]:
    """Every process, by `name_of`."""
    found = (name_of(int(entry.name), proc) for entry in proc.iterdir() if entry.name.isdigit()) if proc.is_dir() else ()
    return sorted(filter(None, found))


def user() -> str:
    """The login name of whoever runs this; the number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
