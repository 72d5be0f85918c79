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


def rendered(role: str, **given: str) -> dict[str, object]:
    """The inputs of a role that an inventory with these variables leaves out."""
    defaults = load(ROOT / f"roles/{role}/defaults/main.yml")
    more = ROOT / f"roles/{role}/vars/main.yml"
    written = {key: trust_as_template(value) if isinstance(value, str) else value for key, value in defaults.items()}
    hidden = {key: trust_as_template(value) for key, value in (load(more) if more.exists() else {}).items() if isinstance(value, str)}
    variables = {**written, **hidden, "stack_name": "shop", "inventory_hostname": "data1", **given}
    templar = Templar(loader=DataLoader(), variables=variables)
    return {key: templar.template(value) for key, value in written.items() if key.startswith(role)}


def test_the_database_is_set_up_for_what_the_urls_say() -> None:
    urls = {"stack_database_url": APPLICATION, "stack_database_owner_url": OWNER, "stack_database_monitoring_password": "m"}
    found = rendered("database", stack_address="10.0.0.5", **urls)
    expected = {
        "port": 5433, "pooler_port": 6432, "name": "shop", "owner": "own+er", "owner_password": "p@s%s+w", "application_user": "app",
        "application_password": "a/b", "monitoring_user": "shop_monitor", "listen_addresses": ["localhost", "10.0.0.5"],
    }  # fmt: skip
    assert {name: found[f"database_{name}"] for name in expected} == expected


def test_a_url_of_the_server_itself_means_no_pooler() -> None:
    found = rendered("database", stack_database_url="postgresql://app:a@db:5433/shop", stack_database_owner_url=OWNER)
    assert found["database_pooler_port"] == 0 and found["database_listen_addresses"] == ["localhost"]


def test_the_broker_is_set_up_for_what_its_url_says() -> None:
    found = rendered("broker", stack_broker_url=BROKER, stack_address="10.0.0.5")
    assert (found["broker_port"], found["broker_password"], found["broker_bind"]) == (6380, "bé:c", ["127.0.0.1", "10.0.0.5"])
    assert found["broker_kind"] == "redis"
    found = rendered("broker", stack_broker_url="amqp://shop:s%2F1@queue/orders")
    expected = {"kind": "rabbitmq", "port": 5672, "user": "shop", "password": "s/1", "vhost": "orders", "bind": ["127.0.0.1"]}
    assert {name: found[f"broker_{name}"] for name in expected} == expected


def test_urls_that_are_missing_leave_it_to_preflight() -> None:
    found = rendered("database", stack_database_owner_url="postgresql://u:50%off@h/d")
    assert [found[f"database_{name}"] for name in ("name", "owner", "application_user", "pooler_port")] == ["", "", "", 0]


@pytest.mark.parametrize(
    ("url", "port", "redirect"),
    [("https://api.example.org", 443, 80), ("https://api.example.org:8443", 8443, 0), ("", 8443, 0)],
)
def test_the_gateway_listens_where_users_come(url: str, port: int, redirect: int) -> None:
    found = rendered("gateway", stack_public_url=url, stack_gateway_certificate="c", stack_gateway_certificate_key="k")
    assert (int(found["gateway_port"]), int(found["gateway_redirect_port"])) == (port, redirect)


@pytest.mark.parametrize("path", sorted(ROOT.glob("inventories/*/group_vars/**/*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_inventory_reads_urls_by_itself(path) -> None:
    assert "urlsplit" not in path.read_text(encoding="utf-8")


def test_all_that_is_wrong_is_said_once() -> None:
    found = setting_checks._failures({
        "settings": [{"name": "port", "value": 0, "rule": "port", "hint": "Ask.", "required": True}],
        "secrets": [{"name": "broker", "value": "redis://:CHANGE-ME@h/0", "rule": "broker_url", "hint": "", "required": True},
                    {"name": "queue", "value": "redis://:own-1@h/99", "rule": "broker_url", "hint": "", "required": True}],
        "service_secrets": {"api": {"BROKER_URL": "redis://:CHANGE-ME@h/0", "KEY": "xxx"}, "worker": {"KEY": "xxx"}},
        "broker_databases": 100, "groups": {"api": ["a"]}, "required_groups": ["api", "worker"],
        "processes": None, "lock_without_hashes": False, "commands": {},
    })  # fmt: skip
    assert [words.split(" ")[0] for words in found] == ["port", "broker", "KEY", "the"]
