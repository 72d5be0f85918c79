# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project whose env.py asks Flask for the application is read inside it. Flask and gunicorn are stood for by a few lines."""

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
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    request = {"directory": str(tmp_path / "migrations"), "settings": {}, "variable": "DATABASE_URL", "apply": None, "limits": None}
    variables = {**os.environ, "FLASK_APP": given, "PYTHONPATH": str(tmp_path), alembic_driver.REQUEST: json.dumps(request)}
    source = inspect.getsource(alembic_driver)
    words = [sys.executable, "-"]
    done = subprocess.run(words, input=source, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout.rpartition(alembic_driver.MARK)[2])
    if error:
        assert error in answer["error"]["words"]
    else:
        assert "CREATE TABLE a (b int)" in answer["revisions"][0]["sql"]
