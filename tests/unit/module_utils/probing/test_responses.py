# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two responses is found, placed and said; what may vary is not."""

from __future__ import annotations

import math

import jmespath
import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.probing import responses
from hypothesis import given, settings
from hypothesis import strategies as st

LIST = {
    "documents": [{"id": "a", "state": "complete", "tags": [1, 2]}, {"id": "b", "state": "failed", "tags": [3]}],
    "by name": {"x": {"at": 1}, "y": {"at": 2}},
    "nested": [[1, 2], [3], 4],
    "total": 2,
}


def value_at(value: object, place: tuple) -> object:
    for step in place:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("total", ["total"]),
        ("documents[0].id", ["documents[0].id"]),
        ("documents[-1].id", ["documents[1].id"]),
        ("documents[*].id", ["documents[0].id", "documents[1].id"]),
        ("documents[].tags[]", ["documents[0].tags[0]", "documents[0].tags[1]", "documents[1].tags[0]"]),
        ("documents[?state=='failed'].id", ["documents[1].id"]),
        ("documents[?length(tags) > `1`].id", ["documents[0].id"]),
        ("documents[:1].state", ["documents[0].state"]),
        ("documents[::-1].state", ["documents[0].state", "documents[1].state"]),
        ('"by name".*.at', ["by name.x.at", "by name.y.at"]),
        ("nested[]", ["nested[0][0]", "nested[0][1]", "nested[1][0]", "nested[2]"]),
        ("documents[*]", ["documents[0]", "documents[1]"]),
        ("nothing.here", []),
        ("documents[7].id", []),
        ("total[*]", []),
        ("@", ["(the whole answer)"]),
    ],
)
def test_masks_are_located(expression: str, places: list[str]) -> None:
    located = responses.locate(expression, LIST)
    assert sorted(map(responses.written, located)) == places
    # What stands at these places is what JMESPath itself finds.
    found = jmespath.search(expression, LIST)
    wanted = found if isinstance(found, list) and expression not in ("documents[0]",) else [found]
    if places:
        assert sorted(map(str, (value_at(LIST, place) for place in located))) == sorted(map(str, wanted))


@pytest.mark.parametrize(
    "expression",
    [
        "length(documents)",
        "[total, total]",
        "{a: total}",
        "`1`",
        "total || total",
        "documents[*].id | [0]",
        "total == `2`",
    ],
)
def test_what_has_no_place_is_refused(expression: str) -> None:
    with pytest.raises(ParityError, match="cannot be located"):
        responses.locate(expression, LIST)


def test_no_expression_is_refused() -> None:
    with pytest.raises(ParityError, match="no JMESPath expression"):
        responses.locate("documents[", LIST)


@pytest.mark.parametrize(
    ("before", "after", "wanted", "words"),
    [
        ({"a": 1}, {"a": 1}, {}, []),
        ({"a": 1}, {"a": 1.0}, {}, []),
        ({"a": 1}, {"a": True}, {}, ["a is a boolean, was a number"]),
        ({"a": 1}, {"a": "1"}, {}, ["a is a string, was a number"]),
        ({"a": 1}, {}, {}, ["a is missing"]),
        ({}, {"a": 1}, {}, ["a is new"]),
        ({"pages": 1}, {"page_count": 1}, {}, ["page_count is new", "pages is missing"]),
        ([1, 2], [1], {}, ["(the whole answer) has 1 entries, had 2"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {}, ["a[0].b is 2, was 1"]),
        ({"a": 100}, {"a": 101}, {"tolerance": 0.02}, []),
        ({"id": 2**53 + 1}, {"id": 2**53}, {}, ["id is 9007199254740992, was 9007199254740993"]),
        ({"id": 2**53 + 1}, {"id": float(2**53)}, {}, ["id is 9007199254740992.0, was 9007199254740993"]),
        ({"id": 2**53 + 1}, {"id": 2**53}, {"tolerance": 1e-9}, []),
        ({"id": 10**400 + 1}, {"id": 10**400}, {}, [f"id is 1{'0' * 56}..., was 1{'0' * 56}..."]),
        ({"id": 10**400}, {"id": 1.5}, {"tolerance": 0.5}, [f"id is 1.5, was 1{'0' * 56}..."]),
        ({"id": 10**400}, {"id": 10**400 + 1}, {"tolerance": 0.5}, []),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, {}, ["a is 0.3, was 0.30000000000000004"]),
        ({"a": math.nan}, {"a": math.nan}, {}, []),
        ({"a": math.nan}, {"a": 1}, {"tolerance": 0.5}, ["a is 1, was NaN"]),
        ({"a": math.inf}, {"a": 10**400}, {"tolerance": 0.5}, [f"a is 1{'0' * 56}..., was Infinity"]),
        ({"a": 100}, {"a": 103}, {"tolerance": 0.02}, ["a is 103, was 100"]),
        ({"a": "x"}, {"a": "y"}, {"masks": ["a"]}, []),
        ({"a": "x"}, {"a": 1}, {"masks": ["a"]}, ["a is a number, was a string"]),
        ({"a": "x"}, {}, {"masks": ["a"]}, ["a is missing"]),
        ({"a": "x"}, {"a": None}, {"masks": ["a"]}, ["a is null, was a string"]),
        ({"a": "x"}, {}, {"varies": [["a"]]}, []),
        ({"a": "x"}, {"a": None}, {"varies": [["a"]]}, []),
        ({"a": "x"}, {"a": 1}, {"varies": [["a"]]}, ["a is a number, was a string"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2}}, {"masks": ["a"]}, []),
        ({"a": [{"id": 1, "x": 1}]}, {"a": [{"id": 2, "x": 1}]}, {"masks": ["a[*].id"]}, []),
        ({"a": [{"id": 1, "x": 1}]}, {"a": [{"id": 2, "x": 2}]}, {"masks": ["a[*].id"]}, ["a[0].x is 2, was 1"]),
        ({"a": [{"id": 1}, {"id": 2}]}, {"a": [{"id": 3}, {"id": 4}]}, {"varies": [["a", "[*]", "id"]]}, []),
        ({"a": "ä" * 100}, {"a": ""}, {}, ['a is "", was "' + "ä" * 56 + "..."]),
    ],
)
def test_differences(before: object, after: object, wanted: dict, words: list[str]) -> None:
    found = responses.compare({"status": 200, "body": before}, {"status": 200, "body": after}, **wanted)
    assert [item["words"] for item in found] == words


def test_another_status_is_one_difference() -> None:
    found = responses.compare({"status": 200, "body": {"a": 1}}, {"status": 500, "body": {"detail": "x"}})
    assert [item["words"] for item in found] == ["status 500 instead of 200"]


def test_what_differs_between_two_recordings_may_vary() -> None:
    first, second, later = (
        {"status": 200, "body": {"at": at, "list": [{"id": at, "n": n}]}} for at, n in (("1", 1), ("2", 1), ("3", 2))
    )
    varies = responses.varying(first, second)
    assert varies == [["at"], ["list", "[*]", "id"]]
    assert [item["words"] for item in responses.compare(first, later, varies=varies)] == ["list[0].n is 2, was 1"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"", None),
        (b"[" * 200_000, {"(not JSON)": {"bytes": 200_000, "sha256": ""}}),
        (b'{"a": 1}', {"a": 1}),
        (
            b"%PDF",
            {"(not JSON)": {"bytes": 4, "sha256": "3df79d34abbca99308e79cb94461c1893582604d68329a41fd4bec1885e6adb4"}},
        ),
    ],
)
def test_content(body: bytes, wanted: object) -> None:
    seen = responses.content(body)
    if isinstance(wanted, dict) and "(not JSON)" in wanted:
        assert seen["(not JSON)"]["bytes"] == wanted["(not JSON)"]["bytes"] and len(seen["(not JSON)"]["sha256"]) == 64
    else:
        assert seen == wanted


NUMBERS = st.one_of(st.integers(), st.integers(2**53 - 3, 2**53 + 3), st.floats(), st.integers(10**320, 10**320 + 2))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.01, 0.5]))
def test_numbers_are_compared_exactly_and_without_a_traceback(before: float, after: float, tolerance: float) -> None:
    found = responses.compare({"status": 200, "body": before}, {"status": 200, "body": after}, tolerance=tolerance)
    turned = responses.compare({"status": 200, "body": after}, {"status": 200, "body": before}, tolerance=tolerance)
    assert bool(found) is bool(turned)
    if tolerance == 0:
        both_nan = all(isinstance(one, float) and math.isnan(one) for one in (before, after))
        assert bool(found) is (before != after and not both_nan)


@pytest.mark.parametrize(("before", "after"), [({"a": 1}, {"b": [1]}), ("ok", {"status": "ok"}), (None, [1])])
def test_a_mask_of_the_whole_answer_lets_anything_pass_but_the_status(before: object, after: object) -> None:
    first, second = {"status": 200, "body": before}, {"status": 200, "body": after}
    assert responses.compare(first, second) and responses.compare(first, second, masks=["@"]) == []
    assert responses.compare(first, {**second, "status": 404}, masks=["@"])
