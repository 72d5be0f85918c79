# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.parity.stack.plugins.filter.routes import routes


def test_route_that_says_more_comes_first() -> None:
    shop = "shop.example.org"
    given = [("admin", "", "/admin"), ("static", "", "/admin/static"), ("shop", shop, "/"), ("files", shop, "/files")]
    processes = [{"name": name, "domain": domain, "path": path, "hosts": ["app1"], "port": 8010} for name, domain, path in given]
    found = routes(processes, {"app1": {"stack_address": "10.0.0.1"}})
    assert [route["name"] for route in found] == ["files", "shop", "static", "admin"]
    assert found[1]["domain"] == "shop.example.org" and found[1]["backends"] == [{"name": "app1", "address": "10.0.0.1", "port": 8010}]
