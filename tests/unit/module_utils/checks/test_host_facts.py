# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says of itself is read as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.checks import host_facts

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 00000000:0016 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 222 1
"""
TCP6 = "head\n   0: 00000000000000000000000000000000:1F90 0:0 0A 0:0 00:0 0 0 0 333 1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ('ID=debian\nVERSION_ID="12"\n', ("debian", "12")),
        ("ID='ubuntu'\nVERSION_ID='24.04'\n", ("ubuntu", "24.04")),
        ("# nothing\nID=arch\n", ("arch", "")),
    ],
)
def test_os_release(text: str, expected: tuple[str, str]) -> None:
    assert host_facts.os_release(text) == expected


@pytest.mark.parametrize(
    ("tables", "expected"),
    [([], {}), ([""], {}), ([TCP], {8080: {"111"}}), ([TCP, TCP6], {8080: {"111", "333"}})],
)
def test_listening(tables: list[str], expected: dict[int, set[str]]) -> None:
    assert host_facts.listening(*tables) == expected


@pytest.mark.parametrize(("inodes", "expected"), [({"111"}, {"api"}), ({"999"}, set()), ({"222"}, set())])
def test_owners(tmp_path: Path, inodes: set[str], expected: set[str]) -> None:
    for number, inode in (("1", "111"), ("2", "222"), ("self", "999")):
        (tmp_path / number / "fd").mkdir(parents=True)
        (tmp_path / number / "fd" / "3").symlink_to(f"socket:[{inode}]")
    (tmp_path / "1" / "fd" / "0").write_text("a descriptor that was closed meanwhile", encoding="utf-8")
    (tmp_path / "1" / "comm").write_text("api\n", encoding="utf-8")  # process 2 has just ended and has none
    (tmp_path / "3").mkdir()
    assert host_facts.owners(inodes, tmp_path) == expected


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("MemFree: 1 kB\nMemTotal:  2048 kB\n", 2)])
def test_memory(text: str, expected: int) -> None:
    assert host_facts.memory_mib(text) == expected
