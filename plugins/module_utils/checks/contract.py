# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn an API's own description of itself (OpenAPI) into requests that show whether each route is there, and harm nothing.

The test user calls operations that read. An operation that changes something is called without a token, where the contract says that
it needs one: the refusal shows that the route is there and guarded, and nothing happens.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_READS = ("get", "head")
_NOBODY = "00000000-0000-0000-0000-000000000000"
_ANYTHING = "parity"
_PARAMETER = re.compile(r"\{[^{}]*\}")
#: How many schemas may stand in one another.
_DEEPEST = 20


@dataclass(frozen=True)
class Route:
    """One operation of the contract, as a request. `why_not` says why it is not called."""

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


def routes(contract: object, own: str = "", identifier: object = None, document: str = "/openapi.json") -> list[Route]:
    """Every operation. `own` is the path of the test user's document with {id} in it, `identifier` the document's, `document` the path
    of the contract itself. What cannot be read becomes a route with a reason why it is not called; nothing is raised.
    """
    try:
        whole = _object(contract, contract, "the contract")
        paths = _object(whole, whole.get("paths"), "the list of paths")
    except _Unreadable as error:
        return [Route("", "paths", why_not=str(error))]
    if not paths:
        return [Route("", "paths", why_not="the contract names no path")]
    found = []
    for template, item in paths.items():
        if not str(template).startswith("x-"):
            found += _operations(_Reader(whole, own, identifier, document), str(template), item)
    return found


def _operations(reader: _Reader, template: str, item: object) -> list[Route]:
    try:
        described = _path_item(reader.contract, item)
        if not template.startswith("/"):
            raise _Unreadable("its path does not begin with /")
    except _Unreadable as error:
        return [Route("", template, why_not=str(error))]
    found = []
    for method in _METHODS:
        if method in described:
            try:
                found.append(reader.route(template, method, described))
            except _Unreadable as error:
                found.append(Route(method.upper(), template, why_not=str(error)))
    return found


class _Unreadable(ValueError):
    """A part of the contract that is not as OpenAPI has it."""


@dataclass(frozen=True)
class _Reader:
    """Makes requests of a contract's operations."""

    contract: dict
    own: str
    identifier: object
    document: str

    def route(self, template: str, method: str, item: dict) -> Route:
        operation = _object(self.contract, item[method], "its description")
        if method not in _READS and not self._wants_token(operation):
            return Route(method.upper(), template, why_not="it changes something, and the contract wants no token for it")
        base = self._base(item, operation)
        path, invented = self._filled(base, template, reads=method in _READS)
        query = [(one["name"].encode("utf-8", "replace"), _value(self.contract, one)) for one in self._parameters(item, operation)]
        if query:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(query, doseq=True)
        return Route(method.upper(), template, path, token=method in _READS, invented=invented)

    def _wants_token(self, operation: dict) -> bool:
        """Whether the operation needs a token, beyond doubt: without one, an operation that needs it changes nothing."""
        security = operation["security"] if "security" in operation else self.contract.get("security") or []
        if not isinstance(security, list) or not all(isinstance(one, dict) for one in security):
            raise _Unreadable("it changes something, and its rule for tokens (security) cannot be read")
        return bool(security) and {} not in security

    def _base(self, item: dict, operation: dict) -> str:
        """The path of the server that the operation is on, without a / at its end."""
        if str(self.contract.get("swagger", "")).startswith("2"):
            base = self.contract.get("basePath") or ""
            if not isinstance(base, str):
                raise _Unreadable("basePath is no text")
            return "/" + base.strip("/") if base.strip("/") else ""
        general = self._server(self.contract)
        mine = self._server(operation) or self._server(item)
        if mine and mine.netloc and mine.netloc != (general.netloc if general else ""):
            raise _Unreadable("it is on a server of its own")
        server = mine or general
        return server.path.rstrip("/") if server else ""

    def _server(self, holder: dict) -> urllib.parse.SplitResult | None:
        """The first server that the contract, a path or an operation names."""
        servers = holder.get("servers")
        if servers in (None, []):
            return None
        if not isinstance(servers, list) or not isinstance(servers[0], dict) or not isinstance(servers[0].get("url"), str):
            raise _Unreadable("its server (servers) cannot be read")
        variables = servers[0].get("variables") or {}
        url = re.sub(r"\{([^}]*)\}", lambda found: _server_variable(variables, found[1]), servers[0]["url"])
        try:
            return urllib.parse.urlsplit(urllib.parse.urljoin(self.document, url or "/"))
        except ValueError:
            raise _Unreadable("its server (servers) is no URL") from None

    def _filled(self, base: str, template: str, *, reads: bool) -> tuple[str, bool]:
        """The path with a value for each parameter, and whether one of them is invented."""
        own = _without_names(self.own)
        whole, invented = base + template, False

        def value(found: re.Match[str]) -> str:
            nonlocal invented
            if self.identifier is not None and reads and _without_names(whole[: found.end()]) in (own, base + own):
                return urllib.parse.quote(str(self.identifier), safe="")
            invented = True
            return _NOBODY

        path = _PARAMETER.sub(value, whole)
        return urllib.parse.quote(path, safe="/?%:@!$&'()*+,;=~", errors="replace"), invented

    def _parameters(self, item: dict, operation: dict) -> list[dict]:
        """The required parameters of the query. Those of the operation come before those of its path."""
        found: dict[tuple[object, object], dict] = {}
        for holder in (item, operation):
            listed = _pointed(self.contract, holder.get("parameters")) or []
            if not isinstance(listed, list):
                raise _Unreadable("its parameters are no list")
            for one in listed:
                parameter = _object(self.contract, one, "one of its parameters")
                if not isinstance(parameter.get("name"), str) or not isinstance(parameter.get("in"), str):
                    raise _Unreadable("one of its parameters has no name or no place")
                found[parameter["name"], parameter["in"]] = parameter
        return [one for one in found.values() if one["in"] == "query" and one.get("required") is True]


def _server_variable(variables: object, name: str) -> str:
    variable = variables.get(name) if isinstance(variables, dict) else None
    default = variable.get("default") if isinstance(variable, dict) else None
    if not isinstance(default, str):
        raise _Unreadable("its server has a variable without a default")
    return default


def _without_names(path: str) -> str:
    return _PARAMETER.sub("{}", path)


def _path_item(contract: dict, item: object) -> dict:
    """The definition of a path; it may have more beside a reference."""
    described = _object(contract, item, "its description")
    beside = {key: value for key, value in item.items() if key != "$ref"} if isinstance(item, dict) else {}
    return {**described, **beside}


def _object(contract: object, node: object, what: str) -> dict:
    found = _pointed(contract, node)
    if not isinstance(found, dict):
        raise _Unreadable(f"{what} is {'missing or null' if found is None else 'no object'}")
    return found


def _pointed(contract: object, node: object) -> object:
    """The target of a reference inside the document, through any number of references in a row; anything else as it is."""
    seen: set[str] = set()
    while isinstance(node, dict) and "$ref" in node:
        reference = node["$ref"]
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise _Unreadable("it refers to another document")
        if reference in seen:
            raise _Unreadable("it refers to itself")
        seen.add(reference)
        node = contract
        for part in urllib.parse.unquote(reference[1:]).split("/")[1:]:
            node = _member(node, part.replace("~1", "/").replace("~0", "~"))
    return node


def _member(node: object, key: str) -> object:
    if isinstance(node, dict) and key in node:
        return node[key]
    if isinstance(node, list) and re.fullmatch(r"[0-9]{1,6}", key) and int(key) < len(node):
        return node[int(key)]
    raise _Unreadable("it refers to something that is not there")


def _value(contract: dict, parameter: dict) -> object:
    """A value that a parameter takes, as a query has it."""
    for key in ("example", "x-example"):
        if parameter.get(key) is not None:
            return _in_query(parameter[key])
    content = parameter.get("content")
    described = next(iter(content.values()), None) if isinstance(content, dict) else None
    schema = described.get("schema") if isinstance(described, dict) else parameter.get("schema")
    # In Swagger 2 the parameter itself is the schema.
    return _in_query(_of_schema(contract, parameter if schema is None else schema, _DEEPEST))


def _in_query(value: object) -> object:
    if isinstance(value, list):
        return [_in_query(one) for one in value if not isinstance(one, list)]
    if isinstance(value, (bool, dict)):
        return json.dumps(value)
    return str(value).encode("utf-8", "replace")


def _of_schema(contract: dict, node: object, deep: int) -> object:
    if not deep:
        raise _Unreadable("one of its parameters refers to itself")
    if isinstance(node, bool):  # OpenAPI 3.1: `true` is a schema that everything fits
        return _ANYTHING
    schema = _object(contract, node, "the schema of a parameter")
    for value in [schema.get("example"), schema.get("default"), schema.get("const"), *_list(schema, "enum"), *_list(schema, "examples")]:
        if value is not None:
            return value
    choices = [one for key in ("allOf", "anyOf", "oneOf") for one in _list(schema, key) if one != {"type": "null"}]
    if choices:
        return _of_schema(contract, choices[0], deep - 1)
    types = [one for one in (_list(schema, "type") or [schema.get("type")]) if one != "null"]
    kind = types[0] if types else None
    if kind == "array":
        return [_of_schema(contract, schema.get("items", True), deep - 1)]
    return _of_type(kind, schema)


def _of_type(kind: object, schema: dict) -> object:
    if kind in ("integer", "number"):
        lowest = schema.get("minimum")
        return lowest if isinstance(lowest, (int, float)) and not isinstance(lowest, bool) else 1
    if kind == "boolean":
        return False
    if kind == "object":
        return {}
    return _NOBODY if schema.get("format") == "uuid" else _ANYTHING


def _list(schema: dict, key: str) -> list:
    found = schema.get(key)
    return found if isinstance(found, list) else []
