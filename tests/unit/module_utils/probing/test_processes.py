# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and processor time of units, from a folder that looks like /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.probing import processes

BLUE, GREEN = "shop-api@blue.service", "shop-api@green.service"
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
V2 = "0::/system.slice/system-shop\\x2dapi.slice/{}\n"
V1 = "12:cpu,cpuacct:/docker/abc/system.slice/{0}\n1:name=systemd:/docker/abc/system.slice/{0}\n"


def put(proc: Path, pid: int, cgroup: str, *, ticks: tuple = (100, 20, 3, 1), pages: int = 10, name: str = "python") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "cgroup").write_text(cgroup)
    fields = ["S", "1", *["0"] * 9, *map(str, ticks), *["0"] * 6, str(pages), "0"]
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


@pytest.mark.parametrize("cgroup", [V2, V1], ids=["v2", "v1"])
def test_a_unit_has_all_its_processes(tmp_path: Path, cgroup: str) -> None:
    put(tmp_path, 10, cgroup.format(BLUE))
    put(tmp_path, 11, cgroup.format(BLUE), ticks=(50, 0, 0, 0), pages=5, name="a) b (c")
    put(tmp_path, 12, cgroup.format(GREEN))
    put(tmp_path, 13, cgroup.format("ssh.service"))
    put(tmp_path, 14, cgroup.format(f"not-{BLUE}"))
    (tmp_path / "meminfo").write_text("x")
    assert processes.usage({BLUE}, tmp_path) == {BLUE: (15 * PAGE, pytest.approx(174 / TICKS))}


def test_a_process_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, 10, V2.format(BLUE))
    (tmp_path / "11").mkdir()
    put(tmp_path, 12, V2.format(BLUE))
    (tmp_path / "12" / "stat").write_text("12 (python) Z 1 0")
    assert processes.usage({BLUE}, tmp_path) == {BLUE: (10 * PAGE, pytest.approx(124 / TICKS))}


def test_units_are_named_and_absent_ones_left_out(tmp_path: Path) -> None:
    read = processes.reader({"api": BLUE, "worker": "shop-worker@blue.service"}, tmp_path)
    assert read() == {}
    put(tmp_path, 10, V2.format(BLUE))
    assert list(read()) == ["api"]


def test_processes_come_and_go(tmp_path: Path) -> None:
    """A number that is free again may be that of a process of another unit."""
    read = processes.reader({"api": BLUE}, tmp_path)
    put(tmp_path, 10, V2.format(BLUE))
    put(tmp_path, 11, V2.format(GREEN))
    assert read()["api"][0] == 10 * PAGE
    put(tmp_path, 12, V2.format(BLUE), pages=7)
    shutil.rmtree(tmp_path / "10")
    shutil.rmtree(tmp_path / "11")
    assert read()["api"][0] == 7 * PAGE
    put(tmp_path, 11, V2.format(BLUE), pages=4)
    assert read()["api"][0] == 11 * PAGE


def test_the_kernel_s_own_numbers(tmp_path: Path) -> None:
    put(tmp_path, 10, V2.format(BLUE))
    (tmp_path / "10" / "stat").write_text(Path("/proc/self/stat").read_text())
    memory, seconds = processes.usage({BLUE}, tmp_path)[BLUE]
    assert 1e6 < memory < 1e11 and seconds == pytest.approx(sum(os.times()[:4]), abs=0.5)


def test_processor_time_is_finer_than_a_tick() -> None:
    before, mine = processes.cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - mine < 0.003:
        pass
    used = processes.cpu_seconds(os.getpid()) - before
    assert 0.002 < used < 0.009 and processes.cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.01)
    child = subprocess.Popen([sys.executable, "-c", "sum(range(3_000_000)); input()"], stdin=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while (processes.cpu_seconds(child.pid) or 0) < 0.02 and time.monotonic() < until:
            time.sleep(0.01)
        assert processes.cpu_seconds(child.pid) > 0.02
    finally:
        child.communicate(b"\n", timeout=20)
    assert processes.cpu_seconds(child.pid) is None
