# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A good release goes on early; each way to be worse is found; what nobody could know is not called a pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import until_decided
from simulated_releases import Releases, slow, slow_now_and_then

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
    result = until_decided.run(Releases(seed, change, **new), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert result["verdict"] == "regression" and metric in bad, (bad, result["looks"])
    assert metric in result["summary"]


class OfProcesses(Releases):
    """The same, with memory and processor time of each process instead of what the first one tells of itself."""

    #: By what each process differs: bytes with each reading and the share of a processor, in the new release.
    leaks, busy, absent = "", "", ""

    def __call__(self, passes: int) -> dict[str, dict]:
        sides = super().__call__(passes)
        for side, found in sides.items():
            told = found["resources"]
            number = len(told["memory"]["runs"][0])
            found["resources"] = {f"{name} of api": told[name] for name in told}
            for process in ("worker", "mailer"):
                if side == "old" and process == self.absent:
                    continue
                worse = side == "new" and self.sent
                grown = [5e7 + (2e5 * (self.sent + each) if worse and process == self.leaks else 0) for each in range(number)]
                share = 0.2 + 0.01 * self.rng.random(number) + (0.9 if worse and process == self.busy else 0)
                found["resources"][f"memory of {process}"] = {"runs": [grown]}
                found["resources"][f"cpu share without requests of {process}"] = {"runs": [share.tolist()]}
        return sides


@pytest.mark.parametrize(
    ("fault", "metric", "verdict"),
    [
        ({}, "", "pass"),
        ({"leaks": "worker"}, "memory of worker after 1000 more requests", "regression"),
        ({"busy": "mailer"}, "cpu share without requests of mailer", "regression"),
        # What the live release does not have is not compared, whatever it does.
        ({"absent": "mailer", "busy": "mailer", "leaks": "mailer"}, "", "pass"),
    ],
    ids=["alike", "worker leaks", "mailer is busy", "mailer is new"],
)
def test_a_verdict_names_the_process(fault: dict, metric: str, verdict: str) -> None:
    releases, said = OfProcesses(11), []
    vars(releases).update(fault)
    result = until_decided.run(releases, masks={}, warn=said.append)
    assert result["verdict"] == verdict, result["summary"]
    assert [name for name, item in result["metrics"].items() if item["verdict"] == "regression"] == ([metric] if metric else [])
    assert metric in result["summary"]
    assert [words.partition(" are not compared")[0] for words in said] == ["memory and processor time of mailer"] * ("absent" in fault)


def test_a_process_that_does_not_run_in_the_new_slot_is_no_pass() -> None:
    def measure(passes: int, releases: OfProcesses = OfProcesses(11)) -> dict:  # noqa: B008 (one for all calls)
        sides = releases(passes)
        for name in [name for name in sides["new"]["resources"] if name.endswith(" of worker")]:
            del sides["new"]["resources"][name]
        return sides

    result = until_decided.run(measure, masks={})
    assert result["verdict"] == "inconclusive" and "memory of worker" in result["summary"]


def test_a_changed_response_is_seen_at_once() -> None:
    result = until_decided.run(Releases(1, body={"page_count": 1}), masks={})
    assert [look["probes"] for look in result["looks"]] == [25]
    assert "GET /documents: page_count is new" in result["summary"]


def test_identical_releases() -> None:
    found, probes = Counter(), []
    for seed in range(60):
        result = until_decided.run(Releases(1000 + seed), masks={})
        found[result["verdict"]] += 1
        probes.append(result["looks"][-1]["probes"])
    assert not found["regression"] and found["pass"] >= 50, found
    assert np.median(probes) <= 125, Counter(probes)


def test_masks_hold() -> None:
    releases = Releases(1, body={"pages": 2})
    result = until_decided.run(releases, masks={"GET /documents": ["pages"]})
    assert result["metrics"]["contract"]["verdict"] == "pass"


def test_a_release_that_answers_nothing_ends_it() -> None:
    result = until_decided.run(Releases(1, errors=1.0), masks={})
    assert result["verdict"] == "regression" and len(result["looks"]) == 1


def test_fewer_probes_than_the_first_look_are_refused() -> None:
    with pytest.raises(ParityError, match="the first look needs 25"):
        until_decided.run(Releases(1), masks={}, most=10)


def test_the_error_is_spent_at_looks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looks a regression does not end the comparison; a pass does."""
    answers = iter(["inconclusive", "inconclusive", "regression", "inconclusive", "pass"])
    monkeypatch.setattr(until_decided.judge, "judge", lambda case: {"verdict": next(answers), "metrics": {}})
    result = until_decided.run(Releases(1), masks={})
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
    result = until_decided.run(with_stages(Releases(3), 0.1), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ["stage chunking"] and "stage chunking" in result["summary"]


@pytest.mark.parametrize("seed", range(5))
def test_stages_keep_no_good_release_from_going_on(seed: int) -> None:
    with_them, without = until_decided.run(with_stages(Releases(seed), 0.0), masks={}), until_decided.run(Releases(seed), masks={})
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


def with_statuses(releases: Releases, old: int, new: int, *, only: bool = False) -> Callable[[int], dict]:
    """One endpoint answers with these statuses; `only` leaves no other."""

    def measure(passes: int) -> dict:
        sides = releases(passes)
        name = next(iter(sides["old"]["endpoints"]))
        for side, status in (("old", old), ("new", new)):
            sides[side]["endpoints"][name]["response"] = {"status": status, "body": {}}
            if only:
                sides[side]["endpoints"] = {name: sides[side]["endpoints"][name]}
        return sides

    return measure


@pytest.mark.parametrize("only", [False, True])
def test_what_comes_with_a_release_is_not_compared(only: bool) -> None:
    said: list[str] = []
    result = until_decided.run(with_statuses(Releases(3), 404, 200, only=only), masks={}, warn=said.append)
    assert result["verdict"] != "regression" and "the live release answers 404" in said[0]


def test_processor_time_of_other_work_is_not_compared() -> None:
    sides = OfProcesses(3)(25)
    names = [metric["name"] for metric in until_decided.case(sides["old"], sides["new"], masks={})["metrics"]]
    assert "cpu seconds a request of api" in names
    moved = next(iter(sides["old"]["endpoints"]))
    sides["old"]["endpoints"][moved]["response"] = {**(sides["old"]["endpoints"][moved]["response"] or {}), "status": 404}
    assert until_decided.arriving(sides["old"], sides["new"]) == [moved]
    without = [metric["name"] for metric in until_decided.case(sides["old"], sides["new"], masks={})["metrics"]]
    assert set(names) - set(without) >= {"cpu seconds a request of api"} and "memory of worker after 1000 more requests" in without


@pytest.mark.parametrize(("old", "new"), [(200, 404), (401, 200), (404, 500), (200, 503)])
def test_any_other_change_of_a_status_is_a_difference(old: int, new: int) -> None:
    result = until_decided.run(with_statuses(Releases(3), old, new), masks={})
    assert result["verdict"] == "regression" and f"status {new} instead of {old}" in result["summary"]


def test_a_release_that_loses_documents_is_found() -> None:
    lost = {"requests": 2, "errors": 2, "lost": "POST /documents: status 500"}
    result = until_decided.run(with_documents(Releases(3), old={"requests": 1, "errors": 0}, new=lost), masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ["contract"] and "sent again was lost again: POST /documents: status 500" in result["summary"]
    assert [look["probes"] for look in result["looks"]] == [25]


def test_a_document_lost_now_and_then_or_by_the_live_release_keeps_no_good_one_from_going_on() -> None:
    lost, warnings = {"requests": 4, "errors": 3, "lost": "POST /documents: status 500"}, []
    result = until_decided.run(with_documents(Releases(3), old=lost, new={"requests": 5, "errors": 1}), masks={}, warn=warnings.append)
    assert result["verdict"] == "pass" and len(warnings) == 1 and "the live release lost a document" in warnings[0]
    assert "1 of 2" in result["metrics"]["errors"]["why"], "and it is counted"


def test_production_that_loses_documents_is_found() -> None:
    baseline = Releases(100)(1000)["new"]
    lost = {"requests": 2, "errors": 2, "lost": "the probe document failed"}
    measure = with_documents(Releases(3), new=lost)
    result = until_decided.against(baseline, lambda passes: {"new": measure(passes)["new"]}, environment="cross", masks={})
    assert result["verdict"] == "regression" and "the probe document failed" in result["summary"]


def one_side(releases: Releases) -> Callable[[int], dict]:
    return lambda passes: {"new": releases(passes)["new"]}


@pytest.mark.parametrize("fault", [None, "failing", "changed response"])
def test_what_is_live_against_a_baseline(fault: str | None) -> None:
    """The host's moods are no regression between machines; failures and other answers are."""
    baseline = Releases(100)(1000)["new"]
    change, new, metric = FAULTS[fault] if fault else (None, {}, "")
    result = until_decided.against(baseline, one_side(Releases(3, change, **new)), environment="cross", masks={})
    bad = [name for name, item in result["metrics"].items() if item["verdict"] == "regression"]
    assert bad == ([metric] if fault else []), result["summary"]
    assert not fault or len(result["looks"]) <= 2
