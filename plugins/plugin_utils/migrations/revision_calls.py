# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a revision does, step by step, as far as its file shows it: operations written as SQL, and what cannot be judged."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import revision_operations
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.revision_values import (
    HIDDEN,
    Batch,
    Function,
    Names,
    Origin,
    Unclear,
    assign,
    described,
    is_hidden,
    learn,
    origin,
    value,
    written,
)

_HEAD = ("revision", "down_revision", "depends_on", "branch_labels")
_LOGS = ("builtins.print", "logging.", "loguru.", "structlog.", "warnings.warn")
_MOST = 1000
_BIND = "alembic.op.get_bind()"
#: What a connection executes, and nobody uses the answer.
_EXECUTES = (f"{_BIND}.execute", f"{_BIND}.exec_driver_sql")
_TYPE = re.compile(r"sqlalchemy\.([\w.]+\.)?(Enum|ENUM|DOMAIN)\(\)\.(create|drop)")


@dataclass(frozen=True)
class Call:
    """One step of a revision: its SQL, or why it cannot be judged. `hidden` is what no rendering shows."""

    line: int
    source: str
    sql: str = ""
    unclear: str = ""
    hidden: bool = False


def constants(tree: ast.Module) -> Names:
    """What the names of a file stand for. Raises ValueError where revision or its kin is no plain value."""
    names: Names = {}
    for node in tree.body:
        learn(node, names)
    for name in _HEAD:
        if name in names and (names[name] is HIDDEN or isinstance(names[name], (Origin, Function))):
            raise ValueError(f"{name} is no plain value")
    return names


def upgrade(tree: ast.Module) -> list[Call]:
    """The steps of a revision, in order: what its file does when it is read, and then `upgrade()`."""
    names = constants(tree)
    found = list(_module(tree.body, names))
    function = names.get("upgrade")
    if not isinstance(function, Function):
        return [*found, Call(1, "", unclear="the file does not define upgrade() itself")]
    if function.node.decorator_list:
        found.append(_unclear(function.node, "a decorator of upgrade() decides what runs", names))
    helpers = [one for one in _used(function.node, names) if is_hidden(one, names)]
    found += [_unclear(one, f"{one.name}() does what no rendering shows", names) for one in helpers]
    return found + list(_block(function.node.body, names))


def _used(function: ast.FunctionDef, names: Names) -> list[ast.FunctionDef]:
    """The functions of the file that one of them uses, also through others."""
    found, todo = {}, [function]
    while todo:
        for one in ast.walk(todo.pop()):
            known = names.get(one.id) if isinstance(one, ast.Name) else None
            if isinstance(known, Function) and known.node is not function and known.node.name not in found:
                found[known.node.name] = known.node
                todo.append(known.node)
    return list(found.values())


def _unclear(node: ast.stmt, why: str, names: Names) -> Call:
    return Call(node.lineno, ast.unparse(node), unclear=why, hidden=is_hidden(node, names))


# --- The file itself --------------------------------------------------------------------------------------------------


def _module(body: list[ast.stmt], names: Names) -> Iterator[Call]:
    """What runs when the file is read, and is more than giving names."""
    for node in body:
        try:
            _names_only(node, names)
        except Unclear as error:
            hidden = not isinstance(node, (ast.Assign, ast.AnnAssign)) or is_hidden(node, names)
            yield Call(node.lineno, ast.unparse(node), unclear=f"code runs when the file is read: {error}", hidden=hidden)


def _names_only(node: ast.stmt, names: Names) -> None:
    """Raise Unclear for a statement that does more than give names."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)) or _is_constant(node):
        return
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one)]
    elif isinstance(node, ast.ClassDef):
        parts = [*node.decorator_list, *node.bases, *(one.value for one in node.keywords)]
        for inner in node.body:
            _names_only(inner, names)
    elif isinstance(node, ast.Assign) and not all(isinstance(one, (ast.Name, ast.Tuple)) for one in node.targets):
        raise Unclear("a value is put into something else than a name")
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        parts = [node.value] if node.value else []
    elif isinstance(node, (ast.If, ast.Try)):
        parts = _branches(node, names)
    else:
        raise Unclear(written(node))
    for part in parts:
        described(part, names)


def _branches(node: ast.If | ast.Try, names: Names) -> list[ast.expr]:
    """The conditions of `if TYPE_CHECKING:`, `try: import ...`, whose branches only give names."""
    handlers = node.handlers if isinstance(node, ast.Try) else []
    blocks = [node.body, node.orelse, *(one.body for one in handlers), node.finalbody if isinstance(node, ast.Try) else []]
    for inner in (one for block in blocks for one in block):
        _names_only(inner, names)
    return [node.test] if isinstance(node, ast.If) else []


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# --- upgrade() --------------------------------------------------------------------------------------------------------


def _block(body: list[ast.stmt], names: Names) -> Iterator[Call]:
    for node in body:
        try:
            yield from _statement(node, names)
        except Unclear as error:
            yield _unclear(node, str(error), names)
        except RecursionError:
            yield Call(node.lineno, "...", unclear="it is nested too deeply")


def _statement(node: ast.stmt, names: Names) -> Iterator[Call]:
    if isinstance(node, (ast.Pass, ast.Import, ast.ImportFrom)) or _is_constant(node):
        learn(node, names)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield Call(node.lineno, ast.unparse(node), _sql(node.value, names))
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        yield from _assigned(node, names)
    elif isinstance(node, ast.For):
        yield from _loop(node, names)
    elif isinstance(node, ast.With):
        yield from _with(node, names)
    else:
        learn(node, names)
        raise Unclear(f"a statement of Python decides what runs ({type(node).__name__.lower()})")


def _assigned(node: ast.Assign | ast.AnnAssign, names: Names) -> Iterator[Call]:
    """A name for a value; `table = op.create_table(...)` is an operation as well."""
    call = node.value
    name = origin(call.func, names) if isinstance(call, ast.Call) else ""
    before = dict(names)
    assign(node, names)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if not all(isinstance(one, (ast.Name, ast.Tuple)) for one in targets):
        raise Unclear("a value is put into something else than a name")
    if name == "alembic.op.create_table":
        yield Call(node.lineno, ast.unparse(node), _sql(call, before))
    elif name not in ("alembic.op.get_context", "alembic.op.get_bind") and node.value is not None:
        described(node.value, before)


def _loop(node: ast.For, names: Names) -> Iterator[Call]:
    """A loop over values that the file shows is unrolled."""
    values = value(node.iter, names)
    if not isinstance(values, (list, tuple)) or node.orelse or len(values) >= _MOST:
        raise Unclear("a loop runs over what the file does not show")
    for one in values:
        if isinstance(node.target, ast.Name):
            names[node.target.id] = one
        elif isinstance(node.target, ast.Tuple) and isinstance(one, (list, tuple)) and _fits(node.target, one):
            names |= {target.id: part for target, part in zip(node.target.elts, one) if isinstance(target, ast.Name)}
        else:
            raise Unclear("a loop runs over what the file does not show")
        yield from _block(node.body, names)


def _fits(target: ast.Tuple, found: list | tuple) -> bool:
    return len(found) == len(target.elts) and all(isinstance(one, ast.Name) for one in target.elts)


def _with(node: ast.With, names: Names) -> Iterator[Call]:
    item = node.items[0]
    call = item.context_expr
    name = origin(call.func, names) if isinstance(call, ast.Call) and len(node.items) == 1 else ""
    if name == "alembic.op.get_context().autocommit_block":
        yield Call(node.lineno, "", "COMMIT")
        yield from _block(node.body, names)
        yield Call(node.lineno, "", "BEGIN")
    elif name == "alembic.op.batch_alter_table" and isinstance(item.optional_vars, ast.Name):
        names[item.optional_vars.id] = Batch(revision_operations.batch_table(call, names))
        yield from _block(node.body, names)
        names[item.optional_vars.id] = HIDDEN  # what it does, it does at the end of the block
    else:
        learn(node, names)
        raise Unclear("a block of Python decides what runs (with)")


def _sql(call: ast.Call, names: Names) -> str:
    """The SQL of one operation. Raises Unclear for what is none, or is not understood."""
    name = origin(call.func, names)
    if name in _EXECUTES and len(call.args) == 1 and not call.keywords:
        return revision_operations.sql("execute", call, names)
    if _TYPE.fullmatch(name) and call.args and origin(call.args[0], names) == _BIND:
        return _type(call, names)
    for part in [*call.args, *(one.value for one in call.keywords)]:
        described(part, names)
    if name.startswith(_LOGS):
        return ""
    operation = name.removeprefix("alembic.op.")
    if operation == name or not operation.isidentifier():
        raise Unclear(f"it calls {written(call.func)}(), which is not one of Alembic's operations")
    root = call.func.value if isinstance(call.func, ast.Attribute) else None
    batch = names.get(root.id) if isinstance(root, ast.Name) else None
    return revision_operations.sql(operation, call, names, batch.table if isinstance(batch, Batch) else "")


def _type(call: ast.Call, names: Names) -> str:
    """`sa.Enum(..., name="mood").create(op.get_bind())`: a type, which may be there already."""
    function = call.func
    if function.attr == "create":
        return ""
    described_as = function.value if isinstance(function.value, ast.Call) else None
    given = {one.arg: one.value for one in described_as.keywords} if described_as else {}
    if "name" not in given:
        raise Unclear("it drops a type, and its name is not in the call")
    return f"DROP TYPE {revision_operations.quoted(str(value(given['name'], names)))}"
