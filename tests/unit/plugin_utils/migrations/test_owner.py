# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations connect as the owner, in whatever form an application reads its connection."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.owner import as_owner

APPLICATION = "postgresql://shop_app:s%40cret-1@db:6432/shop"
OWNER = "postgresql://shop_owner:0wner%2F2@db:5432/shop"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("DATABASE_URL", APPLICATION, OWNER),
        ("DATABASE_URL", "postgresql+asyncpg://shop_app:s%40cret-1@db:6432/shop?ssl=require",
         "postgresql+asyncpg://shop_owner:0wner%2F2@db:5432/shop?ssl=require"),
        ("POSTGRES_PASSWORD", "s@cret-1", "0wner/2"),
        ("POSTGRES_USER", "shop_app", "shop_owner"),
        ("DB_PORT", "6432", "5432"),
        ("DB_PORT", 6432, 5432),
        # What is no login of the database stays.
        ("SERVICE_NAME", "shop_app", "shop_app"),
        ("METRICS_PORT", "6432", "6432"),
        ("POSTGRES_DB", "shop", "shop"),
        ("BROKER_URL", "redis://:s@db:6379/0", "redis://:s@db:6379/0"),
        ("EMPTY", "", ""),
    ],
)  # fmt: skip
def test_the_owner_takes_the_place_of_the_application(name: str, value: object, wanted: object) -> None:
    assert as_owner({name: value}, APPLICATION, OWNER)[name] == wanted


@pytest.mark.parametrize(("application", "owner"), [("", OWNER), (APPLICATION, ""), ("mysql://a:b@c/d", OWNER)])
def test_what_cannot_be_read_changes_nothing(application: str, owner: str) -> None:
    assert as_owner({"DATABASE_URL": APPLICATION, "A": 1}, application, owner) == {"DATABASE_URL": APPLICATION, "A": 1}
