# SPDX-License-Identifier: GPL-3.0-or-later
"""Flask on gunicorn and a server of files behind the gateway, on one host: no database, no broker, no pyproject.toml, nothing secret.

The playbook init writes the inventory. The tests tell one story, in order, and run in `make prove`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Servers, Users

pytestmark = pytest.mark.full
WEB = {"run": "gunicorn", "application": "board.wsgi:app", "health": "/healthz"}
STATIC = {"run": "static", "directory": "board/static", "path": "/static"}
MEDIA = {"run": "static", "directory": "/srv/media", "path": "/media"}
PROCESSES = {"static": STATIC, "web": WEB, "media": MEDIA}
FILES = "/opt/board/releases/v1/app/board/static"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers("board", ("one",), tmp_path_factory.mktemp("board"))
    try:
        servers.start()
        servers.init({"api": ["one"], "gateway": ["one"]}, stack_public_url="https://one:8443", stack_processes=PROCESSES)
        yield servers
    finally:
        servers.remove()


def works(board: Servers, release: str) -> None:
    assert board.get("/healthz") == (200, "ok")
    assert board.live("one") == release
    assert len(board.units("one")) == 3
    assert board.get("/static/board.css") == (200, "body { font-family: sans-serif; }\n")
    assert ("posts</p>" in board.get("/")[1]) is (release != "v1")
    assert "deploy.lock" not in board.on("one", "ls", "-A", "/var/lib/board")


def direct(board: Servers, port: int, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """What the host's own proxy answers to a path as it is written."""
    connection = http.client.HTTPConnection(board.address("one"), port, timeout=15)
    connection.request(method, path, None, headers)
    return connection.getresponse()


def test_a_dry_run_on_an_untouched_host_changes_nothing(board: Servers) -> None:
    run = board.deploy("v1", "--check", "--diff")
    assert run.code != 0 and "serves files of /srv/media, which is no directory on this host" in run.words, run.output[-6000:]
    board.on("one", "mkdir", "/srv/media")
    run = board.deploy("v1", "--check", "--diff")
    assert run.code == 0, run.output[-6000:]
    assert board.on("one", "ls", "/opt", "/srv").split() == ["/opt:", "/srv:", "media"]
    assert "not checked: the database" in run.words and "not checked: the broker" in run.words


def test_the_first_release(board: Servers) -> None:
    run = board.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    works(board, "v1")
    assert board.request("POST", "/posts", json.dumps({"text": "first"}), **{"Content-Type": "application/json"})[0] == 201
    # nginx serves the files, and nothing else: its own service never ran and never will.
    state = board.on("one", "systemctl", "show", "--property=LoadState,ActiveState", "--value", "nginx.service").split()
    assert state == ["masked", "inactive"]
    again = board.deploy("v1")
    assert again.code == 0 and again.changed == {"one": 0}, again.output[-6000:]


def test_files_and_nothing_beside_them_are_served(board: Servers) -> None:
    found = direct(board, 8000, "/static/board.css")
    assert (found.status, found.getheader("Content-Type")) == (200, "text/css") and found.getheader("Last-Modified")
    assert direct(board, 8000, "/static/board.css", **{"If-None-Match": found.getheader("ETag")}).status == 304
    assert direct(board, 8000, "/static/board.css", "POST").status == 405
    board.on("one", "sh", "-c", f"cd {FILES} && touch .env && mkdir -p list && ln -sf /etc/passwd passwd && ln -sf board.css same.css")
    paths = ["", ".env", "%2eenv", "list/", "list", "passwd", "same.css", "none.css"]
    paths += ["../__init__.py", "%2e%2e/__init__.py", "..%2f__init__.py", "list/../../__init__.py", "../../etc/passwd", "%2e%2e%2fwsgi.py"]
    answers = {path: direct(board, 8000, f"/static/{path}").status for path in paths}
    # nginx itself refuses what leads above the root.
    assert {path: status for path, status in answers.items() if status != 404} == {"../../etc/passwd": 400}, answers
    refused = {path: board.get(f"/static/{path}")[0] for path in paths}
    assert set(refused.values()) <= {400, 404}, refused
    # What an application writes is there at once.
    assert board.get("/media/new.txt")[0] == 404
    board.on("one", "sh", "-c", "echo new > /srv/media/new.txt")
    assert board.get("/media/new.txt") == (200, "new\n")


def test_the_second_release_loses_no_request(board: Servers) -> None:
    with Users(board, "GET", "/").asking() as load:
        run = board.deploy("v2", "--tags", "applications", changes="second")
    assert run.code == 0, run.output[-6000:]
    assert not load.failures and len(load.answers) > 20, load.failures
    works(board, "v2")
    assert board.get("/static/board.2.css")[0] == 200


@pytest.mark.parametrize(
    ("release", "changes", "headline"),
    [
        ("v3", "second+broken_import", "v3 was rolled back: ModuleNotFoundError: No module named"),
        ("v4", "second+failing_health", "v4 was rolled back: web of release v4 is not healthy"),
    ],
)
def test_the_first_failure_is_the_headline_and_the_release_is_rolled_back(
    board: Servers, release: str, changes: str, headline: str
) -> None:
    with Users(board, "GET", "/").asking() as load:
        soon = {**PROCESSES, "web": {**WEB, "start_seconds": 15}}
        run = board.deploy(release, "--tags", "applications", changes=changes, stack_processes=soon)
    assert run.code != 0
    assert headline in run.words, run.output[-6000:]
    assert not load.failures, load.failures
    works(board, "v2")


def test_an_operator_rolls_back(board: Servers) -> None:
    with Users(board, "GET", "/static/board.css").asking() as load:
        run = board.play("rollback.yml", stack_release="v1")
    assert run.code == 0, run.output[-6000:]
    assert not load.failures and len(load.answers) > 20, load.failures
    works(board, "v1")
    # Pages of the release before are still open, and ask for its files.
    assert board.get("/static/board.2.css")[0] == 200


def test_verbs_that_need_nothing_more(board: Servers, tmp_path: Path) -> None:
    for playbook in ("recover.yml", "status.yml", "validate.yml"):
        run = board.play(playbook, stack_release="v1", stack_reports=str(tmp_path))
        assert run.code == 0, f"{playbook}: {run.output[-6000:]}"


def test_a_baseline_of_a_health_path(board: Servers, tmp_path: Path) -> None:
    baseline = tmp_path / "board.json"
    run = board.play("baseline.yml", stack_release="v1", stack_baseline=str(baseline), baseline_probes=20, baseline_runs=2)
    assert run.code == 0 and baseline.exists(), run.output[-6000:]
    # The second release is held against it, and is as good.
    run = board.deploy("v2", "--tags", "applications", changes="second", stack_baseline=str(baseline))
    assert run.code == 0, run.output[-6000:]
    works(board, "v2")
