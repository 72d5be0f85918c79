# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CHECK can refuse a row in which one column is NULL: three-valued logic over the tree of its expression."""

from __future__ import annotations

from itertools import product

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import ast

TRUE, FALSE, NULL, VALUE = "true", "false", "null", "value"
#: What an expression may be, where nothing is known of it.
_ANYTHING = frozenset((TRUE, FALSE, NULL, VALUE))
_BOOLEAN = frozenset((TRUE, FALSE, NULL))
#: Functions that answer NULL where an argument is NULL.
_STRICT = frozenset((
    "abs", "btrim", "ceil", "char_length", "character_length", "date_part", "date_trunc", "extract", "floor", "jsonb_array_length",
    "jsonb_typeof", "json_typeof", "length", "lower", "ltrim", "octet_length", "position", "round", "rtrim", "substr", "substring",
    "trunc", "upper", "array_length", "cardinality",
))  # fmt: skip
#: Operators that answer NULL where their left side is NULL; those of `_BOTH_SIDES` where either is.
_BOTH_SIDES = ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR")
_LEFT_SIDE = ("AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN")


def may_refuse(check: object, column: str) -> bool:
    """Whether `check` may be false for a row in which `column` is NULL, whatever the other columns hold."""
    return FALSE in _values(check, column)


def _values(node: object, column: str) -> frozenset[str]:
    if isinstance(node, ast.ColumnRef):
        return frozenset((NULL,)) if tree.strings(node.fields)[-1:] == (column,) else _ANYTHING
    if isinstance(node, ast.A_Const):
        return _constant(node)
    if isinstance(node, ast.TypeCast):
        return _values(node.arg, column)
    handler = _HANDLERS.get(type(node).__name__)
    return handler(node, column) if handler else _ANYTHING


def _constant(node: object) -> frozenset[str]:
    if node.isnull:
        return frozenset((NULL,))
    value = getattr(node.val, "boolval", None)
    return frozenset((VALUE,)) if value is None else frozenset((TRUE if value else FALSE,))


def _logic(node: object, column: str) -> frozenset[str]:
    kinds = [_values(one, column) & _BOOLEAN or _BOOLEAN for one in node.args]
    if node.boolop.name == "NOT_EXPR":
        return frozenset({TRUE: FALSE, FALSE: TRUE, NULL: NULL}[one] for one in kinds[0])
    decides, neutral = (FALSE, TRUE) if node.boolop.name == "AND_EXPR" else (TRUE, FALSE)
    found = set()
    for values in product(*kinds):
        found.add(decides if decides in values else NULL if NULL in values else neutral)
    return frozenset(found)


def _null_test(node: object, column: str) -> frozenset[str]:
    wanted = node.nulltesttype.name == "IS_NULL"
    return frozenset(TRUE if (one == NULL) == wanted else FALSE for one in _values(node.arg, column))


def _boolean_test(node: object, column: str) -> frozenset[str]:
    name = node.booltesttype.name
    state = TRUE if name.endswith("TRUE") else FALSE if name.endswith("FALSE") else NULL
    holds = {one: one == state for one in _values(node.arg, column) & _BOOLEAN or _BOOLEAN}
    return frozenset(TRUE if same != ("NOT" in name) else FALSE for same in holds.values())


def _operator(node: object, column: str) -> frozenset[str]:
    kind = node.kind.name
    sides = [node.lexpr] * (kind in _BOTH_SIDES + _LEFT_SIDE) + [node.rexpr] * (kind in _BOTH_SIDES)
    nothing = any(_values(one, column) == frozenset((NULL,)) for one in sides if one is not None)
    return frozenset((NULL,)) if nothing else _ANYTHING


def _call(node: object, column: str) -> frozenset[str]:
    strict = tree.function_call(node) in {(name,) for name in _STRICT}
    nothing = any(_values(one, column) == frozenset((NULL,)) for one in node.args or ())
    return frozenset((NULL,)) if strict and nothing else _ANYTHING


def _coalesce(node: object, column: str) -> frozenset[str]:
    found: set[str] = set()
    for one in node.args:
        values = _values(one, column)
        found |= values - {NULL}
        if NULL not in values:
            return frozenset(found)
    return frozenset(found | {NULL})


_HANDLERS = {
    "BoolExpr": _logic, "NullTest": _null_test, "BooleanTest": _boolean_test, "A_Expr": _operator, "FuncCall": _call,
    "CoalesceExpr": _coalesce,
}  # fmt: skip
