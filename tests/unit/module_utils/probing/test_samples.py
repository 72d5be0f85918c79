# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two places are asked in turn, not faster than told, and everything that comes back is kept."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.probing import samples


class Clock:
    """Time that passes only when somebody sleeps or answers."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Service:
    """Answers like a service would, and remembers what it was asked."""

    def __init__(
        self, clock: Clock, log: list, name: str, *, seconds: float = 0.01, errors: tuple = (), memory: float = 1e6
    ) -> None:
        self.clock, self.log, self.name = clock, log, name
        self.seconds, self.errors, self.memory = seconds, errors, memory
        self.count, self.processor = 0, 5.0

    def send(self, method: str, url: str) -> Answer:
        if url == "/metrics":
            text = f"process_resident_memory_bytes {self.memory}\nprocess_cpu_seconds_total {self.processor}\n"
            return Answer(200, text.encode())
        self.log.append((round(self.clock.now, 4), self.name, f"{method} {url}"))
        self.clock.now += self.seconds
        self.count += 1
        self.processor += 0.002
        status = 500 if self.count in self.errors else 200
        return Answer(status, json.dumps({"n": self.count}).encode(), self.seconds)


def measured(passes: int, rate: float = 10, calibrated: bool = False, **both: object) -> tuple[dict, list]:
    clock, log = Clock(), []
    places = {name: Service(clock, log, name, **both) for name in ("old", "new")}
    endpoints = [samples.Endpoint("/a"), samples.Endpoint("/d/{id}", name="document")]
    found = samples.measure(
        places,
        endpoints,
        passes=passes,
        rate=rate,
        document="7",
        metrics_path="/metrics",
        calibrated=calibrated,
        clock=clock,
        sleep=clock.sleep,
    )
    return found, log


def test_places_take_turns() -> None:
    _found, log = measured(2)
    assert [(name, what) for _at, name, what in log] == [
        ("old", "GET /a"), ("new", "GET /a"), ("old", "GET /d/7"), ("new", "GET /d/7"),
        ("new", "GET /a"), ("old", "GET /a"), ("new", "GET /d/7"), ("old", "GET /d/7"),
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "gap"), [(0.01, 0.1), (0.35, 0.35)])
def test_never_faster_than_told(seconds: float, gap: float) -> None:
    _found, log = measured(3, rate=10, seconds=seconds)
    times = [at for at, _name, _what in log]
    assert {round(later - at, 4) for at, later in itertools.pairwise(times)} == {gap}


def test_a_measurement() -> None:
    found, _log = measured(10, errors=(2,))
    new = found["new"]["endpoints"]
    assert list(new) == ["GET /a", "document"]
    assert new["GET /a"]["runs"] == [[10.0] * 10] and (new["GET /a"]["errors"], new["GET /a"]["requests"]) == (0, 10)
    assert new["document"]["runs"][0][:2] == [None, 10.0] and new["document"]["errors"] == 1
    assert new["document"]["response"] == {"status": 200, "body": {"n": 4}, "varies": [["n"]]}
    assert found["new"]["resources"]["memory"]["runs"] == [[1e6, 1e6]]
    assert found["new"]["resources"]["cpu seconds a request"]["runs"] == [[0.002, 0.002]]


def test_each_process_is_measured_by_its_unit() -> None:
    """The web process uses 0.08 s between two readings of 4 x 2 requests, the worker a tenth of a processor."""
    clock = Clock()
    place = Service(clock, [], "new")
    readings = itertools.count()

    def usage() -> dict:
        number = next(readings)
        return {"api": (1e6 + number, 5 + 0.08 * number), "worker": (2e6, 1 + 0.1 * clock.now), **({"late": (1, 1)} if number else {})}

    found = samples.measure(
        {"new": place}, [samples.Endpoint("/a"), samples.Endpoint("/b")], passes=12, rate=10, metrics_path="/metrics",
        usage={"new": usage}, asked=frozenset({"api"}), clock=clock, sleep=clock.sleep,
    )["new"]["resources"]  # fmt: skip
    assert found["memory of api"] == {"runs": [[1e6 + 1, 1e6 + 2, 1e6 + 3]]} and len(found["memory of late"]["runs"][0]) == 3
    assert found["cpu seconds a request of api"]["runs"] == [[pytest.approx(0.01)] * 3]
    assert found["cpu share without requests of worker"]["runs"] == [[pytest.approx(samples.IDLE + 0.1)] * 3]
    assert len(found["cpu share without requests of late"]["runs"][0]) == 2
    assert "memory" not in found and "cpu seconds a request of worker" not in found


def test_a_process_that_was_restarted_begins_again() -> None:
    seconds, clock = iter([5.0, 0.1, 0.2]), Clock()
    found = samples.measure(
        {"new": Service(clock, [], "new")}, [samples.Endpoint("/a")], passes=8, rate=10, clock=clock, sleep=clock.sleep,
        usage={"new": lambda: {"api": (1.0, next(seconds))}}, asked=frozenset({"api"}),
    )["new"]["resources"]  # fmt: skip
    assert found["cpu seconds a request of api"]["runs"] == [[pytest.approx(0.025)]]


def test_no_good_answer_at_all() -> None:
    found, _log = measured(5, errors=tuple(range(100)))
    assert found["old"]["endpoints"]["GET /a"] == {"runs": [[None] * 5], "requests": 5, "errors": 5, "response": None}


@pytest.mark.parametrize(("passes", "rate"), [(0, 1), (1, 0), (-1, 1)])
def test_bounds_are_needed(passes: int, rate: float) -> None:
    with pytest.raises(ParityError, match="have to be more than 0"):
        measured(passes, rate)


def test_joined() -> None:
    first, second = measured(5)[0]["old"], measured(10, errors=(1,))[0]["old"]
    whole = samples.joined(samples.joined(None, first), second)
    assert len(whole["endpoints"]["GET /a"]["runs"][0]) == 15
    assert (whole["endpoints"]["GET /a"]["errors"], whole["endpoints"]["GET /a"]["requests"]) == (1, 15)
    assert whole["endpoints"]["GET /a"]["response"] == first["endpoints"]["GET /a"]["response"]
    assert len(whole["resources"]["memory"]["runs"][0]) == 1 + 2


def test_masks_are_found_by_title() -> None:
    endpoints = [
        {"path": "/a", "masks": ["x"]},
        {"path": "/b", "method": "HEAD"},
        {"path": "/c", "name": "see", "masks": None},
    ]
    assert samples.masks_of(endpoints) == {"GET /a": ["x"], "HEAD /b": [], "see": []}


def test_calibration_takes_about_as_long_each_time() -> None:
    best = [min(samples.calibrate() for _each in range(5)) for _dummy in range(2)]
    assert min(best) > 0.001 and max(best) < 5 * min(best)


def test_the_host_is_timed_among_the_requests() -> None:
    found, _log = measured(9, calibrated=True)
    assert len(found["old"]["calibration"]["times"]) == 3 and "calibration" not in found["new"]
    whole = samples.joined(found["old"], measured(4, calibrated=True)[0]["old"])["calibration"]
    assert len(whole["times"]) == 5 and sorted(whole["times"])[2] == whole["seconds"]


@pytest.mark.parametrize(
    ("status", "good"), [(200, True), (404, True), (429, False), (500, False), (503, False), (0, False)]
)
def test_what_counts_as_an_answer(status: int, good: bool) -> None:
    clock, log = Clock(), []
    service = Service(clock, log, "new")
    service.send = lambda method, url: Answer(status, b"{}", 0.01)  # type: ignore[method-assign]
    found = samples.measure(
        {"new": service}, [samples.Endpoint("/a")], passes=2, rate=10, clock=clock, sleep=clock.sleep
    )["new"]
    assert found["endpoints"]["GET /a"]["errors"] == (0 if good else 2)
    assert found["endpoints"]["GET /a"]["runs"] == [[10.0, 10.0] if good else [None, None]]


def answering(statuses: list[int]) -> dict:
    clock, left = Clock(), list(statuses)
    service = Service(clock, [], "new")
    service.send = lambda method, url: Answer(left.pop(0), b"{}", 0.01)  # type: ignore[method-assign]
    wanted = [samples.Endpoint("/a")]
    return samples.measure({"new": service}, wanted, passes=len(statuses), rate=10, clock=clock, sleep=clock.sleep)["new"]


@pytest.mark.parametrize(
    ("statuses", "bad", "usual"),
    [
        ([200, 200, 404, 200], [2], 200),
        ([401, 200, 200, 500], [0, 3], 200),
        ([404, 404, 404, 200], [3], 404),
        ([500, 500, 200, 500], [0, 1, 3], 200),
    ],
)
def test_another_status_than_usually_is_an_error(statuses: list[int], bad: list[int], usual: int) -> None:
    endpoint = answering(statuses)["endpoints"]["GET /a"]
    assert endpoint["errors"] == len(bad) and endpoint["response"]["status"] == usual
    assert endpoint["runs"] == [[None if number in bad else 10.0 for number in range(len(statuses))]]


def test_an_endpoint_that_answers_something_else_from_then_on() -> None:
    whole = samples.joined(answering([200, 200]), answering([401, 401, 401]))["endpoints"]["GET /a"]
    assert (whole["errors"], whole["requests"], whole["response"]["status"]) == (3, 5, 200)
    assert whole["runs"] == [[10.0, 10.0, None, None, None]]
