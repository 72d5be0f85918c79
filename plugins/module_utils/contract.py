# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API's own description of itself (OpenAPI), as requests that show whether each route is there and harm nothing.

What reads is asked as the test user. What changes something is asked without a token, where the contract says that it wants one:
the refusal shows that the route is there and guarded, and nothing happens.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_READS = ("get", "head")
_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Route:
    """One operation of the contract, as a request. `why_not` says why it is not asked."""

    method: str
    template: str
    path: str = ""
    token: bool = True
    invented: bool = False
    why_not: str = ""

    def complaint(self, status: int, error: str) -> str:
        """What is wrong with the answer; empty when nothing is."""
        if not status:
            return error
        if status >= 500:
            return "the server failed"
        if status == 405 or (status == 404 and not self.invented):
            return "it is not there"
        if not self.token and status not in (401, 403):
            return "it takes requests without a token"
        if self.token and status in (401, 403) and not self.invented:
            return "it refuses a good token"
        return ""


def routes(contract: dict, own: str = "", identifier: object = None) -> list[Route]:
    """Every operation. `own` is the path of the test user's document with {id} in it, `identifier` the document's."""
    found = []
    for template, item in contract["paths"].items():
        for method in _METHODS:
            if isinstance(item, dict) and isinstance(item.get(method), dict):
                found.append(_route(contract, template, method, item, own, identifier))
    return found


def _route(contract: dict, template: str, method: str, item: dict, own: str, identifier: object) -> Route:
    operation = item[method]
    parameters = [_resolved(contract, one) for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
    security = operation.get("security", contract.get("security"))
    wants_token = bool(security) and {} not in security
    if method not in _READS and not wants_token:
        return Route(method.upper(), template, why_not="it changes something, and the contract wants no token for it")
    path, invented = template, False
    prefix = re.sub(r"\{[^}]*\}", "{}", own)
    for name in re.findall(r"\{([^}]*)\}", template):
        before = re.sub(r"\{[^}]*\}", "{}", path.split("{" + name + "}")[0] + "{}")
        if identifier is not None and method in _READS and before == prefix:
            value = str(identifier)
        else:
            value, invented = _NOBODY, True
        path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
    query = {one["name"]: _value(_resolved(contract, one.get("schema", {}))) for one in _wanted(parameters)}
    whole = path + ("?" + urllib.parse.urlencode(query) if query else "")
    return Route(method.upper(), template, whole, token=method in _READS, invented=invented)


def _wanted(parameters: list[dict]) -> Iterator[dict]:
    return (one for one in parameters if one.get("in") == "query" and one.get("required"))


def _resolved(contract: dict, node: dict) -> dict:
    """What a reference inside the document points to."""
    reference = node.get("$ref", "")
    if not reference.startswith("#/"):
        return node
    found: object = contract
    for part in reference[2:].split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _value(schema: dict) -> object:
    """A value a parameter of this kind takes."""
    for key in ("example", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("type") in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("type") == "boolean":
        return "false"
    return _NOBODY if schema.get("format") == "uuid" else "parity"
