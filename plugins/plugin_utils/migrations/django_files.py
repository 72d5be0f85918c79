# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Django project as the control node reads it, without running it: which migrations its applications have.

Once the release is staged, Django itself renders what they do (`django_driver`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, sql_judge

_NO_SOURCE = ("venv", "node_modules", "site-packages", "__pycache__", "build", "dist")


@dataclass(frozen=True)
class Migration:
    """One file. `version` is `app.name`, as Django records it."""

    version: str
    file: str
    text: str
    replaces: tuple[str, ...]


def is_project(directory: Path) -> bool:
    return (directory / "manage.py").is_file() and not alembic_files.is_project(directory)


def files(directory: Path) -> list[dict[str, str]]:
    """Path (below the directory), label of the application, and text of every migration, by path."""
    paths = [path for path in sorted(directory.rglob("migrations/*.py")) if _is_migration(path.relative_to(directory))]
    return [
        {"file": path.relative_to(directory).as_posix(), "app": _label(path.parent.parent), "sql": sql_judge.read(path)}
        for path in paths
    ]


def read(entries: Iterable[dict[str, str]]) -> list[Migration]:
    """Migrations in the order of their names: Django knows a better one, once the release is staged."""
    found = []
    for entry in entries:
        path = PurePosixPath(entry["file"])
        version = f"{entry.get('app') or path.parent.parent.name}.{path.stem}"
        found.append(Migration(version, entry["file"], entry["sql"], _replaces(entry["sql"])))
    return sorted(found, key=lambda one: (one.version.partition(".")[2], one.version))


def _is_migration(path: Path) -> bool:
    if any(part.startswith(".") or part in _NO_SOURCE for part in path.parts):
        return False
    return path.name[0] not in "_~." and len(path.parts) > 2


def _label(application: Path) -> str:
    """The label of an application: what its AppConfig says, or the name of its directory."""
    file = application / "apps.py"
    if file.is_file():
        for node in ast.walk(_parsed(sql_judge.read(file))):
            named = isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "label" for one in node.targets)
            if named and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                return node.value.value
    return application.name


def _replaces(text: str) -> tuple[str, ...]:
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "replaces" for one in node.targets):
            try:
                return tuple(f"{app}.{name}" for app, name in ast.literal_eval(node.value))
            except (ValueError, TypeError):
                return ()
    return ()


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])
