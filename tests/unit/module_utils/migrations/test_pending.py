# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations run in order, once, and never where history and files have drifted apart."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import pending
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import plan as control_node


def read(*files: tuple[str, str]) -> list[pending.Migration]:
    """Files as the host gets them from the control node."""
    return [pending.Migration.judged(entry) for entry in control_node.judged([{"file": name, "sql": sql} for name, sql in files])]


def parsed(*names: str) -> list[pending.Migration]:
    return read(*((name, f"-- {name}") for name in names))


def planned(
    local: list[pending.Migration], history: dict[str, pending.Applied], *, fresh: bool, allow_destructive: bool = False
) -> pending.Plan:
    todo = [migration for migration in local if migration.version not in history]
    return pending.decide(todo, pending.drift(local, history), fresh=fresh, allow_destructive=allow_destructive)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["2_b.sql", "1_a.sql"], ["1_a.sql", "2_b.sql"]),
        (["9_b.sql", "10_a.sql"], ["10_a.sql", "9_b.sql"]),  # versions are text
        (["20260102030405_some_long-name.sql"], ["20260102030405_some_long-name.sql"]),
    ],
)
def test_parse(names: list[str], expected: list[str]) -> None:
    found = parsed(*names)
    assert [one.file for one in found] == expected
    assert [one.text for one in found] == [f"-- {name}" for name in expected]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.sql"], "'a.sql' is not the name of a migration"),
        (["1.sql"], "is not the name of a migration"),
        (["1_a.sql.bak"], "is not the name of a migration"),
        (["1_a.sql\n"], "is not the name of a migration"),
        (["\u0661_a.sql"], "is not the name of a migration"),
        (["1_b.sql", "1_a.sql"], "have the same version"),
    ],
)
def test_parse_refuses(names: list[str], words: str) -> None:
    with pytest.raises(ParityError, match=words):
        parsed(*names)


def history(*versions: str) -> dict[str, pending.Applied]:
    return {version: pending.Applied() for version in versions}


THREE = ("1_a.sql", "2_b.sql", "3_c.sql")


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ([], ["1_a.sql", "2_b.sql", "3_c.sql"]),
        (["1"], ["2_b.sql", "3_c.sql"]),
        (["2", "1"], ["3_c.sql"]),
        (["1", "2", "3"], []),
    ],
)
def test_plan(applied: list[str], expected: list[str]) -> None:
    plan = planned(parsed(*THREE), history(*applied), fresh=False)
    assert [one.file for one in plan.now] == expected
    assert plan.later == []


@pytest.mark.parametrize(
    ("applied", "words"),
    [
        (["1", "0", "4"], "does not, and 0 was not judged when it was applied, 4 was not judged"),
        (["2"], r"1_a.sql would run after a later one \(2\)"),
        (["3"], r"1_a.sql, 2_b.sql would run after a later one \(3\)"),
    ],
)
def test_drift_is_refused(applied: list[str], words: str) -> None:
    with pytest.raises(ParityError, match=words):
        planned(parsed(*THREE), history(*applied), fresh=False)


@pytest.mark.parametrize(
    ("verdicts", "words", "ahead"),
    [
        ({"4": "additive"}, "", ["4_d.sql"]),
        ({"0": "additive", "4": "additive"}, "", ["0_d.sql", "4_d.sql"]),
        ({"4": "destructive"}, "does not, and 4_d.sql took something away when it was applied.", []),
        ({"4": "additive", "5": "unknown"}, "does not, and 5_d.sql could not be judged when it was applied.", ["4_d.sql"]),
        ({"4": ""}, "does not, and 4_d.sql was not judged when it was applied.", []),
    ],
)
def test_release_runs_with_later_migrations_that_only_added(verdicts: dict[str, str], words: str, ahead: list[str]) -> None:
    later = {version: pending.Applied(file=f"{version}_d.sql", verdict=verdict) for version, verdict in verdicts.items()}
    known = {**history("1", "2", "3"), **later}
    found = pending.drift(parsed(*THREE), known)
    assert (len(found) == 1 and words in found[0]) if words else found == []
    assert pending.additive(pending.missing(parsed(*THREE), known), known) == ahead


def one(sql: str) -> pending.Migration:
    return read(("1_a.sql", sql))[0]


@pytest.mark.parametrize(
    ("known", "accepted", "edited"),
    [
        (pending.Applied(sha256=one("select 1").sha256), [], False),
        (pending.Applied(sha256=one("select 2").sha256), [], True),
        (pending.Applied(sha256=one("select 2").sha256), ["1"], False),
        (pending.Applied(sha256=one("select 2").sha256), ["2"], True),
        (pending.Applied(), [], False),
        (pending.Applied(statements=["select 2"], sha256=one("select 1").sha256), [], False),
    ],
)
def test_edited(known: pending.Applied, accepted: list[str], edited: bool) -> None:
    found = pending.drift([one("select 1")], {"1": known}, accepted)
    assert [("changed after it was applied" in problem) for problem in found] == [True] * edited


def test_what_another_tool_recorded_is_left_to_the_control_node() -> None:
    recorded = {"1": pending.Applied(statements=["select 1"]), "2": pending.Applied(["x"], sha256="y"), "3": pending.Applied()}
    found = pending.unverified(parsed(*THREE), recorded)
    assert found == [{"file": "1_a.sql", "version": "1", "statements": ["select 1"]}]


def test_line_endings_do_not_count_as_an_edit() -> None:
    assert one("select 1;\r\nselect 2").sha256 == one("select 1;\nselect 2").sha256


DROP = ("2_b.sql", "drop table b")
MARKED = ("2_b.sql", "-- parity: destructive\ndrop table b")


@pytest.mark.parametrize(
    ("files", "fresh", "allowed", "now", "later"),
    [
        ([DROP], True, False, ["2_b.sql"], []),
        ([MARKED], False, True, [], ["2_b.sql"]),
        ([("1_a.sql", "select 1"), MARKED], False, True, ["1_a.sql"], ["2_b.sql"]),
        ([MARKED, ("3_c.sql", "-- parity: destructive\nselect 1")], False, True, [], ["2_b.sql", "3_c.sql"]),
    ],
)
def test_destructive_ones_come_later(files: list, fresh: bool, allowed: bool, now: list, later: list) -> None:
    local = read(*files)
    plan = planned(local, {}, fresh=fresh, allow_destructive=allowed)
    assert ([m.file for m in plan.now], [m.file for m in plan.later]) == (now, later)


@pytest.mark.parametrize(
    ("files", "allowed", "words"),
    [
        ([DROP], True, "2_b.sql takes something away from the running release: line 1: it drops table b"),
        ([("2_b.sql", "select f()")], True, "2_b.sql cannot be judged: line 1: it calls f"),
        ([MARKED], False, "stack_allow_destructive=true"),
        ([MARKED, ("3_c.sql", "select 1")], True, "3_c.sql comes after the destructive 2_b.sql"),
        ([("2_b.sql", "commit")], True, "begins or ends a transaction"),
        ([("2_b.sql", "vacuum a; select 1")], True, "into a file of its own"),
        ([("2_b.sql", "-- parity: nonsense\nselect 1")], True, "`-- parity: nonsense` means nothing"),
    ],
)
def test_what_is_refused(files: list, allowed: bool, words: str) -> None:
    local = read(*files)
    with pytest.raises(ParityError, match=words):
        planned(local, {}, fresh=False, allow_destructive=allowed)


def test_all_problems_are_reported_together() -> None:
    local = read(("2_b.sql", "commit"), ("4_d.sql", "begin"))
    with pytest.raises(ParityError) as caught:
        planned(local, history("1", "3"), fresh=False)
    assert len(caught.value.details["problems"]) == 4


def test_the_pauses_grow_and_stay_bounded() -> None:
    assert [pending.seconds_to_wait(attempt) for attempt in (1, 2, 3, 6, 30)] == [0.5, 1.0, 2.0, 15.0, 15.0]


def test_a_preview_shows_locks_and_findings_and_no_password() -> None:
    shown = one("create role r password 'x1y2';\nalter table t add a int").preview(
        [{"line": 2, "message": "Mind.", "rule": "some"}]
    )
    assert "x1y2" not in shown
    assert "-- takes ACCESS EXCLUSIVE on t (blocks reads and writes)\nalter table t add a int;" in shown
    assert shown.endswith("-- squawk, line 2: Mind. (some)\n")
