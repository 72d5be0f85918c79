# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A good release goes on early; each way to be worse is found; what nobody could know is not called a pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from ansible_collections.parity.stack.plugins.module_utils import canary
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

ENDPOINTS = ("GET /documents", "GET /documents/{id}", "GET /search", "GET /health")


class Releases:
    """Two releases on one host that has moods, measured in turn."""

    def __init__(
        self,
        seed: int,
        change: Callable[[np.random.Generator, str, np.ndarray], np.ndarray] | None = None,
        **new: object,
    ):
        self.rng = np.random.default_rng(seed)
        self.change, self.new, self.sent, self.host = change, new, 0, 0.0

    def __call__(self, passes: int) -> dict[str, dict]:
        sides: dict[str, dict] = {"old": {"endpoints": {}, "resources": {}}, "new": {"endpoints": {}, "resources": {}}}
        for number, name in enumerate(ENDPOINTS):
            mood = 8 * (number + 1) * np.exp(self.host + np.cumsum(self.rng.normal(0, 0.02, passes)))
            for side in sides:
                values = mood * np.exp(0.15 * self.rng.standard_normal(passes))
                if side == "new" and self.change:
                    values = self.change(self.rng, name, values)
                failed = self.rng.random(passes) < (self.new.get("errors", 0) if side == "new" else 0)
                body = self.new.get("body", {"pages": 1}) if side == "new" and number == 0 else {"pages": 1}
                sides[side]["endpoints"][name] = {
                    "runs": [[None if bad else float(value) for value, bad in zip(values, failed)]],
                    "requests": passes,
                    "errors": int(failed.sum()),
                    "response": {"status": 200, "body": body, "varies": []},
                }
        self.host += self.rng.normal(0, 0.1)
        readings = self.sent / 4 + np.arange(1, passes // 4 + 1)
        for side in sides:
            leak = self.new.get("leak", 0) * readings * 16 if side == "new" else 0 * readings
            memory = 90e6 + leak + 1e5 * self.rng.standard_normal(len(readings))
            processor = 0.005 * np.exp(0.1 * self.rng.standard_normal(len(readings)))
            sides[side]["resources"] = {
                "memory": {"runs": [memory.tolist()]},
                "cpu seconds a request": {"runs": [processor.tolist()]},
            }
        self.sent += passes
        return sides


def slow(_rng: np.random.Generator, name: str, values: np.ndarray) -> np.ndarray:
    return values * 1.5 if name == "GET /documents" else values


def slow_now_and_then(rng: np.random.Generator, _name: str, values: np.ndarray) -> np.ndarray:
    return values + np.where(rng.random(len(values)) < 0.05, 500.0, 0.0)


FAULTS = {
    "slow": (slow, {}, "GET /documents"),
    "slow now and then": (slow_now_and_then, {}, "slow requests"),
    "failing": (None, {"errors": 0.05}, "errors"),
    "changed response": (None, {"body": {"page_count": 1}}, "contract"),
    "leaking": (None, {"leak": 1e5}, "memory after 1000 more requests"),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault: str, seed: int) -> None:
    change, new, metric = FAULTS[fault]
    result = canary.run(Releases(seed, change, **new), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert result["verdict"] == "regression" and metric in bad, (bad, result["looks"])
    assert metric in result["summary"]


def test_a_changed_response_is_seen_at_once() -> None:
    result = canary.run(Releases(1, body={"page_count": 1}), masks={})
    assert [look["probes"] for look in result["looks"]] == [25]
    assert "GET /documents: page_count is new" in result["summary"]


def test_identical_releases() -> None:
    found, probes = Counter(), []
    for seed in range(60):
        result = canary.run(Releases(1000 + seed), masks={})
        found[result["verdict"]] += 1
        probes.append(result["looks"][-1]["probes"])
    assert not found["regression"] and found["pass"] >= 50, found
    assert np.median(probes) <= 125, Counter(probes)


def test_masks_hold() -> None:
    releases = Releases(1, body={"pages": 2})
    result = canary.run(releases, masks={"GET /documents": ["pages"]})
    assert result["metrics"]["contract"]["verdict"] == "pass"


def test_a_release_that_answers_nothing_ends_it() -> None:
    result = canary.run(Releases(1, errors=1.0), masks={})
    assert result["verdict"] == "regression" and len(result["looks"]) == 1


def test_fewer_probes_than_the_first_look_are_refused() -> None:
    with pytest.raises(ParityError, match="the first look needs 25"):
        canary.run(Releases(1), masks={}, most=10)


def test_the_error_is_spent_at_looks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looks a regression does not end the comparison; a pass does."""
    answers = iter(["inconclusive", "inconclusive", "regression", "inconclusive", "pass"])
    monkeypatch.setattr(canary.judge, "judge", lambda case: {"verdict": next(answers), "metrics": {}})
    result = canary.run(Releases(1), masks={})
    assert [(look["probes"], look["verdict"]) for look in result["looks"]] == [
        (25, "inconclusive"), (50, "inconclusive"), (70, "regression"), (100, "inconclusive"), (105, "pass"),
    ]  # fmt: skip


def with_stages(releases: Releases, slower: float) -> Callable[[int], dict]:
    """The same, and documents with the first measurement: stages that differ widely from one document to the next."""
    rng, calls = np.random.default_rng(7), []

    def measure(passes: int) -> dict:
        sides = releases(passes)
        for name, side in sides.items() if not calls else ():
            chunking = 0.006 * np.exp(0.6 * rng.standard_normal(18)) + (slower if name == "new" else 0)
            parsing = 0.02 * np.exp(0.6 * rng.standard_normal(18))
            side["stages"] = {"chunking": {"runs": [chunking.tolist()]}, "parsing": {"runs": [parsing.tolist()]}}
        calls.append(passes)
        return sides

    return measure


def test_a_stage_that_takes_longer_is_found() -> None:
    result = canary.run(with_stages(Releases(3), 0.1), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ["stage chunking"] and "stage chunking" in result["summary"]


@pytest.mark.parametrize("seed", range(5))
def test_stages_keep_no_good_release_from_going_on(seed: int) -> None:
    with_them, without = canary.run(with_stages(Releases(seed), 0.0), masks={}), canary.run(Releases(seed), masks={})
    assert with_them["verdict"] == without["verdict"] and len(with_them["looks"]) <= len(without["looks"]) + 2
    assert "nothing shows that it is worse" in with_them["metrics"]["stage parsing"]["why"]


def with_documents(releases: Releases, **told: dict) -> Callable[[int], dict]:
    """The same, and what became of documents with the first measurement."""
    calls = []

    def measure(passes: int) -> dict:
        sides = releases(passes)
        for name, documents in told.items() if not calls else ():
            sides[name]["documents"] = documents
        calls.append(passes)
        return sides

    return measure


def test_a_release_that_loses_documents_is_found() -> None:
    lost = {"requests": 2, "errors": 2, "lost": "POST /documents: status 500"}
    result = canary.run(with_documents(Releases(3), old={"requests": 1, "errors": 0}, new=lost), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ["contract"] and "sent again was lost again: POST /documents: status 500" in result["summary"]
    assert [look["probes"] for look in result["looks"]] == [25]


def test_a_document_lost_now_and_then_or_by_the_live_release_keeps_no_good_one_from_going_on() -> None:
    lost, warnings = {"requests": 4, "errors": 3, "lost": "POST /documents: status 500"}, []
    result = canary.run(with_documents(Releases(3), old=lost, new={"requests": 5, "errors": 1}), masks={}, warn=warnings.append)
    assert result["verdict"] == "pass" and len(warnings) == 1 and "the live release lost a document" in warnings[0]
    assert "1 of 2" in result["metrics"]["errors"]["why"], "and it is counted"


def test_production_that_loses_documents_is_found() -> None:
    baseline = Releases(100)(1000)["new"]
    lost = {"requests": 2, "errors": 2, "lost": "the probe document failed"}
    measure = with_documents(Releases(3), new=lost)
    result = canary.against(baseline, lambda passes: {"new": measure(passes)["new"]}, environment="cross", masks={})
    assert result["verdict"] == "regression" and "the probe document failed" in result["summary"]


def one_side(releases: Releases) -> Callable[[int], dict]:
    return lambda passes: {"new": releases(passes)["new"]}


@pytest.mark.parametrize("fault", [None, "failing", "changed response"])
def test_what_is_live_against_a_baseline(fault: str | None) -> None:
    """The host's moods are no regression between machines; failures and other answers are."""
    baseline = Releases(100)(1000)["new"]
    change, new, metric = FAULTS[fault] if fault else (None, {}, "")
    result = canary.against(baseline, one_side(Releases(3, change, **new)), environment="cross", masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ([metric] if fault else []), result["summary"]
    assert not fault or len(result["looks"]) <= 2
