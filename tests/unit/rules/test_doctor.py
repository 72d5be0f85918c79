# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb doctor, run as its users run it: it prints, fails for nothing that is absent, and reaches no host where none is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

ENVIRONMENT = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"), "NO_COLOR": "1", "COLUMNS": "80"}
#: What somebody has on the first day: a name, one process, no host, and a secret without a file.
MINIMAL = """
stack_name: shop
stack_application: "{{ inventory_dir }}/application"
stack_processes:
  api: {run: gunicorn, application: "shop:app", health: /healthz}
  worker: {run: celery, application: "shop:celery"}
stack_database_url: "{{ lookup('ansible.builtin.file', '/nowhere') }}"
"""


def doctor(inventory: Path, *words: str) -> str:
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/doctor.yml", "-i", str(inventory), *words]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line for line in done.stdout.splitlines() if line.startswith("        ")]
    assert shown and all(len(line) <= 80 for line in shown)
    return " ".join(" ".join(shown).split())


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all/stack.yml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "application").mkdir()
    (tmp_path / "application/requirements.txt").write_text("Flask==3.1.0\ncelery==5.5.0\n", encoding="utf-8")
    (tmp_path / "application/shop.py").write_text("celery.conf.task_acks_late = True\n", encoding="utf-8")
    (tmp_path / "hosts").write_text("[api]\n", encoding="utf-8")
    return tmp_path


def test_the_local_example_offers_everything() -> None:
    said = doctor(ROOT / "inventories/local", "--skip-tags", "hosts")
    assert "Nothing is missing." in said and "HOSTS: none was checked." in said
    assert "version: each host has to answer with the release." in said
    assert "docker not needed" in said


def test_a_minimal_inventory_gets_the_lines_that_it_needs(minimal: Path) -> None:
    said = doctor(minimal)
    assert "it depends on flask" in said and "health of api: /healthz has to answer 200" in said
    assert "database: round trips" in said.partition("NOT OFFERED")[0]
    assert "no source names task_reject_on_worker_lost:" in said
    for words in ('return {"release": os.environ.get("APP_RELEASE", "")}', "stack_pipeline:", "worker_init", "needs the package pyjwt"):
        assert words in said.partition("NOT OFFERED")[2]


def test_a_host_that_cannot_be_reached_is_said_and_fails_nothing(minimal: Path) -> None:
    (minimal / "hosts").write_text("[api]\nnowhere ansible_host=127.0.0.1 ansible_port=1\n", encoding="utf-8")
    said = doctor(minimal)
    assert "nowhere - cannot be reached:" in said
    assert "it depends on flask" in said
