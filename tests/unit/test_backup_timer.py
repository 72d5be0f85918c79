# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer's program brings every file along that it imports."""

from __future__ import annotations

import ast
from pathlib import Path

from checkout import ROOT, load

MODULE_UTILS = ROOT / "plugins" / "module_utils"


def imported(name: str, seen: set[str]) -> set[str]:
    """A file of module_utils and all that it imports of them."""
    if name not in seen:
        seen.add(name)
        for node in ast.walk(ast.parse((MODULE_UTILS / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and ".plugins.module_utils" in (node.module or ""):
                tail = node.module.rpartition("module_utils")[2].strip(".")
                for one in [tail] if tail else [alias.name for alias in node.names]:
                    imported(one, seen)
    return seen


def test_timer_brings_every_file_it_imports() -> None:
    program = load(ROOT / "roles/backup/vars/main.yml")["__backup_program"]
    brought = {Path(entry["src"]).stem for entry in program if "module_utils" in entry["src"]}
    assert brought == imported("backup_run", set())
