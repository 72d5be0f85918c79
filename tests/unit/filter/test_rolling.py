# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in batches, what is live where in words, and numbers of Prometheus held against limits."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.parity.stack.plugins.filter.batches import batches
from ansible_collections.parity.stack.plugins.filter.stack_status import stack_status
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.modules import metrics_query


@pytest.mark.parametrize(
    ("hosts", "size", "expected"),
    [
        ("", "50%", []),
        ("a", "50%", ["a"]),
        ("ab", 1, ["a", "b"]),
        ("abc", "50%", ["a", "bc"]),
        ("abcde", "2", ["a", "bc", "de"]),
        ("abcde", "1%", ["a", "b", "c", "d", "e"]),
        ("abcde", " 100 % ", ["a", "bcde"]),
        ("abc", 99, ["a", "bc"]),
    ],
)
def test_batches(hosts: str, size: object, expected: list[str]) -> None:
    assert ["".join(batch) for batch in batches(list(hosts), size)] == expected


@pytest.mark.parametrize("size", ["", "0", 0, -1, "-1", "0%", "101%", "half", "1.5", 1.5, True, None, [], "٣", "2 hosts"])
def test_what_is_no_size_of_a_batch(size: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"a batch is a number of hosts from 1, or a percentage .* stack_batch is"):
        batches(["a", "b"], size)


def status(**more: object) -> dict:
    nothing = {"live_slot": None, "live_release": None, "healthy": False, "unfinished": None, "last": None, "lock": None}
    return nothing | more


SERVING = {"live_slot": "blue", "live_release": "v1.0", "healthy": True}
STAYING = [{"run": "r2", "release": "v2.0", "migrations": ["a.sql", "b.sql"]}]
LAST = {"phase": "finished", "release": "v1.0", "at": "2026-01-01T00:00:00Z", "operator": "ann", "run": "r1"}


@pytest.mark.parametrize(
    ("statuses", "line", "problems", "release"),
    [
        ({"a": status()}, "a: no release was ever live here", 0, None),
        ({"a": status(**SERVING)}, "a: live v1.0 in slot blue, healthy", 0, "v1.0"),
        ({"a": status(**SERVING, interrupted_commands=[{"command": "python x", "release": "v2", "at": "now"}])},
         "a: the release command `python x` of v2 began at now and has no end: it runs now, or was interrupted and runs again with the "
         "next deployment of that release", 0, "v1.0"),
        ({"a": status(**SERVING, last=LAST)}, "a: last finished v1.0 at 2026-01-01T00:00:00Z by ann (run r1)", 0, "v1.0"),
        (
            {"a": status(**SERVING, last={**LAST, "phase": "rolled back", "reason": "Start it: KeyError: 'X'"})},
            "a: last rolled back v1.0 at 2026-01-01T00:00:00Z by ann (run r1): Start it: KeyError: 'X'",
            0, "v1.0",
        ),
        ({"a": status(**SERVING | {"healthy": False})}, "a: live v1.0 in slot blue, NOT RUNNING", 1, "v1.0"),
        ({"a": status(**SERVING, unfinished={"run": "r2", "release": "v2.0"})}, "", 1, "v1.0"),
        ({"a": status(**SERVING), "b": status(**SERVING | {"live_release": "v2.0"})}, "", 1, None),
        ({"a": status(**SERVING), "edge": status(last=LAST | {"release": None})}, "", 0, "v1.0"),
        (
            {"a": status(**SERVING, lock={"operator": "bob", "since": "then", "run": "r3", "expires": "later", "job": "42"})},
            "a: lock held by bob since then (run r3, AWX job 42, expires later)", 0, "v1.0",
        ),
        (
            {"a": status(**SERVING, staying=STAYING, checked={"result": "passed", "live": "v1.0"})},
            "a: migrations of run r2 (v2.0) stay applied: a.sql, b.sql. The schema is not rolled back.", 0, "v1.0",
        ),
        (
            {"a": status(**SERVING, staying=STAYING, checked={"result": "passed", "live": "v1.0"})},
            "a: v1.0 is live again and was seen working with them.", 0, "v1.0",
        ),
        ({"a": status(**SERVING, staying=STAYING)}, "a: v1.0 is live again. It was not checked whether it works with them.", 0, "v1.0"),
        ({"a": status(**SERVING, staying=STAYING, checked={"result": "failed", "live": "v1.0", "reason": "500"})}, "", 1, "v1.0"),
    ],
)  # fmt: skip
def test_stack_status(statuses: dict, line: str, problems: int, release: str | None) -> None:
    seen = stack_status(statuses)
    assert not line or line in seen["lines"]
    assert (len(seen["problems"]), seen["release"]) == (problems, release)


def test_status_names_a_live_release_that_does_not_work_as_a_problem() -> None:
    checked = {"result": "failed", "live": "v1.0", "reason": "the API does not answer for application data: GET /documents: status 500"}
    assert stack_status({"a": status(**SERVING, staying=STAYING, checked=checked)})["problems"] == [
        "a: v1.0 is live again and does NOT work with the migrations that stay: the API does not answer for application data: "
        "GET /documents: status 500"
    ]


def answer(kind: str, result: object) -> Answer:
    content = {"status": "success", "data": {"resultType": kind, "result": result}}
    return Answer(200, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "minimum", "maximum", "expected"),
    [
        (("scalar", [0, "3"]), 1, 5, ""),
        (("scalar", [0, "3"]), None, None, ""),
        (("scalar", [0, "7"]), 1, 5, "7, wanted at least 1 and at most 5"),
        (("vector", []), None, None, "there is no value"),
        (("vector", [{"metric": {"job": "api"}, "value": [0, "2"]}]), None, 0, "2 (job=api), wanted at most 0"),
        (("vector", [{"metric": {}, "value": [0, "NaN"]}]), None, 0, "nan, wanted at most 0"),
    ],
)
def test_numbers_within_limits(content: tuple, minimum: float | None, maximum: float | None, expected: str) -> None:
    values = metrics_query.values_of(answer(*content))
    assert metrics_query.complaint({"minimum": minimum, "maximum": maximum}, values) == expected


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Answer(0, error="refused"), r"no answer \(refused\)"),
        (Answer(400, b'{"status": "error", "error": "parse error"}'), "parse error"),
        (Answer(200, b"<html>"), "status 200"),
        (answer("matrix", []), "answers a matrix"),
    ],
)
def test_what_is_no_answer(seen: Answer, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        metrics_query.values_of(seen)
