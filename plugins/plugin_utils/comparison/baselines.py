# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline: what an environment does when all is well, as one JSON file that fits into git.

A baseline is a measurement with a head (format, version, when, where, which release). What is compared with it is a
measurement too, so `case` turns any two of them into a case for the judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from math import floor, isfinite, log10
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.probing import responses

FORMAT, VERSION = "parity-baseline", 1
LEAST_PROBES, LEAST_RUNS, LEAST_DOCUMENTS = 1000, 5, 30
ERRORS_MOST, RUNS_DIFFER_MOST = 0.005, 2.0
#: Documents that are too few to compare stages by, and those at the beginning of a run that do not count.
LEAST_TIMED, _COLD_DOCUMENTS = 8, 2
_DIGITS = 4

# --- The file ---------------------------------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """A baseline that can be used. Raises ParityError with everything that is wrong with the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParityError(
            f"there is no baseline at {path}. Capture one where all is well, and keep it in git: "
            "ansible-playbook parity.stack.baseline -i inventories/local"
        ) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ParityError(f"the baseline {path} cannot be read: {error}") from error
    found = list(problems(data))
    if found:
        raise ParityError(f"the baseline {path} cannot be used:\n" + "\n".join(f"- {words}" for words in found[:20]))
    return data


def write(path: Path, data: dict) -> None:
    """Write a baseline; raises ParityError instead of writing one that could not be read again."""
    found = list(problems(data))
    if found:
        raise ParityError("this is no baseline, and was not written:\n" + "\n".join(f"- {words}" for words in found))
    write_atomically(path, text(data))


def text(data: dict) -> str:
    """The file's text: sorted, numbers in four digits, and a list of numbers in one line, so that git shows changes."""
    lines = json.dumps(_quantised(data), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    number = r"(?:-?[\d.]+(?:e[+-]?\d+)?|null)"
    flat = re.compile(rf"\[\s*{number}(?:,\s*{number})*\s*\]", re.IGNORECASE)
    return flat.sub(lambda found: re.sub(r"\s+", "", found[0]), lines) + "\n"


def _quantised(value: object, inside: bool = False) -> object:
    """Samples in four digits. Responses are kept to the letter."""
    if isinstance(value, dict):
        return {key: item if key == "response" else _quantised(item, inside) for key, item in value.items()}
    if isinstance(value, list):
        return [_quantised(item, True) for item in value]
    if inside and isinstance(value, float):
        return _rounded(value)
    return value


def _rounded(value: float) -> float | None:
    if not isfinite(value):
        return None
    if value == 0:
        return 0
    rounded = round(value, _DIGITS - 1 - floor(log10(abs(value))))
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


# --- What makes one ---------------------------------------------------------------------------------------------------


def problems(data: object) -> Iterator[str]:
    """Everything that keeps `data` from being a baseline, each with place, value seen and value wanted."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        seen = data.get("format") if isinstance(data, dict) else type(data).__name__
        yield f"format is {seen!r}, wanted {FORMAT!r}: this file is something else"
        return
    if data.get("version") != VERSION:
        yield f"version is {data.get('version')!r}, this collection reads {VERSION}: capture the baseline again"
        return
    captured = data.get("captured")
    for key in ("at", "release", "environment"):
        if not isinstance(captured, dict) or not isinstance(captured.get(key), str) or not captured[key]:
            yield f"captured.{key} is missing, wanted a text"
    yield from measurement_problems(data)


def measurement_problems(data: dict) -> Iterator[str]:
    endpoints = data.get("endpoints")
    if not isinstance(endpoints, dict) or not endpoints:
        yield "endpoints is empty or no mapping, wanted at least one endpoint with its samples"
        return
    for name, endpoint in endpoints.items():
        place = f"endpoints[{name!r}]"
        if not isinstance(endpoint, dict):
            yield f"{place} is {endpoint!r}, wanted a mapping"
            continue
        yield from _runs_problems(f"{place}.runs", endpoint.get("runs"))
        errors, probes = endpoint.get("errors"), endpoint.get("requests")
        if not (isinstance(errors, int) and isinstance(probes, int) and 0 <= errors <= probes):
            yield f"{place} has errors {errors!r} of requests {probes!r}, wanted whole numbers with 0 <= errors <= requests"
        response = endpoint.get("response")
        if response is not None and (not isinstance(response, dict) or not {"status", "body"} <= set(response)):
            yield f"{place}.response has no status and body"
    for kind in ("stages", "resources"):
        for name, item in (data.get(kind) or {}).items():
            yield from _runs_problems(f"{kind}[{name!r}].runs", item.get("runs") if isinstance(item, dict) else None)
    seconds = (data.get("calibration") or {}).get("seconds")
    if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
        yield f"calibration.seconds is {seconds!r}, wanted a positive number"


def _runs_problems(place: str, runs: object) -> Iterator[str]:
    if not isinstance(runs, list) or not runs or not all(isinstance(run, list) for run in runs):
        yield f"{place} is {str(runs)[:40]}, wanted a list of runs, each a list of numbers"
        return
    for number, run in enumerate(runs):
        wrong = [
            v for v in run if not (v is None or (isinstance(v, (int, float)) and not isinstance(v, bool) and v >= 0))
        ]
        if wrong:
            yield f"{place}[{number}] holds {str(wrong[0])[:40]!r}, wanted numbers that are not negative, or null"


def weaknesses(data: dict) -> list[str]:
    """What a baseline has too little of to be a good one."""
    found = []
    for name, endpoint in data["endpoints"].items():
        probes = sum(map(len, endpoint["runs"]))
        if probes < LEAST_PROBES or len(endpoint["runs"]) < LEAST_RUNS:
            found.append(
                f"{name}: {probes} probes over {len(endpoint['runs'])} restarts; at least {LEAST_PROBES} over {LEAST_RUNS} are "
                "needed to know slow requests and how runs differ"
            )
    for name, stage in (data.get("stages") or {}).items():
        documents = sum(map(len, stage["runs"]))
        if documents < LEAST_DOCUMENTS:
            found.append(f"stage {name}: {documents} documents; at least {LEAST_DOCUMENTS} are needed")
    return found


def combined(measurements: list[dict]) -> dict:
    """Several runs as one measurement. Where answers of different runs differ, they may vary."""
    first = measurements[0]
    endpoints = {
        name: {
            "runs": [run for part in measurements for run in part["endpoints"][name]["runs"]],
            "requests": sum(part["endpoints"][name]["requests"] for part in measurements),
            "errors": sum(part["endpoints"][name]["errors"] for part in measurements),
            "response": _one_response([part["endpoints"][name]["response"] for part in measurements]),
        }
        for name in first["endpoints"]
    }
    whole: dict = {"endpoints": endpoints}
    for kind in ("stages", "resources"):
        names = [name for name in first.get(kind) or {} if all(name in (part.get(kind) or {}) for part in measurements)]
        whole[kind] = {
            name: {"runs": [run for part in measurements for run in part[kind][name]["runs"]]} for name in names
        }
    times = [part["calibration"]["seconds"] for part in measurements if part.get("calibration")]
    lost = [part["documents"]["lost"] for part in measurements if "lost" in (part.get("documents") or {})]
    whole |= {"lost": lost} if lost else {}
    return {**whole, **({"calibration": {"seconds": sorted(times)[len(times) // 2]}} if times else {})}


def _one_response(recorded: list[dict | None]) -> dict | None:
    there = [response for response in recorded if response]
    if not there:
        return None
    varies = [place for response in there for place in response.get("varies", [])]
    varies += [place for other in there[1:] for place in responses.varying(there[0], other)]
    return {**there[0], "varies": [list(place) for place in sorted({tuple(place) for place in varies}, key=str)]}


def sickness(measured: dict) -> list[str]:
    """What shows that an environment is in no state to be anybody's baseline."""
    found = []
    for name, endpoint in measured["endpoints"].items():
        if endpoint["errors"] > ERRORS_MOST * endpoint["requests"]:
            found.append(f"{name}: {endpoint['errors']} of {endpoint['requests']} requests failed")
        levels = [_middle(run) for run in endpoint["runs"]]
        known = [level for level in levels if level]
        if known and max(known) > RUNS_DIFFER_MOST * min(known):
            told = ", ".join(f"{level:.3g} ms" for level in known)
            found.append(f"{name}: runs of the same code differ too much ({told}); something else is busy on this host")
    return found + [f"the pipeline: {words}" for words in measured.get("lost") or []]


def disturbed(measurements: list[dict]) -> int | None:
    """Which of several runs of the same code something else on the host has slowed down, by far; None where none was."""
    for name in measurements[0]["endpoints"]:
        levels = [_middle(run) for part in measurements for run in part["endpoints"][name]["runs"]]
        known = [level for level in levels if level]
        if known and max(known) > RUNS_DIFFER_MOST * min(known):
            return levels.index(max(known))
    return None


def _middle(run: list[float | None]) -> float | None:
    values = sorted(value for value in run if value is not None)
    return values[len(values) // 2] if values else None


# --- Two measurements as a case ---------------------------------------------------------------------------------------


def case(
    baseline: dict,
    measured: dict,
    *,
    environment: str = "same",
    masks: dict[str, list[str]] | None = None,
    tolerance: float = 0.0,
    warn: Callable[[str], None] = lambda words: None,
) -> dict:
    """A case for the judge: every endpoint, errors over all of them, stages, resources, and the responses."""
    shared = [name for name in baseline["endpoints"] if name in measured["endpoints"]]
    for name in {*baseline["endpoints"], *measured["endpoints"]} - set(shared):
        warn(f"{name} is measured on one side only, and is not compared")
    if not shared:
        raise ParityError(
            "the baseline and the measurement share no endpoint: "
            f"{', '.join(baseline['endpoints'])} against {', '.join(measured['endpoints'])}. Capture the baseline again."
        )
    options: dict = {"environment": environment}
    factor = _factor(baseline, measured)
    if environment == "cross" and factor:
        options["calibration"] = {"factor": factor, "rel_sd": 0.1}
    metrics = [_samples(name, "latency", baseline["endpoints"][name], measured["endpoints"][name]) for name in shared]
    # Between hosts stages follow the machine, as endpoints do.
    kind = "latency" if environment == "cross" else "resource"
    metrics += stage_metrics(baseline.get("stages") or {}, measured.get("stages") or {}, kind)
    for name in sorted({*(baseline.get("resources") or {})} & {*(measured.get("resources") or {})}):
        speed = factor if environment == "cross" and factor and name.startswith("cpu") else 1.0
        metrics.append(_samples(name, "resource", baseline["resources"][name], measured["resources"][name], speed))
    sides = {"baseline": errors(baseline, shared), "candidate": errors(measured, shared)}
    metrics.append({"name": "errors", "kind": "errors", **sides})
    metrics.append({"name": "contract", "kind": "functional", "candidate": {
        "differences": differences(baseline, measured, shared, masks or {}, tolerance)}})  # fmt: skip
    return {"options": options, "metrics": metrics}


def errors(measured: dict, names: list[str]) -> dict[str, int]:
    """Of how many requests to these endpoints, and documents, how many failed: {"k": ..., "n": ...}."""
    counts = [*(measured["endpoints"][name] for name in names), measured.get("documents") or {"requests": 0, "errors": 0}]
    return {"k": sum(item["errors"] for item in counts), "n": sum(item["requests"] for item in counts)}


def stage_metrics(before: dict, after: dict, kind: str = "resource") -> list[dict]:
    """The stages of the pipeline. A few documents cannot show a tail, and prove nothing, but show what is much slower.

    The first documents after a start are left out: they find the worker's processes cold.
    """
    found = []
    for name in sorted({*before} & {*after}):
        sides = [{"runs": [run[_COLD_DOCUMENTS:] for run in side[name]["runs"]]} for side in (before, after)]
        if all(sum(map(len, side["runs"])) >= LEAST_TIMED for side in sides):
            found.append({**_samples(f"stage {name}", kind, *sides), "tail": False, "guard": True})
    return found


def _lost(words: str) -> dict:
    said = f"a document was lost, and sent again was lost again: {words}"
    return {"endpoint": "the pipeline", "place": "a document", "expected": "complete", "seen": words, "words": said}


def _samples(name: str, kind: str, before: dict, after: dict, factor: float = 1.0) -> dict:
    runs = [[None if value is None else value * factor for value in run] for run in before["runs"]]
    new = [value for run in after["runs"] for value in run]
    return {"name": name, "kind": kind, "baseline": {"runs": runs}, "candidate": {"samples": new}}


def _factor(baseline: dict, measured: dict) -> float | None:
    """How much slower the measured machine is than the baseline's, by the same small computation on both."""
    seconds = [(data.get("calibration") or {}).get("seconds") for data in (baseline, measured)]
    return seconds[1] / seconds[0] if all(seconds) else None


def differences(
    baseline: dict, measured: dict, names: list[str], masks: dict[str, list[str]], tolerance: float
) -> list[dict] | None:
    """What differs between the responses, over all endpoints; None where no response was kept on both sides.

    A document that `measured` lost, and lost again, counts as one.
    """
    lost = (measured.get("documents") or {}).get("lost")
    found = [_lost(lost)] if lost else []
    compared = bool(found)
    for name in names:
        before, after = (data["endpoints"][name].get("response") for data in (baseline, measured))
        if not before or not after:
            continue
        compared = True
        varies = [*before.get("varies", []), *after.get("varies", [])]
        for item in responses.compare(before, after, varies=varies, masks=masks.get(name, []), tolerance=tolerance):
            found.append({**item, "endpoint": name, "words": f"{name}: {item['words']}"})
    return found if compared else None
