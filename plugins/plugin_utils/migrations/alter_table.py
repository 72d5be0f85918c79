# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ALTER TABLE and its relatives: an explicit answer for each action of PostgreSQL's grammar."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import catalogue, expressions, model, policies
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import Catalogue, Step, quoted, relation, shown, strings
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import DESTRUCTIVE, UNKNOWN, Effect, worst
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.queries import calls

_LATER = (
    "Remove it in a later release, when the running one has no use for it, and mark the file `-- parity: destructive`."
)
_SAFE_OPTIONS = re.compile(r"^(fillfactor|autovacuum_.*|toast_tuple_target|parallel_workers|vacuum_.*|log_autovacuum.*|n_distinct.*"
                           r"|deduplicate_items|fastupdate|gin_pending_list_limit|buffering|pages_per_range|autosummarize)$")  # fmt: skip
_CHECKED = re.compile(r"(_check\d*|_chk\d*|_ck\d*|_not_null)$|^(check|chk|ck)_")
_KEYS = re.compile(r"(_pkey|_key\d*|_unique|_uniq|_uq|_pk)$|^(pk|uq|unique|uniq)_")


@dataclass(frozen=True)
class Action:
    """One action on one table. `table` is its key in the catalogue, `name` what people read."""

    command: object
    table: str
    step: Step
    known: Catalogue
    statement: object

    @property
    def name(self) -> str:
        return shown(self.table)

    @property
    def column(self) -> str:
        return quoted(self.command.name or "")

    @property
    def definition(self):
        return self.command.def_

    def new_column(self, name: str):
        """Definition of a column that this text has added before this action, None where it is older."""
        return self.known.column(self.table, name, self.step)


def is_key(name: str) -> bool:
    """Whether a constraint is named as PostgreSQL and people name primary keys and unique constraints."""
    return bool(_KEYS.search(name))


def judge(node, step: Step, known: Catalogue) -> Effect:
    """ALTER TABLE, VIEW, INDEX, SEQUENCE, MATERIALIZED VIEW, FOREIGN TABLE, TYPE (attributes)."""
    table = relation(node.relation, step.scope)
    if node.objtype.name == "OBJECT_TYPE":
        if known.made("type", table, step):
            return Effect()
        return Effect(DESTRUCTIVE, f"it changes the attributes of type {shown(table)}", "Create another type.")
    if known.made("relation", table, step):
        return worst([_on_others(Action(command, table, step, known, node)) for command in node.cmds])
    return worst([_action(Action(command, table, step, known, node)) for command in node.cmds])


def _on_others(action: Action) -> Effect:
    """What a change of the text's own table does to older ones."""
    name = action.command.subtype.name
    if name == "AT_AttachPartition":
        return _attach(action)
    if name != "AT_AddConstraint" or action.definition.contype.name != "CONSTR_FOREIGN":
        return Effect()
    target = relation(action.definition.pktable, action.step.scope)
    if action.known.made("relation", target, action.step):
        return Effect()
    return Effect(lock=model.SHARE_ROW_EXCLUSIVE, table=shown(target))


def _action(action: Action) -> Effect:
    name = action.command.subtype.name
    lock, handler = ACTIONS.get(name, (model.ACCESS_EXCLUSIVE, _unknown))
    effect = handler(action)
    return replace(effect, lock=effect.lock or _index_lock(action, lock), table=effect.table or action.name)


def _index_lock(action: Action, lock: str) -> str:
    return (
        model.SHARE_UPDATE_EXCLUSIVE
        if action.statement.objtype.name == "OBJECT_INDEX" and lock == model.ACCESS_EXCLUSIVE
        else lock
    )


def _unknown(action: Action) -> Effect:
    return Effect(UNKNOWN, f"the judge does not know this change of {action.name} ({action.command.subtype.name[3:]})")


def _fine(action: Action) -> Effect:
    return Effect()


def _says(verdict: str, reason: str, remedy: str = "") -> Callable[[Action], Effect]:
    """A handler that always answers the same; {column} and {table} stand for the names."""

    def handler(action: Action) -> Effect:
        return Effect(verdict, reason.format(column=action.column, table=action.name), remedy)

    return handler


def _add_column(action: Action) -> Effect:
    column = action.definition
    name = quoted(column.colname)
    found = [_required(action, column, name), _default(action, column, name), _generated(action, column, name)]
    for one in column.constraints or ():
        found.append(_column_constraint(action, column, one))
    if catalogue.constraints(column, "CONSTR_PRIMARY") and not catalogue.differs_in_each_row(column):
        found.append(
            Effect(
                DESTRUCTIVE,
                f"column {name} of {action.name} becomes the primary key, which the running release does not fill",
            )
        )
    return worst(found)


def _required(action: Action, column, name: str) -> Effect:
    if not catalogue.is_required(column) or catalogue.fills_itself(column):
        return Effect()
    if catalogue.constraints(column, "CONSTR_GENERATED"):
        return Effect(
            UNKNOWN,
            f"column {name} of {action.name} is NOT NULL and generated; whether it can be NULL is not seen",
            "Allow NULL.",
        )
    remedy = "Allow NULL, or give it a DEFAULT."
    return Effect(DESTRUCTIVE, f"it adds column {name} to {action.name} as NOT NULL without a default", remedy)


def _default(action: Action, column, name: str) -> Effect:
    default = catalogue.default_of(column)
    found = calls(default, action.step, action.known) if default is not None else []
    if not found:
        return Effect()
    return Effect(
        UNKNOWN,
        f"the default of column {name} of {action.name} calls a function that cannot be judged",
        "Use a constant.",
    )


def _generated(action: Action, column, name: str) -> Effect:
    found = catalogue.constraints(column, "CONSTR_GENERATED")
    if not found or expressions.is_safe(found[0].raw_expr):
        return Effect()
    why = f"column {name} of {action.name} is computed in a way that may fail for what the running release writes"
    return Effect(
        UNKNOWN, why, "Compute it without casts, divisions and functions of your own, or let the new release write it."
    )


def _column_constraint(action: Action, column, one) -> Effect:
    kind = one.contype.name
    name = quoted(column.colname)
    if kind == "CONSTR_CHECK":
        return _check(action, one, {column.colname: column})
    if kind == "CONSTR_UNIQUE" and not catalogue.differs_in_each_row(column):
        return Effect(
            DESTRUCTIVE,
            f"rows that the running release writes may have the same value in the unique column {name} of {action.name}",
        )
    if kind == "CONSTR_UNIQUE" and one.nulls_not_distinct and catalogue.default_of(column) is None:
        return Effect(
            DESTRUCTIVE,
            f"the unique column {name} of {action.name} allows one NULL only, and the running release writes NULL",
        )
    if kind == "CONSTR_FOREIGN" and catalogue.default_of(column) is not None:
        why = f"column {name} of {action.name} refers to {shown(relation(one.pktable))} from the start, which may then not delete its row"
        return Effect(DESTRUCTIVE, why, "Leave the default out.")
    return Effect()


def _check(action: Action, one, new: dict) -> Effect:
    """A CHECK holds for old writers where it cannot be false for NULL in the columns they do not know."""
    used = expressions.columns(one.raw_expr)
    empty = {name for name, column in new.items() if column is not None and not catalogue.fills_itself(column)}
    filled = used <= {name for name in new if name not in empty} and not one.skip_validation
    if used & set(new) and filled:
        return Effect()  # rows that exist are held against it with the very default that new rows get
    if used & empty and not expressions.may_refuse(one.raw_expr, empty):
        return Effect()
    remedy = "Let the new release check it, and add the constraint when the running release is gone."
    return Effect(
        DESTRUCTIVE, f"it adds a CHECK to {action.name} that may refuse what the running release writes", remedy
    )


def _add_constraint(action: Action) -> Effect:
    one = action.definition
    kind = one.contype.name
    if kind == "CONSTR_FOREIGN":
        return _foreign_key(action, one)
    if kind == "CONSTR_CHECK":
        used = expressions.columns(one.raw_expr)
        new = {name: action.new_column(name) for name in used}
        return _check(action, one, {name: column for name, column in new.items() if column is not None})
    if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION"):
        return _key(action, one, kind)
    if kind == "CONSTR_NOTNULL":
        return _not_null(action, strings(one.keys)[0])
    return _unknown(action)


def _key(action: Action, one, kind: str) -> Effect:
    if one.indexname and kind == "CONSTR_UNIQUE" and not one.deferrable:
        return Effect()  # the index holds it already; what made that was judged by itself
    keys = strings(one.keys)
    if (
        kind == "CONSTR_UNIQUE"
        and not one.nulls_not_distinct
        and new_key(action.known, action.table, keys, action.step)
    ):
        return Effect()
    word = {
        "CONSTR_UNIQUE": "a unique constraint",
        "CONSTR_PRIMARY": "a primary key",
        "CONSTR_EXCLUSION": "an exclusion constraint",
    }[kind]
    remedy = "Let the new release keep to it, and add it when the running release is gone."
    return Effect(
        DESTRUCTIVE, f"it adds {word} to {action.name} that may refuse what the running release writes", remedy
    )


def new_key(known: Catalogue, table: str, keys: list[str], step: Step) -> bool:
    """Whether a key has a column that old writers leave NULL, or that differs in each row."""
    for key in keys:
        column = known.column(table, key, step)
        if column is not None and catalogue.differs_in_each_row(column):
            given = known.events.get(("default", f"{table}.{quoted(key)}"), [])
            return not any(event.node is not None for event in given)
    return False


def _foreign_key(action: Action, one) -> Effect:
    new = [action.new_column(key) for key in strings(one.fk_attrs)]
    lock = Effect(lock=model.SHARE_ROW_EXCLUSIVE)
    if any(column is not None and not catalogue.fills_itself(column) for column in new) and one.fk_matchtype != "f":
        return lock
    target = shown(relation(one.pktable, action.step.scope))
    why = f"it adds a foreign key to {action.name} that may refuse what the running release writes, or deletes from {target}"
    return replace(lock, verdict=DESTRUCTIVE, reason=why, remedy="Add it when the running release is gone.")


def _drop_constraint(action: Action) -> Effect:
    """What it held is not in the file: a key may be what ON CONFLICT needs, a foreign key what removes rows."""
    name = action.command.name
    key = f"{action.table}.{quoted(name)}"
    if action.known.made("constraint", key, action.step):
        return Effect()
    if action.command.behavior.name == "DROP_CASCADE":
        return Effect(
            DESTRUCTIVE, f"it drops constraint {quoted(name)} of {action.name} and what depends on it", _LATER
        )
    if is_key(name):
        why = f"it drops the key {quoted(name)} of {action.name}, which ON CONFLICT of the running release may need"
        return Effect(DESTRUCTIVE, why, _LATER)
    if _CHECKED.search(name):
        return Effect()
    why = f"it drops constraint {quoted(name)} of {action.name}, and the file does not say which kind it is"
    return Effect(
        UNKNOWN, why, "Keep keys and foreign keys until the running release is gone; a CHECK may go: mark the file."
    )


def _not_null(action: Action, name: str = "") -> Effect:
    name = name or action.command.name
    column = action.new_column(name)
    defaults = action.known.before("default", f"{action.table}.{quoted(name)}", action.step)
    if column is not None and (defaults[-1].node is not None if defaults else catalogue.fills_itself(column)):
        return Effect()
    why = f"it forbids NULL in column {quoted(name)} of {action.name}, which the running release may still write"
    return Effect(DESTRUCTIVE, why, "Give it a DEFAULT now, and forbid NULL when the running release is gone.")


def _column_default(action: Action) -> Effect:
    expression = action.definition
    if expression is not None and not catalogue.is_null(expression):
        if calls(expression, action.step, action.known):
            return Effect(
                UNKNOWN,
                f"the default of column {action.column} of {action.name} calls a function that cannot be judged",
            )
        return Effect()
    column = action.new_column(action.command.name)
    forbidden = ("not null", f"{action.table}.{action.column}") in action.known.events
    if column is not None and not catalogue.is_required(column) and not forbidden:
        return Effect()
    why = f"it drops the default of column {action.column} of {action.name}, on which the running release may rely"
    return Effect(DESTRUCTIVE, why, "Drop it when the running release is gone.")


def _drop_column(action: Action) -> Effect:
    if action.new_column(action.command.name) is not None and action.command.behavior.name != "DROP_CASCADE":
        return Effect()
    return Effect(DESTRUCTIVE, f"it drops column {action.column} of {action.name}", _LATER)


def _type(action: Action) -> Effect:
    if action.new_column(action.command.name) is not None:
        return Effect()
    why = f"it changes the type of column {action.column} of {action.name}"
    column = action.definition
    text = catalogue.type_name(column.typeName) in ("text", "varchar") and column.raw_default is None
    remedy = "Add a column of the new type, let the new release write both, and drop the old one in a later release."
    if text:
        return Effect(
            UNKNOWN,
            f"{why}, and the file does not say what it is now",
            remedy + " From a shorter varchar: mark the file.",
        )
    return Effect(DESTRUCTIVE, why, remedy)


def _identity(action: Action) -> Effect:
    always = (
        {o.defname: getattr(o.arg, "ival", None) for o in action.definition or ()}
        if isinstance(action.definition, tuple)
        else {}
    )
    kind = getattr(action.definition, "generated_when", None)
    if kind == "d" or always.get("generated") == ord("d"):
        rest = [name for name in always if name not in ("generated", "increment", "cache")]
        return (
            Effect(UNKNOWN, f"it changes the numbers of column {action.column} of {action.name}") if rest else Effect()
        )
    if kind is None and "generated" not in always:
        return Effect() if set(always) <= {"increment", "cache"} else Effect(
            UNKNOWN, f"it changes the numbers that column {action.column} of {action.name} gets; they may exist already")  # fmt: skip
    why = f"column {action.column} of {action.name} becomes GENERATED ALWAYS, which refuses the values that the running release writes"
    return Effect(DESTRUCTIVE, why, "Write GENERATED BY DEFAULT.")


def _options(action: Action) -> Effect:
    """Storage parameters are harmless. Those of views (security_invoker, check_option) are not."""
    names = [option.defname for option in action.definition or ()]
    if action.statement.objtype.name == "OBJECT_TABLE" or action.statement.objtype.name in (
        "OBJECT_INDEX",
        "OBJECT_MATVIEW",
    ):
        strange = [name for name in names if not _SAFE_OPTIONS.match(name)]
    else:
        strange = names
    if strange:
        return Effect(
            UNKNOWN,
            f"it sets {', '.join(strange)} of {action.name}, and what that does to the running release cannot be judged",
        )
    return Effect()


def _disable_trigger(action: Action) -> Effect:
    name = action.command.name or action.command.subtype.name.removeprefix("AT_DisableTrig")
    if action.known.comes_back("trigger state", f"{action.table}.{name}", action.step):
        return Effect()
    what = f"trigger {quoted(action.command.name)}" if action.command.name else "the triggers"
    remedy = "Enable it again in the same file."
    return Effect(
        DESTRUCTIVE, f"it switches off {what} of {action.name}, on which the running release may rely", remedy
    )


def _enable_trigger(action: Action) -> Effect:
    name = action.command.name or action.command.subtype.name.removeprefix("AT_EnableTrig")
    if action.known.before("trigger state", f"{action.table}.{name}", action.step):
        return Effect()
    return Effect(
        UNKNOWN,
        f"it switches on a trigger of {action.name}, and what that does to the running release cannot be judged",
    )


def _attach(action: Action) -> Effect:
    part = action.definition.name
    if action.known.made("relation", relation(part, action.step.scope), action.step):
        return Effect()
    why = f"it makes {shown(relation(part, action.step.scope))} a partition of {action.name}, which refuses rows outside of its bounds"
    return Effect(UNKNOWN, why, "Attach a table that the same file creates.")


def _detach(action: Action) -> Effect:
    why = f"it detaches a partition from {action.name}, whose rows the running release no longer sees"
    lock = model.SHARE_UPDATE_EXCLUSIVE if action.definition.concurrent else model.ACCESS_EXCLUSIVE
    return Effect(DESTRUCTIVE, why, _LATER, lock, transactional=not action.definition.concurrent)


def _inherit(action: Action) -> Effect:
    return Effect(UNKNOWN, f"rows of {action.name} appear in {shown(relation(action.definition, action.step.scope))}")


def _replica_identity(action: Action) -> Effect:
    if action.definition.identity_type != "n":
        return Effect()
    why = f"UPDATE and DELETE of {action.name} fail where it is published and has no replica identity"
    return Effect(UNKNOWN, why, "Keep DEFAULT, or write FULL.")


def _alter_constraint(action: Action) -> Effect:
    return (
        Effect(UNKNOWN, f"it changes how a constraint of {action.name} is held")
        if _enforces(action.definition)
        else Effect()
    )


def _enforces(definition) -> bool:
    return bool(getattr(definition, "alterEnforceability", True)) if definition is not None else True


def _row_security(action: Action) -> Effect:
    return policies.row_security(action.table, action.step, action.known, force="Force" in action.command.subtype.name)


AX, SUX, SRX = model.ACCESS_EXCLUSIVE, model.SHARE_UPDATE_EXCLUSIVE, model.SHARE_ROW_EXCLUSIVE
#: Actions that PostgreSQL itself makes of others; no text of SQL has them.
_INTERNAL = (
    "AT_AddColumnToView",
    "AT_CookedColumnDefault",
    "AT_AddIndex",
    "AT_ReAddIndex",
    "AT_ReAddConstraint",
    "AT_ReAddDomainConstraint",
    "AT_AddIndexConstraint",
    "AT_ReAddComment",
    "AT_ReAddStatistics",
)
#: Lock and handler for each AlterTableType.
ACTIONS: dict[str, tuple[str, Callable[[Action], Effect]]] = {
    "AT_AddColumn": (AX, _add_column),
    "AT_ColumnDefault": (AX, _column_default),
    "AT_DropNotNull": (AX, _fine),
    "AT_SetNotNull": (AX, _not_null),
    "AT_SetExpression": (
        AX,
        _says(UNKNOWN, "it computes column {column} of {table} in another way", "Add another column."),
    ),
    "AT_DropExpression": (
        AX,
        _says(
            DESTRUCTIVE, "column {column} of {table} is no longer computed, and the running release does not write it"
        ),
    ),
    "AT_SetStatistics": (SUX, _fine),
    "AT_SetOptions": (SUX, _options),
    "AT_ResetOptions": (SUX, _options),
    "AT_SetStorage": (AX, _fine),
    "AT_SetCompression": (AX, _fine),
    "AT_DropColumn": (AX, _drop_column),
    "AT_AddConstraint": (AX, _add_constraint),
    "AT_AlterConstraint": (SRX, _alter_constraint),
    "AT_ValidateConstraint": (SUX, _fine),
    "AT_DropConstraint": (AX, _drop_constraint),
    "AT_AlterColumnType": (AX, _type),
    "AT_AlterColumnGenericOptions": (AX, _says(UNKNOWN, "it changes where column {column} of {table} comes from")),
    "AT_ChangeOwner": (
        AX,
        _says(UNKNOWN, "it gives {table} to another owner, and the running release may lose what it may do as owner"),
    ),
    "AT_ClusterOn": (SUX, _fine),
    "AT_DropCluster": (SUX, _fine),
    "AT_SetLogged": (AX, _fine),
    "AT_SetUnLogged": (AX, _says(DESTRUCTIVE, "{table} becomes UNLOGGED: its rows are lost when the server crashes")),
    "AT_DropOids": (AX, _fine),
    "AT_SetAccessMethod": (AX, _fine),
    "AT_SetTableSpace": (AX, _fine),
    "AT_SetRelOptions": (SUX, _options),
    "AT_ResetRelOptions": (SUX, _options),
    "AT_ReplaceRelOptions": (AX, _options),
    "AT_EnableTrig": (SRX, _enable_trigger),
    "AT_EnableAlwaysTrig": (SRX, _enable_trigger),
    "AT_EnableReplicaTrig": (SRX, _disable_trigger),
    "AT_DisableTrig": (SRX, _disable_trigger),
    "AT_EnableTrigAll": (SRX, _enable_trigger),
    "AT_DisableTrigAll": (SRX, _disable_trigger),
    "AT_EnableTrigUser": (SRX, _enable_trigger),
    "AT_DisableTrigUser": (SRX, _disable_trigger),
    "AT_EnableRule": (AX, _says(UNKNOWN, "it switches on a rule of {table}")),
    "AT_EnableAlwaysRule": (AX, _says(UNKNOWN, "it switches on a rule of {table}")),
    "AT_EnableReplicaRule": (AX, _says(UNKNOWN, "it switches off a rule of {table}")),
    "AT_DisableRule": (AX, _says(UNKNOWN, "it switches off a rule of {table}")),
    "AT_AddInherit": (AX, _inherit),
    "AT_DropInherit": (AX, _says(DESTRUCTIVE, "rows of {table} disappear from its parent", _LATER)),
    "AT_AddOf": (AX, _fine),
    "AT_DropOf": (AX, _fine),
    "AT_ReplicaIdentity": (AX, _replica_identity),
    "AT_EnableRowSecurity": (AX, _row_security),
    "AT_DisableRowSecurity": (AX, _fine),
    "AT_ForceRowSecurity": (AX, _row_security),
    "AT_NoForceRowSecurity": (AX, _fine),
    "AT_GenericOptions": (AX, _says(UNKNOWN, "it changes where {table} comes from")),
    "AT_AttachPartition": (SUX, _attach),
    "AT_DetachPartition": (AX, _detach),
    "AT_DetachPartitionFinalize": (SUX, _says(DESTRUCTIVE, "it detaches a partition from {table}", _LATER)),
    "AT_AddIdentity": (AX, _identity),
    "AT_SetIdentity": (AX, _identity),
    "AT_DropIdentity": (
        AX,
        _says(DESTRUCTIVE, "column {column} of {table} no longer fills itself, on which the running release may rely"),
    ),
    **dict.fromkeys(_INTERNAL, (AX, _unknown)),
}
