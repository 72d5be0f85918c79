# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for: every input of the roles that configure the host, wherever its value comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template
from repositories import Repository

GIVEN = {"stack_name": "shop", "api_processes": [{"name": "api"}], "inventory_hostname": "app1", "groups": {"api": ["app1"]}}


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., str]:
    (tmp_path / "lock").write_text(f"a==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "app").mkdir()
    (tmp_path / "app/pyproject.toml").write_text("[project]\nname='app'\nversion='1'\n", encoding="utf-8")
    sources = {"application": str(tmp_path / "app"), "lock": str(tmp_path / "lock"), "migrations": str(tmp_path / "migrations")}

    def run(more: dict | None = None, **options: object) -> str:
        variables = {**GIVEN, **(more or {})}
        loader = DataLoader()
        plugin = lookup_loader.get("parity.stack.fingerprint", loader=loader, templar=Templar(loader, variables=variables))
        return plugin.run([], variables, **{"roles": ["api"], **sources, **options})[0]

    return run


@pytest.mark.parametrize(
    "more",
    [
        {"api_request_seconds": 90},
        {"api_monitor_path": "/health"},
        {"stack_name": "other"},  # a default refers to it
        {"api_processes": [{"name": "web"}]},  # the playbook gives it
        {"groups": {"api": ["app1", "app2"]}},
    ],
)
def test_inputs_of_a_role_count_whoever_gives_them(look: Callable[..., str], more: dict) -> None:
    assert len(look()) == 64
    assert look(more) != look()


@pytest.mark.parametrize("more", [{"stack_batch": "25%"}, {"release_lock": {"run": "2"}}, {"api_of_somebody_else": 1}])
def test_what_no_role_asks_for_does_not_count(look: Callable[..., str], more: dict) -> None:
    assert look(more) == look()


def test_named_variables_count(look: Callable[..., str]) -> None:
    colour = {"colour": trust_as_template("{{ stack_name }}")}
    assert look(colour, inputs=["colour"]) not in (look(), look({"colour": "red"}, inputs=["colour"]))


def test_a_commit_counts_and_not_its_name(look: Callable[..., str], tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    first = repository.commit({"main.py": "1"})
    repository.git("tag", "v1")
    address = f"git+{repository.address}@{{release}}"
    of_tag = look({"stack_release": "v1"}, application=address)
    assert len(of_tag) == 64 and look(application=address, release=first) == of_tag
    inside = {name: look(application=address, release="v1", lock=f"{{application}}/{name}") for name in ("uv.lock", "other.lock")}
    assert len(set(inside.values())) == 2 and "" not in inside.values()
    before = look(application=address, release="main")
    repository.commit({"main.py": "2"})
    assert before == of_tag and look(application=address, release="main") not in (before, "")
    assert look({"stack_release": "v2"}, application=address) == look(application=address) == ""


def test_a_url_counts_by_its_digest_alone(look: Callable[..., str]) -> None:
    address = "https://h/shop-1-py3-none-any.whl"
    assert look(application=address) == ""  # nobody knows what it leads to now
    assert len(look(application=f"{address}#sha256={'a' * 64}")) == 64
    assert look(application=f"{address}#sha256={'a' * 64}") != look(application=f"{address}#sha256={'b' * 64}")


def test_what_is_missing_equals_nothing(look: Callable[..., str]) -> None:
    assert look(inputs=["release_services"]) == ""
    assert look(application="/nowhere") == ""
    assert look({"api_processes": trust_as_template("{{ nobody }}")}) == ""
