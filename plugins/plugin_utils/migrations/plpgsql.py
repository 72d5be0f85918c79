# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL inside a body of PL/pgSQL or SQL: every statement and expression of every branch, as nodes of PostgreSQL's parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import ParseError, ast

#: Statements that hold others, or expressions, and do nothing else.
_FRAMES = frozenset((
    "block", "if", "case", "loop", "while", "fori", "fors", "forc", "foreach_a", "exit", "return", "return_next", "return_query",
    "raise", "assert", "execsql", "perform", "call", "assign", "getdiag", "open", "fetch", "close",
))  # fmt: skip
_DYNAMIC = ("dynexecute", "dynfors")
_BRANCHES = ("if", "case", "loop", "while", "fori", "fors", "forc", "foreach_a", "exceptions")
_EXPRESSION, _ASSIGNMENTS = 2, (3, 4, 5)


@dataclass(frozen=True)
class Step:
    """One node that a statement runs. `conditional` where it may not run; `problem` where it cannot be read (`node` is None)."""

    node: object
    conditional: bool = False
    problem: str = ""


def block(statement: object) -> list[Step]:
    """What a DO statement runs."""
    options = {option.defname: option.arg for option in statement.args}
    language = options["language"].sval.lower() if "language" in options else "plpgsql"
    return body(options["as"].sval, language)


def function(statement: object) -> list[Step]:
    """What a function or procedure runs that CREATE FUNCTION makes."""
    if statement.sql_body is not None:
        return [Step(node) for node in _flat(statement.sql_body)]
    options = {option.defname: option.arg for option in statement.options or ()}
    language = options["language"].sval.lower() if "language" in options else ""
    if "as" not in options:
        return [Step(None, problem="its body is not in the file")]
    return body(tree.strings(options["as"])[0] if isinstance(options["as"], tuple) else options["as"].sval, language)


def body(text: str, language: str) -> list[Step]:
    """The steps of a body in one of PostgreSQL's two languages; another one cannot be read."""
    try:
        if language == "sql":
            return [Step(raw.stmt) for raw in tree.parse(text)]
        if language == "plpgsql":
            return list(_procedural(text))
    except ParseError as error:
        return [Step(None, problem=f"its body cannot be read ({error.args[0]})")]
    return [Step(None, problem=f"its body is in {language or 'another language'}")]


def _flat(node: object) -> Iterator[object]:
    for item in node if isinstance(node, (list, tuple)) else [node]:
        if isinstance(item, (list, tuple)):
            yield from _flat(item)
        else:
            yield item


def _procedural(text: str) -> Iterator[Step]:
    quote = "$parity$"
    while quote in text:
        quote = f"$p{quote[1:]}"
    # The result is SETOF, so that every form of RETURN can be read.
    for parsed in tree.parse_plpgsql(f"create function f() returns setof record language plpgsql as {quote}{text}{quote}"):
        yield from _steps(parsed, conditional=False)


def _steps(node: object, *, conditional: bool) -> Iterator[Step]:
    if isinstance(node, list):
        for item in node:
            yield from _steps(item, conditional=conditional)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _keyed(key, value, conditional)


def _keyed(key: str, value: object, conditional: bool) -> Iterator[Step]:
    if key == "PLpgSQL_expr":
        yield from _expression(value, conditional)
        return
    kind = key.removeprefix("PLpgSQL_stmt_") if key.startswith("PLpgSQL_stmt_") else ""
    if kind in _DYNAMIC or (kind in ("return_query", "open") and "dynquery" in value):
        yield from _dynamic(value, conditional)
        yield from _steps(value.get("body"), conditional=True)
    elif kind and kind not in _FRAMES:
        yield Step(None, conditional, f"its body has a statement that is not known here ({kind})")
    else:
        yield from _steps(value, conditional=conditional or kind in _BRANCHES or key == "exceptions")


def _expression(expression: dict, conditional: bool) -> Iterator[Step]:
    query, mode = expression.get("query", ""), expression.get("parseMode", 0)
    if mode in _ASSIGNMENTS:
        query, mode = query.partition(":=")[2] or query.partition("=")[2], _EXPRESSION
    try:
        for raw in tree.parse(f"select {query}" if mode == _EXPRESSION else query):
            yield Step(raw.stmt, conditional)
    except ParseError as error:
        yield Step(None, conditional, f"a part of its body cannot be read ({error.args[0]})")


def _dynamic(value: dict, conditional: bool) -> Iterator[Step]:
    """EXECUTE: its text is known where it is one constant."""
    expression = (value.get("query") or value.get("dynquery") or {}).get("PLpgSQL_expr", {})
    try:
        (raw,) = tree.parse(f"select {expression.get('query', '')}")
        constant = raw.stmt.targetList[0].val
        if isinstance(constant, ast.A_Const) and isinstance(constant.val, ast.String):
            yield from (Step(one.stmt, conditional) for one in tree.parse(constant.val.sval))
            return
    except ParseError:
        pass
    yield Step(None, conditional, "it runs SQL that is put together at run time (EXECUTE)")
