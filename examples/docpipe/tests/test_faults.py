# SPDX-License-Identifier: GPL-3.0-or-later
"""A wheel for each fault: broken in the one way it says, and clean without."""

import os
import re
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from conftest import Roles
from psycopg import errors
from support import (
    ROOT,
    Environment,
    bearer,
    document,
    eventually,
    finished,
    pdf,
    running_api,
    running_worker,
    submit,
)

Build = Callable[[str], Path]


def build_wheel(fault: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        env={**os.environ, "DOCPIPE_FAULT": fault},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a wheel and unpacks it, to be put on PYTHONPATH."""

    def build(fault: str) -> Path:
        result = build_wheel(fault, tmp_path)
        assert result.returncode == 0, result.stderr
        unpacked = tmp_path / f"unpacked-{fault}"
        with zipfile.ZipFile(tmp_path / "docpipe-1.0.0-py3-none-any.whl") as wheel:
            wheel.extractall(unpacked)
        return unpacked

    return build


def using(environment: Environment, tree: Path) -> Environment:
    return {**environment, "PYTHONPATH": str(tree)}


def list_many(api: httpx.Client, count: int = 40) -> list[httpx.Response]:
    return [api.get("/documents", headers=bearer("ann")) for _ in range(count)]


def test_clean_build(build: Build, environment: Environment, logs: Path) -> None:
    tree = build("")
    assert 'FAULT = ""' in (tree / "docpipe/_build.py").read_text()
    scripts = [path.name for path in sorted((tree / "docpipe/migrations").iterdir())]
    assert scripts == [path.name for path in sorted((ROOT / "supabase/migrations").iterdir())]
    with running_api(using(environment, tree), logs) as (api, _):
        assert api.get("/health").status_code == 200
        assert {answer.status_code for answer in list_many(api)} == {200}


def test_unknown_fault(tmp_path: Path) -> None:
    result = build_wheel("no-such-fault", tmp_path)
    assert result.returncode != 0
    assert "DOCPIPE_FAULT must be empty or one of: bad-migration" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["docpipe.api", "docpipe.worker"])
def test_broken_import(build: Build, environment: Environment, module: str) -> None:
    arguments = [sys.executable, "-c", f"import {module}"]
    tree = build("broken-import")
    result = subprocess.run(arguments, env=using(environment, tree), capture_output=True, text=True)
    assert result.returncode == 1
    assert "ImportError: this build of docpipe carries the fault 'broken-import'" in result.stderr


def test_unhealthy(build: Build, environment: Environment, logs: Path) -> None:
    with running_api(using(environment, build("unhealthy")), logs) as (api, _):
        assert [api.get(path).status_code for path in ("/health", "/ready", "/version")] == [503, 503, 200]


def test_failing(build: Build, environment: Environment, logs: Path) -> None:
    with running_api(using(environment, build("failing")), logs) as (api, _):
        assert sum(answer.status_code == 500 for answer in list_many(api)) == 2
        assert all(api.get("/health").status_code == 200 for _ in range(40))


def test_slow(build: Build, environment: Environment, logs: Path, api: httpx.Client) -> None:
    """Half as slow again: measured in turn with a clean release, request by request, as noise hits both."""

    def seconds(client: httpx.Client) -> float:
        [answer] = list_many(client, 1)
        return answer.elapsed.total_seconds()

    with running_api(using(environment, build("slow")), logs) as (slow, _):
        list_many(slow), list_many(api)
        ratio = statistics.median(seconds(slow) / seconds(api) for _ in range(150))
    assert 1.2 < ratio < 2.2


def test_slow_tail(build: Build, environment: Environment, logs: Path) -> None:
    with running_api(using(environment, build("slow-tail")), logs) as (api, _):
        assert sum(answer.elapsed.total_seconds() > 0.4 for answer in list_many(api)) == 2


def test_leak(build: Build, environment: Environment, logs: Path) -> None:
    def resident(api: httpx.Client) -> float:
        found = re.search(r"^process_resident_memory_bytes (\S+)", api.get("/metrics").text, re.MULTILINE)
        assert found
        return float(found[1])

    with running_api(using(environment, build("leak")), logs) as (api, _):
        list_many(api)
        before = resident(api)
        list_many(api, 100)
        assert resident(api) - before > 8_000_000


def test_changed_field(build: Build, environment: Environment, logs: Path) -> None:
    with running_api(using(environment, build("changed-field")), logs) as (api, _):
        seen = document(api, "ann", submit(api, "ann", pdf()))
    assert "page_count" in seen and "pages" not in seen


def test_bad_migration(build: Build, roles: Roles) -> None:
    [script] = (build("bad-migration") / "docpipe/migrations").glob("*bad_migration.sql")
    with psycopg.connect(roles.owner) as owner:
        with pytest.raises(errors.DivisionByZero), owner.transaction():
            owner.execute(script.read_bytes())
        column = "SELECT 1 FROM information_schema.columns WHERE column_name = 'left_by_a_bad_migration'"
        assert owner.execute(column).fetchone() is None


def test_crashing_worker(
    build: Build, environment: Environment, logs: Path, queue: str, api: httpx.Client
) -> None:
    """No document is lost to it: the next good release completes what it could not."""
    settings = {**environment, "TASK_QUEUE": queue}
    with running_worker(using(settings, build("crashing-worker")), logs) as worker:
        document_id = submit(api, "ann", pdf(), queue=queue)
        eventually(lambda: worker.output().count("exited prematurely") >= 2)
        assert document(api, "ann", document_id)["state"] == "uploaded"
    with running_worker(settings, logs):
        assert finished(api, "ann", document_id)["state"] == "complete"


def test_slow_stage(
    build: Build, environment: Environment, logs: Path, queue: str, api: httpx.Client
) -> None:
    settings = {**environment, "TASK_QUEUE": queue}
    with running_worker(using(settings, build("slow-stage")), logs):
        history = finished(api, "ann", submit(api, "ann", pdf(), queue=queue))["transitions"]
    times = {entry["to"]: datetime.fromisoformat(entry["at"]) for entry in history}
    assert (times["chunked"] - times["chunking"]).total_seconds() > 0.1
