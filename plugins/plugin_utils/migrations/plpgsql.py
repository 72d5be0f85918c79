# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in PL/pgSQL taken apart by PostgreSQL's own parser: every statement and expression, with the branch it stands in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import statements

#: Every kind of statement that the parser writes. One that is not here cannot be judged.
_KNOWN = frozenset(
    f"PLpgSQL_stmt_{name}"
    for name in (
        "block", "assign", "if", "case", "loop", "while", "fori", "fors", "forc", "foreach_a", "exit", "return", "return_next",
        "return_query", "raise", "assert", "execsql", "dynexecute", "dynfors", "getdiag", "open", "fetch", "close", "perform",
        "call", "commit", "rollback",
    )
)  # fmt: skip
_DYNAMIC = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors")
_BRANCHES = ("then_body", "elsif_list", "else_body", "case_when_list", "else_stmts", "exceptions")
_LOOPS = ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")
_LEAVES = ("PLpgSQL_stmt_return", "PLpgSQL_stmt_exit")
_ERROR = 21  # elog_level of RAISE EXCEPTION


@dataclass(frozen=True)
class Part:
    """What a program executes.

    `kind` is "statement", "expression", "assignment", "dynamic" (an expression that yields a statement), "commit", "raise",
    "null" (RETURN NULL) or "strange" (`text` names it).
    """

    kind: str
    text: str
    path: tuple[int, ...]


def parts(program: str, numbers: Iterator[int] | None = None) -> list[Part]:
    """The parts of a whole `DO ...` or `CREATE FUNCTION ...` statement; `numbers` names its branches. Raises ParseError."""
    tree = statements.pglast.parse_plpgsql(program)
    return list(_Walk(numbers or itertools.count(1)).walk(tree, ()))


class _Walk:
    def __init__(self, numbers: Iterator[int]) -> None:
        self.numbers = numbers

    def walk(self, node: object, path: tuple[int, ...]) -> Iterator[Part]:
        if isinstance(node, list):
            yield from self._list(node, path)
        elif isinstance(node, dict):
            for name, value in node.items():
                yield from self._entry(name, value, path)

    def _list(self, nodes: list, path: tuple[int, ...]) -> Iterator[Part]:
        """What follows a statement that may leave is executed only sometimes."""
        for node in nodes:
            yield from self.walk(node, path)
            if nodes[-1] is not node and _may_leave(node):
                path = (*path, next(self.numbers, 0))

    def _entry(self, name: str, value: object, path: tuple[int, ...]) -> Iterator[Part]:
        if name.startswith("PLpgSQL_stmt_"):
            yield from self._statement(name, value, path)
        elif name == "PLpgSQL_expr":
            yield Part(
                {0: "statement", 2: "expression"}.get(value.get("parseMode", 0), "assignment"), value["query"], path
            )
        elif name in ("elsif_list", "case_when_list"):
            for branch in value:
                yield from self.walk(branch, (*path, next(self.numbers, 0)))
        elif name in _BRANCHES:
            yield from self.walk(value, (*path, next(self.numbers, 0)))
        else:
            yield from self.walk(value, path)

    def _statement(self, name: str, value: dict, path: tuple[int, ...]) -> Iterator[Part]:
        short = name.removeprefix("PLpgSQL_stmt_")
        if name not in _KNOWN:
            yield Part("strange", short, path)
        if short in ("commit", "rollback"):
            yield Part("commit", short, path)
        if short == "raise" and value.get("elog_level", _ERROR) >= _ERROR:
            yield Part("raise", str(value.get("message", "")), path)
        if (
            short == "return"
            and str(value.get("expr", {}).get("PLpgSQL_expr", {}).get("query", "")).strip().lower() == "null"
        ):
            yield Part("null", "", path)
        inner = (*path, next(self.numbers, 0)) if short in _LOOPS or value.get("exceptions") else path
        for key, child in value.items():
            dynamic = key == "dynquery" or (key == "query" and name in _DYNAMIC)
            if dynamic:
                yield Part("dynamic", child["PLpgSQL_expr"]["query"], path)
            else:
                yield from self._entry(key, child, inner if key == "body" else path)


def _may_leave(node: object) -> bool:
    if isinstance(node, list):
        return any(map(_may_leave, node))
    if not isinstance(node, dict):
        return False
    return any(key in _LEAVES or _may_leave(value) for key, value in node.items())
