# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import ports, processes

PROCESSES = processes.expand(
    {
        "api": {"run": "uvicorn", "application": "shop:app", "health": "/"},
        "hook": {"run": "command", "command": ["/usr/local/bin/hook", "-v"], "health": "/", "path": "/hook"},
        "worker": {"run": "celery", "application": "shop:app"},
    },
    {"api": ["app1"]},
)
NUMBERS = {"database": 5432, "pooler": 6432, "broker": "6379", "gateway": 443, "redirect": 80, "gateway_metrics": 8405}


@pytest.mark.parametrize(
    ("groups", "numbers", "found"),
    [
        ([], NUMBERS, [8000, 8001, 8002, 8010, 8011, 8012]),
        (["database", "broker"], NUMBERS, [8000, 8001, 8002, 8010, 8011, 8012, 5432, 6432, 6379]),
        # No pooler, and none that shares the server's port.
        (["database"], NUMBERS | {"pooler": 0}, [8000, 8001, 8002, 8010, 8011, 8012, 5432]),
        (["database"], NUMBERS | {"pooler": 5432}, [8000, 8001, 8002, 8010, 8011, 8012, 5432]),
        (["gateway"], {"gateway": 8443, "redirect": ""}, [8000, 8001, 8002, 8010, 8011, 8012, 8443]),
        (["storage", "all"], NUMBERS, [8000, 8001, 8002, 8010, 8011, 8012]),
    ],
)
def test_ports_of_a_host(groups: list[str], numbers: dict, found: list[int]) -> None:
    assert sorted(entry["port"] for entry in ports.expected(PROCESSES, groups, numbers)) == sorted(found)


def test_who_may_have_a_port() -> None:
    by_port = {entry["port"]: entry for entry in ports.expected(PROCESSES, ["database"], NUMBERS)}
    assert by_port[8000] == {"port": 8000, "service": "the proxy of api", "processes": ["haproxy"]}
    assert by_port[8011]["service"] == "hook in slot blue" and "hook" in by_port[8011]["processes"]
    assert "hook" not in by_port[8001]["processes"] and "gunicorn" in by_port[8001]["processes"]
    assert by_port[5432]["processes"] == ["postgres"]
