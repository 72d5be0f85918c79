# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's operations written as SQL: as much of each as decides what it does to a running release."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from ansible_collections.parity.stack.plugins.plugin_utils.migrations.revision_values import (
    Expression,
    Names,
    Unclear,
    origin,
    value,
)

_COLUMN = re.compile(r"(sqlalchemy|sqlmodel)\.([\w.]+\.)?Column")
_KIND = re.compile(r"sqlalchemy\.(?:[\w.]+\.)?([A-Z]\w*)")
#: Expressions that are never NULL, whatever they are given.
_NEVER_NULL = re.compile(
    r"sqlalchemy\.([\w.]+\.)?(func\.(now|current_timestamp|clock_timestamp|gen_random_uuid|uuid_generate_v4)|true|false)"
)
_NEXT = re.compile(r"sqlalchemy\.([\w.]+\.)?Sequence\(\)\.next_value")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def sql(operation: str, call: ast.Call, names: Names, table: str = "") -> str:
    """The SQL of an operation; `table` is the one of the batch it belongs to. Raises Unclear for what is not understood."""
    handler = OPERATIONS.get(operation)
    if handler is None:
        raise Unclear(f"op.{operation}() is not known here")
    return handler(_Given(call, names, table))


def batch_table(call: ast.Call, names: Names) -> str:
    """The table of batch_alter_table(). Raises Unclear where it is made anew instead of altered."""
    given = _Given(call, names, "")
    if given.get("recreate", "auto") not in ("auto", "never"):
        raise Unclear("it makes the table anew and copies its rows (recreate)")
    return given.of("table_name", 0)


class _Given:
    """What an operation is given, by name or by place. In a batch, operations do without the table: their places are one less."""

    def __init__(self, call: ast.Call, names: Names, table: str) -> None:
        if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
            raise Unclear("its arguments are put together")
        self.call, self.names, self.table = call, names, table
        self.keywords = {one.arg: one.value for one in call.keywords}

    def node(self, name: str, place: int | None = None, *, after_table: bool = False) -> ast.expr | None:
        if name in self.keywords:
            return self.keywords[name]
        if place is None:
            return None
        place -= 1 if after_table and self.table else 0
        return self.call.args[place] if place < len(self.call.args) else None

    def get(self, name: str, default: object = None, place: int | None = None) -> object:
        node = self.node(name, place)
        return default if node is None else value(node, self.names)

    def text(self, name: str, place: int | None = None, *, after_table: bool = False) -> str:
        node = self.node(name, place, after_table=after_table)
        found = "" if node is None else value(node, self.names)
        if found is not None and not isinstance(found, str):
            raise Unclear(f"{name} is no text")
        return found or ""

    def columns(self, name: str, place: int, *, after_table: bool = True) -> str:
        """Names of columns; an expression among them stands for itself."""
        node = self.node(name, place, after_table=after_table)
        if isinstance(node, (ast.List, ast.Tuple)):
            found = [value(one, self.names) for one in node.elts]
        else:
            found = [] if node is None else value(node, self.names)
        found = found if isinstance(found, (list, tuple)) else [found]
        return ", ".join(f"({one})" if isinstance(one, Expression) else quoted(str(one)) for one in found)

    def of(self, name: str = "table_name", place: int = 0, schema: str = "schema") -> str:
        """The table it is about, quoted."""
        return self.table or _qualified(self.text(name, place), self.text(schema))


def _qualified(table: str, schema: str) -> str:
    if not table:
        raise Unclear("the name of the table is not in the file")
    return f"{quoted(schema)}.{quoted(table)}" if schema else quoted(table)


# --- Columns ----------------------------------------------------------------------------------------------------------


def _add_column(given: _Given) -> str:
    maybe = "IF NOT EXISTS " if given.get("if_not_exists") else ""
    node = given.node("column", 1, after_table=True)
    head = f"ALTER TABLE {given.of()} ADD COLUMN {maybe}{_column(node, given.names)}"
    index = _index_of_column(node, given) if isinstance(node, ast.Call) else ""
    return head + index


def _column(node: ast.expr | None, names: Names) -> str:
    """A Column as a definition: what decides is whether a row that does not name it is still good."""
    if not isinstance(node, ast.Call) or not _COLUMN.fullmatch(origin(node.func, names)):
        raise Unclear("the column is not described in the call")
    given = _Given(node, names, "")
    parts = [part for one in node.args[1:] for part in [_part(one, names)] if part]
    default = _default(given.keywords.get("server_default"), names)
    required = not given.get("nullable", True) or given.get("primary_key", False)
    words = [quoted(given.text("name", 0)), "text", default, *parts, "NOT NULL" if required else ""]
    words += ["PRIMARY KEY"] if given.get("primary_key", False) else []
    words += ["UNIQUE"] if given.get("unique", False) and not given.get("index", False) else []
    return " ".join(word for word in words if word)


def _index_of_column(node: ast.Call, given: _Given) -> str:
    """`index=True` of a new column makes an index as well."""
    inner = _Given(node, given.names, "")
    if not inner.get("index", False):
        return ""
    unique = "UNIQUE " if inner.get("unique", False) else ""
    return f";\nCREATE {unique}INDEX ON {given.of()} ({quoted(inner.text('name', 0))})"


def _part(node: ast.expr, names: Names) -> str:
    """What else describes a column: constraints. A type says nothing about whether rows are good."""
    match = _KIND.fullmatch(origin(node.func, names)) if isinstance(node, ast.Call) else None
    kind = match[1] if match else ""
    if kind == "ForeignKey":
        return f"REFERENCES {quoted(str(value(node.args[0], names)).rpartition('.')[0] or 'other')}"
    if kind == "CheckConstraint":
        return f"CHECK ({value(node.args[0], names)})"
    if kind in ("Identity", "Computed", "DefaultClause", "FetchedValue"):
        return _default(node, names)
    return ""


def _default(node: ast.expr | None, names: Names) -> str:
    """What fills a column: DEFAULT, GENERATED, or nothing. Raises Unclear where the file does not show what it is."""
    name = origin(node.func, names) if isinstance(node, ast.Call) else ""
    kind = _KIND.fullmatch(name)
    if kind and kind[1] == "Identity":
        return "GENERATED BY DEFAULT AS IDENTITY"
    if kind and kind[1] == "Computed":
        return f"GENERATED ALWAYS AS ({value(node.args[0], names)}) STORED"
    if kind and kind[1] == "DefaultClause":
        return _default(node.args[0], names)
    if kind and kind[1] == "FetchedValue":
        return ""  # it renders nothing: something else has to fill the column
    if _NEVER_NULL.fullmatch(name) or _NEXT.fullmatch(name):
        return "DEFAULT 'x'"
    found = None if node is None else value(node, names)
    if found is None or found is False:
        return ""
    return f"DEFAULT ({found})" if isinstance(found, Expression) else "DEFAULT 'x'"


def _alter_column(given: _Given) -> str:
    head, column = f"ALTER TABLE {given.of()} ", quoted(given.text("column_name", 1, after_table=True))
    found = [f"ALTER COLUMN {column} TYPE text"] if not _is_none(given.node("type_"), given) else []
    nullable = given.get("nullable")
    if nullable is not None:
        found.append(f"ALTER COLUMN {column} {'DROP' if nullable else 'SET'} NOT NULL")
    if "server_default" in given.keywords and not _is_unchanged(given):
        filled = _default(given.keywords["server_default"], given.names)
        found.append(f"ALTER COLUMN {column} {_changed_default(filled)}")
    new = given.text("new_column_name")
    found += [f"RENAME COLUMN {column} TO {quoted(new)}"] if new else []
    return ";\n".join(head + one for one in found)


def _is_none(node: ast.expr | None, given: _Given) -> bool:
    """Whether nothing is given, or None: also for a type, which is no value."""
    if node is None:
        return True
    try:
        return value(node, given.names) is None
    except Unclear:
        return False


def _is_unchanged(given: _Given) -> bool:
    """`server_default=False` is Alembic's word for leaving it as it is."""
    node = given.keywords["server_default"]
    return isinstance(node, ast.Constant) and node.value is False


def _changed_default(filled: str) -> str:
    if filled.startswith("GENERATED ALWAYS"):
        raise Unclear("it makes a column a computed one")
    return f"ADD {filled}" if filled.startswith("GENERATED") else f"SET {filled}" if filled else "DROP DEFAULT"


def _drop_column(given: _Given) -> str:
    return f"ALTER TABLE {given.of()} DROP COLUMN {quoted(given.text('column_name', 1, after_table=True))}"


# --- Tables and indexes -----------------------------------------------------------------------------------------------


def _create_table(given: _Given) -> str:
    maybe = "IF NOT EXISTS " if given.get("if_not_exists") else ""
    if any(name.startswith("postgresql_inherits") or name == "prefixes" for name in given.keywords):
        raise Unclear("the table is of a special kind")
    return f"CREATE TABLE {maybe}{_qualified(given.text('table_name', 0), given.text('schema'))} ()"


def _drop_table(given: _Given) -> str:
    return f"DROP TABLE {_qualified(given.text('table_name', 0), given.text('schema'))}"


def _rename_table(given: _Given) -> str:
    return f"ALTER TABLE {given.of('old_table_name')} RENAME TO {quoted(given.text('new_table_name', 1))}"


def _create_index(given: _Given) -> str:
    columns = given.columns("columns", 2) or "x"
    unique = "UNIQUE " if given.get("unique", False) else ""
    maybe = "IF NOT EXISTS " if given.get("if_not_exists") else ""
    name = quoted(given.text("index_name", 0) or "i")
    return f"CREATE {unique}INDEX {_concurrently(given)}{maybe}{name} ON {given.of(place=1)} ({columns})"


def _drop_index(given: _Given) -> str:
    return f"DROP INDEX {_concurrently(given)}{_qualified(given.text('index_name', 0), given.text('schema'))}"


def _concurrently(given: _Given) -> str:
    return "CONCURRENTLY " if given.get("postgresql_concurrently") else ""


# --- Constraints ------------------------------------------------------------------------------------------------------


def _unique(given: _Given) -> str:
    return f"ALTER TABLE {given.of(place=1)} ADD UNIQUE ({given.columns('columns', 2)})"


def _primary(given: _Given) -> str:
    return f"ALTER TABLE {given.of(place=1)} ADD PRIMARY KEY ({given.columns('columns', 2)})"


def _check(given: _Given) -> str:
    return f"ALTER TABLE {given.of(place=1)} ADD CHECK ({given.text('condition', 2, after_table=True)})"


def _foreign(given: _Given) -> str:
    on = given.of("source_table", 1, "source_schema")
    other = _qualified(given.text("referent_table", 2, after_table=True), given.text("referent_schema"))
    return f"ALTER TABLE {on} ADD FOREIGN KEY ({given.columns('local_cols', 3)}) REFERENCES {other}"


def _exclude(given: _Given) -> str:
    return f"ALTER TABLE {given.of(place=1)} ADD EXCLUDE (x WITH =)"


def _drop_constraint(given: _Given) -> str:
    kind = given.text("type_", 2, after_table=True)
    suffix = {"check": "_check", "unique": "_key", "primary": "_pkey"}.get(kind, "")
    # The kind stands in the call: the judge knows it by the end of the name that PostgreSQL would give.
    return f"ALTER TABLE {given.of(place=1)} DROP CONSTRAINT {quoted((given.text('constraint_name', 0) or 'x') + suffix)}"


# --- Others -----------------------------------------------------------------------------------------------------------


def _execute(given: _Given) -> str:
    found = given.get("sqltext", None, 0)
    if not isinstance(found, str):
        raise Unclear("what it executes is not in the file")
    return found


def _bulk_insert(given: _Given) -> str:
    return "INSERT INTO bulk_insert DEFAULT VALUES"


def _nothing(given: _Given) -> str:
    return ""


def _not_read(why: str) -> Callable[[_Given], str]:
    def refuse(given: _Given) -> str:
        raise Unclear(why)

    return refuse


#: Every operation of Alembic. One that is not here cannot be judged.
OPERATIONS: dict[str, Callable[[_Given], str]] = {
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
