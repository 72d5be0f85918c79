# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each action of ALTER TABLE does to the release that runs."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import nulls, tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.effect import NOTHING, Effect, takes, together, unknown
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.locks import (
    ACCESS_EXCLUSIVE,
    SHARE_ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.scene import CHECK, FOREIGN, UNIQUE, Scene, constraint_kind
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import Name, ast

_ADD_NEW = "Add a new one, write both from the new release, and remove the old one in a later release."
_DEFAULT_OR_NULL = "Give it a default, or let it be NULL, and forbid NULL in a later release."
_LATER = "Add it in a later release, once no release runs that may break it."

#: Types that give a new column its value in rows that are there already.
_SERIAL = frozenset(("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"))

_WEAK = frozenset((
    "AT_ValidateConstraint", "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_ClusterOn", "AT_DropCluster",
    "AT_DetachPartitionFinalize", "AT_AttachPartition",
))  # fmt: skip
_TRIGGERS = frozenset((
    "AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig", "AT_EnableTrigAll", "AT_DisableTrigAll",
    "AT_EnableTrigUser", "AT_DisableTrigUser",
))  # fmt: skip
_WEAK_OPTIONS = ("fillfactor", "autovacuum_", "toast.", "toast_", "parallel_workers", "vacuum_", "log_autovacuum")

#: Actions that keep a reader and a writer of the running release from nothing.
_HARMLESS = frozenset((
    "AT_DropNotNull", "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_SetStorage", "AT_SetCompression",
    "AT_ValidateConstraint", "AT_ClusterOn", "AT_DropCluster", "AT_SetLogged", "AT_SetRelOptions", "AT_ResetRelOptions",
    "AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableTrigAll", "AT_EnableTrigUser", "AT_DropOids", "AT_SetTableSpace",
    "AT_SetAccessMethod", "AT_DisableRowSecurity", "AT_NoForceRowSecurity", "AT_DetachPartitionFinalize", "AT_AttachPartition",
    "AT_AddInherit", "AT_AddOf", "AT_DropOf", "AT_AlterColumnGenericOptions", "AT_GenericOptions",
))  # fmt: skip
#: Actions that take something away, with the reason and what to do instead.
_TAKES = {
    "AT_SetUnLogged": ("it makes {table} unlogged: a crash of the server empties it", ""),
    "AT_DropInherit": ("it takes {table} out of its parent, where the running release may look for its rows", ""),
    "AT_DetachPartition": ("it detaches a partition from {table}", "Detach it in a later release."),
    "AT_ForceRowSecurity": ("it forces row level security on the owner of {table}", "Do this once no release runs that needs those rows."),
    "AT_DropExpression": ("it drops the expression of column {column} of {table}, which the running release does not write", _ADD_NEW),
    "AT_DropIdentity": ("it drops the identity of column {column} of {table}, which the running release's INSERT relies on", _ADD_NEW),
    "AT_DisableTrig": ("it disables a trigger of {table}", ""),
    "AT_DisableTrigAll": ("it disables the triggers of {table}", ""),
    "AT_DisableTrigUser": ("it disables the triggers of {table}", ""),
    "AT_EnableReplicaTrig": ("it disables a trigger of {table} but for replication", ""),
    "AT_AlterColumnType": ("it changes the type of column {column} of {table}", _ADD_NEW),
    "AT_EnableRule": ("it enables a rule of {table}, which rewrites the running release's statements", ""),
    "AT_EnableAlwaysRule": ("it enables a rule of {table}, which rewrites the running release's statements", ""),
    "AT_EnableReplicaRule": ("it disables a rule of {table} but for replication", ""),
    "AT_DisableRule": ("it disables a rule of {table}", ""),
}
#: Actions whose effect the text does not show.
_UNKNOWN = {
    "AT_AlterConstraint": "it alters a constraint of {table}",
    "AT_ChangeOwner": "it gives {table} to another owner, and who owned it may lose its rights",
    "AT_SetExpression": "it gives column {column} of {table} another expression",
    "AT_ReplicaIdentity": "it changes the replica identity of {table}",
}


def judge(command: object, table: Name, kind: str, scene: Scene) -> Effect:
    """The effect of one action (AlterTableCmd) on a table, view, index or sequence."""
    action = command.subtype.name
    if scene.own_table(table):
        _remember(command, table, scene)
        return NOTHING
    effect = _judge(action, command, table, scene)
    _remember(command, table, scene)
    concurrently = action == "AT_DetachPartition" and bool(getattr(command.def_, "concurrent", False))
    lock = SHARE_UPDATE_EXCLUSIVE if concurrently else _lock(action, command, kind)
    return Effect(effect.verdict, effect.reason, effect.remedy, lock, tree.shown(table), not concurrently)


def _judge(action: str, command: object, table: Name, scene: Scene) -> Effect:
    if action in _HARMLESS:
        return NOTHING
    handler = _HANDLERS.get(action)
    if handler:
        return handler(command, table, scene)
    words = {"table": tree.shown(table), "column": tree.shown((command.name or "",))}
    if action in _TAKES:
        reason, remedy = _TAKES[action]
        own = scene.own_column(table, command.name or "") if "{column}" in reason else False
        return NOTHING if own else takes(reason.format(**words), remedy)
    return unknown(_UNKNOWN.get(action, "it does {action} to {table}, which is not known here").format(action=action, **words))


def _remember(command: object, table: Name, scene: Scene) -> None:
    """What later statements of the file need to know of this one."""
    action = command.subtype.name
    if action == "AT_AddColumn" and not scene.nested and not command.missing_ok:
        scene.filled[(table, command.def_.colname)] = _filled(command.def_)
    elif action == "AT_ColumnDefault" and (table, command.name) in scene.filled:
        scene.filled[(table, command.name)] = not _is_null(command.def_)
    elif action == "AT_AddConstraint" and command.def_.conname:
        scene.make(("constraint", (table, command.def_.conname)), certain=not scene.nested)


def _lock(action: str, command: object, kind: str) -> str:
    if action in _WEAK or (action in ("AT_SetRelOptions", "AT_ResetRelOptions") and _weak_options(command)):
        return SHARE_UPDATE_EXCLUSIVE
    foreign = action == "AT_AddConstraint" and constraint_kind(command.def_) == FOREIGN
    if action in _TRIGGERS or foreign or kind == "OBJECT_SEQUENCE":
        return SHARE_ROW_EXCLUSIVE
    return ACCESS_EXCLUSIVE


def _weak_options(command: object) -> bool:
    names = [f"{one.defnamespace}." * bool(one.defnamespace) + one.defname for one in command.def_ or ()]
    return bool(names) and all(name.startswith(_WEAK_OPTIONS) for name in names)


def _drop_column(command: object, table: Name, scene: Scene) -> Effect:
    if scene.own_column(table, command.name):
        scene.filled.pop((table, command.name), None)
        return NOTHING
    return takes(
        f"it drops column {tree.shown((command.name,))} of {tree.shown(table)}",
        "Drop it in a later release, once no release runs that reads or writes it.",
    )


def _default(command: object, table: Name, scene: Scene) -> Effect:
    if command.def_ is not None or scene.own_column(table, command.name):
        return NOTHING
    column = tree.shown((command.name,))
    return takes(f"it drops the default of column {column} of {tree.shown(table)}, on which the running release may rely")


def _not_null(command: object, table: Name, scene: Scene) -> Effect:
    if scene.filled.get((table, command.name)):
        return NOTHING
    column = tree.shown((command.name,))
    return takes(
        f"it forbids NULL in column {column} of {tree.shown(table)}, which the running release may still write",
        "Forbid it in a later release, once no release runs that leaves it out.",
    )


def _add_identity(command: object, table: Name, scene: Scene) -> Effect:
    if command.def_.generated_when != "a" or scene.own_column(table, command.name):
        return NOTHING
    column = tree.shown((command.name,))
    return takes(
        f"it makes column {column} of {tree.shown(table)} GENERATED ALWAYS, so that an INSERT which gives it a value fails",
        "Write GENERATED BY DEFAULT AS IDENTITY.",
    )


def _set_identity(command: object, table: Name, scene: Scene) -> Effect:
    always = any(one.defname == "generated" and getattr(one.arg, "ival", None) == ord("a") for one in command.def_ or ())
    if not always or scene.own_column(table, command.name):
        return NOTHING
    column = tree.shown((command.name,))
    return takes(f"it makes column {column} of {tree.shown(table)} GENERATED ALWAYS, so that an INSERT which gives it a value fails")


def _row_security(command: object, table: Name, scene: Scene) -> Effect:
    if table in scene.open_tables:
        return NOTHING
    return takes(
        f"it enables row level security on {tree.shown(table)}: without a policy for them, roles other than the owner see no row",
        "In the same file, create a policy that lets the running release read and write every row (USING (true)).",
    )


def _drop_constraint(command: object, table: Name, scene: Scene) -> Effect:
    name = command.name
    if scene.has("constraint", (table, name)):
        return NOTHING
    known = scene.known.constraints.get((table, name))
    kind = constraint_kind(known) if known is not None else ""
    shown = f"constraint {tree.shown((name,))} of {tree.shown(table)}"
    if kind == CHECK:
        return NOTHING
    if kind == UNIQUE:
        return takes(f"it drops the unique {shown}, on which an INSERT with ON CONFLICT may rely", "Drop it in a later release.")
    if kind == FOREIGN and known.fk_del_action in (None, "a", "r"):
        return NOTHING
    if kind == FOREIGN:
        return takes(f"it drops {shown}, which deletes or changes rows for the running release", "Drop it in a later release.")
    return unknown(
        f"it drops {shown}, and no file of the directory shows what it is: ON CONFLICT may rely on a unique one",
        "Where it is a CHECK, keep the migration that made it in the directory; else drop it in a later release.",
    )


def _add_constraint(command: object, table: Name, scene: Scene) -> Effect:
    return _constraint(command.def_, table, "", scene)


def _constraint(constraint: object, table: Name, column: str, scene: Scene) -> Effect:
    """A constraint of an existing table, on columns that the running release writes or on new ones."""
    kind, shown = constraint_kind(constraint), tree.shown(table)
    if constraint.indexname:
        return NOTHING  # its index is unique already
    columns = _columns(constraint, column)
    new = bool(columns) and all((table, one) in scene.filled for one in columns)
    filled = any(scene.filled.get((table, one)) for one in columns)
    if kind == UNIQUE and not (new and not filled and constraint.contype.name != "CONSTR_PRIMARY"):
        return takes(f"it demands unique rows in {shown}, where the running release may still write others", _LATER)
    if kind == CHECK and not (new and (filled or not any(nulls.may_refuse(constraint.raw_expr, one) for one in columns))):
        return _check(constraint, table, scene)
    if kind == FOREIGN and not new:
        return unknown(f"it adds a foreign key to {shown}, and the text does not show whether the running release keeps to it", _LATER)
    if constraint.contype.name == "CONSTR_NOTNULL" and not filled:
        return takes(f"it forbids NULL in a column of {shown}, which the running release may still write", _LATER)
    return NOTHING


def _check(constraint: object, table: Name, scene: Scene) -> Effect:
    """A check on what the running release writes: harmless where it allows all that the one of the same name has allowed."""
    before = scene.known.constraints.get((table, constraint.conname or ""))
    if before is not None and constraint_kind(before) == CHECK and _wider(before.raw_expr, constraint.raw_expr):
        return NOTHING
    return unknown(
        f"it adds a check to {tree.shown(table)}, and the text does not show whether what the running release writes passes it", _LATER
    )


def _wider(before: object, after: object) -> bool:
    """Whether a check that lists values lists at least those of the check before."""
    old, new = _listed(before), _listed(after)
    return bool(old and new) and old[0] == new[0] and old[1] <= new[1]


def _listed(check: object) -> tuple[str, frozenset[str]] | None:
    """The column of `column IN (...)` with its values as text."""
    if isinstance(check, ast.A_Expr) and check.kind.name == "AEXPR_IN" and check.name[0].sval == "=":
        values = check.rexpr
    elif isinstance(check, ast.A_Expr) and check.kind.name == "AEXPR_OP_ANY" and isinstance(check.rexpr, ast.A_ArrayExpr):
        values = check.rexpr.elements
    else:
        return None
    return tree.text(check.lexpr), frozenset(tree.text(one) for one in values)


def _columns(constraint: object, column: str) -> list[str]:
    if constraint.contype.name == "CONSTR_CHECK":
        names = [tree.strings(one.fields) for one in tree.walk(constraint.raw_expr) if isinstance(one, ast.ColumnRef)]
        return sorted({name[-1] for name in names if name} | ({column} if column else set()))
    keys = [one.sval for one in constraint.keys or constraint.fk_attrs or ()]
    return keys or ([column] if column else [])


def _add_column(command: object, table: Name, scene: Scene) -> Effect:
    definition = command.def_
    column, shown = definition.colname, tree.shown(table)
    constraints = definition.constraints or ()
    kinds = {one.contype.name for one in constraints}
    filled = _filled(definition)
    effects = []
    if {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} & kinds and not filled:
        effects.append(takes(f"it adds column {tree.shown((column,))} to {shown} as NOT NULL without a default", _DEFAULT_OR_NULL))
    if {"CONSTR_UNIQUE", "CONSTR_PRIMARY"} & kinds and filled and not _fresh_values(definition):
        effects.append(takes(f"it adds unique column {tree.shown((column,))} to {shown} with one default for all rows", _DEFAULT_OR_NULL))
    for check in (one for one in constraints if one.contype.name == "CONSTR_CHECK"):
        others = set(_columns(check, column)) - {column}
        if (not filled and nulls.may_refuse(check.raw_expr, column)) or (filled and others):
            effects.append(_check(check, table, scene))
    return together(effects) if effects else NOTHING


def _filled(definition: object) -> bool:
    """Whether a new column gets a value in rows whose writer does not know it."""
    constraints = definition.constraints or ()
    if any(one.contype.name in ("CONSTR_IDENTITY", "CONSTR_GENERATED") for one in constraints):
        return True
    defaults = [one.raw_expr for one in constraints if one.contype.name == "CONSTR_DEFAULT"]
    return _serial(definition) or any(not _is_null(one) for one in defaults)


def _serial(definition: object) -> bool:
    name = tree.strings(definition.typeName.names) if definition.typeName else ()
    return len(name) == 1 and name[0] in _SERIAL and not definition.typeName.arrayBounds


def _fresh_values(definition: object) -> bool:
    """Whether each row gets a value of its own."""
    constraints = definition.constraints or ()
    if _serial(definition) or any(one.contype.name == "CONSTR_IDENTITY" for one in constraints):
        return True
    calls = [one for constraint in constraints for one in tree.walk(constraint.raw_expr) if isinstance(one, ast.FuncCall)]
    own = {("gen_random_uuid",), ("uuid_generate_v4",), ("nextval",), ("uuidv4",), ("uuidv7",), ("uuid_generate_v1",)}
    return any(tree.function_call(one)[-1:] in own for one in calls)


def _is_null(expression: object) -> bool:
    while isinstance(expression, ast.TypeCast):
        expression = expression.arg
    return expression is None or (isinstance(expression, ast.A_Const) and bool(expression.isnull))


_HANDLERS: dict[str, Callable[[object, Name, Scene], Effect]] = {
    "AT_AddColumn": _add_column, "AT_DropColumn": _drop_column, "AT_ColumnDefault": _default, "AT_SetNotNull": _not_null,
    "AT_AddConstraint": _add_constraint, "AT_DropConstraint": _drop_constraint, "AT_AddIdentity": _add_identity,
    "AT_SetIdentity": _set_identity, "AT_EnableRowSecurity": _row_security,
}  # fmt: skip
