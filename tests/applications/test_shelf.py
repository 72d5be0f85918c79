# SPDX-License-Identifier: GPL-3.0-or-later
"""Django on gunicorn with a Celery worker on Redis: static files that each release collects, and migrations of Django's own.

The playbook init writes the inventory. The tests tell one story, in order, and run in `make prove`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Servers, Users

pytestmark = pytest.mark.full
HOSTS = ("one", "two")
#: Writes a row each time it runs, as the application and as the owner.
COUNT = (
    "from django.db import connection as c; c.cursor().execute("
    "'CREATE TABLE IF NOT EXISTS ran (release text, login text DEFAULT current_user)'); "
    "import os; c.cursor().execute('INSERT INTO ran VALUES (%s)', [os.environ['APP_RELEASE']])"
)
RAN = {"command": ["python", "-m", "django", "shell", "-c", COUNT], "as_owner": True}
CHECKED = {"command": ["python", "-m", "django", "check", "--database", "default"], "when": "after"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers("shelf", HOSTS, tmp_path_factory.mktemp("shelf"))
    try:
        servers.start()
        servers.init(
            {"database": ["one"], "broker": ["one"], "api": list(HOSTS), "gateway": ["one"], "worker": ["two"]},
            stack_public_url="https://one:8443",
            stack_private_networks=[f"{servers.address(host)}/32" for host in HOSTS],
            stack_release_commands=[RAN, CHECKED],
        )
        answered = servers.inventory / "group_vars" / "all" / "application.yml"
        text = answered.read_text(encoding="utf-8")
        assert "  DJANGO_STATIC_ROOT: '{build}'" in text and "collectstatic" in text, text
        assert "stack_application_migrations: " in (answered.parent / "stack.yml").read_text(encoding="utf-8")
        answered.write_text(text.replace("  DJANGO_STATIC", "  DJANGO_ALLOWED_HOSTS: '*'\n  DJANGO_STATIC"), encoding="utf-8")
        one = servers.address("one")
        servers.set_secrets(
            DATABASE_URL=f"postgresql://shelf_app:{{password}}@{one}:5432/shelf",
            DATABASE_OWNER_URL=f"postgresql://shelf_owner:{{password}}@{one}:5432/shelf",
            BROKER_URL=f"redis://:{{password}}@{one}:6379/0",
            DJANGO_SECRET_KEY="{password}{password}",
        )
        yield servers
    finally:
        servers.remove()


def ran(shelf: Servers) -> list[str]:
    return shelf.sql("SELECT release || ' as ' || login FROM ran ORDER BY 1")


def works(shelf: Servers, release: str) -> None:
    assert [shelf.live(host) for host in HOSTS] == [release, release]
    assert [len(shelf.units(host)) for host in HOSTS] == [1, 2]
    assert shelf.get("/health/")[0] == 200


def test_the_first_release(shelf: Servers) -> None:
    dry = shelf.deploy("v1", "--check", "--diff")
    assert dry.code == 0, dry.output[-6000:]
    assert "build: python -m django collectstatic --noinput" in dry.words
    run = shelf.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    works(shelf, "v1")
    # Each host has its own files, which belong to root and which nobody else writes.
    for host in HOSTS:
        found = shelf.on(host, "stat", "-c", "%U %a", "/opt/shelf/releases/v1/build", "/opt/shelf/releases/v1/build/books/shelf.css")
        assert found.splitlines() == ["root 755", "root 644"]
    page = shelf.get("/")[1]
    assert shelf.get(re.search(r'"(/static/[^"]+)"', page)[1])[0] == 200, page
    assert ran(shelf) == ["v1 as shelf_owner"]
    assert shelf.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'books_book'") == ["shelf_owner"]
    again = shelf.deploy("v1")
    assert again.code == 0 and set(again.changed.values()) == {0}, again.output[-6000:]
    assert set(shelf.deploy("v1", "--check").changed.values()) == {0}


def test_a_release_with_a_migration_loses_no_request_and_no_task(shelf: Servers) -> None:
    with Users(shelf, "POST", "/books/", {"title": "x"}, wanted=201).asking() as load:
        run = shelf.deploy("v2", "--tags", "applications", changes="second")
    assert run.code == 0, run.output[-6000:]
    assert not load.failures and len(load.answers) > 20, load.failures
    works(shelf, "v2")
    assert ran(shelf) == ["v1 as shelf_owner", "v2 as shelf_owner"]
    deadline = time.monotonic() + 60
    while (waiting := shelf.sql("SELECT count(*) FROM books_book WHERE shelved_at IS NULL")) != ["0"] and time.monotonic() < deadline:
        time.sleep(1)
    assert waiting == ["0"]


@pytest.mark.parametrize(
    ("release", "changes", "variables", "headline"),
    [
        ("v3", "second+broken_import", {}, "ModuleNotFoundError: No module named 'module_that_nobody_has'"),
        ("v4", "second+failing_health", {}, "/health/ answered 503"),
        ("v5", "second", {"stack_build_commands": [["python", "-m", "django", "no_such"]]}, "Unknown command: 'no_such'"),
        ("v6", "second", {"stack_release_commands": [["python", "-c", "1 / 0"]]}, "ZeroDivisionError: division by zero"),
        ("v7", "second", {"stack_release_commands": [{"command": ["python", "-c", "1 / 0"], "when": "after"}]}, "ZeroDivisionError"),
    ],
)
def test_what_fails_is_rolled_back_and_says_why(shelf: Servers, release: str, changes: str, variables: dict, headline: str) -> None:
    with Users(shelf, "GET", "/books/").asking() as load:
        run = shelf.deploy(release, "--tags", "applications", changes=changes, **variables)
    assert run.code != 0 and headline in run.words, run.output[-6000:]
    assert f"{release} was rolled back" in run.words and not load.failures, load.failures
    works(shelf, "v2")


def test_a_rollback_runs_no_command(shelf: Servers, tmp_path: Path) -> None:
    before = ran(shelf)
    run = shelf.play("rollback.yml", stack_release="v1")
    assert run.code == 0, run.output[-6000:]
    works(shelf, "v1")
    again = shelf.deploy("v2", "--tags", "applications", changes="second")
    assert again.code == 0, again.output[-6000:]
    works(shelf, "v2")
    assert ran(shelf) == before


def test_validate_and_baseline(shelf: Servers, tmp_path: Path) -> None:
    run = shelf.play("validate.yml", stack_release="v2")
    report = json.loads((shelf.folder / "reports" / "validation.json").read_text(encoding="utf-8"))
    failed = {check["id"] for check in report["checks"] if check["outcome"] == "failed"}
    assert run.code != 0 and failed == {"security.database_tls"}, run.output[-6000:]
    baseline = tmp_path / "shelf.json"
    run = shelf.play("baseline.yml", stack_release="v2", stack_baseline=str(baseline), baseline_probes=20, baseline_runs=2)
    assert run.code == 0 and baseline.exists(), run.output[-6000:]


def test_no_secret_is_in_a_journal(shelf: Servers) -> None:
    values = [line.partition("=")[2] for line in (shelf.inventory / ".env.shelf").read_text(encoding="utf-8").splitlines()]
    hidden = [re.split("[:@]", value)[2] if "://" in value else value for value in values]
    for host in HOSTS:
        journal = shelf.on(host, "cat", "/var/lib/shelf/journal.jsonl")
        assert "command finished" in journal or host != "one"
        assert all(len(value) > 20 and value not in journal for value in hidden)
