# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Django project needs beside its processes: where collectstatic writes to, and where its migrations are."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Module, Sources, statements, targets, text_of
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

#: Not manage.py, which is no part of a wheel.
COLLECT = ["python", "-m", "django", "collectstatic", "--noinput"]


@dataclass
class Django:
    """`build` are the words of collectstatic, `variable` names the variable that STATIC_ROOT comes from."""

    build: Found | None = None
    variable: Found | None = None
    questions: list[str] = field(default_factory=list)


def read(sources: Sources, variables: Container[str]) -> Django:
    """`variables` are the environment variables that the sources read."""
    for module, value in _static_roots(sources):
        name = next((text for node in ast.walk(value) if (text := text_of(node)) in variables), None)
        where = module.where(value)
        if name:
            return Django(Found(COLLECT, f"{where}, STATIC_ROOT"), Found(name, f"{where}, STATIC_ROOT"))
        return Django(questions=[
            f"STATIC_ROOT ({where}) comes from no environment variable, so collectstatic cannot write into the release: let it read one, "
            f"set that to {{build}}, and write stack_build_commands: [[{', '.join(COLLECT)}]]"
        ])  # fmt: skip
    return Django()


def migrations(tree: Tree, directory: str) -> Found | None:
    """The project's directory, where it has manage.py and an application with migrations."""
    manage = f"{directory}/manage.py" if directory else "manage.py"
    prefix = f"{directory}/" if directory else ""
    files = [name for name in tree.names if name.startswith(prefix) and re.search(r"(^|/)migrations/\d{4}_\w+\.py$", name)]
    return Found(directory, manage) if tree.has(manage) and files else None


def _static_roots(sources: Sources) -> Iterator[tuple[Module, ast.expr]]:
    for module in sources:
        for node in statements(module.tree.body):
            named = [target.id for target in targets(node) if isinstance(target, ast.Name)]
            if "STATIC_ROOT" in named and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                yield module, node.value
