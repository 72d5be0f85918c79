# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that read and write rows, and the functions that any statement calls."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import catalogue, model
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import Catalogue, Step, quoted, relation, shown, strings
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.functions import OF_EXTENSIONS, READ_ONLY
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import DESTRUCTIVE, UNKNOWN, Effect, worst

#: Schemas whose functions only read, where the list has their name.
_TRUSTED = ("pg_catalog", "extensions")
_SYSTEM = ("pg_catalog", "information_schema", "pg_toast")
#: Functions of Supabase that read the user of the request.
_QUALIFIED = (
    "auth.uid",
    "auth.role",
    "auth.email",
    "auth.jwt",
    "storage.foldername",
    "storage.filename",
    "storage.extension",
)
_KEEP = "Keep the rows until the running release is gone, and mark the file `-- parity: destructive`."


def nodes(tree: object) -> Iterator[object]:
    """Every node of a parse tree, in the order of the tree. Not recursive: expressions may be deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (tuple, list)):
            waiting.extend(reversed(node))
        elif hasattr(node, "__slots__") and type(node).__module__.startswith("pglast"):
            yield node
            waiting.extend(getattr(node, slot, None) for slot in reversed(node.__slots__))


def kind(node: object) -> str:
    return type(node).__name__


def called(tree: object) -> list[object]:
    """The function calls of a tree."""
    return [node for node in nodes(tree) if kind(node) == "FuncCall"]


def is_read_only(call: object) -> bool:
    """Whether a call certainly changes nothing: its function is in the list."""
    parts = strings(call.funcname)
    if parts[-1] == "set_config":
        return not _switches_triggers(call)
    if parts[0] == "public":  # where applications have functions of their own
        return parts[-1] in OF_EXTENSIONS
    trusted = len(parts) == 1 or parts[0] in _TRUSTED
    return (trusted and parts[-1] in READ_ONLY) or ".".join(parts) in _QUALIFIED


def _switches_triggers(call: object) -> bool:
    first = call.args[0] if call.args else None
    value = getattr(getattr(first, "val", None), "sval", None)
    return value is None or value.lower() == "session_replication_role"


def calls(tree: object, step: Step, known: Catalogue) -> list[Effect]:
    """The effects of the functions that a statement calls. Functions that the text defines are steps of their own."""
    result = []
    for call in called(tree):
        name = catalogue.dotted(strings(call.funcname))
        if is_read_only(call) or known.before("body", name, step):
            continue
        if strings(call.funcname)[-1] == "setval" and _sets_new_sequence(call, step, known):
            continue
        why = f"it calls {name}(), and what that does cannot be judged from this file"
        result.append(Effect(UNKNOWN, why, "Write the statements themselves, or define the function in the same file."))
    return result


def _sets_new_sequence(call: object, step: Step, known: Catalogue) -> bool:
    """setval('t_id_seq', ...) of a sequence that the file has made."""
    texts = [node.sval for node in nodes(call.args[0]) if kind(node) == "String"]
    return any(known.made("relation", text.removeprefix("public."), step) for text in texts)


def select(node, step: Step, known: Catalogue) -> Effect:
    """SELECT, VALUES, TABLE: it reads, except for the functions that it calls, changes in its WITH, and INTO."""
    found = calls(node, step, known)
    found += [change for inner in nodes(node) for change in _changes(inner, step, known)]
    locked = [inner for inner in nodes(node) if kind(inner) == "LockingClause"]
    if locked and node.fromClause:
        first = next((inner for inner in nodes(node.fromClause) if kind(inner) == "RangeVar"), None)
        found.append(_on(first, model.ROW_SHARE, step, known))
    return worst(found)


def _changes(inner: object, step: Step, known: Catalogue) -> list[Effect]:
    handler = {"DeleteStmt": _delete, "UpdateStmt": _update, "InsertStmt": _insert, "MergeStmt": _merge}.get(
        kind(inner)
    )
    return [handler(inner, step, known)] if handler else []


def write(node, step: Step, known: Catalogue) -> Effect:
    """INSERT, UPDATE, DELETE, MERGE, with what is nested in them."""
    nested = [change for inner in nodes(node) for change in _changes(inner, step, known)]
    return worst([*nested, *calls(node, step, known)])


def _on(
    var, lock: str, step: Step, known: Catalogue, verdict: str = model.ADDITIVE, why: str = "", remedy: str = ""
) -> Effect:
    """An effect on a table; none on one that the text has made itself."""
    name = relation(var, step.scope)
    if not name or known.made("relation", name, step) or name.startswith("pg_temp."):
        return Effect()
    if var.schemaname in _SYSTEM or (not var.schemaname and var.relname.startswith("pg_")):
        return Effect(
            UNKNOWN,
            f"it changes PostgreSQL's own catalogue {shown(name)}",
            "Write the ALTER statement instead.",
            lock,
            name,
        )
    return Effect(verdict, why, remedy, lock, shown(name))


def _delete(node, step: Step, known: Catalogue) -> Effect:
    why = f"it deletes rows of {shown(relation(node.relation, step.scope))}"
    return _on(node.relation, model.ROW_EXCLUSIVE, step, known, DESTRUCTIVE, why, _KEEP)


def _insert(node, step: Step, known: Catalogue) -> Effect:
    return _on(node.relation, model.ROW_EXCLUSIVE, step, known)


def _update(node, step: Step, known: Catalogue) -> Effect:
    """A backfill is additive. Emptying a column of every row is not."""
    name = relation(node.relation, step.scope)
    emptied = [
        target.name
        for target in node.targetList or ()
        if not node.whereClause
        and catalogue.is_null(target.val)
        and not known.made("column", f"{name}.{quoted(target.name)}", step)
    ]
    if not emptied:
        return _on(node.relation, model.ROW_EXCLUSIVE, step, known)
    why = f"it empties column {', '.join(map(quoted, emptied))} of every row of {shown(name)}"
    return _on(node.relation, model.ROW_EXCLUSIVE, step, known, DESTRUCTIVE, why, _KEEP)


def _merge(node, step: Step, known: Catalogue) -> Effect:
    deletes = any(getattr(when.commandType, "name", "") == "CMD_DELETE" for when in node.mergeWhenClauses or ())
    if not deletes:
        return _on(node.relation, model.ROW_EXCLUSIVE, step, known)
    why = f"it deletes rows of {shown(relation(node.relation, step.scope))}"
    return _on(node.relation, model.ROW_EXCLUSIVE, step, known, DESTRUCTIVE, why, _KEEP)


def truncate(node, step: Step, known: Catalogue) -> Effect:
    names = [shown(relation(var, step.scope)) for var in node.relations]
    old = [var for var in node.relations if not known.made("relation", relation(var, step.scope), step)]
    effects = [
        _on(var, model.ACCESS_EXCLUSIVE, step, known, DESTRUCTIVE, f"it empties {', '.join(names)}", _KEEP)
        for var in old
    ]
    if node.behavior.name == "DROP_CASCADE" and not old:
        effects.append(Effect(DESTRUCTIVE, f"it empties what refers to {', '.join(names)}", _KEEP))
    return worst(effects)


def copy(node, step: Step, known: Catalogue) -> Effect:
    if node.is_program:
        return Effect(UNKNOWN, "it runs a program on the server")
    if node.is_from:
        return _on(node.relation, model.ROW_EXCLUSIVE, step, known)
    return (
        select(node.query, step, known)
        if kind(node.query) == "SelectStmt"
        else worst(_changes(node.query, step, known))
    )


def lock(node, step: Step, known: Catalogue) -> Effect:
    by_number = dict(enumerate(reversed(model.BLOCKS), 1))  # PostgreSQL numbers its modes, the weakest first
    mode = by_number[node.mode]
    return worst([_on(var, mode, step, known) for var in node.relations])


def explain(node, step: Step, known: Catalogue) -> Effect:
    """EXPLAIN executes its statement only with ANALYZE."""
    analyses = any(option.defname == "analyze" for option in node.options or ())
    if not analyses:
        return Effect()
    return (
        worst([select(node.query, step, known)]) if kind(node.query) == "SelectStmt" else write(node.query, step, known)
    )


def setting(node, step: Step, known: Catalogue) -> Effect:
    if node.name == "session_replication_role":
        return Effect(
            UNKNOWN,
            "it switches triggers and foreign keys off",
            "Leave it out: the rules of the tables hold for migrations too.",
        )
    return Effect()
