# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action on the control node: what becomes of a verdict, what is kept as evidence, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.parity.stack.plugins.action import baseline_compare

GOOD = {"baseline": {"k": 0, "n": 1000}, "candidate": {"k": 0, "n": 1000}}
WORSE = {"baseline": {"k": 0, "n": 1000}, "candidate": {"k": 60, "n": 400}}
UNSURE = {"baseline": {"k": 0, "n": 20}, "candidate": {"k": 0, "n": 20}}


def act(check: bool = False, **options: Any) -> dict[str, Any]:
    """What the action answers."""
    task = SimpleNamespace(
        args=options, check_mode=check, async_val=0, diff=False, action="parity.stack.baseline_compare", environment=[], delegate_to=None
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    return baseline_compare.ActionModule(task, connection, None, DataLoader(), None, None).run(task_vars={})


def metrics(counts: dict) -> list[dict]:
    return [{"name": "errors", "kind": "errors", **counts}]


@pytest.mark.parametrize(
    ("counts", "options", "verdict", "failed"),
    [
        (GOOD, {}, "pass", False),
        (WORSE, {}, "regression", True),
        (WORSE, {"fail_on_regression": False}, "regression", False),
        (UNSURE, {}, "inconclusive", False),
        (UNSURE, {"inconclusive": "fail"}, "inconclusive", True),
        (UNSURE, {"inconclusive": "accept"}, "inconclusive", False),
    ],
)
def test_a_verdict_fails_as_the_policy_says(counts: dict, options: dict, verdict: str, failed: bool) -> None:
    found = act(metrics=metrics(counts), **options)
    assert (found["verdict"], found.get("failed", False), found["changed"]) == (verdict, failed, False)
    assert not failed or found["msg"] == found["summary"]


@pytest.mark.parametrize(("policy", "warned"), [("warn", 1), ("accept", 0), ("fail", 0)])
def test_an_uncertain_verdict_warns_where_the_policy_says_so(monkeypatch: pytest.MonkeyPatch, policy: str, warned: int) -> None:
    said: list[str] = []
    monkeypatch.setattr(baseline_compare, "display", SimpleNamespace(warning=said.append))
    found = act(metrics=metrics(UNSURE), inconclusive=policy)
    assert said == [found["summary"]] * warned


@pytest.mark.parametrize(("policy", "accepted"), [("accept", True), ("warn", False)])
def test_evidence_is_kept_but_not_in_a_dry_run(tmp_path: Path, policy: str, accepted: bool) -> None:
    file = tmp_path / "users.json"
    assert act(check=True, metrics=metrics(UNSURE), inconclusive=policy, evidence=str(file))["verdict"] == "inconclusive"
    assert not file.exists()
    act(metrics=metrics(UNSURE), inconclusive=policy, evidence=str(file))
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["verdict"], kept["accepted"], "began" in kept) == ("inconclusive", accepted, True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"baseline": "x.json"},
        {"baseline": "x.json", "measured": {}, "metrics": metrics(GOOD)},
        {"metrics": metrics(GOOD), "look": "no"},
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict) -> None:
    with pytest.raises(AnsibleError):
        act(**options)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ({"endpoints": 1}, "the measurement cannot be compared:\n- "),
        ({"endpoints": {"GET /": {"runs": [[1.0, 2.0]], "requests": 2, "errors": 0}}}, "none.json"),
    ],
)
def test_what_cannot_be_compared_fails_with_the_reason(tmp_path: Path, measured: dict, words: str) -> None:
    found = act(baseline=str(tmp_path / "none.json"), measured=measured)
    assert found["failed"] and words in found["msg"]
