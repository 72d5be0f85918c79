# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How verdicts are told: to a person in 80 columns, and as the reason why a pull request is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import verdict_text


def statement(verdict: str = "additive", **more: Any) -> dict[str, Any]:
    return {"line": 1, "verdict": verdict, "reason": "", "remedy": "", "lock": "", **more}


def file(verdict: str = "additive", **more: Any) -> dict[str, Any]:
    return {"file": "1_a.sql", "verdict": verdict, "mark": False, "statements": [], "errors": [], **more}


ADDS, TAKES, UNKNOWN = file(), file("destructive"), file("unknown")
MARKED, BROKEN = file("destructive", mark=True), file(mark=True, errors=["1_a.sql, line 1: \\restrict is a command of psql."])


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(ADDS, True), (TAKES, False), (UNKNOWN, False), (MARKED, True), (file("unknown", mark=True), True), (BROKEN, False)],
)
def test_deployable_follows_verdict_mark_and_errors(verdict: dict[str, Any], expected: bool) -> None:
    assert verdict_text.deployable(verdict) is expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], ["There are no migrations to judge."]),
        ([ADDS], ["1 file: 1 only add, 0 take something away, 0 cannot be judged."]),
        ([ADDS, TAKES, MARKED, UNKNOWN], ["4 files: 1 only add, 2 take something away, 1 cannot be judged."]),
    ],
)
def test_summary_counts_each_verdict(verdicts: list[dict[str, Any]], expected: list[str]) -> None:
    assert [verdict_text.summary(verdicts)] == expected


@pytest.mark.parametrize(
    ("verdicts", "others", "wanted"),
    [
        ([ADDS, MARKED], [], []),
        ([TAKES], [], ["1 problem:", "- 1_a.sql takes something away and has no mark", "-- parity: destructive"]),
        ([UNKNOWN], [], ["- 1_a.sql cannot be judged and has no mark"]),
        ([BROKEN], [], ["- 1_a.sql cannot run as it is written", "Correct what cannot run"]),
        ([ADDS], ["line 3 has no hash"], ["1 problem:", "- line 3 has no hash"]),
        ([TAKES], ["line 3 has no hash"], ["2 problems:"]),
    ],
)
def test_refusal_names_each_problem(verdicts: list[dict[str, Any]], others: list[str], wanted: list[str]) -> None:
    said = verdict_text.refusal(verdicts, others)
    assert bool(said) is bool(wanted) and all(words in said for words in wanted), said


def test_refusal_of_other_files_alone_says_nothing_of_marks() -> None:
    assert "parity: destructive" not in verdict_text.refusal([ADDS], ["line 3 has no hash"])


def test_lines_fit_80_columns_and_name_line_reason_lock_and_remedy() -> None:
    long = " ".join(["word"] * 60)
    statements = [
        statement(),
        statement(line=2, lock="SHARE"),
        statement("destructive", line=7, reason=f"it drops column a of t {long}", remedy=long, lock="ACCESS EXCLUSIVE"),
    ]
    found = verdict_text.lines([file("destructive", statements=statements, errors=[long], mark=True)])
    assert max(map(len, found)) <= 80
    text = " ".join(" ".join(found).split())
    assert found[0] == "1_a.sql: takes away, marked as destructive"
    assert "error: word" in text and "line 2: adds (lock: SHARE)" in text and "line 1:" not in text
    assert "line 7: takes away: it drops column a of t" in text and "(lock: ACCESS EXCLUSIVE)" in text and "instead: word" in text
