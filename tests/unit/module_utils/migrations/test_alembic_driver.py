# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What env.py of a project gets: the application where it asks Flask for it, and a URL. A few lines stand for Flask and gunicorn."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic_driver

#: What Flask-Migrate writes, without what only its own commands read.
ENV = """
from alembic import context
from flask import current_app
context.configure(url=current_app.url, literal_binds=True)
with context.begin_transaction():
    context.run_migrations()
"""
FLASK = """
class App:
    url = "postgresql://"
    def app_context(self):
        return self
    def __enter__(self):
        global current_app
        current_app = self
    def __exit__(self, *error):
        pass
"""
REVISION = "revision = 'one'\ndown_revision = None\nfrom alembic import op\ndef upgrade():\n    op.execute('CREATE TABLE a (b int)')\n"
#: As gunicorn does it: the object of a module, or what a call of it makes.
GUNICORN = """
import importlib
def import_app(given):
    module, _colon, name = given.partition(":")
    return eval(name, vars(importlib.import_module(module)))
"""
CLI = """
import shop
class ScriptInfo:
    def __init__(self, app_import_path):
        assert not app_import_path
    def load_app(self):
        return shop.create_app()
"""


def asked(folder: Path, files: dict[str, str], **variables: str) -> dict:
    """What the program says of a project, in a Python of its own as on a host."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    request = {"directory": str(folder / "migrations"), "settings": {}, "variable": "DATABASE_URL", "apply": None, "limits": None}
    environment = {**os.environ, **variables, "PYTHONPATH": str(folder), alembic_driver.REQUEST: json.dumps(request)}
    source, words = inspect.getsource(alembic_driver), [sys.executable, "-"]
    done = subprocess.run(words, input=source, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.rpartition(alembic_driver.MARK)[2])


@pytest.mark.parametrize(
    ("asks", "given", "error"),
    [
        (True, "shop:create_app()", ""),
        (True, "", ""),  # Flask itself looks for it
        (True, "gone:app", "No module named 'gone'"),
        (False, "gone:app", ""),  # of no concern to a project that does not ask
    ],
)
def test_env_py_of_flask_migrate_runs_inside_the_application(tmp_path: Path, asks: bool, given: str, error: str) -> None:
    env = ENV if asks else ENV.replace("from flask import current_app", "").replace("current_app.url", "'postgresql://'")
    files = {
        "migrations/env.py": env, "migrations/versions/one.py": REVISION, "gunicorn/util.py": GUNICORN,
        "flask/__init__.py": FLASK, "flask/cli.py": CLI, "shop.py": "import flask\ndef create_app():\n    return flask.App()\n",
    }  # fmt: skip
    answer = asked(tmp_path, files, FLASK_APP=given)
    if error:
        assert error in answer["error"]["words"]
    else:
        assert "CREATE TABLE a (b int)" in answer["revisions"][0]["sql"]


@pytest.mark.parametrize(
    ("url", "engine", "wanted"),
    [
        ("postgresql+asyncpg://a:b@c/d", "async_engine_from_config", "postgresql+asyncpg://a:b@c/d"),
        ("postgresql+asyncpg://a:b@c/d", "engine_from_config", "postgresql://a:b@c/d"),
        ("postgresql+psycopg://a:b%40x@c/d", "engine_from_config", "postgresql+psycopg://a:b%40x@c/d"),
    ],
)
def test_only_an_asynchronous_engine_gets_an_asynchronous_driver(tmp_path: Path, url: str, engine: str, wanted: str) -> None:
    env = f"from alembic import context\nraise SystemExit(context.config.get_main_option('sqlalchemy.url'))  # {engine}"
    answer = asked(tmp_path, {"migrations/env.py": env, "migrations/versions/one.py": REVISION}, DATABASE_URL=url)
    assert answer["error"]["words"] == f"SystemExit: {wanted}"
