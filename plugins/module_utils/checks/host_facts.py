# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux host says of itself in files, read without any package installed."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from collections.abc import Iterator
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


def listening_outside(*tables: str) -> dict[int, set[str]]:
    """The same, without sockets that only this host itself can reach."""
    result: dict[int, set[str]] = {}
    for line in (line for table in tables for line in table.splitlines()[1:]):
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            address, port = fields[1].rsplit(":", 1)
            if not _address(address).is_loopback:
                result.setdefault(int(port, 16), set()).add(fields[9])
    return result


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as the kernel writes it: words of four bytes, each in the order of the host."""
    words = [bytes.fromhex(text[at : at + 8]) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    return getattr(address, "ipv4_mapped", None) or address


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


def memory_available(meminfo: str) -> tuple[int, int]:
    """Available and total memory in MiB from the text of /proc/meminfo."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.MULTILINE))
    return int(found.get("MemAvailable", 0)) // 1024, int(found.get("MemTotal", 0)) // 1024


def file_systems(mounts: str) -> Iterator[str]:
    """Where disks are mounted, from the text of /proc/self/mounts: each disk once, and nothing that only lives in memory."""
    seen = set()
    for line in mounts.splitlines():
        device, place, kind, options = (re.sub(r"\\040", " ", field) for field in line.split()[:4])
        shared = kind in ("overlay", "nfs", "nfs4", "cifs", "zfs", "btrfs", "ceph", "glusterfs")
        disk = device.startswith("/dev/") and device not in seen and kind not in ("squashfs", "iso9660")
        if (disk or shared) and "ro" not in options.split(","):
            seen.add(device)
            yield place


def open_files(proc: Path = Path("/proc")) -> list[tuple[float, int, int, str]]:
    """For each process: the share of its file handles that is used, how many that are, its limit, and its name. Most first."""
    found = []
    for process in proc.iterdir():
        with contextlib.suppress(OSError, ValueError):  # it has just ended, or has no limit
            if process.name.isdigit():
                used = len(list((process / "fd").iterdir()))
                limit = re.search(r"^Max open files\s+(\d+)", (process / "limits").read_text(encoding="utf-8"), re.MULTILINE)
                name = (process / "comm").read_text(encoding="utf-8").strip()
                if limit and int(limit[1]):
                    found.append((used / int(limit[1]), used, int(limit[1]), name))
    return sorted(found, reverse=True)


def _links(folder: Path) -> set[str]:
    links = set()
    with contextlib.suppress(OSError):  # the process has just ended
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):  # it has just closed this one
                links.add(os.readlink(entry))
    return links
