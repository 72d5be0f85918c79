# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is probed of web processes, from a health path alone up to endpoints of several processes."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import probed

NO_PATHS = {"version_path": "", "metrics_path": ""}
API = {
    "name": "api", "web": True, "port": 8000, "health_path": "/healthz", "version_path": "/version", "metrics_path": "/metrics",
    "path": "/",
}  # fmt: skip
ADMIN = {**NO_PATHS, "name": "admin", "web": True, "port": 8010, "health_path": "/admin/health", "path": "/admin"}
WORKER = {**NO_PATHS, "name": "worker", "web": False, "port": 9100, "health_path": "/metrics", "path": ""}
PORTS = {"old": {"api": 8001, "admin": 8011, "worker": 9101}, "new": {"api": 8002, "admin": 8012, "worker": 9102}}
HEALTH = ["@"]


@pytest.mark.parametrize(
    ("processes", "version_path", "wanted"),
    [
        ([], "", ["The API is healthy http://h:1/ready"]),
        ([], "/v", ["The API is healthy http://h:1/ready", "The API runs the release http://h:1/v"]),
        ([API], "", ["api is healthy http://127.0.0.1:8000/healthz", "api runs the release http://127.0.0.1:8000/version"]),
        ([{**API, "version_path": ""}], "/v", ["api is healthy http://127.0.0.1:8000/healthz"]),
        ([ADMIN, WORKER], "/v", ["admin is healthy http://127.0.0.1:8010/admin/health"]),
        ([WORKER], "/v", []),
    ],
)
def test_requests_of_web_processes(processes: list[dict], version_path: str, wanted: list[str]) -> None:
    found = probed.requests(processes, "v1", url="http://h:1/", health_path="/ready", version_path=version_path)
    assert [f"{one['name']} {one['url']}" for one in found] == wanted
    assert all(one["json"] == {"release": "v1"} for one in found if "runs the release" in one["name"])


@pytest.mark.parametrize(
    ("processes", "wanted"),
    [
        ([API, ADMIN, WORKER], [("api", "/healthz", "/version"), ("admin", "/admin/health", "")]),
        # The gateway sends this path to the other process, so it shows nothing about this one.
        ([API, {**ADMIN, "health_path": "/health"}], [("api", "/healthz", "/version")]),
        ([WORKER], []),
    ],
)
def test_processes_at_the_gateway(processes: list[dict], wanted: list[tuple]) -> None:
    found = probed.at_gateway(processes, "https://api.example.org/")
    assert [(one["name"], one["health_path"], one["version_path"]) for one in found] == wanted
    assert {one["url"] for one in found} <= {"https://api.example.org"}


def test_nothing_but_a_health_path_is_measured() -> None:
    found = probed.measured([{**API, "metrics_path": ""}, WORKER], [], places=PORTS)
    assert found == {
        "places": {"old": "http://127.0.0.1:8001", "new": "http://127.0.0.1:8002"},
        "endpoints": [{"path": "/healthz", "masks": HEALTH}],
        "metrics_path": "",
    }


def test_endpoints_belong_to_the_process_that_the_gateway_routes_them_to() -> None:
    endpoints = [{"path": "/users"}, {"path": "/admin/users?all=1", "name": "all"}, {"path": "/administrators"}]
    found = probed.measured([API, ADMIN], endpoints, places=PORTS)
    elsewhere = {"old": "http://127.0.0.1:8011", "new": "http://127.0.0.1:8012"}
    assert found["endpoints"] == [endpoints[0], endpoints[2], {**endpoints[1], "name": "admin: all", "places": elsewhere}]
    assert found["metrics_path"] == "/metrics"


def test_process_with_a_domain_answers_nothing_at_the_name_of_the_gateway() -> None:
    own = {**ADMIN, "path": "/", "domain": "admin.example.org"}
    found = probed.measured([API, own], [{"path": "/admin/users"}], places=PORTS)["endpoints"]
    assert [(one["path"], one.get("name")) for one in found] == [("/admin/users", None), ("/admin/health", "admin: GET /admin/health")]
    assert [one["name"] for one in probed.at_gateway([API, own], "https://x")] == ["api"]


def test_a_process_without_an_endpoint_is_measured_by_its_health() -> None:
    found = probed.measured([API, ADMIN], [{"path": "/users"}], places=PORTS)["endpoints"]
    assert [(one["path"], one.get("name"), one.get("masks")) for one in found] == [
        ("/users", None, None),
        ("/admin/health", "admin: GET /admin/health", HEALTH),
    ]


@pytest.mark.parametrize(
    ("slot", "wanted"),
    [
        ("blue", [("api", True, "shop-api@green.service", "shop-api@blue.service"),
                  ("worker", False, "shop-worker@green.service", "shop-worker@blue.service")]),
        ("green", [("api", True, "shop-api@blue.service", "shop-api@green.service"),
                   ("worker", False, "shop-worker@blue.service", "shop-worker@green.service")]),
        ("", []),
        ("red", []),
    ],
)  # fmt: skip
def test_units_of_both_slots(slot: str, wanted: list[tuple]) -> None:
    beat = {"name": "beat", "web": False, "port": 0, "singleton": True}
    found = probed.units([API, WORKER, beat], "shop", slot)
    assert [(one["name"], one["asked"], one["units"]["old"], one["units"]["new"]) for one in found] == wanted


@pytest.mark.parametrize(
    ("processes", "places", "wanted"),
    [
        ([], PORTS, None),
        ([WORKER], PORTS, None),
        ([API], {"old": {}, "new": {"api": 8002}}, None),
        # A process that is new in this release has nothing to be compared with.
        ([API, ADMIN], {"old": {"api": 8001}, "new": PORTS["new"]}, ["/healthz"]),
        ([API, ADMIN], {"old": {"admin": 8011}, "new": PORTS["new"]}, ["/admin/health"]),
    ],
)
def test_what_is_not_at_every_place_is_not_measured(processes: list[dict], places: dict, wanted: list[str] | None) -> None:
    found = probed.measured(processes, [], places=places)
    assert [one["path"] for one in found["endpoints"]] == wanted if wanted else found == {}


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [({}, ["/documents"]), (None, ["/documents"]), ({"submit_path": "/documents"}, ["/documents", "/documents/{id}"])],
)
def test_paths_of_a_document_need_a_pipeline(pipeline: dict | None, wanted: list[str]) -> None:
    endpoints = [{"path": "/documents"}, {"path": "/documents/{id}"}]
    assert [one["path"] for one in probed.measured([API], endpoints, places=PORTS, pipeline=pipeline)["endpoints"]] == wanted
    assert [one["path"] for one in probed.at_url(endpoints, health_path="/ready", pipeline=pipeline)] == wanted
    assert probed.at_url([endpoints[1]], health_path="/ready") == [{"path": "/ready", "masks": HEALTH}]
