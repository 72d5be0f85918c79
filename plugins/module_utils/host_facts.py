# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux host says of itself in files, read without any package installed."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def os_release(text: str) -> tuple[str, str]:
    """Distribution and version from /etc/os-release, for example ("debian", "12")."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return pairs.get("ID", "").strip("\"'"), pairs.get("VERSION_ID", "").strip("\"'")


def listening(*tables: str) -> dict[int, set[str]]:
    """Inodes of listening sockets by port, from the texts of /proc/net/tcp and tcp6."""
    result: dict[int, set[str]] = {}
    for line in (line for table in tables for line in table.splitlines()[1:]):
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            result.setdefault(int(fields[1].rsplit(":", 1)[1], 16), set()).add(fields[9])
    return result


def owners(inodes: set[str], proc: Path = Path("/proc")) -> set[str]:
    """Names of the processes that hold one of the sockets."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    names = set()
    for process in proc.iterdir():
        if process.name.isdigit() and wanted & _links(process / "fd"):
            with contextlib.suppress(OSError):  # it has just ended
                names.add((process / "comm").read_text(encoding="utf-8").strip())
    return names


def memory_mib(meminfo: str) -> int:
    """Total memory from the text of /proc/meminfo."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) // 1024 if match else 0


def _links(folder: Path) -> set[str]:
    links = set()
    with contextlib.suppress(OSError):  # the process has just ended
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):  # it has just closed this one
                links.add(os.readlink(entry))
    return links
