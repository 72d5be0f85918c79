# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.host_failures import host_failures

LOST = "cannot be reached. Check its address, the key and the user."
HOSTVARS = {
    "api1": {"checks": {"failures": ["no disk", "no time"]}, "other": {"failures": ["no"]}},
    "api2": {"checks": {"failures": []}},
    "worker1": {"checks": {}},
    "worker2": {},
}


@pytest.mark.parametrize(
    ("hosts", "wanted", "failures"),
    [
        ([], [], []),
        (["api1"], [], ["api1: no disk", "api1: no time"]),
        (["api2", "worker1", "worker2"], ["api2", "worker1", "worker2"], []),
        (["api2"], ["api3", "api2", "edge"], [f"api3: {LOST}", f"edge: {LOST}"]),
        (["api1"], ["api1", "api3"], [f"api3: {LOST}", "api1: no disk", "api1: no time"]),
        ([], ["api3", "api3"], [f"api3: {LOST}"]),
    ],
)
def test_failures_of_hosts(hosts: list[str], wanted: list[str], failures: list[str]) -> None:
    assert host_failures(HOSTVARS, hosts, "checks", wanted=wanted) == failures


def test_without_wanted_no_host_is_unreachable() -> None:
    assert host_failures(HOSTVARS, ["api2"], "checks") == []
