# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of deployments survives crashes, and the lock has one holder."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import journal

ME = {"run": "2", "operator": "ann", "machine": "here", "process": "9:1"}
LONG_AGO, FAR_AHEAD = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def entry(run: str, phase: str, release: str = "v1.0") -> dict:
    return {"run": run, "phase": phase, "release": release}


@pytest.mark.parametrize("operator", ["ann", "Ünï", "two\nlines", 'quo"te', "line\u2028separator", "next\x85line"])
def test_what_was_appended_is_read(tmp_path: Path, operator: str) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    for run in ("1", "2"):
        journal.append(path, {"run": run, "operator": operator})
    assert [(one["run"], one["operator"]) for one in journal.read(path)] == [("1", operator), ("2", operator)]
    assert path.stat().st_mode & 0o027 == 0


@pytest.mark.parametrize(
    ("before", "runs"),
    [
        ("", ["new"]),
        ('{"run": "1"}\n', ["1", "new"]),
        ('{"run": "1"}', ["1", "new"]),
        ('{"run": "1"}\n{"run": "2', ["1", "new"]),
        ('{"run": "1"}\n[]\n"text"\n\n', ["1", "new"]),
    ],
)
def test_a_line_cut_off_costs_nothing_but_itself(tmp_path: Path, before: str, runs: list[str]) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(before, encoding="utf-8")
    assert [one["run"] for one in journal.read(path)] == runs[:-1]
    journal.append(path, {"run": "new"})
    assert [one["run"] for one in journal.read(path)] == runs


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("entries", "run"),
    [
        ([], None),
        ([entry("1", "staged")], None),
        ([entry("1", "begun")], "1"),
        ([entry("1", "begun"), entry("1", "staged"), entry("1", "promoted")], "1"),
        ([entry("1", "begun"), entry("1", "finished")], None),
        ([entry("1", "begun"), entry("1", "rolled back")], None),
        ([entry("1", "begun"), entry("2", "finished")], "1"),
        ([entry("1", "begun"), entry("1", "finished"), entry("2", "begun")], "2"),
        ([entry("1", "begun"), entry("1", "rolled back"), entry("2", "begun"), entry("2", "finished")], None),
        # The same run begins again after its rollback: it can be rolled back again.
        ([entry("1", "begun"), entry("1", "rolled back"), entry("1", "begun")], "1"),
    ],
)
def test_unfinished(entries: list[dict], run: str | None) -> None:
    assert (journal.unfinished(entries) or {}).get("run") == run


@pytest.mark.parametrize(
    ("entries", "releases"),
    [
        ([], []),
        ([entry("1", "promoted")], []),
        ([entry("1", "finished")], []),
        ([entry("1", "promoted"), entry("2", "finished")], []),
        ([entry("1", "promoted"), entry("1", "finished")], ["v1.0"]),
        (
            [entry(run, phase, release)
             for run, release in (("1", "a"), ("2", "b"), ("3", "a"))
             for phase in ("promoted", "finished")],
            ["b", "a"],
        ),
    ],
)  # fmt: skip
def test_finished_releases(entries: list[dict], releases: list[str]) -> None:
    assert journal.finished_releases(entries) == releases


def run_of(run: str, release: str, **begun: str) -> list[dict]:
    return [entry(run, "begun", release) | begun, entry(run, "promoted", release), entry(run, "finished", release)]


BACK = run_of("3", "a", kind="rollback", live_release="b")


@pytest.mark.parametrize(
    ("entries", "releases"),
    [
        ([*run_of("1", "a"), *run_of("2", "b")], ["a", "b"]),
        ([*run_of("1", "a"), *run_of("2", "b"), *BACK], ["a"]),
        ([*run_of("1", "a"), *run_of("2", "b"), *BACK[:2]], ["a", "b"]),
        ([*run_of("1", "a"), *run_of("2", "b"), *BACK, *run_of("4", "b")], ["a", "b"]),
    ],
)
def test_good_releases(entries: list[dict], releases: list[str]) -> None:
    assert journal.good_releases(entries) == releases


def test_the_last_that_finished() -> None:
    entries = [*run_of("1", "a"), *run_of("2", ""), entry("3", "begun", "c")]
    assert journal.last_finished(entries) == "a"
    assert journal.finished_runs(entries) == ["1", "2"]
    assert journal.last_finished([]) is None


@pytest.mark.parametrize(
    ("held", "force", "taken"),
    [
        (None, False, True),
        ({"run": "2", "expires": FAR_AHEAD}, False, True),
        ({"run": "1", "operator": "bob", "expires": FAR_AHEAD}, False, False),
        ({"run": "1", "operator": "bob", "expires": FAR_AHEAD}, True, True),
        ({"run": "1", "operator": "bob", "expires": LONG_AGO}, False, False),
        # Only the control node that runs the holder can know that it has ended.
        ({"run": "1", "machine": "here", "process": "7:99", "expires": FAR_AHEAD}, False, True),
        ({"run": "1", "machine": "here", "process": "8:1", "expires": FAR_AHEAD}, False, False),
        ({"run": "1", "machine": "there", "process": "7:99", "expires": FAR_AHEAD}, False, False),
        ({"run": "1", "machine": "", "process": "", "expires": FAR_AHEAD}, False, False),
        # Nobody knows until when: that is for a person to decide.
        ({"run": "1", "operator": "bob"}, False, False),
        (b"", False, False),
        (b'{"run": "1', False, False),
        (b"\xff\xfe", False, False),
        (b"\xff\xfe", True, True),
    ],
)
def test_take_lock(tmp_path: Path, held: dict | bytes | None, force: bool, taken: bool) -> None:
    path = tmp_path / "new" / "deploy.lock"
    if held is not None:
        path.parent.mkdir()
        path.write_bytes(held if isinstance(held, bytes) else journal.json.dumps(held).encode())
    before = journal.read_lock(path)
    if not taken:
        with pytest.raises(ParityError, match=r"a deployment (is running|has not unlocked the stack).* stack_force_unlock=true") as error:
            journal.take_lock(path, ME, seconds=60, force=force, processes=["8:1", "9:1"])
        assert error.value.details == {"lock": before}
        assert journal.read_lock(path) == before
        return
    replaced = journal.take_lock(path, ME, seconds=60, force=force, processes=["8:1", "9:1"])
    assert replaced == (before if before and before["run"] != "2" else None)
    assert journal.read_lock(path)["run"] == "2"
    assert [one.name for one in path.parent.iterdir()] == ["deploy.lock"]


@pytest.mark.parametrize("orphaned", [False, True])
def test_of_many_at_once_one_takes_the_lock(tmp_path: Path, orphaned: bool) -> None:
    path = tmp_path / "deploy.lock"
    if orphaned:
        path.write_text(journal.json.dumps({"run": "old", "machine": "here", "process": "7:99"}), encoding="utf-8")
    winners, start = [], threading.Barrier(8)

    def take(number: int) -> None:
        start.wait()
        try:
            holder = {"run": f"run {number}", "operator": "ann", "machine": "here", "process": f"{number}:1"}
            journal.take_lock(path, holder, seconds=60, processes=[f"{other}:1" for other in range(8)])
        except ParityError:
            return
        winners.append(f"run {number}")

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert winners == [journal.read_lock(path)["run"]]


@pytest.mark.parametrize(("run", "released"), [("2", True), ("1", False)])
def test_release_lock(tmp_path: Path, run: str, released: bool) -> None:
    path = tmp_path / "deploy.lock"
    assert not journal.release_lock(path, run)
    journal.take_lock(path, ME, seconds=60)
    assert journal.release_lock(path, run) is released
    assert path.exists() is not released


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run" / "busy"
    with (
        journal.alone(path),
        pytest.raises(ParityError, match="an earlier run started on this host still runs"),
        journal.alone(path, seconds=0.1),
    ):
        raise AssertionError("two at once")
    with journal.alone(path, seconds=0):
        assert path.exists()


def test_a_new_run_has_a_name_of_its_own() -> None:
    assert len({journal.new_run() for dummy in range(20)}) == 20


def noted(*phases: str, run: str = "1", kind: str = "deployment") -> list[dict]:
    """Entries of a run; `migrated a` is a phase with a file."""
    found = [{"run": run, "phase": "begun", "kind": kind, "release": f"v{run}"}]
    for words in phases:
        phase, _space, file = words.rpartition(" ") if words.endswith(".sql") else (words, "", "")
        found.append({"run": run, "phase": phase, "release": f"v{run}", **({"file": file} if file else {})})
    return found


@pytest.mark.parametrize(
    ("entries", "files"),
    [
        ([], []),
        (noted("staged"), []),
        (noted("migrating a.sql", "migrated a.sql", "migrating b.sql", "migrated b.sql", "rolled back"), ["a.sql", "b.sql"]),
        (noted("migrating a.sql", "migrated a.sql", "migrating b.sql"), ["a.sql", "b.sql (may be applied)"]),
        (noted("migrating a.sql", "migrated a.sql", "migrating b.sql", "not migrated b.sql"), ["a.sql"]),
        (noted("migrating a.sql", "not migrated a.sql", "migrating a.sql", "migrated a.sql"), ["a.sql"]),
        (noted("migrating a.sql", "migrated a.sql", run="2"), []),
    ],
)
def test_applied_migrations(entries: list[dict], files: list[str]) -> None:
    assert journal.applied_migrations(entries, "1") == files
    # Nobody who reads the other phases trips over these.
    assert journal.unfinished(entries) == (entries[0] if entries and entries[-1]["phase"] != "rolled back" else None)
    assert journal.finished_releases(entries) == journal.good_releases(entries) == [] and journal.last_finished(entries) is None


APPLIED = ("migrating a.sql", "migrated a.sql")


@pytest.mark.parametrize(
    ("entries", "staying"),
    [
        (noted(*APPLIED, "finished"), []),
        (noted(*APPLIED, "rolled back"), [("1", "v1", ["a.sql"])]),
        (noted(*APPLIED), [("1", "v1", ["a.sql"])]),
        (noted("rolled back"), []),
        # What a deployment took away after it had finished is none of a failed one.
        (noted("finished", *APPLIED), []),
        (noted(*APPLIED, "rolled back") + noted("finished", run="2"), []),
        (noted(*APPLIED, "rolled back") + noted("finished", run="2", kind="rollback"), [("1", "v1", ["a.sql"])]),
        (
            noted(*APPLIED, "rolled back") + noted("migrating b.sql", run="2"),
            [("1", "v1", ["a.sql"]), ("2", "v2", ["b.sql (may be applied)"])],
        ),
    ],
)
def test_staying_migrations(entries: list[dict], staying: list[tuple]) -> None:
    found = journal.staying_migrations(entries)
    assert [(one["run"], one["release"], one["migrations"]) for one in found] == staying


@pytest.mark.parametrize(
    ("phases", "checked"),
    [
        ([], False), (["rolled back"], False), (["rolled back", "checked"], True), (["checked", "migrating a.sql"], False),
        (["checked", "rolled back"], True),
    ],
)  # fmt: skip
def test_last_check(phases: list[str], checked: bool) -> None:
    assert bool(journal.last_check(noted(*phases))) is checked


@pytest.mark.parametrize(
    ("error", "now_is", "phases"),
    [
        (None, None, ["migrating", "migrated"]),
        (ParityError("no"), None, ["migrating"]),
        (ParityError("no"), "not migrated", ["migrating", "not migrated"]),
        (ParityError("lost"), "migrated", ["migrating", "migrated"]),
        (KeyboardInterrupt(), "migrated", ["migrating"]),
    ],
)
def test_a_migration_is_noted_before_and_after(tmp_path: Path, error: BaseException | None, now_is: str | None, phases: list) -> None:
    path = tmp_path / "journal.jsonl"
    journal.append(path, {"run": "1", "phase": "begun", "release": "v1", "host": "app1", "operator": "ann", "live_release": "v0"})
    with contextlib.suppress(ParityError, KeyboardInterrupt), journal.applying(path, "1", "a.sql", lambda: now_is):
        assert journal.read(path)[-1]["phase"] == "migrating", "it is noted before anything happens"
        if error:
            raise error
    entries = journal.read(path)[1:]
    assert [one["phase"] for one in entries] == phases
    author = {"run": "1", "release": "v1", "host": "app1", "operator": "ann", "file": "a.sql"}
    assert all({key: one[key] for key in author} == author and "live_release" not in one for one in entries)


def test_staying_migrations_name_the_release_that_brought_them() -> None:
    entries = [
        {"run": "1", "phase": "lock replaced"},
        {"run": "1", "phase": "begun", "release": "v2"},
        {"run": "1", "phase": "migrated", "file": "a.sql"},
        {"run": "1", "phase": "rolled back", "release": "v2"},
        {"run": "1", "phase": "checked", "release": "v1"},
    ]
    assert [one["release"] for one in journal.staying_migrations(entries)] == ["v2"]
