# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known while one file is judged: what it has made itself, what comes back in it, and what earlier files have made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import Name, ast

#: A thing in the database: its kind ("relation", "function", "policy", ...) and what names it within the kind.
Thing = tuple[str, object]

CHECK, UNIQUE, FOREIGN, OTHER = "check", "unique", "foreign key", "other"
_CONSTRAINTS = {
    "CONSTR_CHECK": CHECK, "CONSTR_PRIMARY": UNIQUE, "CONSTR_UNIQUE": UNIQUE, "CONSTR_EXCLUSION": UNIQUE, "CONSTR_FOREIGN": FOREIGN,
}  # fmt: skip
_SUFFIX = {
    "CONSTR_CHECK": "check", "CONSTR_PRIMARY": "pkey", "CONSTR_UNIQUE": "key", "CONSTR_EXCLUSION": "excl", "CONSTR_FOREIGN": "fkey",
}  # fmt: skip


@dataclass
class Known:
    """What earlier files of the directory have made: constraints by table and name, columns of views, results of functions."""

    constraints: dict[tuple[Name, str], object] = field(default_factory=dict)
    views: dict[Name, tuple[str, ...] | None] = field(default_factory=dict)
    functions: dict[tuple[Name, tuple[str, ...]], str] = field(default_factory=dict)

    def learn(self, statement: object) -> None:
        """Remember what a statement makes, constraints by the names PostgreSQL gives them."""
        for table, constraint, column in made_constraints(statement):
            self.constraints[(table, constraint_name(table, constraint, column))] = constraint
        if isinstance(statement, ast.ViewStmt):
            self.views[tree.relation(statement.view)] = view_columns(statement)
        elif isinstance(statement, ast.CreateFunctionStmt):
            self.functions[function_key(statement)] = function_result(statement)


@dataclass
class Scene:
    """The state of one file, statement after statement.

    `path` is the search_path the file has set: what is named without a schema is then something else than before.
    """

    known: Known
    made: set[Thing] = field(default_factory=set)
    filled: dict[tuple[Name, str], bool] = field(default_factory=dict)
    finally_there: set[Thing] = field(default_factory=set)
    open_tables: set[Name] = field(default_factory=set)
    views_after: dict[Name, tuple[str, ...] | None] = field(default_factory=dict)
    functions_after: dict[tuple[Name, tuple[str, ...]], str] = field(default_factory=dict)
    functions: dict[Name, object] = field(default_factory=dict)
    calling: list[Name] = field(default_factory=list)
    nested: bool = False

    def make(self, thing: Thing, *, certain: bool) -> None:
        """`certain` is false where it may have been there before (IF NOT EXISTS, a branch)."""
        if certain:
            self.made.add(thing)

    def has(self, kind: str, key: object) -> bool:
        return (kind, key) in self.made

    def own_table(self, name: Name) -> bool:
        return self.has("relation", name)

    def own_column(self, table: Name, column: str) -> bool:
        return self.own_table(table) or (table, column) in self.filled

    def comes_back(self, thing: Thing) -> bool:
        """Whether the file leaves behind what it drops, so that others see it at every moment."""
        return thing in self.finally_there


def outcome(steps: list[object]) -> set[Thing]:
    """What the file creates and does not drop again later, of the kinds that are replaced by a drop and a create."""
    there: set[Thing] = set()
    for node in steps:
        there -= set(dropped(node))
        there |= set(created(node))
    return there


def created(node: object) -> Iterator[Thing]:
    """What a statement makes, of the kinds that may go and come back in one transaction."""
    if isinstance(node, ast.CreatePolicyStmt):
        yield ("policy", (tree.relation(node.table), node.policy_name))
    elif isinstance(node, ast.CreateTrigStmt):
        yield ("trigger", (tree.relation(node.relation), node.trigname))
    elif isinstance(node, ast.RuleStmt):
        yield ("rule", (tree.relation(node.relation), node.rulename))
    elif isinstance(node, ast.IndexStmt) and node.idxname:
        yield ("index", node.idxname)


def view_columns(view: object) -> tuple[str, ...] | None:
    """The names of a view's columns; None where the text does not show them (`*`, an expression without a name)."""
    if view.aliases:
        return tuple(one.sval for one in view.aliases)
    query = view.query
    while getattr(query, "larg", None) is not None:
        query = query.larg
    names = [target.name or _column_name(target.val) for target in getattr(query, "targetList", None) or ()]
    return tuple(names) if names and all(names) else None


def _column_name(expression: object) -> str:
    while isinstance(expression, ast.TypeCast):
        expression = expression.arg
    if isinstance(expression, ast.ColumnRef) and isinstance(expression.fields[-1], ast.String):
        return expression.fields[-1].sval
    return tree.function_call(expression)[-1] if isinstance(expression, ast.FuncCall) else ""


def argument_types(arguments: Iterable[object] | None) -> tuple[str, ...]:
    return tuple(tree.type_name(one) for one in arguments or ())


def function_key(function: object) -> tuple[Name, tuple[str, ...]]:
    """What PostgreSQL tells functions apart by: the name and the types of what goes in."""
    inputs = [one.argType for one in function.parameters or () if one.mode.name not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")]
    return tree.strings(function.funcname), argument_types(inputs)


def function_result(function: object) -> str:
    """What a caller sees of a function: names of its parameters, which of them have defaults, and its result."""
    parameters = [(one.name, one.mode.name, tree.type_name(one.argType), one.defexpr is not None) for one in function.parameters or ()]
    result = function.returnType
    return repr((parameters, result and (tree.type_name(result), bool(result.setof)), bool(function.is_procedure)))


def dropped(node: object) -> Iterator[Thing]:
    """The same for what a statement drops."""
    if isinstance(node, ast.DropStmt):
        yield from (thing for thing in (replaceable(node.removeType.name, item) for item in node.objects) if thing)


def replaceable(kind: str, item: object) -> Thing | None:
    """What one item of DROP names, where its kind may go and come back."""
    short = {"OBJECT_POLICY": "policy", "OBJECT_TRIGGER": "trigger", "OBJECT_RULE": "rule", "OBJECT_INDEX": "index"}.get(kind)
    if short is None:
        return None
    parts = tree.strings(item)
    return (short, parts[-1]) if short == "index" else (short, (parts[:-1], parts[-1]))


def left_behind(nodes: list[object]) -> Known:
    """The views and functions that a file makes and does not drop again after that."""
    after = Known()
    for node in nodes:
        if isinstance(node, ast.DropStmt):
            for item in node.objects:
                if isinstance(item, ast.ObjectWithArgs):
                    after.functions.pop((tree.strings(item.objname), argument_types(item.objargs)), None)
                elif isinstance(item, (list, tuple)):
                    after.views.pop(tree.strings(item), None)
        after.learn(node)
    return after


def open_policies(nodes: list[object]) -> Iterator[Name]:
    """Tables that get a policy which lets everybody read and write every row."""
    for node in nodes:
        if isinstance(node, ast.CreatePolicyStmt) and node.permissive and node.cmd_name == "all" and _everybody(node):
            yield tree.relation(node.table)


def _everybody(policy: object) -> bool:
    everyone = all(role.roletype.name == "ROLESPEC_PUBLIC" for role in policy.roles or ())
    return everyone and _true(policy.qual) and (policy.with_check is None or _true(policy.with_check))


def _true(expression: object) -> bool:
    return isinstance(expression, ast.A_Const) and getattr(expression.val, "boolval", None) is True


def made_constraints(statement: object) -> Iterator[tuple[Name, object, str]]:
    """Table, constraint and column (empty where it is the table's) of every constraint a statement makes."""
    if isinstance(statement, ast.CreateStmt):
        table, elements = tree.relation(statement.relation), statement.tableElts or ()
    elif isinstance(statement, ast.AlterTableStmt):
        table, elements = tree.relation(statement.relation), [command.def_ for command in statement.cmds if command.def_ is not None]
    else:
        return
    for element in elements:
        if isinstance(element, ast.Constraint):
            yield table, element, ""
        elif isinstance(element, ast.ColumnDef):
            yield from ((table, one, element.colname) for one in element.constraints or () if one.contype.name in _SUFFIX)


def constraint_kind(constraint: object) -> str:
    return _CONSTRAINTS.get(constraint.contype.name, OTHER)


def constraint_name(table: Name, constraint: object, column: str) -> str:
    """The name PostgreSQL gives a constraint that has none of its own (where the first one is free)."""
    if constraint.conname:
        return constraint.conname
    if constraint.contype.name == "CONSTR_PRIMARY":
        return f"{table[-1]}_pkey"
    keys = [one.sval for one in (constraint.keys or constraint.fk_attrs or ())] or ([column] if column else [])
    if constraint.contype.name == "CONSTR_CHECK" and not column:
        columns = {str(tree.strings(one.fields)[-1]) for one in tree.walk(constraint.raw_expr) if isinstance(one, ast.ColumnRef)}
        keys = list(columns) if len(columns) == 1 else []
    return "_".join([table[-1], *keys, _SUFFIX.get(constraint.contype.name, "")])
