# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up latencies and whole deployments with known effects, for the tests and the measurement of the judge.

Everything comes from a seeded generator. A series is one run of one endpoint, in milliseconds and in order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Generator = np.random.Generator
Make = Callable[[Generator, int], np.ndarray]


def lognormal(rng: Generator, n: int, sigma: float = 0.3) -> np.ndarray:
    return 20 * np.exp(sigma * rng.standard_normal(n))


def quiet(rng: Generator, n: int) -> np.ndarray:
    return lognormal(rng, n, 0.1)


def wide(rng: Generator, n: int) -> np.ndarray:
    return lognormal(rng, n, 0.5)


def bimodal(rng: Generator, n: int) -> np.ndarray:
    """A cache that answers 70 % of the requests."""
    return lognormal(rng, n, 0.15) * np.where(rng.random(n) < 0.3, 3.0, 1.0)


def autoregressive(rng: Generator, n: int, rho: float = 0.6) -> np.ndarray:
    noise = rng.standard_normal(n) * np.sqrt(1 - rho**2)
    noise[0] = rng.standard_normal()
    for i in range(1, n):
        noise[i] += rho * noise[i - 1]
    return 20 * np.exp(0.25 * noise)


def pauses(rng: Generator, n: int) -> np.ndarray:
    """A garbage collection about every thirty requests."""
    values = lognormal(rng, n, 0.15)
    values[int(rng.integers(30)) :: 30] += 60
    return values


def heavy(rng: Generator, n: int) -> np.ndarray:
    return 15 + 5 * rng.pareto(2.0, n)


def outliers(rng: Generator, n: int) -> np.ndarray:
    return lognormal(rng, n, 0.2) * np.where(rng.random(n) < 0.01, 30.0, 1.0)


def cold(rng: Generator, n: int) -> np.ndarray:
    """The first requests find nothing warm."""
    return lognormal(rng, n, 0.2) * (1 + 4 * np.exp(-np.arange(n) / 2.0))


SERIES: dict[str, Make] = {
    "quiet": quiet,
    "lognormal": lognormal,
    "wide": wide,
    "bimodal": bimodal,
    "autoregressive": autoregressive,
    "pauses": pauses,
    "heavy tail": heavy,
    "outliers": outliers,
    "cold start": cold,
}
QUIET = ("quiet", "pauses", "outliers", "cold start")


def slow_path(rng: Generator, values: np.ndarray, rate: float = 0.05, times: float = 5.0) -> np.ndarray:
    return values * np.where(rng.random(len(values)) < rate, times, 1.0)


def stretched_tail(values: np.ndarray, times: float = 2.0) -> np.ndarray:
    """The same median; the 95th percentile `times` as high."""
    middle, high = np.median(values), np.quantile(values, 0.95)
    return middle * (values / middle) ** np.where(values > middle, 1 + np.log(times) / np.log(high / middle), 1.0)


def runs(rng: Generator, make: Make, count: int, size: int, tau: float) -> list[np.ndarray]:
    """Runs of identical code, whose levels differ as they do between restarts."""
    return [make(rng, size) * np.exp(tau * rng.standard_normal()) for _dummy in range(count)]


def latency(name: str, baseline: list[np.ndarray], candidate: np.ndarray) -> dict:
    return {
        "name": name,
        "kind": "latency",
        "baseline": {"runs": [run.tolist() for run in baseline]},
        "candidate": {"samples": candidate.tolist()},
    }


def endpoint(
    rng: Generator,
    name: str,
    make: Make,
    *,
    n: int = 100,
    base: int = 1000,
    count: int = 5,
    tau: float = 0.02,
    effect: float = 1.0,
) -> dict:
    """One latency metric, the candidate `effect` times as slow."""
    new = runs(rng, make, 1, n, tau)[0] * effect
    return latency(name, runs(rng, make, count, base // count, tau), new)


def deployment(
    rng: Generator,
    *,
    n: int = 100,
    base: int = 1000,
    count: int = 5,
    tau: float = 0.02,
    slow: float = 1.0,
    machine: float = 1.0,
    spread: float = 0.0,
    errors: tuple[float, float] = (0.001, 0.001),
) -> list[dict]:
    """Seven metrics: five endpoints of mixed series, errors, memory. `slow` is the effect on the first endpoint."""
    kinds = rng.permutation(list(SERIES))[:5]
    metrics = []
    for number, kind in enumerate(kinds):
        effect = (slow if number == 0 else 1.0) * machine * np.exp(spread * rng.standard_normal())
        metrics.append(
            endpoint(rng, f"{number} {kind}", SERIES[kind], n=n, base=base, count=count, tau=tau, effect=effect)
        )
    before, after = (int(rng.binomial(size, rate)) for size, rate in zip((base, 5 * n), errors))
    metrics.append(
        {
            "name": "errors",
            "kind": "errors",
            "baseline": {"k": before, "n": base},
            "candidate": {"k": after, "n": 5 * n},
        }
    )
    old, new = (
        100e6 * np.exp(0.03 * rng.standard_normal()) * np.exp(0.005 * rng.standard_normal(30)) for _dummy in range(2)
    )
    metrics.append(
        {
            "name": "rss",
            "kind": "resource",
            "baseline": {"samples": old.tolist()},
            "candidate": {"samples": new.tolist()},
        }
    )
    return metrics
