# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the new deployment with the baseline: `judge(case) -> verdict`, pure and without randomness.

Three verdicts: `regression` (evidence that it is worse than tolerated), `pass` (proof that it is not worse than the
margin), `inconclusive` (neither). docs/judge.md explains the statistics and shows what they reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, floor, inf, isfinite, log, pi, sqrt

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import numerics

try:
    import numpy as np
except ImportError:
    np = None

PASS, REGRESSION, INCONCLUSIVE = "pass", "regression", "inconclusive"
OVERALL = "all endpoints"

#: The chance of a false alarm in a deployment, and how it is split over kinds of metrics. The level of a latency and its tail
#: are held to the same part: a level has to exceed what is tolerated, not zero, and exact tests of few counts stay far below
#: their nominal error, so that together they are within it (`make bench-judge` shows how far).
FAMILY = 0.01
SHARES = {"latency": 0.5, "errors": 0.25, "resource": 0.25}

#: The level may rise by this before it counts as worse; and must provably rise by less than this to pass.
TOLERATED, MARGIN, MARGIN_CROSS = log(1.05), log(1.25), log(2.0)
#: Run-to-run standard deviation of the log level, where too few runs say otherwise.
PRIOR = {"latency": 0.02, "resource": 0.03}
PRIOR_DEGREES = 2
#: Between different machines: how much endpoints may deviate from each other, and all of them from the calibration.
ENDPOINT_SD, CALIBRATION_SD = 0.10, 0.25
TAIL_FACTORS = (1.25, 1.75)
TAIL_EXCESS = 0.05
TAIL_SAFETY, TAIL_SAFETY_CROSS = 2.5, 3.5
ERRORS_LEAST, ERRORS_MARGIN = 0.005, 0.03
LEAST_SAMPLES = 8
CONFIDENCE = 0.95
#: How much more levels of runs may differ by the chance of few samples than those samples show: autocorrelation that reaches far
#: is hard to see in a run, and without this it would count as a difference between runs.
WITHIN_UNSEEN = 1.5


@dataclass(frozen=True)
class Options:
    """The options of this comparison. `look` of `looks` spends its part of the error; the last one spends the most."""

    environment: str = "same"
    factor: float | None = None
    factor_sd: float = 0.0
    looks: int = 1
    look: int = 1

    @property
    def cross(self) -> bool:
        return self.environment == "cross"

    @property
    def spent(self) -> float:
        """The share of the family error at this look: .125, .125, .25, .5 for four."""
        return 0.5 ** min(self.looks - self.look + 1, self.looks - 1)


@dataclass(frozen=True)
class Series:
    """Samples of one side, in logs, without values that are no measurement, and without the warm-up of each run."""

    runs: list
    invalid: int = 0

    @property
    def values(self):
        return np.concatenate(self.runs) if self.runs else np.array([])


@dataclass
class Level:
    """The shift of one metric's level, before anything is decided."""

    metric: dict
    old: Series
    new: Series
    clusters_old: float
    clusters_new: float
    shift: numerics.Shift
    tau: float
    tau_degrees: float
    runs: int
    paired: bool
    reference: float = 0.0  # the shift that the machines explain
    reference_sd: float = 0.0
    home: float | None = None  # the shift that the speed of the machines explains at most, between different ones

    @property
    def run_variance(self) -> float:
        return self.tau**2 * (1 + 1 / self.runs)

    def bound(self, alpha: float, upper: bool) -> float:
        """A one-sided bound of the shift beyond the reference."""
        size = numerics.t_quantile(self._degrees(alpha), 1 - alpha)
        deviation = self._deviation(size if upper else -size)
        return self.shift.estimate - self.reference + (size if upper else -size) * deviation

    def home_bound(self, alpha: float, upper: bool) -> float:
        """The same beyond the speed of the machines alone, of which no endpoint deviates by being another one."""
        size = numerics.t_quantile(self._degrees(alpha), 1 - alpha) * (1 if upper else -1)
        return self.shift.estimate - self.home + size * sqrt(self.shift.deviation(size) ** 2 + self.run_variance)

    def _deviation(self, quantile: float) -> float:
        return sqrt(self.shift.deviation(quantile) ** 2 + self.run_variance + self.reference_sd**2)

    def _degrees(self, alpha: float) -> float:
        """Welch and Satterthwaite's, over the parts of the variance that were estimated."""
        own = self.shift.deviation(numerics.normal_quantile(alpha)) ** 2
        total = own + self.run_variance + self.reference_sd**2
        spread = own**2 / self.shift.degrees + self.run_variance**2 / self.tau_degrees
        return total**2 / spread if spread > 0 else inf


def judge(case: dict) -> dict:
    """The verdict over all metrics of `case`, and one for each with its effect, interval, margin and a sentence.

    Raises ParityError where the case itself cannot be understood, or scipy is missing.
    """
    numerics.require()
    options = _options(case.get("options") or {})
    metrics = _checked(case.get("metrics"))
    count = {kind: sum(metric["kind"] == kind for metric in metrics) for kind in SHARES}
    alpha = {kind: FAMILY * share / max(count[kind], 1) * options.spent for kind, share in SHARES.items()}
    results: dict[str, dict] = {}
    levels = [_level(metric) for metric in metrics if metric["kind"] in PRIOR]
    overall = _set_references([item for item in levels if isinstance(item, Level)], options)
    found = {id(item.metric): item for item in levels if isinstance(item, Level)}
    refused = {id(metric): answer for metric, answer in (item for item in levels if isinstance(item, tuple))}
    for metric in metrics:
        if metric["kind"] == "functional":
            result = _judge_functional(metric)
        elif metric["kind"] == "errors":
            result = _judge_errors(metric, alpha["errors"])
        elif id(metric) in refused:
            result = refused[id(metric)]
        else:
            result = _judge_level(found[id(metric)], alpha[metric["kind"]], options)
        results[metric["name"]] = {"kind": metric["kind"], **result}
    if overall:
        results[OVERALL] = {"kind": "latency", **_judge_overall(overall, alpha["latency"], options)}
    return {"verdict": _worst([result["verdict"] for result in results.values()]), "metrics": results}


def _worst(verdicts: list[str]) -> str:
    if REGRESSION in verdicts:
        return REGRESSION
    return PASS if verdicts and all(verdict == PASS for verdict in verdicts) else INCONCLUSIVE


def summary(result: dict) -> str:
    """A verdict in a few lines, with the metrics that decided it."""
    found = [metric for metric in result["metrics"].values() if metric["verdict"] == result["verdict"]]
    if result["verdict"] == PASS:
        shown = sum(not metric.get("guard") for metric in found)
        return f"The deployment is not worse than the baseline: {shown} metrics are within their margins."
    heads = {
        REGRESSION: "The deployment is worse than the baseline:",
        INCONCLUSIVE: "It is not certain whether the deployment is worse than the baseline:",
    }
    return "\n".join([heads[result["verdict"]], *(f"- {metric['why']}" for metric in found)])


# --- The case ---------------------------------------------------------------------------------------------------------


def _options(given: dict) -> Options:
    environment = given.get("environment", "same")
    if environment not in ("same", "cross"):
        raise ParityError(f"options.environment is {environment!r}; it is 'same' or 'cross'.")
    looks, look = given.get("looks", 1), given.get("look")
    look = looks if look is None else look
    if not (isinstance(looks, int) and isinstance(look, int) and 1 <= look <= looks):
        raise ParityError(f"options.look is {look!r} of {looks!r}; both are whole numbers, and look is 1 to looks.")
    calibration = given.get("calibration") or {}
    factor, deviation = calibration.get("factor"), calibration.get("rel_sd", 0.0)
    for name, value in (("factor", factor), ("rel_sd", deviation)):
        if value is not None and not (
            _is_number(value) and isfinite(value) and value >= 0 and (value or name != "factor")
        ):
            raise ParityError(f"options.calibration.{name} is {value!r}; it is a positive number.")
    return Options(environment, factor, deviation or 0.0, looks, look)


def _checked(metrics: object) -> list[dict]:
    if not isinstance(metrics, list) or not metrics:
        raise ParityError("the case has no metrics: `metrics` is a list with at least one entry.")
    seen = set()
    for number, metric in enumerate(metrics, 1):
        name = metric.get("name") if isinstance(metric, dict) else None
        if not isinstance(name, str) or not name:
            raise ParityError(f"metric {number} has no name.")
        if name in seen:
            raise ParityError(f"two metrics have the name {name!r}; each needs its own.")
        seen.add(name)
        if metric.get("kind") not in (*SHARES, "functional"):
            raise ParityError(
                f"metric {name!r} has the kind {metric.get('kind')!r}; kinds: latency, errors, resource, functional."
            )
        for side in ("baseline", "candidate"):
            if not isinstance(metric.get(side) or {}, dict):
                raise ParityError(f"metric {name!r}: `{side}` is no mapping.")
    return metrics


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# --- Level: latency and resources -------------------------------------------------------------------------------------


def _series(side: dict, name: str, warm: bool) -> Series:
    """The usable samples: finite and not negative. The first 10 (or 20 %) of a run are its warm-up."""
    runs = side.get("runs") or ([side["samples"]] if side.get("samples") else [])
    if not all(isinstance(run, (list, tuple)) for run in runs):
        raise ParityError(f"metric {name!r}: samples are a list of numbers, runs a list of such lists.")
    kept = []
    for run in runs:
        values = np.array([value if _is_number(value) else np.nan for value in run], dtype=float)
        values = values[min(10, len(values) // 5) if warm else 0 :]
        kept.append(values)
    valid = [values[np.isfinite(values) & (values >= 0)] for values in kept]
    invalid = sum(map(len, kept)) - sum(map(len, valid))
    return Series([values for values in valid if len(values)], invalid)


def _pair(metric: dict) -> tuple[Series, Series]:
    """Only pairs in which both values are measurements."""
    before, after = (metric.get(side) or {} for side in ("baseline", "candidate"))
    first, second = (
        [value if _is_number(value) else np.nan for value in side.get("samples") or []] for side in (before, after)
    )
    if len(first) != len(second):
        raise ParityError(
            f"metric {metric['name']!r} is paired, but has {len(first)} samples of the baseline and {len(second)} of "
            "the candidate; they go together one by one."
        )
    both = np.array([first, second], dtype=float)[:, min(10, len(first) // 5) :]
    good = (np.isfinite(both) & (both >= 0)).all(axis=0)
    old, new = (Series([values[good]] if good.any() else [], int((~good).sum())) for values in both)
    return old, new


def _level(metric: dict) -> Level | tuple[dict, dict]:
    """The shift, or the metric with the answer where none can be measured."""
    name, kind = metric["name"], metric["kind"]
    paired = bool(metric.get("paired"))
    if paired:
        old, new = _pair(metric)
    else:
        old, new = (_series(metric.get(side) or {}, name, kind == "latency") for side in ("baseline", "candidate"))
    used = {"n": len(new.values), "effect": None, "low": None, "high": None, "margin": None}
    for side, words in ((old, "the baseline"), (new, "the candidate")):
        if len(side.values) < LEAST_SAMPLES:
            why = f"{name}: {words} has {len(side.values)} usable samples, and fewer than {LEAST_SAMPLES} show nothing."
            return metric, {**used, "verdict": INCONCLUSIVE, "why": why}
        if side.invalid > 0.2 * (side.invalid + len(side.values)):
            why = f"{name}: {side.invalid} samples of {words} are no measurements (not a number, infinite or negative)."
            return metric, {**used, "verdict": INCONCLUSIVE, "why": why}
    if not old.values.any():
        same = not new.values.any()
        why = f"{name}: the baseline measured nothing but zero, " + (
            "and so did the candidate." if same else "so there is no ratio to it."
        )
        answer = {"verdict": PASS, "effect": 0.0, "low": 0.0, "high": 0.0} if same else {"verdict": INCONCLUSIVE}
        return metric, {**used, **answer, "why": why}
    old, new = _logs(old, new)
    tau, degrees, count = _run_to_run(old.runs, kind)
    if paired:
        differences = new.values - old.values
        found = numerics.paired_shift(differences, numerics.inflation([differences]))
    else:
        found = numerics.shift(old.values, new.values, numerics.inflation(old.runs), numerics.inflation(new.runs))
    return Level(metric, old, new, _clusters(old.runs), _clusters(new.runs), found, tau, degrees, count, paired)


def _clusters(runs: list) -> float:
    """How far slow requests come in clusters: the inflation of counts of them."""
    return numerics.inflation([(run > np.quantile(run, 0.9)).astype(float) for run in runs])


def _logs(old: Series, new: Series) -> tuple[Series, Series]:
    """Zeros are values below the resolution: half of the smallest one that was measured."""
    both = np.concatenate([old.values, new.values])
    floor_value = both[both > 0].min() / 2
    before, after = (Series([np.log(np.maximum(run, floor_value)) for run in side.runs]) for side in (old, new))
    return before, after


def _run_to_run(runs: list, kind: str) -> tuple[float, float, int]:
    """Standard deviation of the level between runs, its degrees of freedom, and the number of runs."""
    runs, prior = [run for run in runs if len(run) >= LEAST_SAMPLES], PRIOR[kind]
    if len(runs) < 3:
        return prior, inf, max(len(runs), 1)
    whole = np.concatenate(runs)
    inflated = numerics.inflation(runs)
    levels = [numerics.shift(whole, run, 0.0, inflated) for run in runs]
    # Levels also differ because each is measured from a few samples; that is in the bounds of the shift already.
    within = float(np.mean([(level.deviation(1.0) ** 2 + level.deviation(-1.0) ** 2) / 2 for level in levels]))
    seen = len(levels) - 1
    between = max(float(np.var([level.estimate for level in levels], ddof=1)) - WITHIN_UNSEEN * within, 0.0)
    # The prior is the least that is assumed, however alike a few runs happen to be. What is measured above it is as uncertain
    # as it is measured from few runs, the prior counting for two more.
    if between <= prior**2:
        return prior, inf, len(levels)
    return sqrt(between), PRIOR_DEGREES + seen, len(levels)


def _set_references(levels: list[Level], options: Options) -> list[Level]:
    """Between different machines, what all endpoints share is the machine's. Returns the levels it was taken from."""
    if not options.cross:
        return []
    endpoints = [level for level in levels if level.metric["kind"] == "latency" and not level.metric.get("guard")]
    factor = log(options.factor) if options.factor else 0.0
    alone = sqrt(ENDPOINT_SD**2 + CALIBRATION_SD**2 + options.factor_sd**2)
    common = float(np.median([level.shift.estimate for level in endpoints])) if len(endpoints) >= 3 else None
    for level in levels:
        if level.metric["kind"] == "latency" and common is not None:
            level.reference, level.reference_sd = _shared(level, endpoints, common), ENDPOINT_SD
            level.home = min(factor, 0.0)
        elif level.metric["kind"] == "latency":
            level.reference, level.reference_sd = factor, alone
        else:  # memory does not depend on how fast a machine is, and processor time is normalised by its owner
            level.reference, level.reference_sd = 0.0, ENDPOINT_SD
    return endpoints if common is not None and options.factor else []


def _shared(level: Level, endpoints: list[Level], common: float) -> float:
    """What the other endpoints share: a slow one must not hide behind its own weight. The median of two is no median."""
    others = [other.shift.estimate for other in endpoints if other is not level]
    return float(np.median(others)) if len(others) >= 3 else common


def _judge_level(level: Level, alpha: float, options: Options) -> dict:
    with_tail = level.metric["kind"] == "latency" and level.metric.get("tail", True)
    margin = MARGIN_CROSS if options.cross else MARGIN
    effect, low, high = _kinder(level, alpha)
    verdict = REGRESSION if low > TOLERATED else PASS if high < margin else INCONCLUSIVE
    few = level.metric.get("guard") and not options.cross and verdict != REGRESSION and _ranked(level) < alpha
    name = level.metric["name"]
    tail = _tail(level, alpha) if with_tail else None
    beyond = " beyond what the machine explains" if options.cross else ""
    why = f"{name}: {_percent(effect)} ({_percent(low)} to {_percent(high)}){beyond}"
    if few:
        verdict = REGRESSION
        why = f"{name}: {_percent(effect)}: {len(level.new.values)} samples lie further above the baseline's than chance explains."
    elif verdict == REGRESSION:
        why += f": worse than the {_percent(TOLERATED)} that is tolerated."
    elif level.metric.get("guard"):  # too few samples to prove anything, and enough to see what is much worse
        verdict, why = PASS, why + ": nothing shows that it is worse."
    elif tail and tail["verdict"] == REGRESSION:
        verdict, why = REGRESSION, f"{name}: {tail['why']}"
    elif verdict == INCONCLUSIVE:
        why += f": neither worse for certain nor below the margin of {_percent(margin)} for certain."
    elif tail and tail["verdict"] == INCONCLUSIVE:
        verdict, why = INCONCLUSIVE, why + f", but {tail['why']}"
    else:
        why += f": below the margin of {_percent(margin)}."
    return {
        "verdict": verdict,
        "effect": _relative(effect),
        "low": _relative(low),
        "high": _relative(high),
        "margin": _relative(margin),
        "n": len(level.new.values),
        "why": why,
        **({"tail": tail} if tail else {}),
        **({"guard": True} if level.metric.get("guard") else {}),
    }


def _kinder(level: Level, alpha: float) -> tuple[float, float, float]:
    """The effect with its bounds. Between machines the kinder of two views counts.

    What the others share is one: but where they have become faster (a quieter database), an endpoint that needs none has not
    become slower. So it also has to be slower than at home, as far as the machines' speed goes.
    """
    seen = (
        level.shift.estimate - level.reference,
        level.bound(alpha, upper=False),
        level.bound(1 - CONFIDENCE, upper=True),
    )
    if level.home is None:
        return seen
    home = (
        level.shift.estimate - level.home,
        level.home_bound(alpha, upper=False),
        level.home_bound(1 - CONFIDENCE, upper=True),
    )
    return min(seen, home, key=lambda view: view[1])


def _ranked(level: Level) -> float:
    """The chance that a few samples lie as far above the baseline's. Their bounds, far out, are wider than what ranks tell."""
    limit = TOLERATED + TAIL_SAFETY * sqrt(level.run_variance)
    return numerics.mann_whitney_greater(level.new.values - limit, level.old.values)


def _tail(level: Level, alpha: float) -> dict:
    """Slow requests: those beyond thresholds above the baseline's p95, against as many as there were."""
    spread = sqrt(level.run_variance + level.reference_sd**2)
    wide = (TAIL_SAFETY_CROSS if level.reference_sd else TAIL_SAFETY) * spread
    shared = float(np.quantile(level.old.values, 0.95)) + wide
    tests = []
    for factor in TAIL_FACTORS:
        k_new, n_new, k_old, n_old, chance = _slow(level, shared + log(factor))
        tests.append(
            {
                "times": factor * exp(wide),
                "rate": k_new / n_new,
                "before": k_old / n_old,
                "excess_at_most": numerics.clopper_pearson_upper(k_new, n_new, CONFIDENCE) - k_old / n_old,
                "p": chance,
            }
        )
    worst = min(tests, key=lambda test: test["p"])
    widest = tests[
        -1
    ]  # what lies between the thresholds is a matter of the level; what must be excluded are slow requests
    if worst["p"] < alpha:
        why = (
            f"{worst['rate']:.1%} of the requests take more than {worst['times']:.2g} times the baseline's 95th percentile, "
            f"{worst['before']:.1%} did before."
        )
        if level.reference_sd:  # how often a host lets requests wait is its own, and no small computation tells it
            return {**worst, "verdict": INCONCLUSIVE, "why": f"{why.rstrip('.')}, which another machine may explain."}
        return {**worst, "verdict": REGRESSION, "why": why}
    if widest["excess_at_most"] < TAIL_EXCESS:
        return {**widest, "verdict": PASS, "why": f"at most {widest['excess_at_most']:.1%} more requests are slow."}
    why = f"up to {widest['excess_at_most']:.1%} more requests may be slow: more samples are needed to exclude {TAIL_EXCESS:.0%}."
    return {**widest, "verdict": INCONCLUSIVE, "why": why}


def _slow(level: Level, limit: float) -> tuple[int, int, int, int, float]:
    """How many are beyond `limit`, new and old, among how many, and the chance of as many more by accident."""
    explained = level.reference if level.home is None else max(level.reference, level.home)
    new, old = level.new.values > limit + explained, level.old.values > limit
    if level.paired:  # what slows down both of a pair is the host, and says nothing
        new, old = new & ~old, old & ~new
        inflation = numerics.inflation([new.astype(float) - old.astype(float)])
        k_new, size = _deflated(int(new.sum()), len(new), inflation)
        k_old, size = _deflated(int(old.sum()), len(old), inflation)
        return k_new, size, k_old, size, numerics.sign_greater(k_new, k_old)
    k_new, n_new = _deflated(int(new.sum()), len(new), level.clusters_new)
    k_old, n_old = _deflated(int(old.sum()), len(old), level.clusters_old)
    return k_new, n_new, k_old, n_old, numerics.fisher_greater(k_new, n_new, k_old, n_old)


def _deflated(count: int, size: int, inflation: float) -> tuple[int, int]:
    """Counts of as many independent samples as these are worth."""
    worth = max(1, floor(size / inflation))
    return min(worth, floor(count / inflation + 0.5)), worth


def _judge_overall(levels: list[Level], alpha: float, options: Options) -> dict:
    """What all endpoints share against what the machines' speed explains: a coarse guard."""
    common, factor = levels[0].reference, log(options.factor or 1.0)
    deviation = sqrt(CALIBRATION_SD**2 + options.factor_sd**2 + (ENDPOINT_SD**2 * pi / 2) / len(levels))
    effect = common - factor
    low = effect - numerics.normal_quantile(1 - alpha) * deviation
    high = effect + numerics.normal_quantile(CONFIDENCE) * deviation
    bad = low > TOLERATED
    why = (
        f"{OVERALL}: {_percent(effect)} against what the speed of the machines explains ({_percent(low)} to {_percent(high)}): "
        + (
            "slower than different machines can account for."
            if bad
            else "within what different machines can account for."
        )
    )
    values = {
        "effect": _relative(effect),
        "low": _relative(low),
        "high": _relative(high),
        "margin": None,
        "n": len(levels),
    }
    return {"verdict": REGRESSION if bad else PASS, **values, "why": why}


def _relative(shift: float) -> float:
    """A shift of logs as a change relative to what was: 0.25 for a quarter more."""
    return expm1(min(shift, 700.0))


def _percent(shift: float) -> str:
    if shift > log(1e4):
        return "more than 10000-fold"
    value = expm1(shift)
    return f"{value:+.0%}" if abs(value) >= 0.1 or not value else f"{value:+.1%}"


# --- Errors and function ----------------------------------------------------------------------------------------------


def _judge_errors(metric: dict, alpha: float) -> dict:
    name = metric["name"]
    (k_old, n_old), (k_new, n_new) = (_counts(metric, side) for side in ("baseline", "candidate"))
    if not n_old or not n_new:
        why = f"{name}: {'the baseline' if not n_old else 'the candidate'} has no requests to count errors among."
        return {
            "verdict": INCONCLUSIVE,
            "effect": None,
            "low": None,
            "high": None,
            "margin": ERRORS_MARGIN,
            "n": n_new,
            "why": why,
        }
    before, after = k_old / n_old, k_new / n_new
    chance = numerics.fisher_greater(k_new, n_new, k_old, n_old)
    low = numerics.clopper_pearson_lower(k_new, n_new, 1 - alpha) - numerics.clopper_pearson_upper(
        k_old, n_old, CONFIDENCE
    )
    high = numerics.clopper_pearson_upper(k_new, n_new, CONFIDENCE) - before
    what = metric.get("what", "failed")
    seen = f"{name}: {k_new} of {n_new} requests {what} ({after:.2%}), {k_old} of {n_old} before ({before:.2%})"
    if chance < alpha and after - before >= ERRORS_LEAST:
        verdict, why = REGRESSION, f"{seen}: more than chance explains (p = {chance:.1e})."
    elif high < ERRORS_MARGIN:
        verdict, why = PASS, f"{seen}: at most {max(high, 0):.1%} more, below the margin of {ERRORS_MARGIN:.0%}."
    else:
        verdict, why = (
            INCONCLUSIVE,
            f"{seen}: up to {high:.1%} more are possible; more requests are needed to exclude {ERRORS_MARGIN:.0%}.",
        )
    return {
        "verdict": verdict,
        "effect": after - before,
        "low": low,
        "high": high,
        "margin": ERRORS_MARGIN,
        "n": n_new,
        "why": why,
    }


def _counts(metric: dict, side: str) -> tuple[int, int]:
    given = metric.get(side) or {}
    k, n = given.get("k", 0), given.get("n", 0)
    if not all(_is_number(value) and isfinite(value) and value == int(value) for value in (k, n)) or not 0 <= k <= n:
        raise ParityError(
            f"metric {metric['name']!r}: {side} has k = {k!r} errors of n = {n!r}; wanted whole numbers with 0 <= k <= n."
        )
    return int(k), int(n)


def _judge_functional(metric: dict) -> dict:
    name, differences = metric["name"], (metric.get("candidate") or {}).get("differences")
    empty = {"effect": None, "low": None, "high": None, "margin": 0}
    if not isinstance(differences, list):
        return {**empty, "verdict": INCONCLUSIVE, "n": 0, "why": f"{name}: no responses were compared."}
    if not differences:
        return {
            **empty,
            "verdict": PASS,
            "effect": 0,
            "n": 0,
            "why": f"{name}: every response is the baseline's, but for what is masked.",
        }
    first = differences[0]
    words = first.get("words") or str(first) if isinstance(first, dict) else str(first)
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    return {
        **empty,
        "verdict": REGRESSION,
        "effect": len(differences),
        "n": len(differences),
        "why": f"{name}: {words}{more}.",
    }
