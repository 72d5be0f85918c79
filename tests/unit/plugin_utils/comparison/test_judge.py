# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge on series with known effects, on what is no measurement at all, and its numerics against scipy's own."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy

import judge_series as series
import numpy as np
import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import judge as judging
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import numerics
from scipy import stats

SEEDS = (1, 2, 3)
NAN, INF = float("nan"), float("inf")


def judge(metrics: list[dict], **options: object) -> dict:
    return judging.judge({"options": options, "metrics": metrics})


def verdict(metric: dict, **options: object) -> str:
    return judge([metric], **options)["metrics"][metric["name"]]["verdict"]


def samples(kind: str, old: list, new: list, **more: object) -> dict:
    return {"name": "it", "kind": kind, "baseline": {"samples": old}, "candidate": {"samples": new}, **more}


# --- Known effects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", series.SERIES)
@pytest.mark.parametrize(("effect", "wanted"), [(0.7, "pass"), (1.0, "pass"), (2.0, "regression")])
def test_levels(name: str, effect: float, wanted: str, seed: int) -> None:
    metric = series.endpoint(np.random.default_rng([seed, 11]), name, series.SERIES[name], n=400, effect=effect)
    result = judge([metric])["metrics"][name]
    assert result["verdict"] == wanted, result["why"]
    assert result["low"] <= result["effect"] <= result["high"]
    assert result["low"] - 0.1 < effect - 1 < result["high"] + 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_identical_code_is_no_regression(seed: int) -> None:
    verdicts = [judge(series.deployment(np.random.default_rng([seed, number])))["verdict"] for number in range(60)]
    assert "regression" not in verdicts, Counter(verdicts)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", ["slow path", "stretched"])
def test_tails_are_found_that_no_level_shows(change: str, seed: int) -> None:
    found = Counter()
    for number in range(40):
        rng = np.random.default_rng([seed, number])
        metric = series.endpoint(rng, "it", series.lognormal, n=200)
        values = np.array(metric["candidate"]["samples"])
        values = series.slow_path(rng, values) if change == "slow path" else series.stretched_tail(values)
        metric["candidate"]["samples"] = values.tolist()
        found[verdict(metric)] += 1
    assert found["regression"] >= 37 and found["pass"] <= 2, found  # 5 % more slow requests is just the margin


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ((0, 1000), (0, 400), "pass"),
        ((0, 1000), (20, 400), "regression"),
        ((50, 1000), (20, 400), "pass"),
        ((0, 1000), (0, 50), "inconclusive"),
        ((0, 1000), (1, 400), "pass"),
        ((0, 100000), (30, 10000), "pass"),  # certain, and too few to matter
        ((5, 1000), (2, 100), "inconclusive"),
        ((0, 0), (0, 400), "inconclusive"),
        ((0, 1000), (0, 0), "inconclusive"),
        ((1000, 1000), (400, 400), "pass"),
    ],
)
def test_errors(old: tuple[int, int], new: tuple[int, int], wanted: str) -> None:
    counts = [dict(zip(("k", "n"), side)) for side in (old, new)]
    assert verdict({"name": "errors", "kind": "errors", "baseline": counts[0], "candidate": counts[1]}) == wanted


@pytest.mark.parametrize(
    ("candidate", "wanted"),
    [
        ({"differences": []}, "pass"),
        ({"differences": [{"words": "pages is missing"}]}, "regression"),
        ({"differences": ["anything"]}, "regression"),
        ({}, "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_function(candidate: dict | None, wanted: str) -> None:
    result = judge([{"name": "contract", "kind": "functional", "candidate": candidate}])
    assert result["verdict"] == result["metrics"]["contract"]["verdict"] == wanted
    assert wanted != "regression" or "pages" in str(result) or "anything" in str(result)


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_cancel_what_both_sides_share(seed: int) -> None:
    """A host that gets slower and slower hides a difference of a fifth from everything but pairs."""
    rng = np.random.default_rng(seed)
    host = 20 * np.exp(np.cumsum(rng.normal(0, 0.05, 200)))
    old, new = (host * np.exp(0.05 * rng.standard_normal(200)) * effect for effect in (1.0, 1.2))
    paired = judge([samples("latency", old.tolist(), new.tolist(), paired=True)])["metrics"]["it"]
    assert paired["verdict"] == "regression" and paired["effect"] == pytest.approx(0.2, abs=0.03)
    assert verdict(samples("latency", old.tolist(), new.tolist())) == "inconclusive"
    same = host * np.exp(0.05 * rng.standard_normal(200))
    assert verdict(samples("latency", old.tolist(), same.tolist(), paired=True)) == "pass"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("machine", [0.4, 1.0, 1.7])
def test_different_machines(seed: int, machine: float) -> None:
    calibration = {"factor": machine, "rel_sd": 0.1}
    for slow, wanted in ((1.0, None), (2.5, "regression")):
        metrics = series.deployment(np.random.default_rng([seed, 5]), machine=machine, slow=slow, n=200)
        result = judge(metrics, environment="cross", calibration=calibration)
        bad = [name for name, found in result["metrics"].items() if found["verdict"] == "regression"]
        assert bad == ([metrics[0]["name"]] if wanted else []), result


@pytest.mark.parametrize(("slow", "wanted"), [(1.0, "pass"), (2.5, "regression")])
def test_what_is_as_fast_as_at_home_is_not_slower(slow: float, wanted: str) -> None:
    """Where the database became twice as fast, an endpoint that asks none has not become worse."""
    rng = np.random.default_rng(5)
    metrics = [
        series.endpoint(rng, f"{number}", series.lognormal, effect=slow if number == 0 else 0.5) for number in range(5)
    ]
    options = {"environment": "cross", "calibration": {"factor": 1.0, "rel_sd": 0.1}}
    result = judging.judge({"options": options, "metrics": metrics})
    assert result["metrics"]["0"]["verdict"] == wanted, result["metrics"]["0"]["why"]


def test_everything_slower_than_the_machine_explains() -> None:
    metrics = series.deployment(np.random.default_rng(3), machine=4.0, n=200)
    result = judge(metrics, environment="cross", calibration={"factor": 1.0, "rel_sd": 0.1})
    assert result["metrics"][judging.OVERALL]["verdict"] == "regression"
    # Without a calibration nothing says how fast the machines are.
    assert judging.OVERALL not in judge(metrics, environment="cross")["metrics"]


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_that_differ_widen_the_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    calm = series.endpoint(rng, "it", series.quiet, tau=0.0)
    busy = deepcopy(calm)
    busy["baseline"]["runs"] = [
        (np.array(run) * level).tolist() for run, level in zip(calm["baseline"]["runs"], (0.8, 0.9, 1, 1.1, 1.25))
    ]
    narrow, wide = (judge([metric])["metrics"]["it"] for metric in (calm, busy))
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_run_among_runs_that_differ_has_no_slow_tail(seed: int) -> None:
    """All of a slow run is slow, its tail too. Where runs are known to differ that much, neither is news."""
    rng = np.random.default_rng(seed)
    metric = series.endpoint(rng, "it", series.quiet, tau=0.0, n=200, effect=1.6)
    assert verdict(metric) == "regression"
    levels = (0.7, 0.85, 1, 1.2, 1.45)
    metric["baseline"]["runs"] = [
        (np.array(run) * level).tolist() for run, level in zip(metric["baseline"]["runs"], levels)
    ]
    assert verdict(metric) == "inconclusive"


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_that_are_slow_in_turn_are_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = (series.slow_path(rng, series.quiet(rng, 400), rate=0.04) for _dummy in range(2))
    result = judge([samples("latency", old.tolist(), new.tolist(), paired=True)])["metrics"]["it"]
    assert result["verdict"] != "regression" and result["tail"]["before"] > 0.01, result
    # The same where only the new ones are.
    only = judge([samples("latency", series.quiet(rng, 400).tolist(), new.tolist(), paired=True)])["metrics"]["it"]
    assert only["tail"]["p"] < 0.01 and only["tail"]["p"] < result["tail"]["p"]


# --- Looks and rules --------------------------------------------------------------------------------------------------


def test_early_looks_spend_less() -> None:
    assert [judging.Options(looks=4, look=look).spent for look in (1, 2, 3, 4)] == [0.125, 0.125, 0.25, 0.5]
    assert [judging.Options(looks=1, look=1).spent, judging.Options(looks=2, look=1).spent] == [1.0, 0.5]
    metric = series.endpoint(np.random.default_rng(1), "it", series.lognormal)
    lows = [judge([metric], looks=4, look=look)["metrics"]["it"]["low"] for look in (1, 3, 4)]
    assert lows == sorted(lows) and lows[0] < lows[2]


def test_more_metrics_share_the_error() -> None:
    metric = series.endpoint(np.random.default_rng(1), "it", series.lognormal)
    alone = judge([metric])["metrics"]["it"]["low"]
    shared = judge([metric, *({**metric, "name": str(number)} for number in range(20))])["metrics"]["it"]["low"]
    assert shared < alone


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e9])
@pytest.mark.parametrize("environment", ["same", "cross"])
def test_units_do_not_matter(unit: float, environment: str) -> None:
    metrics = series.deployment(np.random.default_rng(4))
    scaled = deepcopy(metrics)
    for metric in scaled:
        for side in ("baseline", "candidate"):
            for key in ("samples",):
                if key in metric[side]:
                    metric[side][key] = [value * unit for value in metric[side][key]]
            if "runs" in metric[side]:
                metric[side]["runs"] = [[value * unit for value in run] for run in metric[side]["runs"]]
    first, second = (judge(case, environment=environment)["metrics"] for case in (metrics, scaled))
    for name in first:
        assert first[name]["verdict"] == second[name]["verdict"] and first[name]["why"] == second[name]["why"]


def test_the_same_question_has_the_same_answer() -> None:
    metrics = series.deployment(np.random.default_rng(4))
    before = deepcopy(metrics)
    first = judge(metrics)
    assert metrics == before and json.dumps(first) == json.dumps(judge(metrics))
    json.dumps(first, allow_nan=False)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ([10] * 100, [10] * 100, "pass"),
        ([10] * 100, [10.2] * 100, "pass"),
        ([10] * 100, [20] * 100, "regression"),
        ([10] * 100, [5] * 100, "pass"),
        ([0] * 100, [0] * 100, "pass"),
        ([0] * 100, [10] * 100, "inconclusive"),
        ([10] * 100, [0] * 100, "pass"),
        ([10] * 100, [], "inconclusive"),
        ([], [10] * 100, "inconclusive"),
        ([10] * 100, [10] * 7, "inconclusive"),
        ([10] * 100, [100] * 7, "inconclusive"),
        ([10] * 100, [NAN] * 100, "inconclusive"),
        ([10] * 100, [INF] * 100, "inconclusive"),
        ([10] * 100, [None] * 100, "inconclusive"),
        ([10] * 100, [-1] * 100, "inconclusive"),
        ([10] * 100, [10] * 95 + [NAN] * 5, "pass"),
        ([10] * 100, [10] * 60 + [NAN] * 40, "inconclusive"),
        ([1e-300] * 100, [1e300] * 100, "regression"),
    ],
)
@pytest.mark.parametrize("kind", ["latency", "resource"])
def test_defined_answers(kind: str, old: list, new: list, wanted: str) -> None:
    result = judge([samples(kind, old, new)])
    assert result["metrics"]["it"]["verdict"] == result["verdict"] == wanted, result
    json.dumps(result, allow_nan=False)
    if len(old) == len(new):
        assert verdict(samples(kind, old, new, paired=True)) == wanted


@pytest.mark.parametrize("size", range(1, 9))
def test_few_samples_never_pass(size: int) -> None:
    assert (
        verdict(samples("latency", [10.0 + i for i in range(100)], [10.0 + i for i in range(size)])) == "inconclusive"
    )


def test_the_warm_up_does_not_count() -> None:
    cold = [200.0] * 10 + [20.0, 21.0, 19.0] * 30
    result = judge([samples("latency", [20.0, 21.0, 19.0] * 300, cold)])["metrics"]["it"]
    assert result["verdict"] == "pass" and result["n"] == 90 and result["effect"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({}, "no metrics"),
        ({"metrics": [{}]}, "metric 1 has no name"),
        ({"metrics": [{"name": "a", "kind": "speed"}]}, "kind 'speed'"),
        ({"metrics": [{"name": "a", "kind": "functional"}] * 2}, "two metrics have the name 'a'"),
        ({"metrics": [{"name": "a", "kind": "latency", "baseline": [1]}]}, "`baseline` is no mapping"),
        ({"metrics": [samples("latency", [1] * 9, [1] * 8, paired=True)]}, "9 samples of the baseline and 8"),
        ({"metrics": [{"name": "a", "kind": "errors", "baseline": {"k": 2, "n": 1}}]}, "k = 2 errors of n = 1"),
        ({"metrics": [{"name": "a", "kind": "latency", "baseline": {"runs": [1, 2]}}]}, "runs a list of such lists"),
        ({"options": {"environment": "mars"}, "metrics": [{"name": "a", "kind": "functional"}]}, "'same' or 'cross'"),
        ({"options": {"looks": 4, "look": 5}, "metrics": [{"name": "a", "kind": "functional"}]}, "look is 1 to looks"),
        (
            {"options": {"calibration": {"factor": 0}}, "metrics": [{"name": "a", "kind": "functional"}]},
            "positive number",
        ),
    ],
)
def test_a_case_that_cannot_be_understood(case: dict, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        judging.judge(case)


def test_missing_numerics_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "special", None)
    with pytest.raises(ParityError, match="needs scipy on the control node"):
        judge([{"name": "a", "kind": "functional"}])


# --- Numerics, against scipy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counts", [(5, 190, 1, 1000), (0, 10, 0, 10), (3, 3, 0, 5), (0, 50, 9, 50), (40, 400, 60, 1000), (10, 10, 10, 10)]
)
def test_fisher(counts: tuple[int, int, int, int]) -> None:
    k_new, n_new, k_old, n_old = counts
    wanted = stats.fisher_exact([[k_new, n_new - k_new], [k_old, n_old - k_old]], "greater")[1]
    assert numerics.fisher_greater(*counts) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("more", "fewer"), [(0, 0), (0, 5), (5, 0), (9, 2), (30, 31)])
def test_signs(more: int, fewer: int) -> None:
    wanted = stats.binomtest(more, more + fewer, alternative="greater").pvalue if more + fewer else 1.0
    assert numerics.sign_greater(more, fewer) == pytest.approx(wanted)


@pytest.mark.parametrize(("k", "n"), [(0, 59), (1, 93), (20, 400), (5, 5), (3, 10)])
def test_clopper_pearson(k: int, n: int) -> None:
    interval = stats.binomtest(k, n).proportion_ci(0.90, "exact")  # two-sided 90 % is one-sided 95 %
    assert numerics.clopper_pearson_upper(k, n) == pytest.approx(interval.high)
    assert numerics.clopper_pearson_lower(k, n) == pytest.approx(interval.low)


@pytest.mark.parametrize("seed", SEEDS)
def test_mann_whitney(seed: int) -> None:
    rng = np.random.default_rng(seed)
    new, old = rng.standard_normal(6 + seed) + 0.7, rng.standard_normal(9)
    wanted = stats.mannwhitneyu(new, old, alternative="greater", method="exact").pvalue
    assert numerics.mann_whitney_greater(new, old) == pytest.approx(wanted)
    assert numerics.mann_whitney_greater(old, old) > 0.5, "ties count for old"


@pytest.mark.parametrize("seed", range(5))
def test_ranks_and_quantiles(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 20, 100).astype(float)
    assert np.array_equal(numerics.ranks(values), stats.rankdata(values))
    assert numerics.t_quantile(7, 0.99) == pytest.approx(stats.t.ppf(0.99, 7))
    assert numerics.normal_quantile(0.001) == pytest.approx(stats.norm.ppf(0.001))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moved", [0.0, 0.4])
def test_shift_is_the_brunner_munzel_test_turned_round(seed: int, moved: float) -> None:
    rng = np.random.default_rng(seed)
    old, new = rng.normal(0, 1, 300), rng.normal(moved, 2, 80)
    found = numerics.shift(old, new, 1.0, 1.0)
    differences = np.subtract.outer(new, old).ravel()
    assert found.estimate == pytest.approx(np.median(differences), abs=1e-3)
    # Moved by its own bound, the test of scipy is just at the level the bound was made for.
    size = 2.5
    bound = found.estimate - size * found.deviation(-size)
    statistic = stats.brunnermunzel(old + bound, new).statistic
    assert abs(statistic) == pytest.approx(size, rel=0.15)


@pytest.mark.parametrize("seed", SEEDS)
def test_paired_shift_is_wilcoxons(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.3, 1, 120)
    found = numerics.paired_shift(differences, 1.0)
    walsh = [(differences[i] + differences[j]) / 2 for i in range(120) for j in range(i, 120)]
    assert found.estimate == pytest.approx(np.median(walsh), abs=5e-3)
    bound = found.estimate - 2 * found.deviation(-2.0)
    chance = stats.wilcoxon(differences - bound, alternative="greater", method="asymptotic").pvalue
    assert stats.norm.isf(chance) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(("rho", "wanted"), [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)])
def test_inflation(rho: float, wanted: float) -> None:
    runs = [np.log(series.autoregressive(np.random.default_rng([9, number]), 4000, rho)) for number in range(3)]
    assert numerics.inflation(runs) == pytest.approx(wanted, rel=0.2)
    moved = [run + 5 * number for number, run in enumerate(runs)]
    assert numerics.inflation(moved) == pytest.approx(numerics.inflation(runs))


def test_inflation_ends_at_noise() -> None:
    assert numerics.inflation([np.zeros(100)]) == 1.0
    assert numerics.inflation([np.arange(5.0)]) == 1.0
    assert numerics.inflation([np.arange(1000.0)]) <= 1 + 2 * 40
