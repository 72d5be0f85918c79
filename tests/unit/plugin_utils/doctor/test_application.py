# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application offers and would gain, and the lines that add it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from ansible_collections.parity.stack.plugins.plugin_utils.doctor import application as doctor
from ansible_collections.parity.stack.plugins.plugin_utils.doctor import snippets

API = {"name": "api", "run": "uvicorn", "web": True, "port": 8000, "health_path": "/healthz", "version_path": "", "metrics_path": ""}
WORKER = {"name": "worker", "run": "celery", "web": False, "port": 0, "health_path": "", "version_path": "", "metrics_path": ""}
BEAT = {**WORKER, "name": "beat", "run": "celery-beat"}
TICKER = {**WORKER, "name": "ticker", "run": "command"}
EVERY = [(part, framework) for part in ("version", "metrics", "health", "token", "pipeline") for framework in snippets.FRAMEWORKS]
ANY = ["celery settings", "worker health", "command health", "endpoints", "baseline"]


def found(processes: list[dict], settings: dict | None = None, application: str = "") -> dict[str, doctor.Part]:
    return {part.name: part for part in doctor.parts(processes, settings or {}, application)}


@pytest.mark.parametrize(("part", "framework"), [*EVERY, *((part, "") for part in ANY)])
def test_the_lines_are_python_and_yaml_and_fit(part: str, framework: str) -> None:
    snippet = snippets.of(part, framework)
    ast.parse(snippet.code)
    assert snippet.code or snippet.inventory
    assert len(snippet.code.splitlines()) <= 13
    assert all(len(line) + len("  | ") <= doctor.WIDTH for line in (*snippet.code.splitlines(), *snippet.inventory.splitlines()))
    assert isinstance(yaml.safe_load(snippet.inventory.replace("...,", "run: x,")), dict | None)


@pytest.mark.parametrize(
    ("dependencies", "processes", "wanted"),
    [
        ('"fastapi>=0.1"', [API], "fastapi"),
        ('"Flask"', [API], "flask"),
        ('"django[bcrypt]>=5"', [{**API, "run": "gunicorn"}], "django"),
        ('"starlette"', [API], "fastapi"),
        ('"falcon"', [{**API, "run": "gunicorn"}], "flask"),
        (None, [API], "fastapi"),
    ],
)
def test_the_framework_comes_from_dependencies_or_from_what_runs(tmp_path: Path, dependencies, processes, wanted) -> None:
    if dependencies:
        text = f'[project]\nname = "shop"\ndependencies = [{dependencies}]'
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert doctor.framework(str(tmp_path) if dependencies else "git+https://git.example/shop.git@v1", processes)[0] == wanted


def test_each_process_has_a_word_about_its_health() -> None:
    there = found([API, WORKER, BEAT, TICKER])
    assert there["health of api"].there and there["health of beat"].there
    assert not there["health of worker"].there and "answers a ping" in there["health of worker"].says
    assert "worker_init" in there["health of worker"].snippet.code
    assert not there["health of ticker"].there and "start_http_server" in there["health of ticker"].snippet.code


def test_what_only_some_processes_have_is_missing_from_the_others() -> None:
    version = found([{**API, "version_path": "/version"}, {**API, "name": "admin"}])["version"]
    assert not version.there and "whether admin itself tells the release" in version.says and version.snippet
    assert found([{**API, "version_path": "/version"}])["version"].there


@pytest.mark.parametrize(
    ("source", "there", "says"),
    [
        ("app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)", True, "asks the worker whether it runs with them"),
        ("CELERY_TASK_ACKS_LATE = True\nCELERY_TASK_REJECT_ON_WORKER_LOST = True", True, "asks the worker"),
        # Whatever it is set to: the sources alone cannot tell.
        ("app.conf.update(task_acks_late=False, task_reject_on_worker_lost=LOST)", True, "asks the worker"),
        ("app.conf.task_acks_late = True", False, "no source names task_reject_on_worker_lost:"),
        ("# task_acks_late and task_reject_on_worker_lost", False, "no source names task_acks_late and task_reject"),
        (None, False, "cannot be judged"),
    ],
)
def test_whether_a_task_survives_its_worker(tmp_path: Path, source: str | None, there: bool, says: str) -> None:
    if source:
        (tmp_path / "tasks.py").write_text(source, encoding="utf-8")
    part = found([API, WORKER], application=str(tmp_path) if source else "shop-1-py3-none-any.whl")["celery settings"]
    assert part.there is there and says in part.says
    assert (part.snippet is None) is there


def test_without_a_worker_nothing_is_said_of_its_settings() -> None:
    assert "celery settings" not in found([API])


def test_the_page_is_narrow_and_whole() -> None:
    parts = doctor.parts([API, WORKER], {"database": True}, "")
    text = doctor.page(parts, ("fastapi", "uvicorn runs it"))
    assert all(len(line) <= doctor.WIDTH and line == line.rstrip() for line in text.splitlines())
    assert all(f"  {part.name}: " in text for part in parts)
    offered, _title, missing = text.partition("NOT OFFERED")
    assert "database:" in offered and "version:" in missing and "needs the package pyjwt" in missing


def test_where_nothing_is_missing_the_page_says_so() -> None:
    assert "Nothing is missing." in doctor.page([doctor.Part("version", True, "said.")], ("flask", "why"))
