# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of a stack a host runs."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.processes import processes
from ansible_collections.parity.stack.plugins.filter.services import services

SHOP = processes(
    {
        "api": {"run": "uvicorn", "application": "shop.main:app", "health": "/healthz"},
        "worker": {"run": "celery", "application": "shop.tasks:app", "environment": {"A": "own"}},
    },
    {"api": ["app1", "app2"], "worker": ["app2"]},
)


@pytest.mark.parametrize(
    ("host", "wanted"), [("app1", ["shop-api"]), ("app2", ["shop-api", "shop-worker"]), ("edge1", [])], ids=["one", "both", "none"]
)
def test_a_host_has_the_services_of_its_processes(host: str, wanted: list[str]) -> None:
    assert [service["unit"] for service in services(SHOP, "shop", host)] == wanted


def test_variables_of_the_process_have_precedence() -> None:
    api, worker = services(SHOP, "shop", "app2", {"A": "shared", "B": "shared"})
    assert (api["environment"]["A"], worker["environment"]["A"], worker["environment"]["B"]) == ("shared", "own", "shared")
