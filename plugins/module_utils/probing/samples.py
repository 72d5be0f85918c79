# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of an API's endpoints, from one place or from two in turn: one request at a time, and never faster than told.

A measurement holds, for each endpoint, the milliseconds of each probe in order (None where there was no good answer), how
many requests and errors there were and what was answered; and samples of memory and processor time.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client
from ansible_collections.parity.stack.plugins.module_utils.probing import responses

#: The options of what measures an API. Documented in plugins/doc_fragments/probing.py.
SPEC = {
    "rate": {"type": "float", "default": 100},
    "timeout": {"type": "float", "default": 10},
    "jwt_key": {"type": "str", "no_log": True},
    "metrics_path": {"type": "str", "default": ""},
    "seconds": {"type": "float", "default": 60},
}
#: Resources are read after as many passes, so that processor time is more than its resolution.
PASSES_A_READING = 4
MEMORY, PROCESSOR = "memory", "cpu seconds a request"
_METRICS = {MEMORY: "process_resident_memory_bytes", PROCESSOR: "process_cpu_seconds_total"}
#: Which share of a processor a process uses that gets no requests, on top of `IDLE`: what is far below that is noise.
SHARE, IDLE = "cpu share without requests", 0.2
OF = " of "


def of_process(metric: str, name: str) -> str:
    """A metric of one process of a release. Without a process it is what the application tells of itself."""
    return f"{metric}{OF}{name}"


@dataclass(frozen=True)
class Endpoint:
    """A request without side effects. `{id}` in its path stands for the probe's own document."""

    path: str
    name: str = ""
    method: str = "GET"
    #: Where it is asked instead, by the name of the place: another process of the same release has its own port.
    places: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.name or f"{self.method} {self.path}"


def masks_of(endpoints: list[dict]) -> dict[str, list[str]]:
    """What may differ in the answers, by the endpoint's title, from endpoints as an inventory describes them."""
    titles = (
        Endpoint(item.get("path") or "", item.get("name") or "", item.get("method") or "GET").title
        for item in endpoints
    )
    return {title: item.get("masks") or [] for title, item in zip(titles, endpoints)}


@dataclass
class _Side:
    """One place while it is measured."""

    name: str
    client: Client
    samples: dict[str, list[float]] = field(default_factory=dict)
    #: The status of each of the samples; 0 where there was no good answer.
    statuses: dict[str, list[int]] = field(default_factory=dict)
    #: The first answers with each status.
    answers: dict[str, dict[int, list[Answer]]] = field(default_factory=dict)
    resources: dict[str, list[float]] = field(default_factory=dict)
    #: What reads memory and processor time of the processes at this place, and which of them get requests.
    usage: Callable[[], dict[str, tuple[float, float]]] | None = None
    asked: frozenset[str] = frozenset()


def measure(
    places: dict[str, Client],
    endpoints: list[Endpoint],
    *,
    passes: int,
    rate: float,
    document: object = None,
    metrics_path: str = "",
    usage: dict[str, Callable[[], dict[str, tuple[float, float]]]] | None = None,
    asked: frozenset[str] = frozenset(),
    calibrated: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, dict]:
    """Send every endpoint's request `passes` times to every place, in turn: A-B, B-A, A-B, ...

    At most `rate` requests are sent in a second, one at a time. Returns one measurement a place; the first one tells, where
    that is wanted, how fast the host was meanwhile. `usage` reads the processes of a place, which then are measured instead of what
    `metrics_path` tells; requests go to those that are `asked`.
    """
    if rate <= 0 or passes <= 0:
        raise ParityError(f"rate is {rate!r} and passes {passes!r}; both have to be more than 0.")
    sides = {name: _Side(name, client, usage=(usage or {}).get(name), asked=asked) for name, client in places.items()}
    readings = {name: _reading(side, metrics_path, clock) for name, side in sides.items()}
    pace = _Pace(1 / rate, clock, sleep)
    times = [calibrate()] if calibrated else []
    for number in range(passes):
        order = list(sides.values())[:: 1 if number % 2 == 0 else -1]
        for endpoint in endpoints:
            for side in order:
                pace.wait()
                _probe(side, endpoint, document)
        if (number + 1) % PASSES_A_READING == 0:
            for name, side in sides.items():
                now = _reading(side, metrics_path, clock)
                _note_resources(side, readings[name], now, PASSES_A_READING * len(endpoints))
                readings[name] = now
            times += [calibrate()] if calibrated else []
    found = {name: _measurement(side) for name, side in sides.items()}
    if times:
        next(iter(found.values()))["calibration"] = calibration(times)
    return found


class _Pace:
    """Keeps requests apart. Time that was lost is not made up for: a slow service is not hurried."""

    def __init__(self, gap: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.gap, self.clock, self.sleep = gap, clock, sleep
        self.following = clock()

    def wait(self) -> None:
        left = self.following - self.clock()
        if left > 0:
            self.sleep(left)
        self.following = max(self.clock(), self.following) + self.gap


def _probe(side: _Side, endpoint: Endpoint, document: object) -> None:
    path = endpoint.path.replace("{id}", str(document))
    elsewhere = {"base": endpoint.places[side.name]} if endpoint.places.get(side.name) else {}
    answer = side.client.send(endpoint.method, path, **elsewhere)
    good = 0 < answer.status < 500 and answer.status != 429
    side.samples.setdefault(endpoint.title, []).append(round(answer.seconds * 1000, 4))
    side.statuses.setdefault(endpoint.title, []).append(answer.status if good else 0)
    kept = side.answers.setdefault(endpoint.title, {}).setdefault(answer.status if good else 0, [])
    if good and len(kept) < 2:
        kept.append(answer)


@dataclass(frozen=True)
class _Reading:
    """Bytes and seconds of processor time, by process; without a process what the application tells of itself."""

    at: float
    usage: dict[str, tuple[float | None, float | None]]


def _reading(side: _Side, metrics_path: str, clock: Callable[[], float]) -> _Reading:
    if side.usage is not None:
        return _Reading(clock(), dict(side.usage()))
    return _Reading(clock(), {"": _told(side, metrics_path)} if metrics_path else {})


def _told(side: _Side, metrics_path: str) -> tuple[float | None, float | None]:
    """Memory and processor time as the process itself tells them; None where it does not."""
    answer = side.client.send("GET", metrics_path)
    text = answer.body.decode(errors="replace") if answer.status == 200 else ""
    found = (re.search(rf"^{metric}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE) for metric in _METRICS.values())
    memory, seconds = (float(match[1]) if match else None for match in found)
    return memory, seconds


def _note_resources(side: _Side, before: _Reading, now: _Reading, requests: int) -> None:
    """What has been used since the reading before, as samples. A process that was restarted begins at 0 again, and is left out."""
    for name, (memory, seconds) in now.usage.items():
        if memory is not None:
            _note(side, MEMORY, name, memory)
        earlier = before.usage.get(name, (None, None))[1]
        if seconds is None or earlier is None or seconds < earlier:
            continue
        if not name or name in side.asked:
            _note(side, PROCESSOR, name, round((seconds - earlier) / requests, 7))
        elif now.at > before.at:
            _note(side, SHARE, name, round(IDLE + (seconds - earlier) / (now.at - before.at), 4))


def _note(side: _Side, metric: str, process: str, value: float) -> None:
    side.resources.setdefault(of_process(metric, process) if process else metric, []).append(value)


def _measurement(side: _Side) -> dict:
    resources = {name: {"runs": [values]} for name, values in side.resources.items()}
    endpoints = {name: _endpoint(samples, side.statuses[name], side.answers[name]) for name, samples in side.samples.items()}
    return {"endpoints": endpoints, "resources": resources}


def _endpoint(samples: list[float], statuses: list[int], answers: dict[int, list[Answer]]) -> dict:
    """What an endpoint did. An answer with another status than it usually has is an error, whatever that status means."""
    usual = _most_frequent([status for status in statuses if status])
    return {
        "runs": [[value if status and status == usual else None for value, status in zip(samples, statuses)]],
        "requests": len(samples),
        "errors": sum(not status or status != usual for status in statuses),
        "response": _response(answers.get(usual, [])),
    }


def _most_frequent(statuses: list[int]) -> int:
    """0 where there are none."""
    return max(dict.fromkeys(statuses), key=statuses.count, default=0)


def _response(answers: list[Answer]) -> dict | None:
    return responses.recorded(*((answer.status, answer.body) for answer in answers)) if answers else None


def calibration(times: list[float]) -> dict:
    """How fast a host is, from a computation that was timed again and again among the requests.

    The median, and not the best: what else runs on the host slows the requests down too.
    """
    return {"seconds": sorted(times)[len(times) // 2], "times": times}


def calibrate() -> float:
    """Seconds this host needs for a fixed computation, now."""
    return _computation()


def _computation() -> float:
    began = time.perf_counter()
    text, number = b"parity", 0
    for step in range(50_000):
        number = (number * 31 + step) % 1_000_003
        text = hashlib.sha256(text).digest() if step % 10 == 0 else text
    json.loads(json.dumps([{"n": n, "text": text.hex()} for n in range(1500)]))
    return time.perf_counter() - began


def joined(first: dict | None, second: dict) -> dict:
    """Two measurements of the same run, one after the other. What was answered stays what it was at first."""
    if first is None:
        return second
    endpoints = {name: _joined_endpoint(first["endpoints"][name], item) for name, item in second["endpoints"].items()}
    whole = {"endpoints": endpoints}
    for kind in ("stages", "resources"):
        parts = [side.get(kind) or {} for side in (first, second)]
        names = dict.fromkeys([*parts[0], *parts[1]])
        whole[kind] = {
            name: {"runs": [[value for part in parts for value in part.get(name, {"runs": [[]]})["runs"][0]]]} for name in names
        }
    documents = first.get("documents") or second.get("documents")
    whole |= {"documents": documents} if documents else {}
    times = [value for side in (first, second) for value in (side.get("calibration") or {}).get("times", [])]
    return {**whole, **({"calibration": calibration(times)} if times else {})}


def _joined_endpoint(first: dict, second: dict) -> dict:
    before, after = first["response"], second["response"]
    if before and after and before["status"] != after["status"]:  # from here on it answers something else
        second = {**second, "runs": [[None] * second["requests"]], "errors": second["requests"]}
    return {
        "runs": [first["runs"][0] + second["runs"][0]],
        "requests": first["requests"] + second["requests"],
        "errors": first["errors"] + second["errors"],
        "response": before or after,
    }
