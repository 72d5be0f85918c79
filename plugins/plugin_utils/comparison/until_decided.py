# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe until there is a verdict: the canary against the live release, or the live release against a baseline.

`run` and `against` get the measuring and the judging as callbacks. This module decides when to judge, and when to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.probing import samples as endpoint_samples
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines, judge

#: Probes an endpoint and side after which the judge looks. At some the chance of a false alarm is spent; in between only a
#: pass ends the comparison, which costs nothing of it: a good release goes on as early as that can be known. Those looks come
#: as soon as 0, 1, 2 or 3 slow requests of the warm ones still exclude 5 points more (Clopper and Pearson: 59, 93, 124, 153).
STEPS: tuple[tuple[int, int | None], ...] = (
    (25, 1), (50, 2), (70, None), (100, 3), (105, None), (135, None), (165, None), (200, 4),
)  # fmt: skip
#: The same against a baseline: the release is live already, so there is no hurry, and fewer looks cost less.
STEPS_OF_BASELINE: tuple[tuple[int, int | None], ...] = ((75, 1), (100, 2), (150, 3), (200, 4))
LOOKS = 4

_SLOW = 2.0  # a request is slow from this multiple of what nine in ten requests to its endpoint take
_SLOW_QUANTILE = 0.9
_FURTHER = 1000


def run(
    measure: Callable[[int], dict[str, dict]],
    *,
    masks: dict[str, list[str]],
    tolerance: float = 0.0,
    most: int = STEPS[-1][0],
    told: Callable[[str], None] = lambda words: None,
    warn: Callable[[str], None] = lambda words: None,
    clock: Callable[[], float] = time.monotonic,
) -> dict:
    """Compare the canary with the live release: probe, judge, and stop at a verdict, or after `most` probes an endpoint.

    `measure(passes)` returns the measurements `old` and `new` of so many more probes. Returns the answer of `decide`.
    """

    def question(sides: dict[str, dict]) -> dict:
        return case(sides["old"], sides["new"], masks=masks, tolerance=tolerance)

    result = decide(measure, question, steps=_steps(STEPS, most), told=told, clock=clock)
    for name in arriving(result["old"], result["new"]):
        warn(
            f"{name} is not compared, and neither is processor time: the live release answers 404, so the path comes with the new one, and "
            "the work is not the same"
        )
    coming = {name.partition(endpoint_samples.OF)[2] for name in unknown_before(result["old"], result["new"])}
    for name in sorted(coming):
        warn(f"memory and processor time of {name} are not compared: it does not run in the live slot of this host")
    lost = (result["old"].get("documents") or {}).get("lost")
    if lost:  # The new release may be what mends it.
        warn(f"the pipeline's stages are not compared: the live release lost a document, and when it was sent again, too: {lost}")
    return result


def against(
    baseline: dict,
    measure: Callable[[int], dict[str, dict]],
    *,
    environment: str,
    masks: dict[str, list[str]],
    tolerance: float = 0.0,
    most: int = STEPS_OF_BASELINE[-1][0],
    told: Callable[[str], None] = lambda words: None,
    warn: Callable[[str], None] = lambda words: None,
    clock: Callable[[], float] = time.monotonic,
) -> dict:
    """Compare the live release with a baseline, in the same way. `measure(passes)` returns `new` alone."""
    said: set[str] = set()

    def once(words: str) -> None:
        if words not in said:
            said.add(words)
            warn(words)

    def question(sides: dict[str, dict]) -> dict:
        return baselines.case(
            baseline, sides["new"], environment=environment, masks=masks, tolerance=tolerance, warn=once
        )

    return decide(measure, question, steps=_steps(STEPS_OF_BASELINE, most), told=told, clock=clock)


def decide(
    measure: Callable[[int], dict[str, dict]],
    question: Callable[[dict[str, dict]], dict],
    *,
    steps: list[tuple[int, int | None]],
    told: Callable[[str], None],
    clock: Callable[[], float],
) -> dict:
    """Measure more and more, and judge after each of `steps`, until there is a verdict.

    Returns the judge's answer with each side's measurement, `looks` (the verdict at each step) and `seconds`.
    """
    began, sides, looks, probes = clock(), {}, [], 0
    result: dict = {}
    for number, (wanted, look) in enumerate(steps, 1):
        sides = {name: endpoint_samples.joined(sides.get(name), more) for name, more in measure(wanted - probes).items()}
        probes = wanted
        last = number == len(steps)
        asked = question(sides)
        asked["options"].update(looks=LOOKS, look=LOOKS if last else look or LOOKS)
        result = judge.judge(asked)
        looks.append({"probes": probes, "verdict": result["verdict"], "seconds": round(clock() - began, 2)})
        told(f"{probes} probes an endpoint: {result['verdict']}")
        if result["verdict"] == judge.PASS or (result["verdict"] == judge.REGRESSION and (look or last)):
            break
        if _broken(sides["new"]):
            break
    contract = asked["metrics"][-1]["candidate"]["differences"] or []
    return {
        **result,
        "summary": judge.summary(result),
        "differences": contract,
        "looks": looks,
        "seconds": round(clock() - began, 2),
        **sides,
    }


def _steps(steps: tuple[tuple[int, int | None], ...], most: int) -> list[tuple[int, int | None]]:
    if most < steps[0][0]:
        raise ParityError(f"at most {most} probes an endpoint are allowed; the first look needs {steps[0][0]}.")
    return [step for step in steps if step[0] <= most]


def _broken(new: dict) -> bool:
    """Whether more probes are pointless, because no request gets an answer."""
    return all(endpoint["errors"] == endpoint["requests"] for endpoint in new["endpoints"].values())


def case(old: dict, new: dict, *, masks: dict[str, list[str]], tolerance: float = 0.0) -> dict:
    """Two measurements made in turn as a case: endpoints in pairs, errors and slow requests over all of them.

    An endpoint that comes with the new release is not compared, and its errors count.
    """
    coming = arriving(old, new)
    names = [name for name in old["endpoints"] if name not in coming]
    metrics = [
        {
            "name": name,
            "kind": "latency",
            "paired": True,
            "baseline": {"samples": old["endpoints"][name]["runs"][0]},
            "candidate": {"samples": new["endpoints"][name]["runs"][0]},
        }
        for name in names
    ]
    failed = {"baseline": baselines.errors(old, names), "candidate": baselines.errors(new, list(new["endpoints"]))}
    failed["baseline"]["n"] = failed["baseline"]["n"] or failed["candidate"]["n"]
    metrics.append({"name": "errors", "kind": "errors", **failed})
    metrics.append({"name": "slow requests", "kind": "errors", "what": "were slow", **_slow_requests(old, new, names)})
    metrics += _resources(old, new, same_work=not coming)
    metrics += baselines.stage_metrics(old.get("stages") or {}, new.get("stages") or {})
    found = baselines.differences(old, new, names, masks, tolerance)
    differences = [] if found is None and coming else found
    metrics.append({"name": "contract", "kind": "functional", "candidate": {"differences": differences}})
    return {"options": {"environment": "same"}, "metrics": metrics}


def arriving(old: dict, new: dict) -> list[str]:
    """The endpoints that the live release does not have (it answers 404), and the new one answers. A moved health path is one."""
    statuses = {name: [(side["endpoints"][name].get("response") or {}).get("status") for side in (old, new)] for name in old["endpoints"]}
    return [name for name, (before, after) in statuses.items() if before == 404 and after is not None and 200 <= after < 300]


def _slow_requests(old: dict, new: dict, names: list[str]) -> dict:
    """Slow requests of all endpoints together: what is slow now and then is seldom enough to be seen in one.

    The limit comes from both sides, so that neither is favoured.
    """
    counts = {"baseline": {"k": 0, "n": 0}, "candidate": {"k": 0, "n": 0}}
    for name in names:
        sides = {"baseline": _warm(old, name), "candidate": _warm(new, name)}
        both = sorted(value for values in sides.values() for value in values)
        if not both:
            continue
        limit = _SLOW * both[int(_SLOW_QUANTILE * (len(both) - 1))]
        for side, values in sides.items():
            counts[side]["k"] += sum(value > limit for value in values)
            counts[side]["n"] += len(values)
    return counts


def _warm(side: dict, name: str) -> list[float]:
    samples = side["endpoints"][name]["runs"][0]
    return [value for value in samples[min(10, len(samples) // 5) :] if value is not None]


def _resources(old: dict, new: dict, *, same_work: bool) -> Iterator[dict]:
    """Processor time, and where memory goes: an old and a young process hold different amounts anyway.

    A process that the live release does not have is not compared, and processor time a request only where requests are the `same_work`.
    """
    requests = endpoint_samples.PASSES_A_READING * len(old["endpoints"])
    for name in dict.fromkeys([*old["resources"], *new["resources"]]):
        metric = name.partition(endpoint_samples.OF)[0]
        if name in unknown_before(old, new) or (metric == endpoint_samples.PROCESSOR and not same_work):
            continue
        before, after = (side["resources"].get(name, {"runs": [[]]})["runs"][0] for side in (old, new))
        if metric == endpoint_samples.MEMORY:
            name = f"{name} after {_FURTHER} more requests"
            before, after = _further(before, requests), _further(after, requests)
        yield {"name": name, "kind": "resource", "baseline": {"samples": before}, "candidate": {"samples": after}}


def unknown_before(old: dict, new: dict) -> list[str]:
    """The metrics of processes that come with the new release."""
    return [name for name in new["resources"] if endpoint_samples.OF in name and name not in old["resources"]]


def _further(memory: list[float], requests: int) -> list[float]:
    """By which factor the memory would grow, if it goes on as it did since the middle of the readings.

    By then a young process has the memory it needs, and only a process that leaks still grows.
    """
    middle = max(0, (len(memory) - 1) // 2)
    if not memory or not memory[middle]:
        return []
    growth = (
        (value / memory[middle] - 1) / (number * requests) for number, value in enumerate(memory[middle + 1 :], 1)
    )
    return [max(0.0, 1 + each * _FURTHER) for each in growth]
