# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection as Ansible does: as a program of its own, with its arguments as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
