# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text itself creates, replaces and drops, in its own order: what it has made is nobody else's yet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAIN = re.compile(r"^[a-z_][a-z0-9_$]*$")
_GENERATORS = ("gen_random_uuid", "uuid_generate_v1", "uuid_generate_v4", "uuidv4", "uuidv7", "nextval")
SERIAL = ("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8")


@dataclass(frozen=True)
class Step:
    """One node that is executed, in order.

    `path` names the branches it stands in: () is executed always. `scope` counts the changes of search_path before it.
    """

    node: object
    position: int
    path: tuple[int, ...] = ()
    scope: int = 0
    text: str = ""


@dataclass(frozen=True)
class Event:
    """`action` is "create" (did not exist before), "replace" (may have existed) or "drop"."""

    action: str
    step: Step
    node: object


@dataclass
class Catalogue:
    """Everything the text does to named objects, by kind and name."""

    events: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    transactional: bool = True

    def note(self, kind: str, name: str, action: str, step: Step, node: object = None) -> None:
        self.events.setdefault((kind, name), []).append(Event(action, step, node))

    def made(self, kind: str, name: str, step: Step) -> bool:
        """Whether the text has created this before `step`, whatever branch was taken, and nobody had it before."""
        bare = name.split("@")[0]
        if kind == "relation" and "." not in bare and ("relation", f"pg_temp.{bare}") in self.events:
            return self.made(kind, f"pg_temp.{bare}", step)  # a temporary table hides others of its name
        found = self.events.get((kind, name), [])
        first = found[0] if found else None
        if first is None or first.action != "create":
            return False
        # ALTER TABLE adds its columns before it does the rest, wherever they stand in it.
        return _always_before(first.step, step) or (kind == "column" and first.step == step)

    def column(self, table: str, name: str, step: Step):
        """Definition of a column that the text has added to an older table, None where it is older."""
        key = f"{table}.{quoted(name)}"
        return self.events[("column", key)][0].node if self.made("column", key, step) else None

    def before(self, kind: str, name: str, step: Step) -> list[Event]:
        return [event for event in self.events.get((kind, name), []) if event.step.position < step.position]

    def comes_back(self, kind: str, name: str, step: Step) -> Event | None:
        """The event that creates it again after `step`, wherever `step` was executed."""
        if not self.transactional:
            return None  # in between, others see the gap
        later = [
            event
            for event in self.events.get((kind, name), [])
            if event.action != "drop" and _always_after(step, event.step)
        ]
        return later[-1] if later else None

    def always(self, kind: str, name: str, step: Step) -> list[Event]:
        """The events of an object that happen whenever `step` does, before it or after it."""
        found = self.events.get((kind, name), [])
        return [
            e
            for e in found
            if _prefix(e.step.path, step.path) and (self.transactional or e.step.position < step.position)
        ]


def _prefix(one: tuple, two: tuple) -> bool:
    return two[: len(one)] == one


def _always_before(one: Step, two: Step) -> bool:
    return one.position < two.position and _prefix(one.path, two.path)


def _always_after(one: Step, two: Step) -> bool:
    return two.position > one.position and _prefix(two.path, one.path)


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return name if _PLAIN.match(name) else '"' + name.replace('"', '""') + '"'


def strings(nodes) -> list[str]:
    """The parts of a qualified name."""
    return [node.sval for node in nodes or () if hasattr(node, "sval")]


def dotted(parts: list[str], scope: int = 0) -> str:
    """A qualified name, without the schema public unless search_path was changed."""
    parts = parts[1:] if len(parts) > 1 and parts[0] == "public" and not scope else parts
    name = ".".join(quoted(part) for part in parts)
    return f"{name}@{scope}" if scope and len(parts) == 1 else name


def relation(var, scope: int = 0) -> str:
    """Name of a RangeVar; "" for none. A temporary table is one of its own."""
    if var is None:
        return ""
    if var.relpersistence == "t":
        return "pg_temp." + quoted(var.relname)
    return dotted([part for part in (var.schemaname, var.relname) if part], scope)


def shown(name: str) -> str:
    """A name for people."""
    return name.split("@")[0]


def type_name(node) -> str:
    """A type for comparison: `int4`, `text[]`, `s.mood`."""
    if node is None:
        return ""
    parts = [part for part in strings(node.names) if part != "pg_catalog"]
    return ("setof " if node.setof else "") + dotted(parts) + "[]" * len(node.arrayBounds or ())


def arguments(parameters) -> str:
    """Types of the arguments that tell functions of one name apart."""
    kinds = [(getattr(p.mode, "value", p.mode), p) for p in parameters or ()]
    return ", ".join(type_name(p.argType) for mode, p in kinds if mode in ("d", "i", "b", "v"))


def signature(node) -> tuple[str, str]:
    """Name, and name with argument types, of what ObjectWithArgs or CreateFunctionStmt names."""
    if hasattr(node, "funcname"):
        name = dotted(strings(node.funcname))
        return name, f"{name}({arguments(node.parameters)})"
    name = dotted(strings(node.objname))
    if node.args_unspecified:
        return name, name
    if getattr(node, "objfuncargs", None):
        return name, f"{name}({arguments(node.objfuncargs)})"
    return name, f"{name}({', '.join(type_name(arg) for arg in node.objargs or ())})"


def constraints(column, kind: str) -> list:
    return [one for one in column.constraints or () if one.contype.name == kind]


def default_of(column):
    """Expression of a column's DEFAULT, None where it has none or says NULL."""
    found = constraints(column, "CONSTR_DEFAULT")
    expression = found[0].raw_expr if found else None
    return None if is_null(expression) else expression


def is_null(expression) -> bool:
    while type(expression).__name__ == "TypeCast":
        expression = expression.arg
    return type(expression).__name__ == "A_Const" and bool(expression.isnull)


def is_serial(column) -> bool:
    return (
        column.typeName is not None
        and strings(column.typeName.names)[-1:] != []
        and type_name(column.typeName) in SERIAL
    )


def fills_itself(column) -> bool:
    """Whether rows that name no value for the column get one: by DEFAULT, IDENTITY, or a serial type."""
    return default_of(column) is not None or is_serial(column) or bool(constraints(column, "CONSTR_IDENTITY"))


def is_required(column) -> bool:
    kinds = {one.contype.name for one in column.constraints or ()}
    return bool(kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"}) or bool(column.is_not_null)


def differs_in_each_row(column) -> bool:
    """Whether rows of a writer who does not know the column get NULL, or a value that nobody else has."""
    if is_serial(column) or constraints(column, "CONSTR_IDENTITY"):
        return True
    if constraints(column, "CONSTR_GENERATED"):
        return False
    default = default_of(column)
    if default is None:
        return not is_required(column)
    return type(default).__name__ == "FuncCall" and strings(default.funcname)[-1] in _GENERATORS
