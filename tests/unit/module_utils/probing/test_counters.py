# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters are counted exactly, whether they go on, begin anew, or appear with the first failure."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.probing import counters


@pytest.mark.parametrize(
    ("samples", "risen"),
    [
        ([], 0),
        ([(90, 5.0), (105, 7.0), (120, 12.0)], 7),
        ([(85, 1.0), (95, 5.0), (105, 5.0)], 0),
        ([(95, 500.0), (105, 3.0), (115, 9.0)], 9),  # the process began anew
        ([(105, 4.0), (115, 6.0)], 6),  # nobody had failed before
        ([(95, 5.0), (105, 6.0), (205, 60.0)], 1),  # what comes after the end does not count
        ([(50, 1.0), (90, 2.0)], 0),
    ],
)
def test_increase(samples: list, risen: float) -> None:
    assert counters.increase(samples, 100, 200) == risen


class Prometheus:
    """Reads two counters every 15 seconds; requests fail at a rate of their own before and after second 1000."""

    def __init__(self, *, stopped: float = 1e9, failing: float = 0.0) -> None:
        self.now, self.stopped, self.failing, self.asked = 1003.0, stopped, failing, []

    def ask(self, query: str) -> list[counters.Series]:
        self.asked.append(query)
        times = range(0, int(min(self.now, self.stopped)) + 1, 15)
        if query.startswith("requests"):
            return [[(float(at), 10.0 * at) for at in times]]
        failures = [(float(at), self.failing * 10 * (at - 1000)) for at in times if at > 1000]
        return [failures] if failures else []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watch(self, **more: float) -> dict:
        wanted = {"since": 1000.0, "before": 600.0, "least_seconds": 10.0, "seconds": 45.0, **more}
        selectors = {"requests": "requests", "failures": "failures"}
        return counters.watch(self.ask, selectors, clock=lambda: self.now, sleep=self.sleep, **wanted)


def test_it_waits_until_enough_was_read() -> None:
    prometheus = Prometheus(failing=0.1)
    found = prometheus.watch()
    assert found["read"] == 1020 and prometheus.now == 1020  # what was read at 1005 is not enough
    assert found["after"] == {"k": 20, "n": 300}, "from the last reading before the moment"
    assert found["before"] == {"k": 0, "n": 6000}
    assert prometheus.asked[0] == "requests[904s]"


def test_a_little_is_better_than_nothing() -> None:
    assert Prometheus(stopped=1006).watch(seconds=20)["after"] == {"k": 0, "n": 150}


def test_counters_nobody_reads_any_more_are_said() -> None:
    with pytest.raises(ParityError, match="has not read requests since 00:16:40 UTC"):
        Prometheus(stopped=900).watch(seconds=5)
    with pytest.raises(ParityError, match="or ever"):
        counters.watch(
            lambda _query: [], {"requests": "r", "failures": "f"}, since=1.0, before=1.0, least_seconds=1.0, seconds=0.0,
            clock=lambda: 5.0, sleep=lambda _seconds: None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "error", "error": "parse error"}, "parse error"),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, "vector"),
    ],
)
def test_an_answer_that_is_none(answer: dict, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        counters.matrix(answer)


def test_an_answer() -> None:
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1.5, "3"], [16.5, "4"]]}]}
    assert counters.matrix({"status": "success", "data": data}) == [[(1.5, 3.0), (16.5, 4.0)]]


def test_moments() -> None:
    assert counters.moment("1970-01-01T00:01:00Z") == counters.moment("1970-01-01T00:01:00") == 60
    with pytest.raises(ParityError, match="wanted a time"):
        counters.moment("yesterday")
