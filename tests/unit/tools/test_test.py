# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program behind `make test`: nothing that fails, or does not run, ends as passed."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest
from checkout import ROOT


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/test.py, with its logs in a directory of the test."""
    spec = importlib.util.spec_from_file_location("tools_test", ROOT / "tools" / "test.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tools_test", module)
    spec.loader.exec_module(module)
    logs = ROOT / ".cache" / "unit" / tmp_path.name
    logs.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(module, "LOGS", logs)
    monkeypatch.setattr(module, "SETUPS", {"tools": ([["true"]], ()), "broken": ([["true"], ["false"]], ("tools",))})
    return module


RECAP = "broker                     : actions=9  successful={}  disabled=0  skipped=1  missing=0  failed={}\n"
MOLECULE = f"DETAILS\ndefault -> check    : Completed\nSCENARIO RECAP\n{RECAP}"
SANITY = 'Running sanity test "a"\nRunning sanity test "b"\n'
JUNIT = '<testsuites><testsuite tests="5" failures="{}" errors="{}" skipped="1"/></testsuites>'


@pytest.mark.parametrize(
    ("count", "log", "code", "xml", "wanted"),
    [
        ("one", "", 0, "", (1, 0)),
        ("one", "", 2, "", (0, 1)),
        ("junit", "", 0, JUNIT.format(0, 0), (4, 0)),
        ("junit", "", 1, JUNIT.format(1, 1), (2, 2)),
        ("junit", "all is well", 0, "", (0, 1)),
        ("junit", "", 0, "<testsuites>", (0, 1)),
        ("sanity", SANITY, 0, "", (2, 0)),
        ("sanity", SANITY + "FATAL: The 1 sanity test(s) listed below (out of 2)", 1, "", (1, 1)),
        ("sanity", "WARNING: All targets skipped.", 0, "", (0, 1)),
        ("molecule", MOLECULE.format(8, 0), 0, "", (8, 0)),
        ("molecule", MOLECULE.format(3, 1), 1, "", (3, 1)),
        ("molecule", "Killed", 137, "", (0, 0)),
    ],
)  # fmt: skip
def test_count_is_what_the_program_says(
    program: ModuleType, count: str, log: str, code: int, xml: str, wanted: tuple, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    if xml:
        report.write_text(xml, encoding="utf-8")
    assert getattr(program, count)(log, code, report) == wanted


def run(program: ModuleType, *checks: dict, lanes: int = 2) -> tuple[int, ModuleType]:
    wanted = [program.Check(**{"part": "p", "count": program.one, "seconds": 1, **check}) for check in checks]
    session = program.Session(wanted, lanes)
    session.run()
    return session.finish(), session


def test_checks_that_pass_end_with_success(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(program, {"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"], "alone": True})[0]
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, "2 passed, 0 failed")


def test_check_that_fails_shows_its_log_and_the_others_still_run(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(program, {"name": "bad", "command": ["sh", "-c", "echo a reason; exit 3"]}, {"name": "good", "command": ["true"]})[0]
    out = capsys.readouterr().out
    assert code == 1 and "\na reason\n" in out and out.endswith("1 passed, 1 failed\n")


def test_check_whose_command_fails_without_a_failed_test_fails(program: ModuleType) -> None:
    code, session = run(program, {"name": "a", "command": ["sh", "-c", "exit 1"], "count": lambda *_: (5, 0)})
    assert code == 1 and session.results[-1].failed == 1


def test_check_without_its_set_up_does_not_run_and_is_named(program: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code, session = run(program, {"name": "a", "command": ["true"], "needs": ("tools", "broken")})
    out = capsys.readouterr().out
    assert code == 1 and "a                                         did not run" in out
    assert [result.name for result in session.results if result.failed] == ["set-up: broken"]


def test_longest_check_starts_first_and_what_runs_alone_runs_last(program: ModuleType) -> None:
    checks = [{"name": f"{seconds}", "command": ["true"], "seconds": seconds} for seconds in (1, 9, 5)]
    session = run(program, {"name": "alone", "command": ["true"], "seconds": 99, "alone": True}, *checks, lanes=1)[1]
    assert [result.name for result in session.results if not result.name.startswith("set-up")] == ["9", "5", "1", "alone"]


def test_what_needs_one_core_runs_beside_what_runs_alone_with_the_lowest_priority(program: ModuleType, tmp_path: Path) -> None:
    usual, both = os.nice(0), tmp_path / "both"
    lowest = min(19, usual + 19)
    # The number comes just after the start.
    shared = "for i in $(seq 200); do [ ! -w /proc/self/autogroup ] || grep -q 'nice 19' /proc/self/autogroup && break; sleep 0.05; done"
    waits = f"for i in $(seq 400); do [ -e {both} ] && exit 0; sleep 0.05; done; exit 1"
    checks = [
        {"name": "alone", "command": ["sh", "-c", f"test $(nice) = {usual} && {waits}"], "alone": True},
        {"name": "beside", "command": ["sh", "-c", f"test $(nice) = {lowest} && {shared}; [ $i -lt 200 ] && touch {both}"], "beside": True},
        {"name": "first", "command": ["sh", "-c", f"test ! -e {both}"]},
    ]
    assert run(program, *checks)[0] == 0
    # Without anything that runs alone it is like the others.
    assert run(program, {"name": "beside", "command": ["sh", "-c", f"test $(nice) = {usual}"], "beside": True})[0] == 0


def test_what_runs_is_ended_with_its_children(program: ModuleType) -> None:
    session = program.Session([program.Check("p", "long", ["sh", "-c", "sleep 60 & wait"], program.one, 1)], 1)
    thread = threading.Thread(target=session.run)
    thread.start()
    until = time.monotonic() + 20
    while not (session.running and session.runner.groups) and time.monotonic() < until:
        time.sleep(0.05)
    session.runner.end()
    thread.join(20)
    assert not thread.is_alive() and session.finish() == 1


def test_every_scenario_is_a_check(program: ModuleType) -> None:
    found = {check.name for check in program.checks() if check.part == "molecule"}
    assert found == {f"molecule {path.parent.name}" for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert set(program.SCENARIOS) == set(program.scenarios())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there is no part nothing. Parts: all, lint, unit"),
        (["lint", "broker"], "there is no part broker"),
        (["molecule", "brokr"], "there is no scenario brokr"),
    ],
)
def test_what_is_not_there_is_refused(program: ModuleType, words: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        program.chosen(words)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["unit", "sanity"], ["unit tests", "ansible-test sanity"]),
        (["molecule", "broker", "api"], ["molecule api", "molecule broker"]),
        (["sanity", "molecule", "broker"], ["ansible-test sanity", "molecule broker"]),
    ],
)
def test_parts_and_scenarios_are_chosen_by_name(program: ModuleType, words: list[str], wanted: list[str]) -> None:
    assert [check.name for check in program.chosen(words)] == wanted
    assert program.chosen(["all"]) == program.chosen([]) and len(program.chosen([])) > 25
