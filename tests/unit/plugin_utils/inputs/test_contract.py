# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing an application may offer, absent in turn."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import contract

API = {"name": "api", "web": True, "port": 8000, "health_path": "/healthz", "version_path": "/version", "metrics_path": "/metrics"}
WORKER = {"name": "worker", "web": False, "port": 0, "health_path": "", "version_path": "", "metrics_path": ""}
SETTINGS = {
    "pipeline": {"queue_claim": "queue"}, "token": True, "endpoints": [{"path": "/"}], "storage": True, "database": True,
    "broker": True, "gateway": True, "migrations": True, "baseline": True, "monitoring": True,
}  # fmt: skip
NAMES = [offer.name for offer in contract.OFFERS]


def by_name(processes: list[dict], settings: dict) -> dict[str, dict]:
    return {offer["name"]: offer for offer in contract.offered(processes, settings)}


def test_an_application_that_offers_everything() -> None:
    found = by_name([API, WORKER], SETTINGS)
    assert list(found) == NAMES and all(offer["offered"] for offer in found.values())
    assert contract.not_checked(list(found.values())) == []
    assert found["version"]["line"] == "version: each host has to answer with the release."


def test_an_application_with_nothing_but_a_health_path() -> None:
    found = contract.offered([{**API, "version_path": "", "metrics_path": ""}], {})
    assert not any(offer["offered"] for offer in found)
    lines = contract.not_checked(found)
    assert len(lines) == len(NAMES) and all(line.startswith("not checked: ") and " to " in line for line in lines)


@pytest.mark.parametrize(
    ("name", "processes", "settings"),
    [
        ("version", [{**API, "version_path": ""}], {}),
        ("metrics", [{**API, "metrics_path": ""}, WORKER], {}),
        ("token", [API], {"token": False}),
        ("endpoints", [API], {"endpoints": []}),
        ("storage", [API], {"storage": False}),
        ("database", [API], {"database": False}),
        ("broker", [API], {"broker": False}),
        ("gateway", [API], {"gateway": False}),
        ("migrations", [API], {"migrations": False}),
        ("baseline", [API], {"baseline": False}),
        ("monitoring", [API], {"monitoring": False}),
        ("queue", [API], {"pipeline": {"submit_path": "/documents"}}),
        ("pipeline", [API], {"pipeline": {}}),
        ("pipeline", [API], {"pipeline": None}),
    ],
)
def test_each_absent_in_turn(name: str, processes: list[dict], settings: dict) -> None:
    found = by_name(processes, {**SETTINGS, **settings})
    absent = [offer["name"] for offer in found.values() if not offer["offered"]]
    # The queue is named by a token, and by the pipeline.
    assert absent == [name, *(["queue"] if name in ("token", "pipeline") else [])]
    assert found[name]["line"].startswith("not checked: ")


def test_a_path_that_one_of_two_has() -> None:
    found = by_name([API, {**API, "name": "admin", "version_path": ""}], SETTINGS)["version"]
    assert found["offered"] and "not checked: whether admin itself tells" in found["line"]
    assert contract.not_checked([found]) == [found["line"]]


def test_a_stack_without_a_web_process() -> None:
    found = by_name([WORKER], SETTINGS)
    assert not found["version"]["offered"] and "whether any process itself" in found["version"]["line"]
