# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that create, change, rename and drop objects of the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import (
    alter_table,
    catalogue,
    expressions,
    model,
    policies,
    queries,
    triggers,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import (
    Catalogue,
    Step,
    dotted,
    quoted,
    relation,
    shown,
    signature,
    strings,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import DESTRUCTIVE, UNKNOWN, Effect, worst

Handler = Callable[[object, Step, Catalogue], Effect]
_LATER = (
    "Remove it in a later release, when the running one has no use for it, and mark the file `-- parity: destructive`."
)
_RENAME = "Add the new name beside the old one, and remove the old one in a later release."
RELATIONS = ("TABLE", "VIEW", "MATVIEW", "INDEX", "SEQUENCE", "FOREIGN_TABLE")
FUNCTIONS = ("FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE")
ON_TABLE = ("TRIGGER", "POLICY", "RULE")
_WORDS = {"MATVIEW": "materialized view", "FOREIGN_TABLE": "foreign table", "FDW": "foreign data wrapper", "FOREIGN_SERVER": "server",
          "EVENT_TRIGGER": "event trigger", "TABCONSTRAINT": "constraint", "DOMCONSTRAINT": "constraint", "STATISTIC_EXT": "statistics",
          "TSCONFIGURATION": "text search configuration", "TSDICTIONARY": "text search dictionary", "TSPARSER": "text search parser",
          "TSTEMPLATE": "text search template", "OPCLASS": "operator class", "OPFAMILY": "operator family",
          "ACCESS_METHOD": "access method"}  # fmt: skip


def word(object_type) -> str:
    short = object_type.name.removeprefix("OBJECT_")
    return _WORDS.get(short, short.lower())


def group(object_type) -> str:
    """What shares its names: relations, functions, types; else each kind by itself."""
    short = object_type.name.removeprefix("OBJECT_")
    if short in RELATIONS:
        return "relation"
    return "function" if short in FUNCTIONS else "type" if short in ("TYPE", "DOMAIN") else short.lower()


def named(item, scope: int) -> str:
    """The name of what DROP, ALTER or COMMENT is about, as a key of the catalogue."""
    kind = type(item).__name__
    if kind == "ObjectWithArgs":
        return signature(item)[1]
    if kind == "TypeName":
        return dotted(strings(item.names), scope)
    if kind == "String":
        return quoted(item.sval)
    if kind == "RangeVar":
        return relation(item, scope)
    return dotted(strings(item), scope) or "what it names"


def fixed(verdict: str, reason: str = "", remedy: str = "", *, lock: str = "", transactional: bool = True) -> Handler:
    """A handler that always answers the same."""
    effect = Effect(verdict, reason, remedy, lock, "", transactional)
    return lambda node, step, known: effect


def _on(name: str, lock: str, step: Step, known: Catalogue) -> Effect:
    return Effect() if not name or known.made("relation", name, step) else Effect(lock=lock, table=shown(name))


# CREATE ------------------------------------------------------------------------------------------------------------------


def create_table(node, step: Step, known: Catalogue) -> Effect:
    node = getattr(node, "base", node)
    found = [_on(relation(parent, step.scope), _parent_lock(node), step, known) for parent in node.inhRelations or ()]
    for one in queries.nodes(node.tableElts):
        if type(one).__name__ == "Constraint" and one.contype.name == "CONSTR_FOREIGN":
            target = relation(one.pktable, step.scope)
            found += (
                []
                if target == relation(node.relation, step.scope)
                else [_on(target, model.SHARE_ROW_EXCLUSIVE, step, known)]
            )
    return worst(found)


def _parent_lock(node) -> str:
    return model.ACCESS_EXCLUSIVE if node.partbound is not None else model.SHARE_UPDATE_EXCLUSIVE


def create_schema(node, step: Step, known: Catalogue) -> Effect:
    strange = [
        one
        for one in node.schemaElts or ()
        if type(one).__name__ not in ("CreateStmt", "ViewStmt", "CreateSeqStmt", "IndexStmt", "GrantStmt")
    ]
    return (
        Effect(UNKNOWN, "it creates more than tables in a schema", "Write the statements one by one.")
        if strange
        else Effect()
    )


def create_index(node, step: Step, known: Catalogue) -> Effect:
    table = relation(node.relation, step.scope)
    if known.made("relation", table, step):
        return Effect(transactional=not node.concurrent)
    lock = model.SHARE_UPDATE_EXCLUSIVE if node.concurrent else model.SHARE
    effect = Effect(lock=lock, table=shown(table), transactional=not node.concurrent)
    keys = [part.name for part in node.indexParams if part.name]
    fits = not node.nulls_not_distinct and alter_table.new_key(known, table, keys, step)
    if node.unique and not fits:
        remedy = "Let the new release keep to it, and create the index when the running release is gone."
        why = f"it creates a unique index on {shown(table)} that may refuse what the running release writes"
        return replace(effect, verdict=DESTRUCTIVE, reason=why, remedy=remedy)
    computed = [part.expr for part in node.indexParams if part.expr is not None] + [node.whereClause]
    if all(expressions.is_safe(expression) for expression in computed):
        return effect
    why = f"it computes an index on {shown(table)} in a way that may fail for what the running release writes"
    return replace(
        effect, verdict=UNKNOWN, reason=why, remedy="Index the column itself, or a column that the new release fills."
    )


def create_view(node, step: Step, known: Catalogue) -> Effect:
    """PostgreSQL itself refuses a replaced view with fewer or other columns."""
    name = relation(node.view, step.scope)
    if not node.replace or known.made("relation", name, step):
        return Effect()
    effect = Effect(lock=model.ACCESS_EXCLUSIVE, table=shown(name))
    if not node.options:
        return effect
    why = f"it sets options of view {shown(name)}, and whether the running release may still read it is not seen"
    return replace(effect, verdict=UNKNOWN, reason=why)


def create_table_as(node, step: Step, known: Catalogue) -> Effect:
    if type(node.query).__name__ == "ExecuteStmt":
        return Effect(UNKNOWN, "it fills a table with a prepared statement", "Write the query itself.")
    return queries.select(node.query, step, known)


def create_rule(node, step: Step, known: Catalogue) -> Effect:
    table = relation(node.relation, step.scope)
    if known.made("relation", table, step):
        return Effect()
    verdict = DESTRUCTIVE if node.instead or node.event.name == "CMD_SELECT" else UNKNOWN
    why = f"rule {quoted(node.rulename)} changes what the running release's statements on {shown(table)} do"
    return Effect(verdict, why, "Write a trigger.", model.ACCESS_EXCLUSIVE, shown(table))


def create_cast(node, step: Step, known: Catalogue) -> Effect:
    if node.context.name == "COERCION_EXPLICIT":
        return Effect()
    return Effect(
        UNKNOWN,
        "a cast that PostgreSQL applies by itself changes what statements mean",
        "Create it without AS IMPLICIT or AS ASSIGNMENT.",
    )


def define(node, step: Step, known: Catalogue) -> Effect:
    if node.kind.name == "OBJECT_OPERATOR":
        return Effect(
            UNKNOWN, "a new operator may make expressions of the running release ambiguous", "Write a function."
        )
    return Effect()


def create_publication(node, step: Step, known: Catalogue) -> Effect:
    """UPDATE and DELETE of a published table fail where it has neither a primary key nor a replica identity."""
    old = [item for item in node.pubobjects or () if not _is_new_table(item, step, known)]
    if not old and not node.for_all_tables:
        return Effect()
    why = "it publishes tables; without a primary key or replica identity their UPDATE and DELETE fail"
    return Effect(UNKNOWN, why, "See that each has a primary key, and mark the file.")


def _is_new_table(item, step: Step, known: Catalogue) -> bool:
    table = getattr(item.pubtable, "relation", None)
    return table is not None and known.made("relation", relation(table, step.scope), step)


def alter_publication(node, step: Step, known: Catalogue) -> Effect:
    if getattr(node.action, "name", "") == "AP_AddObjects" and not node.options:
        return create_publication(node, step, known)
    return Effect(DESTRUCTIVE, f"it changes what publication {quoted(node.pubname)} sends to those who read it", _LATER)


def create_statistics(node, step: Step, known: Catalogue) -> Effect:
    return worst(
        [_on(relation(var, step.scope), model.SHARE_UPDATE_EXCLUSIVE, step, known) for var in node.relations or ()]
    )


# DROP --------------------------------------------------------------------------------------------------------------------


def drop(node, step: Step, known: Catalogue) -> Effect:
    return worst([_drop(node, item, step, known) for item in node.objects])


def _drop(node, item, step: Step, known: Catalogue) -> Effect:
    what = group(node.removeType)
    name = named(item, step.scope)
    if what in ("trigger", "policy", "rule"):
        return _drop_on_table(node, what, strings(item), step, known)
    lock = _drop_lock(node, what)
    if known.made(what, name, step) or _made_by_name(known, what, name, step):
        return Effect(transactional=not node.concurrent)
    cascade = node.behavior.name == "DROP_CASCADE"
    verdict, why = (DESTRUCTIVE, "") if cascade else _replaced(node, what, name, step, known)
    if verdict == model.ADDITIVE:
        return Effect(lock=lock, table=shown(name) if lock else "", transactional=not node.concurrent)
    reason = f"it drops {word(node.removeType)} {shown(name)}" + (
        f", {why}" if why else " and what depends on it" if cascade else ""
    )
    return Effect(verdict, reason, _remedy(what, verdict), lock, shown(name) if lock else "", not node.concurrent)


def _made_by_name(known: Catalogue, what: str, name: str, step: Step) -> bool:
    """DROP FUNCTION f, without arguments, of the only f, which the text has made."""
    return what == "function" and "(" not in name and known.made("function name", name, step)


def _drop_lock(node, what: str) -> str:
    if node.concurrent:
        return model.SHARE_UPDATE_EXCLUSIVE
    return model.ACCESS_EXCLUSIVE if what == "relation" else ""


def _replaced(node, what: str, name: str, step: Step, known: Catalogue) -> tuple[str, str]:
    """Verdict, and why, of what is dropped and may come back in the same text."""
    if what == "statistic_ext":
        return model.ADDITIVE, ""
    later = known.comes_back(what, name, step)
    if later is None or later.node is None:
        return DESTRUCTIVE, ""
    earlier = [
        event.node for event in known.before(what, name, step) if event.action != "drop" and event.node is not None
    ]
    kind = node.removeType.name
    if earlier and kind in ("OBJECT_VIEW", "OBJECT_MATVIEW"):
        return _compare_views(earlier[-1], later.node)
    if earlier and what == "function" and not kind.endswith("AGGREGATE"):
        same = catalogue.type_name(earlier[-1].returnType) == catalogue.type_name(later.node.returnType)
        return (
            (model.ADDITIVE, "")
            if same and _outs(earlier[-1]) == _outs(later.node)
            else (DESTRUCTIVE, "which comes back with another result")
        )
    if what == "function" and catalogue.type_name(getattr(later.node, "returnType", None)) in (
        "trigger",
        "event_trigger",
    ):
        return model.ADDITIVE, ""
    if kind in ("OBJECT_VIEW", "OBJECT_MATVIEW"):
        return UNKNOWN, "and whether it comes back with all its columns is not seen"
    if what == "function" or kind == "OBJECT_INDEX":
        return UNKNOWN, "and whether what comes back is the same for its users is not seen"
    return DESTRUCTIVE, ""


def _outs(function) -> list[tuple]:
    return [
        (p.name, catalogue.type_name(p.argType))
        for p in function.parameters or ()
        if getattr(p.mode, "value", p.mode) in ("o", "b", "t")
    ]


def _compare_views(old, new) -> tuple[str, str]:
    before, after = view_columns(old), view_columns(new)
    if before is None or after is None:
        return UNKNOWN, "and whether it comes back with all its columns is not seen"
    gone = [name for name in before if name not in after]
    return (DESTRUCTIVE, f"which comes back without {', '.join(gone)}") if gone else (model.ADDITIVE, "")


def view_columns(node) -> list[str] | None:
    """Names of a view's columns, None where the text does not say them (`*`, expressions without a name)."""
    aliases = node.aliases if hasattr(node, "aliases") else node.into.colNames
    if aliases:
        return strings(aliases)
    query = node.query
    while getattr(query, "larg", None) is not None:
        query = query.larg
    names = [target.name or _column_name(target.val) for target in getattr(query, "targetList", None) or ()]
    return None if not names or None in names else names


def _column_name(value) -> str | None:
    last = value.fields[-1] if type(value).__name__ == "ColumnRef" else None
    return getattr(last, "sval", None)


def _remedy(what: str, verdict: str) -> str:
    if verdict == UNKNOWN and what == "function":
        return "Write CREATE OR REPLACE FUNCTION, which PostgreSQL refuses where the result changes."
    return "Write CREATE OR REPLACE VIEW, or a view of another name." if verdict == UNKNOWN else _LATER


def _drop_on_table(node, what: str, parts: list[str], step: Step, known: Catalogue) -> Effect:
    table, name = dotted(parts[:-1], step.scope), quoted(parts[-1])
    key = f"{table}.{name}"
    if known.made("relation", table, step) or known.made(what, key, step):
        return Effect()
    lock = {"lock": model.ACCESS_EXCLUSIVE, "table": shown(table)}
    later = known.comes_back(what, key, step)
    if later is not None and what == "trigger":
        return Effect(**lock)
    if later is not None and what == "policy":
        return replace(policies.replaced(name, table, later.node), **lock)
    return Effect(DESTRUCTIVE, f"it drops {what} {name} of {shown(table)}", _LATER, **lock)


# RENAME, SET SCHEMA, OWNER ---------------------------------------------------------------------------------------------------


def rename(node, step: Step, known: Catalogue) -> Effect:
    what = node.renameType.name.removeprefix("OBJECT_")
    table = relation(node.relation, step.scope)
    if table and known.made("relation" if what != "ATTRIBUTE" else "type", table, step):
        return Effect()
    if (
        node.object is not None
        and not table
        and known.made(group(node.renameType), named(node.object, step.scope), step)
    ):
        return Effect()
    if what == "COLUMN" and known.made("column", f"{table}.{quoted(node.subname)}", step):
        return Effect(lock=model.ACCESS_EXCLUSIVE, table=shown(table))
    return _rename(node, what, table, step)


def _rename(node, what: str, table: str, step: Step) -> Effect:
    lock = model.SHARE_UPDATE_EXCLUSIVE if what == "INDEX" else model.ACCESS_EXCLUSIVE if table else ""
    place = {"lock": lock, "table": shown(table)}
    if what in ("TRIGGER", "POLICY", "RULE", "STATISTIC_EXT", "EVENT_TRIGGER"):
        return Effect(**place)
    if what == "TABCONSTRAINT" or (what == "INDEX" and alter_table.is_key(node.relation.relname)):
        name = quoted(node.subname) if what == "TABCONSTRAINT" else shown(table)
        return Effect(
            UNKNOWN,
            f"it renames constraint {name}, which ON CONFLICT ON CONSTRAINT of the running release may name",
            _RENAME,
            **place,
        )
    if what == "INDEX":
        return Effect(**place)
    if node.subname and table:
        return Effect(DESTRUCTIVE, f"it renames column {quoted(node.subname)} of {shown(table)}", _RENAME, **place)
    name = shown(table) or (named(node.object, step.scope) if node.object is not None else quoted(node.subname or ""))
    return Effect(DESTRUCTIVE, f"it renames {word(node.renameType)} {name}", _RENAME, **place)


def set_schema(node, step: Step, known: Catalogue) -> Effect:
    name = relation(node.relation, step.scope) or named(node.object, step.scope)
    if known.made(group(node.objectType), name, step):
        return Effect()
    lock = {"lock": model.ACCESS_EXCLUSIVE, "table": shown(name)} if node.relation is not None else {}
    return Effect(DESTRUCTIVE, f"it moves {word(node.objectType)} {shown(name)} to another schema", _RENAME, **lock)


def set_owner(node, step: Step, known: Catalogue) -> Effect:
    name = relation(node.relation, step.scope) or named(node.object, step.scope)
    if known.made(group(node.objectType), name, step):
        return Effect()
    why = f"it gives {word(node.objectType)} {shown(name)} to another owner, and the running release may lose what it may do as owner"
    return Effect(UNKNOWN, why)


# ALTER of what is no table ---------------------------------------------------------------------------------------------------


def alter_enum(node, step: Step, known: Catalogue) -> Effect:
    name = dotted(strings(node.typeName), step.scope)
    if not node.oldVal or known.made("type", name, step):
        return Effect()
    return Effect(
        DESTRUCTIVE, f"it renames value {node.oldVal!r} of type {shown(name)}", "Add a value beside the old one."
    )


def alter_domain(node, step: Step, known: Catalogue) -> Effect:
    """Rows are held to a domain's rules in each table that uses it."""
    name = dotted(strings(node.typeName), step.scope)
    short = str(getattr(node.subtype, "value", node.subtype))
    if known.made("type", name, step) or short in ("N", "V", "X"):
        return Effect()
    if short == "T":
        removed = node.def_ is None or catalogue.is_null(node.def_)
        return Effect(DESTRUCTIVE, f"it drops the default of domain {shown(name)}") if removed else Effect()
    return Effect(
        DESTRUCTIVE,
        f"it narrows domain {shown(name)}: what the running release writes may be refused",
        "Create another domain.",
    )


def alter_sequence(node, step: Step, known: Catalogue) -> Effect:
    name = relation(node.sequence, step.scope)
    if known.made("relation", name, step):
        return Effect()
    strange = [
        option.defname for option in node.options or () if option.defname not in ("owned_by", "increment", "cache")
    ]
    effect = Effect(lock=model.SHARE_ROW_EXCLUSIVE, table=shown(name))
    if not strange:
        return effect
    return replace(
        effect,
        verdict=UNKNOWN,
        reason=f"it changes the numbers that {shown(name)} gives; they may exist already, or run out",
    )


def alter_function(node, step: Step, known: Catalogue) -> Effect:
    harmless = ("cost", "rows", "parallel", "volatility", "support", "leakproof")
    strange = [option.defname for option in node.actions if option.defname not in harmless]
    name = signature(node.func)[1]
    if not strange or known.made("function", name, step) or _made_by_name(known, "function", name, step):
        return Effect()
    return Effect(UNKNOWN, f"it changes with whose rights or settings {name} runs, which the running release may call")


def alter_role(node, step: Step, known: Catalogue) -> Effect:
    name = quoted(node.role.rolename or "")
    if known.made("role", name, step):
        return Effect()
    gives = ("createdb", "createrole", "canlogin", "inherit", "isreplication", "bypassrls", "superuser", "rolemembers")
    takes = [
        o.defname for o in node.options or () if o.defname not in gives or getattr(o.arg, "boolval", True) is False
    ]
    if not takes and getattr(node, "action", 1) != -1:
        return Effect()
    what = "the password" if "password" in takes else "the rights"
    return Effect(
        DESTRUCTIVE,
        f"it changes {what} of role {name}, as which the running release may log in",
        "Create another role.",
    )


def drop_role(node, step: Step, known: Catalogue) -> Effect:
    old = [quoted(r.rolename) for r in node.roles if not known.made("role", quoted(r.rolename or ""), step)]
    return Effect(DESTRUCTIVE, f"it drops role {', '.join(old)}", _LATER) if old else Effect()


def grant(node, step: Step, known: Catalogue) -> Effect:
    if node.is_grant:
        return Effect()
    names = [named(item, step.scope) for item in node.objects or ()]
    everything = getattr(node.targtype, "name", "") != "ACL_TARGET_OBJECT"
    old = [name for name in names if everything or not known.made(group(node.objtype), name, step)]
    if names and not old:
        return Effect()
    return Effect(
        DESTRUCTIVE,
        f"it takes rights on {', '.join(map(shown, old)) or 'what it names'} away",
        "Take them away in a later release.",
    )


def grant_role(node, step: Step, known: Catalogue) -> Effect:
    if node.is_grant:
        return Effect()
    names = ", ".join(quoted(role.priv_name) for role in node.granted_roles)
    return Effect(DESTRUCTIVE, f"it takes membership of {names} away", "Take it away in a later release.")


def alter_extension_contents(node, step: Step, known: Catalogue) -> Effect:
    return Effect(UNKNOWN, f"it changes what belongs to extension {quoted(node.extname)}")


# Maintenance -----------------------------------------------------------------------------------------------------------------


def refresh(node, step: Step, known: Catalogue) -> Effect:
    name = relation(node.relation, step.scope)
    if known.made("relation", name, step):
        return Effect()
    effect = Effect(lock=model.EXCLUSIVE if node.concurrent else model.ACCESS_EXCLUSIVE, table=shown(name))
    if not node.skipData:
        return effect
    return replace(
        effect,
        verdict=DESTRUCTIVE,
        reason=f"it empties {shown(name)}, which cannot be read then",
        remedy="Leave WITH NO DATA out.",
    )


def reindex(node, step: Step, known: Catalogue) -> Effect:
    concurrently = any(option.defname == "concurrently" for option in node.params or ())
    lock = model.SHARE_UPDATE_EXCLUSIVE if concurrently else model.ACCESS_EXCLUSIVE
    what = node.kind.name.removeprefix("REINDEX_OBJECT_")
    if what in ("TABLE", "INDEX"):
        return replace(_on(relation(node.relation, step.scope), lock, step, known), transactional=not concurrently)
    effect = Effect(lock=lock, table=quoted(node.name or ""), transactional=False)
    if concurrently:
        return effect
    why = f"it locks every table of {what.lower()} {quoted(node.name or '')}, one after the other, while it rebuilds their indexes"
    return replace(effect, verdict=UNKNOWN, reason=why, remedy="Write REINDEX (CONCURRENTLY), or name the index.")


def vacuum(node, step: Step, known: Catalogue) -> Effect:
    full = any(option.defname == "full" for option in node.options or ())
    lock = model.ACCESS_EXCLUSIVE if full else model.SHARE_UPDATE_EXCLUSIVE
    names = [relation(rel.relation, step.scope) for rel in node.rels or ()]
    effects = [_on(name, lock, step, known) for name in names] or [Effect(lock=lock)]
    return replace(worst(effects), transactional=not node.is_vacuumcmd)


def cluster(node, step: Step, known: Catalogue) -> Effect:
    name = relation(node.relation, step.scope)
    return (
        _on(name, model.ACCESS_EXCLUSIVE, step, known)
        if name
        else Effect(lock=model.ACCESS_EXCLUSIVE, transactional=False)
    )


def comment(node, step: Step, known: Catalogue) -> Effect:
    kind = node.objtype.name
    if kind not in ("OBJECT_TABLE", "OBJECT_COLUMN"):
        return Effect()
    parts = strings(node.object)
    return _on(
        dotted(parts if kind == "OBJECT_TABLE" else parts[:-1], step.scope), model.SHARE_UPDATE_EXCLUSIVE, step, known
    )


create_trigger = triggers.create
