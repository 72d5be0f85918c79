# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two responses, except for what may vary: status, shape and values of JSON. Each difference names its place.

Two recordings of the same request show what may vary (what differs between them), and masks name more: JMESPath
expressions. Either way a value is masked to its type: it may change, but not from a string to a number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from fractions import Fraction
from math import isfinite, isnan

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import jmespath
    from jmespath.visitor import TreeInterpreter
except ImportError:
    jmespath = None

Place = tuple[object, ...]  # keys and indices from the root; ANY stands for every index
ANY = "[*]"

_MOST_CHARACTERS = 60
_MOST_DIFFERENCES = 50


def content(body: bytes) -> object:
    """The part of a body that is compared: its JSON, or the size and digest of anything else."""
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return {"(not JSON)": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}}


def recorded(first: tuple[int, bytes], second: tuple[int, bytes] | None = None) -> dict:
    """A response as the baseline keeps it: status, content, and where two recordings of it differ."""
    kept: dict = {"status": first[0], "body": content(first[1])}
    if second:
        kept["varies"] = varying(kept, {"status": second[0], "body": content(second[1])})
    return kept


# --- Places -----------------------------------------------------------------------------------------------------------


def written(place: Place) -> str:
    """A place as people write it: documents[0].id"""
    text = ""
    for step in place:
        if step == ANY:
            text += ANY
        elif isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text or "(the whole answer)"


def locate(expression: str, value: object) -> set[Place]:
    """Where the values are that a JMESPath expression finds in `value`.

    `jmespath.search` gives values without their places, so the parsed expression is followed here. Raises ParityError
    for an expression that makes new values (functions, lists, hashes, literals): these have no place.
    """
    if jmespath is None:
        raise ParityError(
            "masks need jmespath on the control node: pip install jmespath into the Python that runs Ansible."
        )
    try:
        tree = jmespath.compile(expression).parsed
    except jmespath.exceptions.JMESPathError as error:
        raise ParityError(f"the mask {expression!r} is no JMESPath expression: {str(error).splitlines()[0]}") from error
    return {place for place, _found in _Locator(expression).visit(tree, [((), value)])[0]}


class _Locator:
    """Follows a parsed expression. Each step takes places and gives (places, whether they are elements of a list)."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def visit(self, node: dict, at: list) -> tuple[list, bool]:
        step = getattr(self, f"_{node['type']}", None)
        if step is None:
            raise ParityError(
                f"the mask {self.expression!r} cannot be located: {node['type'].replace('_', ' ')} makes a value that stands "
                "nowhere in the answer. Use names, indices, [*], .*, [] and filters [?...]."
            )
        return step(node, at)

    def _identity(self, node: dict, at: list) -> tuple[list, bool]:
        return at, False

    _current = _identity

    def _field(self, node: dict, at: list) -> tuple[list, bool]:
        name = node["value"]
        return [
            ((*place, name), value[name]) for place, value in at if isinstance(value, dict) and name in value
        ], False

    def _index(self, node: dict, at: list) -> tuple[list, bool]:
        index = node["value"]
        inside = [
            (place, value) for place, value in at if isinstance(value, list) and -len(value) <= index < len(value)
        ]
        return [((*place, index % len(value)), value[index]) for place, value in inside], False

    def _subexpression(self, node: dict, at: list) -> tuple[list, bool]:
        many = False
        for child in node["children"]:
            at, many = self.visit(child, at)
        return at, many

    _index_expression = _subexpression

    def _projection(self, node: dict, at: list) -> tuple[list, bool]:
        return self._each(node["children"][1], self._elements(node["children"][0], at))

    def _slice(self, node: dict, at: list) -> tuple[list, bool]:
        chosen = slice(*node["children"])
        return [
            ((*place, index), value[index])
            for place, value in at
            if isinstance(value, list)
            for index in range(*chosen.indices(len(value)))
        ], True

    def _value_projection(self, node: dict, at: list) -> tuple[list, bool]:
        found = self.visit(node["children"][0], at)[0]
        inside = [((*place, key), value[key]) for place, value in found if isinstance(value, dict) for key in value]
        return self._each(node["children"][1], inside)

    def _filter_projection(self, node: dict, at: list) -> tuple[list, bool]:
        left, right, condition = node["children"]
        holds = TreeInterpreter().visit
        return self._each(right, [item for item in self._elements(left, at) if holds(condition, item[1])])

    def _flatten(self, node: dict, at: list) -> tuple[list, bool]:
        flat = []
        for place, value in self._elements(node["children"][0], at):
            flat += _inside(place, value) if isinstance(value, list) else [(place, value)]
        return flat, True

    def _each(self, node: dict, at: list) -> tuple[list, bool]:
        return [found for item in at for found in self.visit(node, [item])[0]], True

    def _elements(self, node: dict, at: list) -> list:
        found, many = self.visit(node, at)
        return (
            found
            if many
            else [item for place, value in found if isinstance(value, list) for item in _inside(place, value)]
        )


def _inside(place: Place, value: list) -> list:
    return [((*place, index), element) for index, element in enumerate(value)]


# --- Differences ------------------------------------------------------------------------------------------------------


def varying(first: dict, second: dict) -> list[list]:
    """The places at which two recordings of the same request differ, with every index for any of its list."""
    places = {
        tuple(ANY if isinstance(step, int) else step for step in item["path"])
        for item in _walk(first["body"], second["body"], (), 0.0)
    }
    return [list(place) for place in sorted(places, key=str)]


def compare(
    before: dict, after: dict, *, varies: Iterable[list] = (), masks: Iterable[str] = (), tolerance: float = 0.0
) -> list[dict]:
    """The differences between two responses ({status, body}), each with its place and words.

    Numbers may differ by `tolerance` of the larger one. Raises ParityError for a mask that cannot be located.
    """
    if before["status"] != after["status"]:
        return [{"place": "status", "expected": before["status"], "seen": after["status"],
                 "words": f"status {after['status']} instead of {before['status']}"}]  # fmt: skip
    recorded = [tuple(place) for place in varies]
    masked = [place for mask in masks for side in (before, after) for place in locate(mask, side["body"])]
    found = [
        item
        for item in _walk(before["body"], after["body"], (), tolerance)
        if not (_may_vary(item, recorded, recorded=True) or _may_vary(item, masked, recorded=False))
    ]
    return [_told(item) for item in found[:_MOST_DIFFERENCES]]


def _walk(before: object, after: object, at: Place, tolerance: float) -> Iterable[dict]:
    kinds = _kind(before), _kind(after)
    if kinds[0] != kinds[1]:
        yield {"path": at, "what": "type", "expected": before, "seen": after}
    elif isinstance(before, dict):
        for key in sorted({*before, *after}):
            if key not in after:
                yield {"path": (*at, key), "what": "missing", "expected": before[key], "seen": None}
            elif key not in before:
                yield {"path": (*at, key), "what": "added", "expected": None, "seen": after[key]}
            else:
                yield from _walk(before[key], after[key], (*at, key), tolerance)
    elif isinstance(before, list):
        if len(before) != len(after):
            yield {"path": at, "what": "length", "expected": len(before), "seen": len(after)}
        for index, (old, new) in enumerate(zip(before, after)):
            yield from _walk(old, new, (*at, index), tolerance)
    elif before != after and not (kinds[0] == "number" and _close(before, after, tolerance)):
        yield {"path": at, "what": "value", "expected": before, "seen": after}


def _close(before: float, after: float, tolerance: float) -> bool:
    """Whether two numbers that are not equal differ by at most `tolerance` of the larger one; exact for whole numbers of any size."""
    if isinstance(before, float) and isinstance(after, float) and isnan(before) and isnan(after):
        return True
    if not all(isinstance(value, int) or isfinite(value) for value in (before, after)):
        return False
    old, new = Fraction(before), Fraction(after)
    return abs(old - new) <= Fraction(tolerance) * max(abs(old), abs(new))


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "list", dict: "object", type(None): "null"}[type(value)]


def _may_vary(item: dict, places: list[Place], *, recorded: bool) -> bool:
    """Whether a difference may be: below one of the places, or at it and of the same type.

    What was seen to differ between two recordings may also come and go, or be null.
    """
    path, what = item["path"], item["what"]
    for place in places:
        if not place:  # the whole answer may be anything
            return True
        if len(place) > len(path) or not all(step in (ANY, seen) for step, seen in zip(place, path)):
            continue
        if len(place) < len(path) or what in ("value", "length"):
            return True
        if recorded and (what in ("missing", "added") or None in (item["expected"], item["seen"])):
            return True
    return False


def _told(item: dict) -> dict:
    place, expected, seen = written(item["path"]), item["expected"], item["seen"]
    words = {
        "type": f"{place} is {_article(_kind(seen))}, was {_article(_kind(expected))}",
        "missing": f"{place} is missing",
        "added": f"{place} is new",
        "length": f"{place} has {seen} entries, had {expected}",
        "value": f"{place} is {_short(seen)}, was {_short(expected)}",
    }[item["what"]]
    return {
        "place": place,
        "what": item["what"],
        "expected": "" if item["what"] == "added" else _short(expected),
        "seen": "" if item["what"] == "missing" else _short(seen),
        "words": words,
    }


def _article(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind == 'object' else 'a'} {kind}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
