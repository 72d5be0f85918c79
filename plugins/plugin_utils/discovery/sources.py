# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python sources, parsed and never run: modules with their imports, so that a name can be followed to where it was made."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

#: Readers of an expression call themselves for each part of it.
_DEEPEST = 150
_NO_APPLICATION = ("conftest.py", "tests.py", "setup.py", "noxfile.py", "fabfile.py")


@dataclass
class Module:
    """A source file. `imports` maps a local name to what it stands for, such as `fastapi.FastAPI`."""

    name: str
    file: str
    tree: ast.Module
    package: bool
    imports: dict[str, str] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)

    def dotted(self, node: ast.AST | None) -> str:
        """The full name of `a.b.c` as this module sees it; empty for any other expression."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        first = f"{self.name}.{node.id}" if node.id in self.assigned else self.imports.get(node.id, f"{self.name}.{node.id}")
        return ".".join([first, *parts])

    def where(self, node: ast.AST) -> str:
        return f"{self.file}, line {getattr(node, 'lineno', 1)}"


class Sources:
    """The modules of an application, and names followed through their imports."""

    def __init__(self, tree: Tree, directory: str = "") -> None:
        self.modules: dict[str, Module] = {}
        prefix = f"{directory}/" if directory else ""
        for file in tree.names:
            if file.endswith(".py") and file.startswith(prefix) and not _is_test(file):
                module = _parsed(tree, file, prefix)
                if module:
                    self.modules.setdefault(module.name, module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.modules.values())

    def canonical(self, name: str) -> str:
        """Where `name` was made: through imports of modules and packages that only pass it on."""
        for _step in range(20):
            owner = self.owner(name)
            if owner is None:
                return name
            first, _dot, rest = name.removeprefix(f"{owner.name}.").partition(".")
            target = owner.imports.get(first)
            if target is None or first in owner.assigned or target == name:
                return name
            name = f"{target}.{rest}" if rest else target
        return name

    def owner(self, name: str) -> Module | None:
        """The module that a full name belongs to."""
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            module = self.modules.get(".".join(parts[:length]))
            if module:
                return module
        return None

    def full(self, module: Module, node: ast.AST | None) -> str:
        """`dotted`, followed to where the name was made."""
        name = module.dotted(node)
        return self.canonical(name) if name else ""


def _is_test(file: str) -> bool:
    base = file.rpartition("/")[2]
    return base in _NO_APPLICATION or base.startswith("test_") or base.endswith("_test.py")


def _parsed(tree: Tree, file: str, prefix: str) -> Module | None:
    text = tree.text(file)
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        tree.notes.append(f"{file}{line} was not read: Python {sys.version_info.major}.{sys.version_info.minor} cannot parse it")
        return None
    if _depth(parsed) > _DEEPEST:
        tree.notes.append(f"{file} was not read: an expression in it is nested more than {_DEEPEST} times")
        return None
    path = file.removeprefix(prefix).removeprefix("src/").removesuffix(".py")
    package = path == "__init__" or path.endswith("/__init__")
    name = path.removesuffix("__init__").strip("/").replace("/", ".")
    module = Module(name or "__init__", file, parsed, package)
    module.imports = _imports(module)
    module.assigned = set(_assigned(parsed))
    return module


def _depth(tree: ast.Module) -> int:
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth


def _imports(module: Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            found |= {alias.asname or alias.name: f"{base}.{alias.name}" if base else alias.name for alias in node.names}
    return found


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".") if module.name != "__init__" else []
    up = node.level - (1 if module.package else 0)
    parts = parts[: len(parts) - up] if up else parts
    return ".".join([*parts, *([node.module] if node.module else [])])


def _assigned(tree: ast.Module) -> Iterator[str]:
    for node in statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        for target in targets(node):
            if isinstance(target, ast.Name):
                yield target.id


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported: also inside if, try and with, but not what only a script runs."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
            continue
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, part, []))


def targets(node: ast.AST) -> list[ast.expr]:
    """What an assignment assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) and node.value is not None else []


def text_of(node: ast.AST | None) -> str | None:
    """The value of a literal text."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg in names), None)
