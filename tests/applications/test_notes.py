# SPDX-License-Identifier: GPL-3.0-or-later
"""An API with a database and nothing else, on one host: no worker, no broker, no monitoring, no version path, no metrics.

Its settings build the database's URL from parts, its Alembic is asynchronous, its lock is uv's. The tests tell one story, in order.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Servers, Streams, Users

HEALTH = "/api/v1/health"
MOVED = {"stack_processes": {"api": {"run": "uvicorn", "application": "app.main:app", "health": "/api/v1/alive"}}}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers("notes", ("one",), tmp_path_factory.mktemp("notes"))
    servers.set_secrets(
        DATABASE_URL="postgresql://notes_app:{password}@127.0.0.1:5432/notes",
        DATABASE_OWNER_URL="postgresql://notes_owner:{password}@127.0.0.1:5432/notes",
        SECRET_KEY=secrets.token_hex(32),
    )
    try:
        servers.start()
        yield servers
    finally:
        servers.remove()


def works(notes: Servers, release: str, health: str = HEALTH) -> None:
    assert notes.get(health)[0] == 200
    assert notes.live("one") == release
    assert len(notes.units("one")) == 1
    assert "deploy.lock" not in notes.on("one", "ls", "-A", "/var/lib/notes")


def test_a_dry_run_on_an_untouched_host_changes_nothing(notes: Servers) -> None:
    run = notes.deploy("v1", "--check", "--diff")
    assert run.code == 0, run.output[-6000:]
    assert notes.on("one", "ls", "/opt", "/srv").split() == ["/opt:", "/srv:"]
    assert "not checked: the broker" in run.words


def test_the_first_release(notes: Servers) -> None:
    run = notes.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    works(notes, "v1")
    assert notes.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'notes'") == ["notes_owner"]
    assert notes.request("POST", "/api/v1/notes", json.dumps({"text": "first"}), **{"Content-Type": "application/json"})[0] in (200, 201)
    again = notes.deploy("v1")
    assert again.code == 0 and again.changed == {"one": 0}, again.output[-6000:]


def test_a_release_with_a_migration_loses_no_request_and_no_stream(notes: Servers) -> None:
    streams = Streams(notes, "one", "https://one:8443/api/v1")
    with streams.open(), Users(notes, "GET", "/api/v1/notes").asking() as load:
        run = notes.deploy("v2", "--tags", "applications", changes="second")
    assert run.code == 0, run.output[-6000:]
    assert not load.failures and len(load.answers) > 20, load.failures
    assert not streams.broken and {"events", "websocket"} <= set(streams.whole), streams.broken
    works(notes, "v2")
    assert "first" in notes.get("/api/v1/notes")[1]


def test_the_first_failure_is_the_headline_and_the_release_is_rolled_back(notes: Servers) -> None:
    with Users(notes, "GET", "/api/v1/notes").asking() as load:
        run = notes.deploy("v3", "--tags", "applications", changes="second+broken_import")
    assert run.code != 0
    assert "v3 was rolled back: ModuleNotFoundError: No module named" in run.words, run.output[-6000:]
    assert not load.failures, load.failures
    works(notes, "v2")


def test_a_health_path_belongs_to_its_release(notes: Servers, tmp_path: Path) -> None:
    streams = Streams(notes, "one", "https://one:8443/api/v1")
    with streams.open(), Users(notes, "GET", "/api/v1/notes").asking() as load:
        run = notes.deploy("v4", "--tags", "applications", changes="second+health_moved", **MOVED)
        assert run.code == 0, run.output[-6000:]
        works(notes, "v4", "/api/v1/alive")
        # Back to a release with another health path, and to one whose schema is behind.
        for release in ("v2", "v1"):
            run = notes.play("rollback.yml", stack_release=release)
            assert run.code == 0, run.output[-6000:]
            works(notes, release)
    assert not load.failures, load.failures
    assert not streams.broken and {"events", "websocket"} <= set(streams.whole), streams.broken


def test_verbs_that_need_nothing_more(notes: Servers, tmp_path: Path) -> None:
    for playbook in ("recover.yml", "status.yml", "validate.yml"):
        run = notes.play(playbook, stack_release="v1", stack_reports=str(tmp_path))
        assert run.code == 0, f"{playbook}: {run.output[-6000:]}"


@pytest.mark.full
def test_a_baseline_of_a_health_path(notes: Servers, tmp_path: Path) -> None:
    baseline = tmp_path / "notes.json"
    run = notes.play("baseline.yml", stack_release="v1", stack_baseline=str(baseline), baseline_probes=20, baseline_runs=2)
    assert run.code == 0 and baseline.exists(), run.output[-6000:]
