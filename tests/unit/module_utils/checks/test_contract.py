# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation of a contract becomes a request that harms nothing."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.checks.contract import Route, routes
from hypothesis import example, given, settings
from hypothesis import strategies as st

NOBODY = "00000000-0000-0000-0000-000000000000"
TOKEN = [{"bearer": []}]
OWN = "/documents/{id}"


@pytest.mark.parametrize(
    ("template", "method", "operation", "path", "token", "invented"),
    [
        ("/documents", "get", {}, "/documents", True, False),
        ("/documents", "post", {"security": TOKEN}, "/documents", False, False),
        ("/documents/{number}", "get", {}, "/documents/7", True, False),
        ("/documents/{number}/pages/{page}", "get", {}, f"/documents/7/pages/{NOBODY}", True, True),
        ("/documents/{number}", "delete", {"security": TOKEN}, f"/documents/{NOBODY}", False, True),
        ("/people/{name}", "get", {}, f"/people/{NOBODY}", True, True),
        ("/search", "get", {"parameters": [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}]},
         "/search?q=parity", True, False),
        ("/search", "get", {"parameters": [{"$ref": "#/components/parameters/size"}]}, "/search?size=3", True, False),
        ("/search", "get", {"parameters": [{"name": "q", "in": "query"}]}, "/search", True, False),
    ],
)  # fmt: skip
def test_requests(template: str, method: str, operation: dict, path: str, token: bool, invented: bool) -> None:
    size = {"name": "size", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 3}}
    contract = {"paths": {template: {method: operation}}, "components": {"parameters": {"size": size}}}
    [route] = routes(contract, OWN, 7)
    assert (route.path, route.token, route.invented, route.why_not) == (path, token, invented, "")


@pytest.mark.parametrize(
    ("contract_security", "security", "asked"),
    [(None, None, False), (None, TOKEN, True), (TOKEN, None, True), (TOKEN, [], False), (None, [{}, *TOKEN], False)],
)
def test_a_change_is_only_tried_where_it_will_be_refused(contract_security: list, security: list, asked: bool) -> None:
    operation = {} if security is None else {"security": security}
    contract = {"paths": {"/account": {"delete": operation}}} | ({"security": contract_security} if contract_security else {})
    [route] = routes(contract)
    assert (not route.why_not) is asked


@pytest.mark.parametrize(
    ("route", "status", "complaint"),
    [
        (Route("GET", "/a"), 200, ""),
        (Route("GET", "/a"), 422, ""),
        (Route("GET", "/a"), 404, "it is not there"),
        (Route("GET", "/a"), 405, "it is not there"),
        (Route("GET", "/a"), 500, "the server failed"),
        (Route("GET", "/a"), 401, "it refuses a good token"),
        (Route("GET", "/a"), 0, "refused"),
        (Route("GET", "/a/{b}", invented=True), 404, ""),
        (Route("GET", "/a/{b}", invented=True), 403, ""),
        (Route("POST", "/a", token=False), 401, ""),
        (Route("POST", "/a", token=False), 422, "it takes requests without a token"),
        (Route("DELETE", "/a/{b}", token=False, invented=True), 204, "it takes requests without a token"),
    ],
)
def test_answers(route: Route, status: int, complaint: str) -> None:
    assert route.complaint(status, "refused") == complaint


# --- Shapes of real contracts -----------------------------------------------------------------------------------------


def paths_of(contract: object, **more: object) -> list[str]:
    """The requests of a contract; of what is not asked the reason."""
    return [route.why_not or f"{route.method} {route.path}" for route in routes(contract, OWN, 7, **more)]


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ({"servers": [{"url": "/api/v1"}]}, "GET /api/v1/a"),
        ({"servers": [{"url": "https://api.example.org/v1/"}]}, "GET /v1/a"),
        ({"servers": [{"url": "https://api.example.org"}]}, "GET /a"),
        ({"servers": [{"url": "/"}]}, "GET /a"),
        ({"servers": [{"url": ""}]}, "GET /a"),
        ({"servers": []}, "GET /a"),
        ({"servers": None}, "GET /a"),
        ({"servers": [{"url": "v2"}]}, "GET /docs/v2/a"),
        ({"servers": [{"url": "/{stage}", "variables": {"stage": {"default": "live"}}}]}, "GET /live/a"),
        ({"servers": [{"url": "/{stage}"}]}, "its server has a variable without a default"),
        ({"servers": [{"url": None}]}, "its server (servers) cannot be read"),
        ({"servers": {"url": "/v1"}}, "its server (servers) cannot be read"),
        ({"servers": [{"url": "http://[bad"}]}, "its server (servers) is no URL"),
        ({"swagger": "2.0", "basePath": "/v1"}, "GET /v1/a"),
        ({"swagger": "2.0", "basePath": "v1/"}, "GET /v1/a"),
        ({"swagger": "2.0", "basePath": "/"}, "GET /a"),
        ({"swagger": "2.0", "basePath": None}, "GET /a"),
        ({"swagger": "2.0", "basePath": 5}, "basePath is no text"),
    ],
)
def test_the_server_s_path_stands_before_the_route_s(contract: dict, expected: str) -> None:
    assert paths_of({**contract, "paths": {"/a": {"get": {}}}}, document="/docs/openapi.json") == [expected]


@pytest.mark.parametrize(
    ("item", "operation", "expected"),
    [
        ({"servers": [{"url": "/p"}]}, {}, "GET /p/a"),
        ({"servers": [{"url": "/p"}]}, {"servers": [{"url": "/o"}]}, "GET /o/a"),
        ({}, {"servers": [{"url": "https://h/o"}]}, "GET /o/a"),
        ({}, {"servers": [{"url": "https://files.example.org/"}]}, "it is on a server of its own"),
    ],
)
def test_a_route_may_have_a_server_of_its_own(item: dict, operation: dict, expected: str) -> None:
    assert paths_of({"servers": [{"url": "https://h/v1"}], "paths": {"/a": {**item, "get": operation}}}) == [expected]


def test_the_own_document_is_known_below_a_base_path() -> None:
    contract = {"servers": [{"url": "/v1"}], "paths": {"/documents/{x}": {"get": {}}, "/documents/{x}/{y}": {"get": {}}}}
    expected = ["GET /v1/documents/7", f"GET /v1/documents/7/{NOBODY}"]
    assert paths_of(contract) == expected
    assert [route.path for route in routes(contract, "/v1/documents/{id}", 7)] == ["/v1/documents/7", f"/v1/documents/7/{NOBODY}"]


COMPONENTS = {
    "parameters": {"size/of a~page": {"name": "size", "in": "query", "required": True, "schema": {"$ref": "#/components/schemas/Size"}}},
    "schemas": {
        "Size": {"type": "integer", "minimum": 3},
        "Loop": {"$ref": "#/components/schemas/Loop"},
        "Deep": {"allOf": [{"$ref": "#/components/schemas/Deep"}]},
    },
    "pathItems": {"Item": {"get": {}, "parameters": [{"$ref": "#/components/parameters/size~1of%20a~0page"}]}},
}


def size(schema: object) -> dict:
    return {"name": "size", "in": "query", "required": True, "schema": schema}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"$ref": "#/components/pathItems/Item"}, ["GET /a?size=3"]),
        ({"$ref": "#/components/pathItems/Item", "parameters": None}, ["GET /a"]),
        ({"$ref": "#/components/pathItems/None"}, ["it refers to something that is not there"]),
        ({"$ref": "items.yaml#/a"}, ["it refers to another document"]),
        ({"$ref": 5}, ["it refers to another document"]),
        ({"$ref": "#/paths/~1a"}, ["it refers to itself"]),
        (None, ["its description is missing or null"]),
        ([], ["its description is no object"]),
        ({"get": None}, ["its description is missing or null"]),
        ({"get": {"parameters": None}}, ["GET /a"]),
        ({"get": {"parameters": {}}}, ["GET /a"]),
        ({"get": {"parameters": {"name": "x"}}}, ["its parameters are no list"]),
        ({"get": {"parameters": "x"}}, ["its parameters are no list"]),
        ({"get": {"parameters": [None]}}, ["one of its parameters is missing or null"]),
        ({"get": {"parameters": [{"in": "query"}]}}, ["one of its parameters has no name or no place"]),
        ({"get": {"parameters": [{"$ref": "#/components/parameters/size~1of a~0page"}]}}, ["GET /a?size=3"]),
        ({"parameters": [size({"const": 1})], "get": {"parameters": [size({"const": 2})]}}, ["GET /a?size=2"]),
        ({"get": {"parameters": [size({"type": ["integer", "null"]})]}}, ["GET /a?size=1"]),
        ({"get": {"parameters": [size({"type": ["null", "boolean"]})]}}, ["GET /a?size=false"]),
        ({"get": {"parameters": [size({"enum": [None, "b"]})]}}, ["GET /a?size=b"]),
        ({"get": {"parameters": [size({"enum": [None]})]}}, ["GET /a?size=parity"]),
        ({"get": {"parameters": [size({"default": True})]}}, ["GET /a?size=true"]),
        ({"get": {"parameters": [size({"anyOf": [{"type": "null"}, {"type": "string", "format": "uuid"}]})]}}, [f"GET /a?size={NOBODY}"]),
        ({"get": {"parameters": [size({"type": "array", "items": {"type": "integer"}})]}}, ["GET /a?size=1"]),
        ({"get": {"parameters": [size({"type": "number", "minimum": "x"})]}}, ["GET /a?size=1"]),
        ({"get": {"parameters": [size({"$ref": "#/components/schemas/Loop"})]}}, ["it refers to itself"]),
        ({"get": {"parameters": [size({"$ref": "#/components/schemas/Deep"})]}}, ["one of its parameters refers to itself"]),
        ({"get": {"parameters": [size(None)]}}, ["GET /a?size=parity"]),
        ({"get": {"parameters": [{"name": "size", "in": "query", "required": True, "type": "integer"}]}}, ["GET /a?size=1"]),
        (
            {
                "get": {
                    "parameters": [
                        {"name": "s", "in": "query", "required": True, "content": {"application/json": {"schema": {"const": 4}}}}
                    ]
                }
            },
            ["GET /a?s=4"],
        ),
        ({"delete": {"security": None}}, ["it changes something, and its rule for tokens (security) cannot be read"]),
        ({"delete": {"security": "bearer"}}, ["it changes something, and its rule for tokens (security) cannot be read"]),
        ({"delete": {"security": [None]}}, ["it changes something, and its rule for tokens (security) cannot be read"]),
        ({"delete": {}}, ["DELETE /a"]),
    ],
)
def test_descriptions(item: object, expected: list[str]) -> None:
    assert paths_of({"paths": {"/a": item}, "components": COMPONENTS, "security": TOKEN}) == expected


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        (None, ["the contract is missing or null"]),
        ([], ["the contract is no object"]),
        ({}, ["the list of paths is missing or null"]),
        ({"paths": None}, ["the list of paths is missing or null"]),
        ({"paths": []}, ["the list of paths is no object"]),
        ({"paths": {}}, ["the contract names no path"]),
        ({"paths": {"x-hidden": {}, "/a": {"get": {}}}}, ["GET /a"]),
        ({"paths": {"a": {"get": {}}}}, ["its path does not begin with /"]),
        ({"paths": {"/a b/é": {"get": {}}}}, ["GET /a%20b/%C3%A9"]),
        ({"security": None, "paths": {"/a": {"delete": {}}}}, ["it changes something, and the contract wants no token for it"]),
    ],
)
def test_contracts(contract: object, expected: list[str]) -> None:
    assert paths_of(contract) == expected


KEYS = ["$ref", "servers", "url", "variables", "parameters", "name", "in", "required", "schema", "type", "enum", "items", "anyOf", "get",
        "delete",
        "security", "default", "minimum", "content", "example", "swagger", "basePath", "/a", "/a/{b}"]  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["#/paths/~1a", "#", "#/", "#/components/x", "query", "integer", "array", "2.0", "/v1", "https://h/v1", "\ud800"]),
)  # fmt: skip
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)),
    max_leaves=25,
)
PARAMETERS = st.fixed_dictionaries({"name": st.just("q") | LEAVES, "in": st.just("query"), "required": st.just(True), "schema": NODES})
OPERATIONS = st.fixed_dictionaries({"parameters": st.lists(PARAMETERS, max_size=2) | NODES, "security": NODES, "servers": NODES})
ITEMS = st.fixed_dictionaries({"get": OPERATIONS | NODES, "delete": OPERATIONS, "parameters": NODES, "servers": NODES})
CONTRACTS = st.fixed_dictionaries(
    {"paths": st.dictionaries(st.sampled_from(["/a", "/a/{b}"]), ITEMS | NODES), "servers": NODES, "components": NODES}
)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.one_of(NODES, CONTRACTS))
@example({"paths": {"/a": {"get": {"parameters": [size({"const": "\ud800"})]}}}})
def test_no_contract_ends_in_a_traceback(contract: object) -> None:
    for route in routes(contract, OWN, 7):
        assert route.why_not or (route.path.startswith("/") and route.path.isascii() and " " not in route.path)
