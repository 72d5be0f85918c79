# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an expression yields for the rows of a writer who does not know a column: there, the column is NULL."""

from __future__ import annotations

import functools

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import catalogue
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import strings
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.queries import called, is_read_only, kind, nodes

_ANY = frozenset({True, False, None})
_NULL = frozenset({None})
#: Of A_Expr: kinds that yield NULL where an operand is NULL.
_STRICT = (
    "AEXPR_OP",
    "AEXPR_IN",
    "AEXPR_LIKE",
    "AEXPR_ILIKE",
    "AEXPR_SIMILAR",
    "AEXPR_BETWEEN",
    "AEXPR_BETWEEN_SYM",
    "AEXPR_OP_ANY",
)
_STRICT_FUNCTIONS = (
    "length", "char_length", "character_length", "octet_length", "lower", "upper", "btrim", "ltrim", "rtrim", "abs", "cardinality",
    "array_length", "jsonb_typeof", "json_typeof", "regexp_replace", "date_part", "extract", "date_trunc", "round", "mod", "position",
)  # fmt: skip


def columns(expression: object) -> set[str]:
    """The columns that an expression names."""
    return {
        strings(node.fields)[-1] for node in nodes(expression) if kind(node) == "ColumnRef" and strings(node.fields)
    }


def may_refuse(expression: object, nulls: set[str]) -> bool:
    """Whether a CHECK may be false for some row in which the columns `nulls` are NULL."""
    try:
        return False in _outcomes(expression, nulls)
    except RecursionError:
        return True  # too deep to be judged


def is_safe(expression: object) -> bool:
    """Whether an expression over the columns of a row cannot fail: no casts but to text, no division, known functions."""
    for node in nodes(expression):
        if (
            kind(node) == "TypeCast"
            and kind(node.arg) != "A_Const"
            and catalogue.type_name(node.typeName) not in ("text", "varchar", "regconfig")
        ):
            return False
        if kind(node) == "A_Expr" and strings(node.name)[-1:] in (["/"], ["%"], ["^"]):
            return False
    return all(is_read_only(call) for call in called(expression))


def _outcomes(node: object, nulls: set[str]) -> frozenset:
    handler = {"BoolExpr": _boolean, "NullTest": _null_test, "A_Const": _constant, "BooleanTest": _boolean_test}.get(
        kind(node)
    )
    if handler:
        return handler(node, nulls)
    return _NULL if _is_null(node, nulls) else _ANY


def _boolean(node: object, nulls: set[str]) -> frozenset:
    parts = [_outcomes(arg, nulls) for arg in node.args]
    if node.boolop.name == "NOT_EXPR":
        return frozenset(None if value is None else not value for value in parts[0])
    decides = node.boolop.name == "OR_EXPR"
    return functools.reduce(lambda one, two: frozenset(_combined((x, y), decides) for x in one for y in two), parts)


def _combined(values: tuple, decides: bool) -> bool | None:
    """AND and OR of three-valued logic: one value decides, NULL comes next."""
    if decides in values:
        return decides
    return None if None in values else not decides


def _null_test(node: object, nulls: set[str]) -> frozenset:
    wanted = node.nulltesttype.name == "IS_NULL"
    return frozenset({wanted}) if _is_null(node.arg, nulls) else frozenset({True, False})


def _boolean_test(node: object, nulls: set[str]) -> frozenset:
    if not _is_null(node.arg, nulls):
        return frozenset({True, False})
    return frozenset({node.booltesttype.name in ("IS_NOT_TRUE", "IS_NOT_FALSE", "IS_UNKNOWN")})


def _constant(node: object, nulls: set[str]) -> frozenset:
    value = getattr(node.val, "boolval", None)
    return _NULL if node.isnull else frozenset({value}) if isinstance(value, bool) else _ANY


def _is_null(node: object, nulls: set[str]) -> bool:
    if kind(node) == "ColumnRef":
        return strings(node.fields)[-1:] != [] and strings(node.fields)[-1] in nulls
    if kind(node) == "TypeCast":
        return _is_null(node.arg, nulls)
    if kind(node) == "A_Const":
        return bool(node.isnull)
    if kind(node) == "FuncCall":
        return strings(node.funcname)[-1] in _STRICT_FUNCTIONS and any(_is_null(arg, nulls) for arg in node.args or ())
    if kind(node) != "A_Expr" or node.kind.name not in _STRICT:
        return False
    # The other operand's list may be empty of NULLs or not: NULL IN (...) is NULL either way, x IN (NULL) is not.
    return _is_null(node.lexpr, nulls) or (
        node.kind.name in ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE") and _is_null(node.rexpr, nulls)
    )
