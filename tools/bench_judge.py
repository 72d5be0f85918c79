# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the judge is right: simulated deployments with known effects, against the goals. `make bench-judge`.

tools/bench_judge.py [DEPLOYMENTS [SEED]]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".cache" / "collections"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fixtures"))

import judge_series as series
import numpy as np
from ansible_collections.parity.stack.plugins.plugin_utils.comparison.judge import judge

Verdict = Callable[[np.random.Generator], str]


def deployment(environment: str = "same", **wanted: object) -> Verdict:
    def verdict(rng: np.random.Generator) -> str:
        options: dict = {"environment": environment}
        details = dict(wanted)
        if environment == "cross":
            factor = float(np.exp(rng.normal(0, 0.4)))
            options["calibration"] = {"factor": factor, "rel_sd": 0.1}
            details = {"machine": factor * float(np.exp(rng.normal(0, 0.15))), "spread": 0.1, **details}
        return judge({"options": options, "metrics": series.deployment(rng, **details)})["verdict"]

    return verdict


def alone(make: series.Make, change: Callable | None = None, others: int = 4, **wanted: object) -> Verdict:
    """The verdict on one endpoint among others, which share the chance of a false alarm."""

    def verdict(rng: np.random.Generator) -> str:
        metric = series.endpoint(rng, "it", make, **wanted)
        if change:
            metric["candidate"]["samples"] = change(rng, np.array(metric["candidate"]["samples"])).tolist()
        few = {"baseline": {"samples": []}, "candidate": {"samples": []}}
        rest = [{"name": f"other {number}", "kind": "latency", **few} for number in range(others)]
        return judge({"metrics": [metric, *rest]})["metrics"]["it"]["verdict"]

    return verdict


def errors(rng: np.random.Generator) -> str:
    metric = {
        "name": "errors",
        "kind": "errors",
        "baseline": {"k": 0, "n": 1000},
        "candidate": {"k": int(rng.binomial(400, 0.05)), "n": 400},
    }
    return judge({"metrics": [metric]})["verdict"]


def rate(verdict: Verdict, wanted: str, count: int, seed: int) -> float:
    return sum(verdict(np.random.default_rng([seed, number])) == wanted for number in range(count)) / count


def rows() -> list[tuple[str, str, Verdict, str, float]]:
    """(what, series, verdict, which verdict is counted, goal; a negative goal is a ceiling)"""
    found = [
        ("false alarms, 7 metrics, same environment", "mixed", deployment(), "regression", -0.01),
        ("false alarms, 7 metrics, one run as baseline", "mixed", deployment(count=1), "regression", -0.01),
        ("false alarms, local against production", "mixed", deployment("cross"), "regression", -0.01),
        ("false alarms, runs differ by 10 %, 5 runs", "mixed", deployment(tau=0.10), "regression", -0.02),
        ("identical code passes, same environment, n = 200", "mixed", deployment(n=200), "pass", 0),
        ("one endpoint x2, across machines", "mixed", deployment("cross", slow=2.0), "regression", 0.99),
    ]
    for name, make in series.SERIES.items():
        found.append(("+50 % on one endpoint", name, alone(make, effect=1.5), "regression", 0.98))
    for name, make in series.SERIES.items():
        if name in series.QUIET:
            found.append(("+25 % found", name, alone(make, effect=1.25), "regression", 0.90))
        else:
            found.append(("+25 % wrongly passed", name, alone(make, effect=1.25), "pass", -0.10))
    tails = series.SERIES["lognormal"]
    found += [
        (
            "p95 x2, n = 200",
            "lognormal",
            alone(tails, lambda _rng, values: series.stretched_tail(values), n=200),
            "regression",
            0.95,
        ),
        ("5 % on a slow path, n = 200", "lognormal", alone(tails, series.slow_path, n=200), "regression", 0.95),
        ("errors 0 to 5 % over 400 probes", "", errors, "regression", 0.99),
    ]
    return found


def main() -> int:
    count, seed = (int(word) for word in (sys.argv[1:] + ["1000", "1"][len(sys.argv) - 1 :]))
    missed = 0
    print(f"| what ({count} deployments each, seed {seed}) | series | goal | measured |\n|---|---|---|---|")
    for what, kind, verdict, wanted, goal in rows():
        measured = rate(verdict, wanted, count, seed)
        missed += bool(goal) and (measured > -goal if goal < 0 else measured < goal)
        words = f"{'≤' if goal < 0 else '≥'} {abs(goal):.0%}" if goal else ""
        print(f"| {what} | {kind} | {words} | {measured:.1%} |", flush=True)
    milliseconds = speed()
    print(f"| time a metric | 100 against 1000 | ≤ 10 ms | {milliseconds:.1f} ms |")
    print(f"\n{missed} goals missed" if missed else "\nevery goal is reached")
    return 1 if missed or milliseconds > 10 else 0


def speed() -> float:
    metrics = series.deployment(np.random.default_rng(0))
    started = time.perf_counter()
    for _ in range(50):
        judge({"metrics": metrics})
    return (time.perf_counter() - started) / 50 / len(metrics) * 1000


if __name__ == "__main__":
    sys.exit(main())
