# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `upgrade()` of a revision calls, written as SQL, as far as its file shows it.

Values are literals, constants of the file, and texts put together from these. Everything else is a call that cannot be judged.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MARKERS = ("sa", "sqlalchemy", "postgresql")
#: Methods of a text that give one.
_METHODS = ("format", "strip", "lstrip", "rstrip", "lower", "upper", "replace", "join", "split")
_TEXTS = ("text", "literal_column", "quoted_name", "f", "DDL")
#: Names whose use shows that a revision does something else where nothing is executed.
_OFFLINE = ("is_offline_mode", "as_sql")


class Unclear(Exception):
    """A value or a call that the file does not show; the message is a part of a sentence."""


@dataclass(frozen=True)
class Call:
    """One step of `upgrade()`: its SQL, or why it cannot be judged. `hidden` is what no rendering shows."""

    line: int
    source: str
    sql: str = ""
    unclear: str = ""
    hidden: bool = False


Names = dict[str, object]


def constants(tree: ast.Module) -> Names:
    """The names a file gives to plain values. Raises ValueError where revision or its kin is no plain value."""
    names: Names = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and node.value is not None:
            try:
                names[target.id] = value(node.value, names)
            except Unclear as error:
                if target.id in ("revision", "down_revision", "depends_on", "branch_labels"):
                    raise ValueError(f"{target.id} is no plain value") from error
                names.pop(target.id, None)
    return names


def upgrade(tree: ast.Module) -> list[Call]:
    """The steps of `upgrade()`, in order."""
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    function = functions.get("upgrade")
    if function is None:
        return [Call(1, "", unclear="the file has no function upgrade()", hidden=True)] if _does_more(tree) else []
    names = constants(tree)
    found = [Call(node.lineno, ast.unparse(node)[:200], unclear="code runs when the file is read", hidden=True) for node in _outside(tree)]
    return found + list(_block(function.body, names, "op", ""))


def _does_more(tree: ast.Module) -> bool:
    return bool(list(_outside(tree)))


def _outside(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements of the file itself that do more than name something."""
    for node in tree.body:
        plain = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Pass)
        if not isinstance(node, plain) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node


def _block(body: list[ast.stmt], names: Names, owner: str, table: str) -> Iterator[Call]:
    for node in body:
        yield from _statement(node, names, owner, table)


def _statement(node: ast.stmt, names: Names, owner: str, table: str) -> Iterator[Call]:
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return
    try:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield Call(node.lineno, ast.unparse(node), _sql(node.value, names, owner, table))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            _assign(node, names)
        elif isinstance(node, ast.For):
            yield from _loop(node, names, owner, table)
        elif isinstance(node, ast.With):
            yield from _with(node, names, owner, table)
        else:
            raise Unclear(f"a statement of Python decides what runs ({type(node).__name__.lower()})")
    except Unclear as error:
        yield Call(node.lineno, ast.unparse(node)[:200], unclear=str(error), hidden=_is_hidden(node))


def _is_hidden(node: ast.stmt) -> bool:
    """Whether it does what rendering does not show: other code without a database, or work that goes around Alembic's operations."""
    for one in ast.walk(node):
        if isinstance(one, (ast.Attribute, ast.Name)) and (one.attr if isinstance(one, ast.Attribute) else one.id) in _OFFLINE:
            return True
        if isinstance(one, ast.Call):
            root = one.func
            while isinstance(root, (ast.Attribute, ast.Call)):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            if isinstance(root, ast.Name) and root.id in _REACHES_OUT:
                return True
    return False


_REACHES_OUT = (
    "open", "exec", "eval", "subprocess", "os", "requests", "httpx", "urllib", "socket", "Session", "sessionmaker", "create_engine",
    "asyncio", "shutil", "boto3", "redis",
)  # fmt: skip


def _assign(node: ast.Assign | ast.AnnAssign, names: Names) -> None:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name) or node.value is None:
        raise Unclear("a value is put into something else than a name")
    if _touches_database(node.value):
        raise Unclear("it asks the database")
    try:
        names[target.id] = value(node.value, names)
    except Unclear:
        names.pop(target.id, None)  # whoever uses it is not understood
        if not _is_plain_table(node.value):
            raise


def _is_plain_table(node: ast.expr) -> bool:
    """`sa.table(...)`, `sa.Table(...)`: they describe, and do nothing."""
    return isinstance(node, ast.Call) and _name(node.func).rpartition(".")[2] in ("table", "Table", "column", "MetaData", "Enum", "ENUM")


def _touches_database(node: ast.AST) -> bool:
    asks = ("get_bind", "execute", "scalar", "inspect", "get_context")
    return any(isinstance(one, ast.Attribute) and one.attr in asks for one in ast.walk(node))


def _loop(node: ast.For, names: Names, owner: str, table: str) -> Iterator[Call]:
    """A loop over values that the file shows is unrolled."""
    values = value(node.iter, names)
    if not isinstance(values, (list, tuple)) or node.orelse or len(values) > 1000:
        raise Unclear("a loop runs over what the file does not show")
    for one in values:
        inner = dict(names)
        if isinstance(node.target, ast.Name):
            inner[node.target.id] = one
        elif isinstance(node.target, ast.Tuple) and isinstance(one, (list, tuple)) and len(one) == len(node.target.elts):
            inner |= {target.id: part for target, part in zip(node.target.elts, one) if isinstance(target, ast.Name)}
        else:
            raise Unclear("a loop runs over what the file does not show")
        yield from _block(node.body, inner, owner, table)


def _with(node: ast.With, names: Names, owner: str, table: str) -> Iterator[Call]:
    item = node.items[0]
    call = item.context_expr
    kind = _name(call.func) if isinstance(call, ast.Call) else ""
    if kind.endswith("autocommit_block") and len(node.items) == 1:
        yield from _block(node.body, names, owner, table)
    elif kind == f"{owner}.batch_alter_table" and isinstance(item.optional_vars, ast.Name):
        given = _Arguments(call, names)
        yield from _block(node.body, names, item.optional_vars.id, _qualified(given.text("table_name", 0), given.text("schema", None)))
    else:
        raise Unclear("a block of Python decides what runs (with)")


# --- Values -----------------------------------------------------------------------------------------------------------


def value(node: ast.expr, names: Names) -> object:
    """A value that the file shows. Raises Unclear for any other."""
    handler = _VALUES.get(type(node).__name__)
    if handler is None:
        raise Unclear("a value is not in the file")
    return handler(node, names)


def _name_value(node: ast.Name, names: Names) -> object:
    if node.id not in names:
        raise Unclear(f"the value of {node.id} is not in the file")
    return names[node.id]


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
        if isinstance(node.op, ast.Add) and type(left) is type(right) and isinstance(left, (str, list, tuple)):
            return left + right
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return left % right
    except (TypeError, ValueError) as error:
        raise Unclear("a text is put together in a way that fails") from error
    raise Unclear("a value is computed")


def _value_of_call(node: ast.Call, names: Names) -> object:
    """Texts: op.f("name"), sa.text("..."), "...".format(...), textwrap.dedent("...")."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else _name(node.func)
    if name in (*_TEXTS, "dedent") and node.args and not node.keywords:
        return value(node.args[0], names)
    if isinstance(node.func, ast.Attribute) and name in _METHODS:
        owner = value(node.func.value, names)
        if isinstance(owner, str):
            positional = [value(one, names) for one in node.args]
            keywords = {one.arg: value(one.value, names) for one in node.keywords if one.arg}
            try:
                return getattr(owner, name)(*positional, **keywords)
            except (TypeError, ValueError, LookupError) as error:
                raise Unclear("a text is put together in a way that fails") from error
    raise Unclear(f"the result of {_name(node.func) or 'a call'}() is not in the file")


def _sequence(node: ast.List | ast.Tuple | ast.Set, names: Names) -> object:
    found = [value(one, names) for one in node.elts]
    return tuple(found) if isinstance(node, ast.Tuple) else found


def _mapping(node: ast.Dict, names: Names) -> object:
    if any(key is None for key in node.keys):
        raise Unclear("a value is put together")
    return {value(key, names): value(one, names) for key, one in zip(node.keys, node.values) if key is not None}


def _signed(node: ast.UnaryOp, names: Names) -> object:
    inner = value(node.operand, names)
    if isinstance(node.op, ast.USub) and isinstance(inner, (int, float)):
        return -inner
    raise Unclear("a value is computed")


_VALUES: dict[str, Callable] = {
    "Constant": lambda node, _names: node.value, "Name": _name_value, "JoinedStr": _joined, "BinOp": _operation, "Call": _value_of_call,
    "List": _sequence, "Tuple": _sequence, "Set": _sequence, "Dict": _mapping, "UnaryOp": _signed,
}  # fmt: skip


def _name(node: ast.expr) -> str:
    """A dotted name, empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _name(node.value) if not isinstance(node.value, ast.Call) else _name(node.value.func)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


# --- Operations -------------------------------------------------------------------------------------------------------


class _Arguments:
    """What an operation is given, by name or by place."""

    def __init__(self, call: ast.Call, names: Names) -> None:
        if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
            raise Unclear("its arguments are put together")
        self.call, self.names = call, names
        self.keywords = {one.arg: one.value for one in call.keywords}

    def node(self, name: str, place: int | None) -> ast.expr | None:
        if name in self.keywords:
            return self.keywords[name]
        return self.call.args[place] if place is not None and place < len(self.call.args) else None

    def has(self, name: str) -> bool:
        return name in self.keywords

    def get(self, name: str, place: int | None, default: object = None) -> object:
        node = self.node(name, place)
        return default if node is None else value(node, self.names)

    def text(self, name: str, place: int | None) -> str:
        found = self.get(name, place, "")
        if found is not None and not isinstance(found, str):
            raise Unclear(f"{name} is no text")
        return found or ""

    def texts(self, name: str, place: int | None) -> list[str]:
        """Names of columns; an expression among them stands for itself."""
        node = self.node(name, place)
        if not isinstance(node, (ast.List, ast.Tuple)):
            found = self.get(name, place, [])
            return [str(one) for one in found] if isinstance(found, (list, tuple)) else [str(found)]
        return [_column_or_expression(one, self.names) for one in node.elts]


def _column_or_expression(node: ast.expr, names: Names) -> str:
    found = str(value(node, names))
    return f"({found})" if isinstance(node, ast.Call) else quoted(found)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _qualified(table: str, schema: str) -> str:
    if not table:
        raise Unclear("the name of the table is not in the file")
    return f"{quoted(schema)}.{quoted(table)}" if schema else quoted(table)


def _sql(call: ast.Call, names: Names, owner: str, table: str) -> str:
    """The SQL of one operation. Raises Unclear for what is none, or is not understood."""
    name = _name(call.func)
    if name.startswith("print") or name.split(".")[0] in ("logger", "logging", "log"):
        return ""
    head, _dot, operation = name.rpartition(".")
    if head == "op" and owner != "op":
        table = ""
    elif head != owner:
        raise Unclear(f"it calls {name or 'a function'}(), which is not one of Alembic's operations")
    handler = OPERATIONS.get(operation)
    if handler is None:
        raise Unclear(f"op.{operation}() is not known here")
    return handler(_Arguments(call, names), table)


class _Shift:
    """Operations of batch_alter_table do without the table's name: their places are one less."""

    def __init__(self, given: _Arguments, table: str) -> None:
        self.given, self.table, self.shift = given, table, 1 if table else 0

    def node(self, name: str, place: int) -> ast.expr | None:
        return self.given.node(name, place - self.shift)

    def text(self, name: str, place: int) -> str:
        return self.given.text(name, place - self.shift)

    def texts(self, name: str, place: int) -> list[str]:
        return self.given.texts(name, place - self.shift)

    def of_table(self, name: str = "table_name", place: int = 0) -> str:
        return self.table or _qualified(self.given.text(name, place), self.given.text("schema", None))


def _add_column(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    node = shift.node("column", 1)
    return f"ALTER TABLE {shift.of_table()} ADD COLUMN {_column(node, given.names)}"


def _column(node: ast.expr | None, names: Names) -> str:
    """A Column as a definition: what decides is whether a row that does not name it is still good."""
    if not isinstance(node, ast.Call) or _name(node.func).rpartition(".")[2] != "Column":
        raise Unclear("the column is not described in the call")
    given = _Arguments(node, names)
    words = [quoted(given.text("name", 0)), "text"]
    if given.has("server_default") and not _is_none(given.keywords["server_default"]):
        words.append("DEFAULT 'x'")
    words += [part for one in node.args[1:] for part in [_column_part(one, names)] if part]
    words += ["NOT NULL"] if given.get("nullable", None, True) is False else []
    words += ["PRIMARY KEY"] if given.get("primary_key", None, False) else []
    words += ["UNIQUE"] if given.get("unique", None, False) else []
    return " ".join(words)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, False)


def _column_part(node: ast.expr, names: Names) -> str:
    """What else describes a column: constraints. A type says nothing about whether rows are good."""
    kind = _name(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    if kind == "ForeignKey":
        return f"REFERENCES {quoted(str(value(node.args[0], names)).rpartition('.')[0] or 'other')}"
    if kind == "CheckConstraint":
        return f"CHECK ({value(node.args[0], names)})"
    if kind == "Identity":
        return "GENERATED BY DEFAULT AS IDENTITY"
    if kind == "Computed":
        return f"GENERATED ALWAYS AS ({value(node.args[0], names)}) STORED"
    if kind in ("FetchedValue", "DefaultClause"):
        return "DEFAULT 'x'"
    return ""


def _alter_column(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    head = f"ALTER TABLE {shift.of_table()} "
    column = quoted(shift.text("column_name", 1))
    found = []
    if given.has("type_"):
        found.append(f"ALTER COLUMN {column} TYPE text")
    if given.has("nullable"):
        found.append(f"ALTER COLUMN {column} {'DROP' if given.get('nullable', None) else 'SET'} NOT NULL")
    if given.has("server_default"):
        gone = _is_none(given.keywords["server_default"])
        found.append(f"ALTER COLUMN {column} {'DROP DEFAULT' if gone else 'SET DEFAULT 1'}")
    found += [f"RENAME COLUMN {column} TO {quoted(given.text('new_column_name', None))}"] if given.has("new_column_name") else []
    return ";\n".join(head + one for one in found)


def _drop_column(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    return f"ALTER TABLE {shift.of_table()} DROP COLUMN {quoted(shift.text('column_name', 1))}"


def _create_table(given: _Arguments, table: str) -> str:
    maybe = "IF NOT EXISTS " if given.has("if_not_exists") and given.get("if_not_exists", None) else ""
    return f"CREATE TABLE {maybe}{_qualified(given.text('table_name', 0), given.text('schema', None))} ()"


def _drop_table(given: _Arguments, table: str) -> str:
    return f"DROP TABLE {_qualified(given.text('table_name', 0), given.text('schema', None))}"


def _rename_table(given: _Arguments, table: str) -> str:
    old = _qualified(given.text("old_table_name", 0), given.text("schema", None))
    return f"ALTER TABLE {old} RENAME TO {quoted(given.text('new_table_name', 1))}"


def _create_index(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    columns = ", ".join(shift.texts("columns", 2)) or "x"
    unique = "UNIQUE " if given.get("unique", None, False) else ""
    concurrently = "CONCURRENTLY " if given.has("postgresql_concurrently") and given.get("postgresql_concurrently", None) else ""
    return f"CREATE {unique}INDEX {concurrently}{quoted(given.text('index_name', 0) or 'i')} ON {on} ({columns})"


def _drop_index(given: _Arguments, table: str) -> str:
    concurrently = "CONCURRENTLY " if given.has("postgresql_concurrently") and given.get("postgresql_concurrently", None) else ""
    return f"DROP INDEX {concurrently}{_qualified(given.text('index_name', 0), given.text('schema', None))}"


def _unique(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    return f"ALTER TABLE {on} ADD UNIQUE ({', '.join(shift.texts('columns', 2))})"


def _primary(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    return f"ALTER TABLE {on} ADD PRIMARY KEY ({', '.join(shift.texts('columns', 2))})"


def _check(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    return f"ALTER TABLE {on} ADD CHECK ({shift.text('condition', 2)})"


def _foreign(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("source_table", 1), given.text("source_schema", None))
    other = _qualified(shift.text("referent_table", 2), given.text("referent_schema", None))
    return f"ALTER TABLE {on} ADD FOREIGN KEY ({', '.join(shift.texts('local_cols', 3))}) REFERENCES {other}"


def _exclude(given: _Arguments, table: str) -> str:
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    return f"ALTER TABLE {on} ADD EXCLUDE (x WITH =)"


def _drop_constraint(given: _Arguments, table: str) -> str:
    shift = _Shift(given, table)
    on = table or _qualified(given.text("table_name", 1), given.text("schema", None))
    kind = given.text("type_", 2 - shift.shift)
    suffix = {"check": "_check", "unique": "_key", "primary": "_pkey"}.get(kind, "")
    # The kind stands in the call: the judge knows it by the end of the name that PostgreSQL would give.
    return f"ALTER TABLE {on} DROP CONSTRAINT {quoted((given.text('constraint_name', 0) or 'x') + suffix)}"


def _execute(given: _Arguments, table: str) -> str:
    found = given.get("sqltext", 0)
    if not isinstance(found, str):
        raise Unclear("what it executes is not in the file")
    return found


def _bulk_insert(given: _Arguments, table: str) -> str:
    return "INSERT INTO bulk_insert DEFAULT VALUES"


def _nothing(given: _Arguments, table: str) -> str:
    return ""


def _not_read(why: str) -> Callable[[_Arguments, str], str]:
    def refuse(given: _Arguments, table: str) -> str:
        raise Unclear(why)

    return refuse


#: Every operation of Alembic. One that is not here cannot be judged.
OPERATIONS: dict[str, Callable[[_Arguments, str], str]] = {
    "add_column": _add_column, "alter_column": _alter_column, "drop_column": _drop_column, "create_table": _create_table,
    "drop_table": _drop_table, "rename_table": _rename_table, "create_index": _create_index, "drop_index": _drop_index,
    "create_unique_constraint": _unique, "create_primary_key": _primary, "create_check_constraint": _check,
    "create_foreign_key": _foreign, "create_exclude_constraint": _exclude, "drop_constraint": _drop_constraint, "execute": _execute,
    "bulk_insert": _bulk_insert, "create_table_comment": _nothing, "drop_table_comment": _nothing, "f": _nothing,
    "batch_alter_table": _not_read("a block of Python decides what runs (batch_alter_table)"),
    "add_constraint": _not_read("op.add_constraint() is given a constraint that is not read here"),
    "get_bind": _not_read("it asks the database"), "get_context": _not_read("it asks the database"),
    "run_async": _not_read("it runs a function of its own"), "invoke": _not_read("it runs an operation of its own"),
    "inline_literal": _nothing, "implementation_for": _not_read("it changes how operations work"),
    "register_operation": _not_read("it changes how operations work"), "context": _not_read("it changes how operations work"),
}  # fmt: skip
