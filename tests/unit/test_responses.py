# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two responses is found, placed and said; what may vary is not."""

from __future__ import annotations

import jmespath
import pytest
from ansible_collections.parity.stack.plugins.module_utils import responses
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

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
        assert seen["(not JSON)"]["bytes"] == 4 and len(seen["(not JSON)"]["sha256"]) == 64
    else:
        assert seen == wanted
