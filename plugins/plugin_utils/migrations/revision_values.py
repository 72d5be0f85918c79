# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names and expressions of a revision's file stand for: what it imports, and the values that it shows.

Values are literals, constants of the file, and texts put together from these. Every other expression is `Unclear`.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass


class Unclear(Exception):
    """A value or a call that the file does not show; the message is a part of a sentence."""


@dataclass(frozen=True)
class Origin:
    """A name that stands for what is imported, or for what a call of that gives: `sqlalchemy.text`, `alembic.op.get_context()`."""

    name: str


@dataclass(frozen=True)
class Batch:
    """A name that stands for Alembic's operations on one table, which is quoted as in SQL."""

    table: str


@dataclass(frozen=True)
class Function:
    """A function that the file itself defines."""

    node: ast.FunctionDef


class Expression(str):
    """A text that is SQL, not a value: `sa.text("now()")`."""


#: Names with what they stand for; `HIDDEN` where the file does not show it.
Names = dict[str, object]
HIDDEN = object()

_TEXTS = re.compile(r"sqlalchemy\.([\w.]+\.)?(text|literal_column|DDL)")
_NAMES = re.compile(r"alembic\.op\.f|sqlalchemy\.([\w.]+\.)?quoted_name")
_INDENTED: dict[str, Callable[[str], str]] = {"textwrap.dedent": textwrap.dedent, "inspect.cleandoc": inspect.cleandoc}
#: Methods of a text that give a value, and those of a dictionary.
_METHODS = {
    str: ("format", "strip", "lstrip", "rstrip", "lower", "upper", "replace", "join", "split", "splitlines"),
    dict: ("items", "keys", "values", "get"),
}
_FUNCTIONS = ("list", "tuple", "str", "len", "dict", "sorted", "reversed", "enumerate", "zip", "range", "set", "max", "min")
_MOST = 1000

#: Calls that describe something and do nothing: SQLAlchemy's types, columns, expressions; what computes or logs.
_DESCRIBES = re.compile(
    r"sqlalchemy\.(?!(orm|engine|event|pool|ext|inspection|create|dialects\.\w+\.(psycopg|asyncpg))\b)([\w.]*\.)?"
    r"([A-Z]\w*|text|table|column|literal|literal_column|null|true|false|quoted_name|desc|asc|nullsfirst|nullslast|cast|type_coerce|bindparam"
    r"|select|insert|update|delete|values|and_|or_|not_|case|exists|extract|func\.\w+|array|aggregate_order_by|hstore)"
    r"|sqlalchemy\.[\w.()]*\(\)\.(next_value|with_variant|cast|label|desc|asc|nullsfirst|nullslast|collate|op|in_|is_|is_not|isnot|like|ilike"
    r"|where|values|columns|bindparams|as_string|evaluates_none|insert|update|delete|select)"
    r"|sqlalchemy\.(orm\.(mapped_column|relationship|declarative_base|sessionmaker|registry)|ext\.declarative\.declarative_base)"
    r"|alembic\.op\.(f|inline_literal)"
    r"|builtins\.(str|int|float|bool|len|dict|list|tuple|set|frozenset|sorted|reversed|enumerate|zip|range|min|max|sum|any|all|repr|abs|round"
    r"|isinstance|issubclass|bytes|format|map|filter|getattr|hasattr|property|staticmethod|classmethod|object|type|super|print)"
    r"|(datetime|uuid|decimal|json|enum|textwrap|inspect\.cleandoc|re|string|itertools|functools|dataclasses|typing|collections|math|copy"
    r"|hashlib|base64|secrets|random|time|zoneinfo|contextlib|abc|os\.path|os\.environ|os\.getenv|logging|warnings)\b[\w.()]*"
    r"|(pathlib\.)?(Path|PurePath|PosixPath)\(\)(\.(parent|parents|name|stem|resolve\(?\)?|absolute\(?\)?|joinpath\(?\)?|read_text|read_bytes))*"
    r"|pathlib\.(Path|PurePath|PosixPath)"
    r"|(loguru|structlog)\b[\w.()]*"
)
#: What reaches past Alembic and its connection.
_REACHES_OUT = re.compile(
    r"(os(?!\.(path|environ|getenv|sep|linesep|getcwd)\b)|subprocess|shutil|socket|urllib|http|ftplib|smtplib|ctypes|multiprocessing|threading"
    r"|asyncio|requests|httpx|aiohttp|boto3|redis|psycopg|psycopg2|asyncpg|pg8000|builtins\.(exec|eval|compile|__import__)|importlib)\b.*"
)
#: Names whose use shows that a revision does something else where nothing is executed.
_OFFLINE = ("is_offline_mode", "as_sql")
_WRITES = re.compile(r"[wax+]")


# --- Names ------------------------------------------------------------------------------------------------------------


def origin(node: ast.AST, names: Names) -> str:
    """The dotted name of what an expression stands for: `sa.Text()` is `sqlalchemy.Text()`. Empty where the file does not say."""
    if isinstance(node, ast.Name):
        found = names.get(node.id)
        if isinstance(found, Batch):
            return "alembic.op"
        if isinstance(found, Origin):
            return found.name
        return f"builtins.{node.id}" if node.id not in names and hasattr(builtins, node.id) else ""
    if isinstance(node, ast.Attribute):
        inner = origin(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    inner = origin(node.func, names) if isinstance(node, ast.Call) else ""
    return f"{inner}()" if inner else ""


def learn(node: ast.stmt, names: Names) -> None:
    """Note what a statement of a file gives names to, wherever in it."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        _imported(node, names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        assign(node, names)
    elif isinstance(node, ast.FunctionDef):
        names[node.name] = Function(node)
    elif isinstance(node, (ast.ClassDef, ast.AsyncFunctionDef)):
        names[node.name] = HIDDEN
    else:
        _hide(node, names)


def assign(node: ast.Assign | ast.AnnAssign, names: Names) -> None:
    """Give names their values, as far as the file shows these."""
    if node.value is None:
        return
    _hide(node.value, names)
    try:
        found = value(node.value, names)
    except Unclear:
        found = Origin(origin(node.value, names)) if origin(node.value, names) else HIDDEN
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        _bind(target, found, names)


def _bind(target: ast.expr, found: object, names: Names) -> None:
    if isinstance(target, ast.Name):
        names[target.id] = found
    elif isinstance(target, (ast.Tuple, ast.List)):
        parts = list(found) if isinstance(found, (list, tuple)) and len(found) == len(target.elts) else [HIDDEN] * len(target.elts)
        for one, part in zip(target.elts, parts):
            _bind(one, part, names)
    else:  # a part of something, or a rest
        for one in ast.walk(target):
            if isinstance(one, ast.Name):
                names[one.id] = HIDDEN


def _hide(node: ast.AST, names: Names) -> None:
    """Whatever names are given a value somewhere inside, nobody knows which."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            names[one.id] = HIDDEN
        elif isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[one.name] = HIDDEN
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            for alias in one.names:
                names[(alias.asname or alias.name).partition(".")[0]] = HIDDEN


def _imported(node: ast.Import | ast.ImportFrom, names: Names) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            first = alias.name.partition(".")[0]
            names[alias.asname or first] = Origin(alias.name if alias.asname else first)
        elif alias.name != "*":
            names[alias.asname or alias.name] = Origin(f"{'.' * node.level}{node.module or ''}.{alias.name}")
        elif (node.module or "").partition(".")[0] not in ("sqlalchemy", "alembic"):
            names.update(dict.fromkeys(names, HIDDEN))  # it may give any of them another meaning


# --- Values -----------------------------------------------------------------------------------------------------------


def value(node: ast.expr, names: Names) -> object:
    """A value that the file shows. Raises Unclear for any other."""
    handler = _VALUES.get(type(node).__name__)
    if handler is None:
        raise Unclear("a value is not in the file")
    return handler(node, names)


def _name_value(node: ast.Name, names: Names) -> object:
    found = names.get(node.id, HIDDEN)
    if found is HIDDEN or isinstance(found, (Origin, Batch, Function)):
        raise Unclear(f"the value of {node.id} is not in the file")
    return found


def _joined(node: ast.JoinedStr, names: Names) -> str:
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            if part.format_spec is not None or part.conversion not in (-1, 115):
                raise Unclear("a text is put together in a way that is not read here")
            parts.append(str(value(part.value, names)))
        else:
            parts.append(str(value(part, names)))
    return "".join(parts)


def _operation(node: ast.BinOp, names: Names) -> object:
    left, right = value(node.left, names), value(node.right, names)
    try:
        if isinstance(node.op, ast.Add) and isinstance(left, (str, list, tuple)):
            return left + right
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return left % right
    except (TypeError, ValueError, KeyError) as error:
        raise Unclear("a text is put together in a way that fails") from error
    raise Unclear("a value is computed")


def _value_of_call(node: ast.Call, names: Names) -> object:
    """Texts and what is made of plain values: sa.text("..."), op.f("name"), "...".format(...), enumerate([...])."""
    name = origin(node.func, names)
    if _TEXTS.fullmatch(name) and len(node.args) == 1 and not node.keywords:
        return Expression(value(node.args[0], names))
    if _NAMES.fullmatch(name) and node.args:
        return value(node.args[0], names)
    found = _function(node, name, names)
    if found is None:
        raise Unclear(f"the result of {written(node.func)}() is not in the file")
    positional = [value(one, names) for one in node.args]
    keywords = {one.arg: value(one.value, names) for one in node.keywords if one.arg}
    if len(keywords) != len(node.keywords):
        raise Unclear("its arguments are put together")
    try:
        result = found(*positional, **keywords)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise Unclear("a value is put together in a way that fails") from error
    return result if isinstance(result, (str, int, float, dict, type(None))) else list(result)[:_MOST]


def _function(node: ast.Call, name: str, names: Names) -> Callable | None:
    """What is called, where it only makes a value of values."""
    if name in _INDENTED:
        return _INDENTED[name]
    scope, _dot, plain = name.rpartition(".")
    if scope == "builtins" and plain in _FUNCTIONS:
        return getattr(builtins, plain)
    if isinstance(node.func, ast.Attribute) and not name:
        owner = value(node.func.value, names)
        if any(isinstance(owner, kind) and node.func.attr in methods for kind, methods in _METHODS.items()):
            return getattr(owner, node.func.attr)
    return None


def _sequence(node: ast.List | ast.Tuple | ast.Set, names: Names) -> object:
    found = [value(one, names) for one in node.elts]
    return tuple(found) if isinstance(node, ast.Tuple) else found


def _mapping(node: ast.Dict, names: Names) -> object:
    if any(key is None for key in node.keys):
        raise Unclear("a value is put together")
    try:
        return {value(key, names): value(one, names) for key, one in zip(node.keys, node.values) if key is not None}
    except TypeError as error:
        raise Unclear("a value is put together in a way that fails") from error


def _signed(node: ast.UnaryOp, names: Names) -> object:
    inner = value(node.operand, names)
    if isinstance(node.op, ast.USub) and isinstance(inner, (int, float)):
        return -inner
    if isinstance(node.op, ast.Not) and isinstance(inner, bool):
        return not inner
    raise Unclear("a value is computed")


def _part_of(node: ast.Subscript, names: Names) -> object:
    owner, key = value(node.value, names), value(node.slice, names)
    try:
        return owner[key]  # type: ignore[index] - what cannot be indexed is unclear
    except (TypeError, LookupError) as error:
        raise Unclear("a part of a value is not in the file") from error


_VALUES: dict[str, Callable] = {
    "Constant": lambda node, _names: node.value, "Name": _name_value, "JoinedStr": _joined, "BinOp": _operation, "Call": _value_of_call,
    "List": _sequence, "Tuple": _sequence, "Set": _sequence, "Dict": _mapping, "UnaryOp": _signed, "Subscript": _part_of,
}  # fmt: skip


# --- What is done -----------------------------------------------------------------------------------------------------


def described(node: ast.AST, names: Names) -> None:
    """Raise Unclear where evaluating an expression may do more than describe something."""
    for one in _evaluated(node):
        if isinstance(one, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            raise Unclear("a value is put together in a way that is not read here")
        if isinstance(one, ast.Call) and not _describes(one, names):
            asks = origin(one.func, names).startswith(("alembic.op.get_bind", "alembic.op.get_context", "sqlalchemy.inspect"))
            raise Unclear("it asks the database" if asks else f"it calls {written(one.func)}(), and what that does is not in the file")


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Lambda):
            yield from _evaluated(child)


def _describes(call: ast.Call, names: Names) -> bool:
    name = origin(call.func, names)
    if _DESCRIBES.fullmatch(name) or _is_type(call.func, name, names):
        return True
    try:
        value(call, names)
    except Unclear:
        return False
    return True


def _is_type(function: ast.expr, name: str, names: Names) -> bool:
    """A type or a class of somebody else, such as `GUID()`: told by its first letter, and not out of Python's own library."""
    last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    root = name.partition(".")[0]
    known = bool(name) or (isinstance(function, ast.Name) and names.get(function.id) is HIDDEN)
    return known and last[:1].isupper() and "()" not in name and root != "sqlalchemy" and root not in sys.stdlib_module_names


def is_hidden(node: ast.AST, names: Names) -> bool:
    """Whether something does what no rendering shows: other code without a database, or work that goes around Alembic."""
    for one in ast.walk(node):
        if isinstance(one, (ast.Attribute, ast.Name)) and (one.attr if isinstance(one, ast.Attribute) else one.id) in _OFFLINE:
            return True
        if isinstance(one, ast.Call) and (_REACHES_OUT.fullmatch(origin(one.func, names)) or _writes_file(one, names)):
            return True
    return False


def _writes_file(call: ast.Call, names: Names) -> bool:
    name = origin(call.func, names)
    if name == "builtins.open":
        mode = next((one.value for one in call.keywords if one.arg == "mode"), call.args[1] if len(call.args) > 1 else ast.Constant("r"))
        return not isinstance(mode, ast.Constant) or bool(_WRITES.search(str(mode.value)))
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes", "unlink", "rmdir", "mkdir", "touch")


def written(node: ast.AST) -> str:
    """An expression as the file has it, shortened."""
    return ast.unparse(node)[:60]
