# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer's program brings every file along that it imports."""

from __future__ import annotations

import ast
from pathlib import Path

from checkout import ROOT, load

MODULE_UTILS = ROOT / "plugins" / "module_utils"
OURS = "ansible_collections.parity.stack.plugins.module_utils"


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """The files of module_utils that a file imports, and those that they import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            folder = MODULE_UTILS.joinpath(*node.module.removeprefix(OURS).strip(".").split("."))
            for one in [folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)]:
                if one.is_file() and one not in seen:
                    seen.add(one)
                    imported(one, seen)
    return seen


def test_timer_brings_every_file_it_imports() -> None:
    program = load(ROOT / "roles/backup/vars/main.yml")["__backup_program"]
    brought = {entry["src"].partition("module_utils/")[2]: entry["dest"].partition("__backup_library }}/")[2] for entry in program}
    brought.pop("")
    wanted = {str(path.relative_to(MODULE_UTILS)) for path in imported(ROOT / "roles/backup/files/backup.py", set())}
    assert brought == {name: name for name in wanted}
