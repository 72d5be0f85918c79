# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.gateway import problems

FIT = {
    "gateway_name": "shop",
    "gateway_bind": "192.0.2.9",
    "gateway_metrics_bind": "::1",
    "gateway_port": 8443,
    "gateway_metrics_port": 8405,
    "gateway_redirect_port": 0,
    "gateway_backends": [{"name": "app1", "address": "192.0.2.1", "port": 8000}],
    "gateway_health_path": "/ready",
    "gateway_denied_paths": ["/metrics"],
    "gateway_allowed_networks": ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"],
    "gateway_cors_origins": ["https://app.example.org", "http://localhost:5173", "http://[::1]:3000"],
    "gateway_cors_methods": ["GET"],
    "gateway_cors_headers": ["X-Request-Id"],
    "gateway_rate_limit": {"requests": 100, "seconds": 10},
}


def backend(**changes: object) -> dict:
    return {"name": "app1", "address": "192.0.2.1", "port": 8000, **changes}


def route(**changes: object) -> dict:
    return {"name": "admin", "path": "/admin", "backends": [backend()], **changes}


def test_what_fits_has_no_problems() -> None:
    routes = [route(), route(name="a", domain="a.org", path="/"), route(name="b", domain="b.org")]
    assert problems(FIT) == [] == problems({**FIT, "gateway_routes": routes})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"gateway_name": "two words"}, "'two words'"),
        ({"gateway_bind": "0.0.0.0 ssl"}, "gateway_bind"),
        ({"gateway_metrics_bind": ""}, "gateway_metrics_bind"),
        ({"gateway_port": 0}, "between 1 and 65535"),
        ({"gateway_port": 70000}, "between 1 and 65535"),
        ({"gateway_metrics_port": 8443}, "8443 is the gateway_port already"),
        ({"gateway_redirect_port": 8405}, "8405 is the gateway_metrics_port already"),
        ({"gateway_backends": []}, "gateway_backends is empty"),
        ({"gateway_backends": [backend(), backend()]}, "two hosts are called app1"),
        ({"gateway_backends": [backend(port=0)]}, "app1 has port 0"),
        ({"gateway_backends": [backend(address="http://app1")]}, "the address 'http://app1'"),
        ({"gateway_backends": [backend(name="app 1")]}, "the name 'app 1'"),
        ({"gateway_routes": [route(path="/")]}, "path '/' of admin was given"),
        ({"gateway_routes": [route(), route(name="b", path="/admin/")]}, "the path /admin/ is there twice"),
        ({"gateway_routes": [route(domain="a.org"), route(name="b", domain="a.org")]}, "the path a.org/admin is there twice"),
        ({"gateway_routes": [route(domain="a.org }")]}, "domain 'a.org }' of admin was given"),
        ({"gateway_health_path": "ready"}, "gateway_health_path"),
        ({"gateway_denied_paths": ["/a b"]}, "'/a b'"),
        ({"gateway_allowed_networks": ["192.0.2.1/24"]}, "192.0.2.1/24 has host bits set"),
        ({"gateway_allowed_networks": ["everybody"]}, "'everybody'"),
        ({"gateway_cors_origins": ["*"]}, "'*'"),
        ({"gateway_cors_origins": ["https://app.example.org/"]}, "without a path"),
        ({"gateway_cors_origins": ["https://App.example.org"]}, "lower case"),
        ({"gateway_cors_methods": ["GET, POST"]}, "gateway_cors_methods"),
        ({"gateway_cors_headers": ["X Y"]}, "gateway_cors_headers"),
        ({"gateway_rate_limit": {"requests": -1, "seconds": 10}}, "requests is -1"),
        ({"gateway_rate_limit": {"requests": 5, "seconds": 0}}, "seconds is 0"),
        ({"gateway_rate_limit": {"requests": "5", "seconds": 1}}, "requests is '5'"),
        ({"gateway_rate_limit": {"requests": 5}}, "seconds is None"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict, word: str) -> None:
    found = problems({**FIT, **changes})
    assert len(found) == 1
    assert word in found[0]


def test_all_problems_are_named_at_once() -> None:
    found = problems({**FIT, "gateway_backends": [], "gateway_cors_origins": ["*"], "gateway_port": -1})
    assert len(found) == 3
