# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers are set up with is what whoever connects reads in the URLs."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.parity.stack.plugins.action import setting_checks
from checkout import ROOT, load

OWNER = "postgresql://own%2Ber:p%40s%25s+w@db.example.org:5433/sh%6Fp?sslmode=require"
APPLICATION = "postgresql+asyncpg://app:a%2Fb@db.example.org:6432/shop?ssl=require"
BROKER = "rediss://:b%C3%A9%3Ac@queue:6380/3?ssl_cert_reqs=required"


def rendered(name: str, **urls: str) -> dict[str, object]:
    """The variables of an inventory's urls.yml."""
    written = {key: trust_as_template(value) for key, value in load(ROOT / f"inventories/{name}/group_vars/all/urls.yml").items()}
    given = {"stack_name": "shop", "stack_database_monitoring_password": "", **urls}
    templar = Templar(loader=DataLoader(), variables={**written, **given})
    return {key: templar.template(value) for key, value in written.items()}


@pytest.mark.parametrize("name", ["production", "staging", "single"])
def test_the_servers_get_what_the_urls_say(name: str) -> None:
    found = rendered(name, stack_database_url=APPLICATION, stack_database_owner_url=OWNER, stack_broker_url=BROKER)
    assert {key.removeprefix("stack_"): value for key, value in found.items() if "connection" not in key} == {
        "database_host": "db.example.org", "database_port": 5433, "database_pooler_port": 6432, "database_name": "shop",
        "database_owner": "own+er", "database_owner_password": "p@s%s+w", "database_application_user": "app",
        "database_application_password": "a/b", "database_monitoring_user": "", "broker_host": "queue", "broker_port": 6380,
        "broker_password": "bé:c",
    }  # fmt: skip


def test_urls_that_are_missing_leave_it_to_preflight() -> None:
    found = rendered("production", stack_database_url="", stack_database_owner_url="postgresql://u:50%off@h/d", stack_broker_url="")
    assert {value for key, value in found.items() if "connection" not in key} == {"", 0}


@pytest.mark.parametrize("path", sorted(ROOT.glob("inventories/*/group_vars/**/*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_inventory_reads_urls_by_itself(path) -> None:
    assert "urlsplit" not in path.read_text(encoding="utf-8")


def test_all_that_is_wrong_is_said_once() -> None:
    found = setting_checks._failures({
        "settings": [{"name": "port", "value": 0, "rule": "port", "hint": "Ask."}],
        "secrets": [{"name": "broker", "value": "redis://:CHANGE-ME@h/0", "rule": "broker_url", "hint": ""},
                    {"name": "queue", "value": "redis://:own-1@h/99", "rule": "broker_url", "hint": ""}],
        "service_secrets": {"api": {"BROKER_URL": "redis://:CHANGE-ME@h/0", "KEY": "xxx"}, "worker": {"KEY": "xxx"}},
        "broker_databases": 100, "groups": {"api": ["a"]}, "required_groups": ["api", "worker"],
    })  # fmt: skip
    assert [words.split(" ")[0] for words in found] == ["port", "broker", "KEY", "the"]
