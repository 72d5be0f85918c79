# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the hosts on which a task succeeded."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.results import results

HOSTVARS = {
    "a": {"r": {"status": {"live": "v1"}, "changed": False}},
    "b": {"r": {"failed": True, "msg": "no"}},
    "c": {"r": {"unreachable": True}},
    "d": {"r": {"skipped": True}},
    "e": {},
    "f": {"r": {"changed": True}},
    "g": {"r": "not a result"},
}


@pytest.mark.parametrize(
    ("hosts", "key", "wanted"),
    [
        (list("abcdefg"), None, {"a": HOSTVARS["a"]["r"], "f": HOSTVARS["f"]["r"]}),
        (list("fa"), None, {"f": HOSTVARS["f"]["r"], "a": HOSTVARS["a"]["r"]}),
        (list("abcdefg"), "status", {"a": {"live": "v1"}}),
        ([], "status", {}),
    ],
)
def test_results_are_those_of_hosts_that_succeeded(hosts: list[str], key: str | None, wanted: dict) -> None:
    found = results(hosts, "r", HOSTVARS, key)
    assert found == wanted and list(found) == list(wanted)
