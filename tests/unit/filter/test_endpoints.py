# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a service answers: a host's address on the private network, or its name."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.endpoints import endpoints

HOSTVARS = {"a": {"stack_address": "10.0.0.1"}, "b": {}}


@pytest.mark.parametrize(
    ("hosts", "port", "wanted"),
    [
        (["a", "b"], 80, [("a", "10.0.0.1", 80), ("b", "b", 80)]),
        (["a"], "80", [("a", "10.0.0.1", 80)]),
        (["a"], [80, 81], [("a", "10.0.0.1", 80), ("a", "10.0.0.1", 81)]),
        ([], [80], []),
        (["a"], [], []),
    ],
)
def test_endpoints(hosts: list[str], port: object, wanted: list[tuple]) -> None:
    assert [(one["name"], one["address"], one["port"]) for one in endpoints(hosts, HOSTVARS, port)] == wanted
