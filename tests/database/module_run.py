# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection as Ansible does: as a program of its own, with its arguments as JSON."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.parsing.dataloader import DataLoader

ROOT = Path(__file__).parents[2]


def arguments(**options: Any) -> dict[str, Any]:
    check = options.pop("check", False)
    return {"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}}


def start(module: str, **options: Any) -> subprocess.Popen[str]:
    code = (
        "import sys, runpy; from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder as F;"
        f"F(paths=[{str(ROOT / '.cache' / 'collections')!r}])._install();"
        f"runpy.run_module('ansible_collections.parity.stack.plugins.modules.{module}', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(json.dumps(arguments(**options)))
    process.stdin.close()
    process.stdin = None
    return process


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=180)
    try:
        return json.loads(out)
    except ValueError:
        raise AssertionError(f"no result: {out}\n{err}") from None


def run(module: str, **options: Any) -> dict[str, Any]:
    return result(start(module, **options))


class _Task:
    """As much of a task as an action looks at."""

    def __init__(self, args: dict[str, Any], check: bool) -> None:
        self.args, self.check_mode = args, check
        self.async_val, self.diff, self.action = 0, True, "parity.stack.schema_migrations"
        self.environment: list[dict[str, str]] = []
        self.delegate_to = None


def act(module: str, **options: Any) -> dict[str, Any]:
    """Runs the action of a module, which runs the module as a program of its own."""
    action = importlib.import_module(f"ansible_collections.parity.stack.plugins.action.{module}")
    check = options.pop("check", False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/tmp"))
    one = action.ActionModule(_Task(options, check), connection, None, DataLoader(), None, None)
    one._execute_module = lambda module_args, **_more: run(module, **module_args, check=check)
    return one.run(task_vars={})
