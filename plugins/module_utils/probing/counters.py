# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read counters of Prometheus exactly: whole numbers of requests and failures, before a moment and since.

PromQL's `increase` answers fractions, because it extrapolates to the edges of its window, and does not see the first value
of a counter that appears. To judge a few failures among a few hundred requests, the exact numbers are necessary.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

Series = list[tuple[float, float]]

#: How far before a window a counter's value may lie: a target may have been away for a moment.
LOOKBACK = 300.0


def increase(samples: Series, start: float, end: float) -> float:
    """By how much a counter rose after `start` until `end`. One that is new, or begins anew, counts from 0."""
    value, risen = 0.0, 0.0
    for at, now in samples:
        if at <= start:
            value = now
        elif at <= end:
            risen += now - value if now >= value else now
            value = now
    return risen


def counted(matrices: dict[str, list[Series]], start: float, end: float) -> dict[str, int]:
    """Failures among requests within a window, as the judge takes them."""
    total, failed = (
        round(sum(increase(samples, start, end) for samples in matrices[name])) for name in ("requests", "failures")
    )
    return {"k": min(failed, total), "n": total}


def newest(matrices: dict[str, list[Series]]) -> float:
    """When the counters were read last: the oldest of their last samples, so that all of them have been read by then."""
    last = [samples[-1][0] for samples in matrices["requests"] if samples]
    return min(last, default=0.0)


def watch(
    ask: Callable[[str], list[Series]],
    selectors: dict[str, str],
    *,
    since: float,
    before: float,
    least_seconds: float,
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> dict:
    """Query until Prometheus has read the counters `least_seconds` after `since`, for at most `seconds`."""
    deadline = clock() + seconds
    while True:
        reach = int(clock() - since + before + LOOKBACK) + 1
        matrices = {name: ask(f"{selector}[{reach}s]") for name, selector in selectors.items()}
        # Targets that disappeared long ago have nothing new.
        matrices["requests"] = [series for series in matrices["requests"] if series and series[-1][0] > since - before]
        read = newest(matrices)
        if read >= since + least_seconds:
            break
        if clock() >= deadline:
            if read > since:
                break
            raise ParityError(
                f"Prometheus has not read {selectors['requests']} since {_time(since)}"
                + (f" (last at {_time(read)})" if read else " or ever")
                + ". Check its targets, or correct the counter's name (baseline_requests_counter)."
            )
        sleep(1.0)
    return {
        "before": counted(matrices, since - before, since),
        "after": counted(matrices, since, read),
        "read": read,
    }


def matrix(answer: dict) -> list[Series]:
    """The series of an answer of Prometheus' API to a range selector."""
    data = answer.get("data") or {}
    if answer.get("status") != "success" or data.get("resultType") != "matrix":
        raise ParityError(
            f"Prometheus did not answer with series: {answer.get('error') or data.get('resultType') or answer}. "
            "A counter has to be a selector such as http_requests_total{status=\"500\"}."
        )
    return [[(float(at), float(value)) for at, value in series["values"]] for series in data["result"]]


def moment(text: str) -> float:
    """Seconds since the epoch of a time in ISO 8601, which is taken for UTC where it names no zone."""
    try:
        told = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ParityError(f"since is {text!r}; wanted a time such as 2026-01-31T12:00:00Z") from None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
