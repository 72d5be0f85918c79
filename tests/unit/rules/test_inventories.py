# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a task of a later hour needs is there when preflight has passed: no deployment stops at a variable nobody has set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deployments
import pytest
import yaml
from ansible import context
from checkout import ROOT

INVENTORIES = sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("**/inventories/*/hosts") if ".cache" not in path.parts)
#: Verbs that work on the hosts of an inventory, and those that `deploy` and `recover` import.
STORIES = ("deploy", "validate", "rollback", "recover", "baseline", "restore", "restore_objects", "promote")
IMPORTED = ("preflight", "backup", "infrastructure", "applications", "status")
#: One host is everything, so one walk meets every role.
VARIED = "inventories/single"


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    before = context.CLIARGS
    with pytest.MonkeyPatch.context() as patch:
        deployments.compile_once(patch)
        yield
    context.CLIARGS = before


def walked(monkeypatch: pytest.MonkeyPatch, folder: Path, inventory: str, left_out: deployments.Without, *playbooks: str) -> Any:
    said = deployments.environment(monkeypatch, folder / "state")
    walk = deployments.Walk(deployments.copied_inventory(ROOT / inventory, folder, left_out), said)
    for name in playbooks:
        walk.playbook(f"{name}.yml")
    return walk


def test_there_are_inventories_and_every_verb_is_walked() -> None:
    assert {"inventories/local", "inventories/single", "inventories/staging", "inventories/production"} < set(INVENTORIES)
    elsewhere = {"init", "doctor", "judge_migrations"}
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yml")} == {*STORIES, *IMPORTED, *elsewhere}


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_no_task_of_a_playbook_meets_an_undefined_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inventory: str) -> None:
    walk = walked(monkeypatch, tmp_path, inventory, deployments.Without(), *STORIES)
    assert not walk.faults, "\n".join(walk.faults)
    assert not deployments.refusals(walk.seen["parity.stack.setting_checks"])
    assert walk.templated > 1000


@pytest.mark.parametrize("part", deployments.OPTIONAL)
def test_what_is_left_out_is_not_needed_or_named_by_preflight(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, part: str) -> None:
    left_out = deployments.OPTIONAL[part]
    walk = walked(monkeypatch, tmp_path, VARIED, left_out, "deploy", "validate")
    early = [fault for fault in walk.faults if ": Run the preflight checks: " in fault]
    assert not early, "preflight itself has to work:\n" + "\n".join(early)
    refusals = deployments.refusals(walk.seen["parity.stack.setting_checks"])
    settings = (*left_out.names, *left_out.groups, *(["stack_processes"] if left_out.processes else []))
    named = [words for words in refusals for name in settings if re.search(rf"\b{name}\b", words)]
    assert named or not walk.faults, "\n".join([*walk.faults, "Preflight says:", *refusals])


SECRETS = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "JWT_SECRET_KEY")


def test_a_secret_that_an_inventory_names_has_to_have_a_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not named is not needed. What is named, and has no value, would reach the application as an empty one."""
    said = deployments.environment(monkeypatch, tmp_path / "state")
    for name in SECRETS:
        monkeypatch.setenv(name, "")
    walk = deployments.Walk(deployments.copied_inventory(ROOT / VARIED, tmp_path), said)
    walk.playbook("preflight.yml")
    refusals = deployments.refusals(walk.seen["parity.stack.setting_checks"])
    assert [name for name in SECRETS if not any(f"stack_{name.lower()} is missing or empty" in words for words in refusals)] == []


def test_a_file_that_an_inventory_names_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = deployments.environment(monkeypatch, tmp_path / "state")
    inventory = deployments.copied_inventory(ROOT / "inventories" / "production", tmp_path)
    for name in deployments.FILES:
        (tmp_path / "files" / "production" / name).unlink()
    walk = deployments.Walk(inventory, said)
    walk.playbook("preflight.yml")
    refusals = "\n".join(deployments.refusals(walk.seen["parity.stack.setting_checks"]))
    settings = [f"stack_{service}_certificate{end}" for service in ("gateway", "database") for end in ("", "_key")]
    settings.append("stack_certificate_authority")
    assert [name for name in settings if f"{name} is no file on the control node" not in refusals] == [], refusals


def test_every_process_with_metrics_has_its_alert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = deployments.environment(monkeypatch, tmp_path / "state")
    inventory = deployments.copied_inventory(ROOT / "inventories" / "production", tmp_path)
    path = inventory / "group_vars" / "all" / "application.yml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    worker = written["stack_processes"].pop("worker")
    written["stack_processes"] |= {"documents": worker, "mail": {**worker, "queues": ["mail"]}, "silent": {**worker, "metrics": ""}}
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    walk = deployments.Walk(inventory, said)
    walk.playbook("infrastructure.yml")
    assert not walk.faults, "\n".join(walk.faults)
    assert walk.inputs["monitoring_worker_jobs"] == ["documents", "mail"]
