# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes the module endpoint_samples reads at each place."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.probing import processes
from ansible_collections.parity.stack.plugins.modules import endpoint_samples

API = {"name": "api", "asked": True, "units": {"old": "shop-api@green.service", "new": "shop-api@blue.service"}}
WORKER = {"name": "worker", "asked": False, "units": {"new": "shop-worker@blue.service"}}


@pytest.mark.parametrize(
    ("wanted", "running", "read", "asked"),
    [
        ([], set(), {}, set()),
        ([API], {"shop-api@green.service"}, {"old": ["api"], "new": []}, {"api"}),
        ([API], {"shop-api@green.service", "shop-api@blue.service"}, {"old": ["api"], "new": ["api"]}, {"api"}),
        ([API, WORKER], {"shop-worker@blue.service", "x.service"}, {"old": [], "new": ["worker"]}, {"api"}),
    ],
    ids=["none", "one side", "both sides", "no unit at a place"],
)
def test_each_place_has_its_units(
    monkeypatch: pytest.MonkeyPatch, wanted: list[dict], running: set[str], read: dict, asked: set[str]
) -> None:
    monkeypatch.setattr(processes, "usage", lambda units, _proc, _known: {unit: (1.0, 1.0) for unit in units & running})
    found = endpoint_samples.measured_processes(wanted, ["old", "new"])
    assert {place: list(reader()) for place, reader in found.get("usage", {}).items()} == read
    assert found.get("asked", frozenset()) == asked
