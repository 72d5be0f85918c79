# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is told from another one that got its number."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.parity.stack.plugins.plugin_utils import controller


def test_a_process_that_ends_is_not_found_again() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = controller.name_of(child.pid)
        assert name.startswith(f"{child.pid}:") and name in controller.running()
        assert controller.name_of(os.getpid()) in controller.running()
        child.communicate(b"\n")
    assert controller.name_of(child.pid) == "" and name not in controller.running()


def test_a_name_with_anything_in_it(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = ["S", *map(str, range(4, 22)), "4711", "23"]
    (tmp_path / "7/stat").write_text(f"7 (py) th) on) {' '.join(fields)}", encoding="utf-8")
    assert controller.name_of(7, tmp_path) == "7:4711"
    (tmp_path / "7/stat").write_text(f"7 (python) Z {' '.join(fields[1:])}", encoding="utf-8")
    assert controller.name_of(7, tmp_path) == ""


def test_who_and_where(tmp_path: Path) -> None:
    assert controller.user()
    assert controller.machine() == controller.machine() != ""
    assert controller.machine(tmp_path) == "" and controller.running(tmp_path / "none") == []


def test_where_others_are_hidden_nobody_claims_to_know(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("b0\n", encoding="ascii")
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[1]")
    assert controller.machine(tmp_path) == ""
    (tmp_path / "1").mkdir()
    (tmp_path / "1/stat").write_text("1 (init) S", encoding="ascii")
    assert controller.machine(tmp_path) == "b0 pid:[1]"
