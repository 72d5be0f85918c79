# SPDX-License-Identifier: GPL-3.0-or-later
"""When an inventory has to name a Python, and which."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import pythons
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree


@pytest.mark.parametrize(
    ("files", "version", "where"),
    [
        ({".python-version": "3.12.1\n"}, "3.12", ".python-version"),
        ({".python-version": "cpython-3.12\n"}, "3.12", ".python-version"),
        ({"backend/.python-version": "3.12", ".python-version": "3.10"}, "3.12", "backend/.python-version"),
        # The last stage is what runs.
        ({"Dockerfile": "FROM python:3.10 AS build\nRUN x\nFROM ghcr.example/library/python:3.12-slim\n"}, "3.12", "Dockerfile"),
        ({"Dockerfile": "FROM debian:12\n"}, None, ""),
        ({"app.py": "x = 1"}, None, ""),
    ],
)
def test_what_a_team_ships_with(tmp_path: Path, files: dict[str, str], version: str | None, where: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = pythons.pinned(Tree(tmp_path), "backend" if "backend/.python-version" in files else "")
    assert found == (Found(version, where) if version else None)


@pytest.mark.parametrize(
    ("said", "pinned", "begin"),
    [
        (">=3.11", "3.12", ""),
        (">=3.13", None, 'stack_python: "3.13"'),
        (">=3.12,<4", None, 'stack_python: "3.13"'),
        ("==3.12.*", None, 'stack_python: "3.12"'),
        (">=3.14", None, 'stack_python: "3.14"'),
        ("<3.11", None, 'stack_python: "3.10"'),
        ("^3.12", None, 'stack_python: "3.13"'),
        # Nobody can tell, and nobody says it: a comment at most.
        (">= three", "3.12", "# .python-version says Python 3.12"),
        (None, "3.12", "# .python-version says Python 3.12"),
        (None, "3.13", ""),
        (None, None, ""),
    ],
)
def test_what_the_inventory_gets(said: str | None, pinned: str | None, begin: str) -> None:
    line = pythons.line(Found(said, "pyproject.toml") if said else None, Found(pinned, ".python-version") if pinned else None)
    assert line.startswith(begin) if begin else line == ""
    assert len(line) <= 140
