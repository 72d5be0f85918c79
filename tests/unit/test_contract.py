# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation of a contract becomes a request that harms nothing."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.contract import Route, routes

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
