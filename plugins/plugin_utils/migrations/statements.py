# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of statement does to the release that runs. A kind that is not in the table cannot be judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import plpgsql, scene, table_actions, tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.builtin_functions import HARMLESS
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.effect import NOTHING, Effect, takes, together, unknown
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.locks import (
    ACCESS_EXCLUSIVE,
    EXCLUSIVE,
    ROW_EXCLUSIVE,
    SHARE,
    SHARE_ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.scene import Scene
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import Name, ast

Handler = Callable[[object, Scene], Effect]

_LATER = "Do this in a later release, once no release runs that needs it."
_NEUTRAL = Effect(neutral=True)
_OUTSIDE = Effect(transactional=False)
_LOCK_MODES = {2: "", 3: ROW_EXCLUSIVE, 4: SHARE_UPDATE_EXCLUSIVE, 5: SHARE, 6: SHARE_ROW_EXCLUSIVE, 7: EXCLUSIVE, 8: ACCESS_EXCLUSIVE}
#: What nobody calls by its name.
_FREE_NAMES = ("index", "trigger", "policy", "rule", "domconstraint", "statistic_ext", "event_trigger", "publication", "subscription")
_YES = ("true", "on", "1", "yes")
_RELATIONS = ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE")


def judge(node: object, state: Scene) -> Effect:
    """The effect of one statement; `state` learns what it makes."""
    kind = type(node).__name__
    handler = _HANDLERS.get(kind)
    if handler is None:
        return unknown(f"{kind.removesuffix('Stmt')} is a kind of statement that is not known here")
    return handler(node, state)


def _steps(steps: Iterable[plpgsql.Step], state: Scene) -> Effect:
    """The effects of a body: each of its statements is judged as it would be outside."""
    found = [NOTHING]
    outside = state.nested
    for step in steps:
        state.nested = outside or step.conditional
        found.append(unknown(step.problem, "Write the statement itself.") if step.node is None else judge(step.node, state))
    state.nested = outside
    return together(found)


# --- Rows -------------------------------------------------------------------------------------------------------------


def _query(node: object, state: Scene) -> Effect:
    """SELECT: harmless but for what it calls, for statements in WITH that write, and for INTO."""
    into = getattr(node, "intoClause", None)
    if into is not None:
        state.make(("relation", tree.relation(into.rel)), certain=not state.nested)
    return together([NOTHING, *_inside(node, state)])


def _inside(node: object, state: Scene) -> list[Effect]:
    """What stands inside of a statement: others in its WITH, and the functions it calls."""
    found = []
    for one in tree.walk(node):
        if one is not node and isinstance(one, (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)):
            found.append(_rows(one, state))
        elif isinstance(one, ast.FuncCall):
            found.append(_called(tree.function_call(one), state))
    return found


def _called(name: Name, state: Scene) -> Effect:
    if name in state.calling or (len(name) == 1 and name[0] in HARMLESS):
        return NOTHING
    if name[-1] in HARMLESS and name[:-1] in (("extensions",), ("information_schema",)):
        return NOTHING
    if name not in state.functions:
        return unknown(
            f"it calls {tree.shown(name)}(), and the file does not show what that does",
            "Write the statements themselves, or create the function in the same file.",
        )
    state.calling.append(name)
    effect = _steps(plpgsql.function(state.functions[name]), state)
    state.calling.remove(name)
    return effect


def _rows(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    own = state.own_table(table)
    shown = tree.shown(table)
    deletes = isinstance(node, ast.DeleteStmt) or (
        isinstance(node, ast.MergeStmt) and any(one.commandType.name == "CMD_DELETE" for one in node.mergeWhenClauses)
    )
    if own:
        return NOTHING
    return (takes(f"it deletes rows of {shown}", _LATER) if deletes else NOTHING).on(ROW_EXCLUSIVE, shown)


def _write(node: object, state: Scene) -> Effect:
    return together([_rows(node, state), *_inside(node, state)])


def _truncate(node: object, state: Scene) -> Effect:
    tables = [tree.relation(one) for one in node.relations]
    return together(
        NOTHING if state.own_table(one) else takes(f"it empties {tree.shown(one)}", _LATER).on(ACCESS_EXCLUSIVE, tree.shown(one))
        for one in tables
    )


def _copy(node: object, state: Scene) -> Effect:
    if node.is_program or not node.is_from:
        return unknown("it copies to or from a file or a program of the server") if node.is_program or node.filename else NOTHING
    table = tree.relation(node.relation)
    return NOTHING if state.own_table(table) else NOTHING.on(ROW_EXCLUSIVE, tree.shown(table))


# --- Tables, views, indexes -------------------------------------------------------------------------------------------


def _create_table(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    effects = [NOTHING]
    for _table, constraint, _column in scene.made_constraints(node):
        if constraint.contype.name == "CONSTR_FOREIGN":
            other = tree.relation(constraint.pktable)
            effects += [] if state.own_table(other) or other == table else [NOTHING.on(SHARE_ROW_EXCLUSIVE, tree.shown(other))]
    if node.partbound is not None:
        parent = tree.relation(node.inhRelations[0])
        effects += [] if state.own_table(parent) else [NOTHING.on(ACCESS_EXCLUSIVE, tree.shown(parent))]
    _make_relation(table, node, state)
    return together(effects)


def _make_relation(name: Name, node: object, state: Scene) -> None:
    state.make(("relation", name), certain=not state.nested and not getattr(node, "if_not_exists", False))


def _create_as(node: object, state: Scene) -> Effect:
    _make_relation(tree.relation(node.into.rel), node, state)
    return together([NOTHING, *_inside(node.query, state)])


def _view(node: object, state: Scene) -> Effect:
    """PostgreSQL itself keeps CREATE OR REPLACE VIEW from losing a column."""
    name = tree.relation(node.view)
    if node.replace and not state.own_table(name):
        return NOTHING.on(ACCESS_EXCLUSIVE, tree.shown(name))
    state.make(("relation", name), certain=not state.nested)
    return NOTHING


def _sequence(node: object, state: Scene) -> Effect:
    _make_relation(tree.relation(node.sequence), node, state)
    return NOTHING


def _index(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    if state.own_table(table):
        return Effect(transactional=not node.concurrent)
    columns = [one.name for one in node.indexParams]
    new = all(one is not None and state.filled.get((table, one)) is False for one in columns)
    lock = SHARE_UPDATE_EXCLUSIVE if node.concurrent else SHARE
    effect = NOTHING
    if node.unique and not new:
        effect = takes(
            f"it demands unique rows in {tree.shown(table)}, where the running release may still write others",
            "Make it in a later release, once no release runs that may write such rows.",
        )
    return Effect(effect.verdict, effect.reason, effect.remedy, lock, tree.shown(table), not node.concurrent)


def _alter_table(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    if node.objtype.name == "OBJECT_TYPE":
        attribute = any(command.subtype.name != "AT_AddColumn" for command in node.cmds)
        return takes(f"it changes the attributes of type {tree.shown(table)}", _LATER) if attribute else NOTHING
    return together(table_actions.judge(command, table, node.objtype.name, state) for command in node.cmds)


def _refresh(node: object, state: Scene) -> Effect:
    name = tree.relation(node.relation)
    empties = takes(f"it empties {tree.shown(name)} (WITH NO DATA)") if node.skipData else NOTHING
    return NOTHING if state.own_table(name) else empties.on(EXCLUSIVE if node.concurrent else ACCESS_EXCLUSIVE, tree.shown(name))


def _vacuum(node: object, state: Scene) -> Effect:
    full = any(one.defname == "full" and (one.arg is None or tree.text(one.arg).strip("'") in _YES) for one in node.options or ())
    lock = ACCESS_EXCLUSIVE if full else SHARE_UPDATE_EXCLUSIVE
    tables = [tree.shown(tree.relation(one.relation)) for one in node.rels or () if one.relation]
    return Effect(lock=lock, table=", ".join(tables), transactional=not node.is_vacuumcmd)


def _cluster(node: object, state: Scene) -> Effect:
    table = tree.shown(tree.relation(node.relation)) if node.relation else ""
    return Effect(lock=ACCESS_EXCLUSIVE, table=table, transactional=bool(node.relation))


def _reindex(node: object, state: Scene) -> Effect:
    concurrently = any(one.defname == "concurrently" for one in node.params or ())
    name = tree.shown(tree.relation(node.relation)) if node.relation else (node.name or "the database")
    whole = node.kind.name in ("REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE")
    lock = SHARE_UPDATE_EXCLUSIVE if concurrently else ACCESS_EXCLUSIVE
    effect = NOTHING
    if whole and not concurrently:
        effect = takes(f"it keeps the users of every table of {name} waiting while it works", "Write REINDEX ... CONCURRENTLY.")
    return Effect(effect.verdict, effect.reason, effect.remedy, lock, name, not concurrently and not whole)


def _lock(node: object, state: Scene) -> Effect:
    mode = _LOCK_MODES.get(node.mode, "")
    return together([NOTHING, *(NOTHING.on(mode, tree.shown(tree.relation(one))) for one in node.relations)])


def _comment(node: object, state: Scene) -> Effect:
    if node.objtype.name not in ("OBJECT_TABLE", "OBJECT_COLUMN"):
        return _NEUTRAL
    parts = tree.strings(node.object)
    table = parts[:-1] if node.objtype.name == "OBJECT_COLUMN" else parts
    return _NEUTRAL if state.own_table(table) else _NEUTRAL.on(SHARE_UPDATE_EXCLUSIVE, tree.shown(table))


# --- What goes, and what gets another name ----------------------------------------------------------------------------


def _drop(node: object, state: Scene) -> Effect:
    return together(_drop_one(node, item, state) for item in node.objects)


def _drop_one(node: object, item: object, state: Scene) -> Effect:
    kind = node.removeType.name.removeprefix("OBJECT_").lower().replace("matview", "materialized view").replace("_", " ")
    if node.removeType.name in _RELATIONS:
        return _drop_relation(node, tree.strings(item), kind, state)
    thing = scene.replaceable(node.removeType.name, item)
    if thing:
        (table, name) = thing[1]
        gone = not state.comes_back(thing) and thing not in state.made and not state.own_table(table)
        effect = takes(f"it drops {kind} {tree.shown((name,))} of {tree.shown(table)}", _LATER) if gone else NOTHING
        return effect if state.own_table(table) else effect.on(ACCESS_EXCLUSIVE, tree.shown(table))
    return _drop_named(kind, item, state)


def _drop_relation(node: object, name: Name, kind: str, state: Scene) -> Effect:
    shown = tree.shown(name)
    transactional = not node.concurrent
    if state.own_table(name):
        state.made.discard(("relation", name))
        return Effect(transactional=transactional)
    replaced = kind == "index" and state.comes_back(("index", name[-1]))
    effect = NOTHING if replaced else takes(f"it drops {kind} {shown}", _LATER)
    if kind == "view" and name in state.views_after:
        effect = _replaced_view(name, state)
    lock = SHARE_UPDATE_EXCLUSIVE if node.concurrent else ACCESS_EXCLUSIVE
    return Effect(effect.verdict, effect.reason, effect.remedy, lock, shown, transactional)


def _replaced_view(name: Name, state: Scene) -> Effect:
    """A view that is dropped and made again: harmless where it has every column it had."""
    before, after, shown = state.known.views.get(name), state.views_after[name], tree.shown(name)
    remedy = "Write CREATE OR REPLACE VIEW, which keeps its columns."
    if not before or not after:
        return unknown(f"it makes view {shown} anew, and the text does not show which columns it had", remedy)
    lost = [column for column in before if column not in after]
    return takes(f"it takes {', '.join(lost)} out of view {shown}", remedy) if lost else NOTHING


def _replaced_function(key: tuple[Name, tuple[str, ...]], state: Scene) -> Effect:
    """A function that is dropped and made again with the same arguments: harmless where its callers see no difference."""
    before, after, shown = state.known.functions.get(key), state.functions_after[key], tree.shown(key[0])
    remedy = "Write CREATE OR REPLACE FUNCTION, or give the new one another name."
    if before == after:
        return NOTHING
    if before is None:
        return unknown(f"it makes function {shown} anew, and the text does not show what it gave back before", remedy)
    return takes(f"it changes what function {shown} takes or gives back", remedy)


def _drop_named(kind: str, item: object, state: Scene) -> Effect:
    """What has no lock that keeps users waiting: functions, types, schemas, extensions, ..."""
    if isinstance(item, ast.ObjectWithArgs):
        name = tree.strings(item.objname)
        key = (name, scene.argument_types(item.objargs))
        if state.has("function", key) or (item.args_unspecified and name in state.functions):
            state.functions.pop(name, None)
            state.made.discard(("function", key))
            return NOTHING
        if key in state.functions_after and kind in ("function", "procedure"):
            return _replaced_function(key, state)
        return takes(f"it drops {kind} {tree.shown(name)}", "Write CREATE OR REPLACE FUNCTION, or give the new one another name.")
    name = tree.strings(item.names) if isinstance(item, ast.TypeName) else tree.strings(item if isinstance(item, (list, tuple)) else [item])
    if state.has(kind, name):
        state.made.discard((kind, name))
        return NOTHING
    return takes(f"it drops {kind} {tree.shown(name)}".rstrip(), _LATER)


def _drop_other(kind: str) -> Handler:
    return lambda node, state: takes(f"it drops {kind}", _LATER)


def _rename(node: object, state: Scene) -> Effect:
    kind = node.renameType.name.removeprefix("OBJECT_").lower()
    if kind in _FREE_NAMES:
        table = tree.shown(tree.relation(node.relation)) if node.relation else ""
        return NOTHING.on(SHARE_UPDATE_EXCLUSIVE if kind == "index" else ACCESS_EXCLUSIVE, table) if table else NOTHING
    if node.relation is not None:
        return _rename_relation(node, kind, tree.relation(node.relation), state)
    item = node.object
    name = tree.strings(item.objname if isinstance(item, ast.ObjectWithArgs) else item if isinstance(item, (list, tuple)) else [item])
    what = tree.shown(name) if name else (node.subname or "")
    if state.has(kind, name):
        return NOTHING
    return takes(f"it renames {kind.replace('_', ' ')} {what}", "Add a new one beside it, and remove this one in a later release.")


def _rename_relation(node: object, kind: str, table: Name, state: Scene) -> Effect:
    shown = tree.shown(table)
    if state.own_table(table) or (kind == "column" and state.own_column(table, node.subname)):
        state.make(("relation", (*table[:-1], node.newname)), certain=kind != "column" and not state.nested)
        return NOTHING
    if kind == "tabconstraint":
        return unknown(f"it renames a constraint of {shown}, which ON CONFLICT may name").on(ACCESS_EXCLUSIVE, shown)
    what = f"column {tree.shown((node.subname,))} of {shown}" if kind in ("column", "attribute") else shown
    remedy = "Add a new one, write both from the new release, and remove the old one in a later release."
    return takes(f"it renames {what}", remedy).on(ACCESS_EXCLUSIVE, shown)


def _move(node: object, state: Scene) -> Effect:
    if node.relation is not None:
        table = tree.relation(node.relation)
        if state.own_table(table):
            return NOTHING
        return takes(f"it moves {tree.shown(table)} to another schema", _LATER).on(ACCESS_EXCLUSIVE, tree.shown(table))
    return takes(f"it moves {node.objectType.name.removeprefix('OBJECT_').lower()} to another schema", _LATER)


def _owner(node: object, state: Scene) -> Effect:
    kind = node.objectType.name.removeprefix("OBJECT_").lower()
    item = node.object
    name = tree.strings(item.objname if isinstance(item, ast.ObjectWithArgs) else item if isinstance(item, (list, tuple)) else [item])
    if state.has(kind, name) or (kind in ("function", "procedure") and name in state.functions):
        return NOTHING
    return unknown(f"it gives {kind} {tree.shown(name)} to another owner, and who owned it may lose its rights")


# --- Functions, types, rights -----------------------------------------------------------------------------------------


def _create_function(node: object, state: Scene) -> Effect:
    """It is made, not run; PostgreSQL itself keeps CREATE OR REPLACE from changing its result."""
    state.functions[tree.strings(node.funcname)] = node
    state.make(("function", scene.function_key(node)), certain=not state.nested and not node.replace)
    return NOTHING


def _do(node: object, state: Scene) -> Effect:
    return _steps(plpgsql.block(node), state)


def _call(node: object, state: Scene) -> Effect:
    return together([NOTHING, *_inside(node, state)])


def _grant(node: object, state: Scene) -> Effect:
    if node.is_grant:
        return NOTHING
    own = node.targtype.name == "ACL_TARGET_OBJECT" and all(
        (isinstance(one, ast.RangeVar) and state.own_table(tree.relation(one)))
        or (isinstance(one, ast.ObjectWithArgs) and tree.strings(one.objname) in state.functions)
        for one in node.objects or ()
    )
    return NOTHING if own else takes("it revokes rights, which the running release may need", _LATER)


def _default_rights(node: object, state: Scene) -> Effect:
    """Of what is made later: nothing the running release uses yet."""
    return NOTHING


def _grant_role(node: object, state: Scene) -> Effect:
    return NOTHING if node.is_grant else takes("it takes a role out of another, whose rights the running release may need", _LATER)


def _make_named(kind: str) -> Handler:
    """CREATE of something nobody uses yet."""

    def handler(node: object, state: Scene) -> Effect:
        names = getattr(node, "typeName", None) or getattr(node, "domainname", None) or getattr(node, "typevar", None)
        name = tree.relation(names) if isinstance(names, ast.RangeVar) else tree.strings(names)
        if name:
            state.make((kind, name), certain=not state.nested)
        return NOTHING

    return handler


def _create_schema(node: object, state: Scene) -> Effect:
    effects = [judge(one, state) for one in node.schemaElts or ()]
    state.make(("schema", (node.schemaname,)), certain=not state.nested and not node.if_not_exists)
    return together([NOTHING, *effects])


def _alter_enum(node: object, state: Scene) -> Effect:
    if node.oldVal is None:
        return NOTHING
    return takes(f"it renames value {node.oldVal!r} of type {tree.shown(tree.strings(node.typeName))}", _LATER)


def _alter_domain(node: object, state: Scene) -> Effect:
    name = tree.shown(tree.strings(node.typeName))
    subtype = str(getattr(node.subtype, "name", node.subtype))
    if subtype in ("AD_AlterDefault", "T") and node.def_ is None:
        return takes(f"it drops the default of domain {name}")
    if subtype in ("AD_AlterDefault", "T", "AD_DropNotNull", "N", "AD_ValidateConstraint", "V", "AD_DropConstraint", "X"):
        return NOTHING
    return takes(f"it narrows domain {name}", _LATER)


def _alter_sequence(node: object, state: Scene) -> Effect:
    name = tree.relation(node.sequence)
    options = {one.defname for one in node.options or ()}
    if state.own_table(name) or options <= {"owned_by", "cache", "as", "maxvalue", "no_cycle"} - {"as", "maxvalue"}:
        return NOTHING
    return unknown(f"it changes how sequence {tree.shown(name)} counts, which may give numbers twice")


def _policy(node: object, state: Scene) -> Effect:
    table = tree.relation(node.table)
    if state.own_table(table):
        return NOTHING
    shown = tree.shown(table)
    restricts = takes(f"it adds a restrictive policy to {shown}, which hides rows from the running release", _LATER)
    return (NOTHING if node.permissive else restricts).on(ACCESS_EXCLUSIVE, shown)


def _alter_policy(node: object, state: Scene) -> Effect:
    table = tree.relation(node.table)
    if state.own_table(table):
        return NOTHING
    shown = tree.shown(table)
    return unknown(f"it changes a policy of {shown}, which may hide rows from the running release").on(ACCESS_EXCLUSIVE, shown)


def _trigger(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    return NOTHING if state.own_table(table) else NOTHING.on(SHARE_ROW_EXCLUSIVE, tree.shown(table))


def _rule(node: object, state: Scene) -> Effect:
    table = tree.relation(node.relation)
    if state.own_table(table):
        return NOTHING
    shown = tree.shown(table)
    return takes(f"it adds a rule to {shown}, which rewrites the running release's statements").on(ACCESS_EXCLUSIVE, shown)


def _set(node: object, state: Scene) -> Effect:
    return _NEUTRAL


def _transaction(node: object, state: Scene) -> Effect:
    return NOTHING


def _always(effect: Effect) -> Handler:
    return lambda node, state: effect


def _said(reason: str) -> Handler:
    return lambda node, state: unknown(reason)


def _taken(reason: str) -> Handler:
    return lambda node, state: takes(reason, _LATER)


def _define(node: object, state: Scene) -> Effect:
    kind = node.kind.name.removeprefix("OBJECT_").lower()
    state.make((kind, tree.strings(node.defnames)), certain=not state.nested and not node.replace)
    return NOTHING


def _extension_update(node: object, state: Scene) -> Effect:
    return unknown(f"it updates extension {node.extname}, and the text does not show what that changes")


_HANDLERS: dict[str, Handler] = {
    # Rows
    "SelectStmt": _query, "InsertStmt": _write, "UpdateStmt": _write, "DeleteStmt": _write, "MergeStmt": _write,
    "TruncateStmt": _truncate, "CopyStmt": _copy, "ExplainStmt": lambda node, state: judge(node.query, state),
    "DeclareCursorStmt": lambda node, state: judge(node.query, state), "FetchStmt": _always(NOTHING), "ClosePortalStmt": _always(NOTHING),
    "ReturnStmt": _call, "PLAssignStmt": _call,
    # Tables, views, indexes
    "CreateStmt": _create_table, "CreateForeignTableStmt": lambda node, state: _create_table(node.base, state),
    "CreateTableAsStmt": _create_as, "ViewStmt": _view, "CreateSeqStmt": _sequence, "IndexStmt": _index, "AlterTableStmt": _alter_table,
    "RefreshMatViewStmt": _refresh, "VacuumStmt": _vacuum, "ClusterStmt": _cluster, "ReindexStmt": _reindex, "LockStmt": _lock,
    "CommentStmt": _comment, "SecLabelStmt": _always(NOTHING), "CreateStatsStmt": _always(NOTHING), "AlterStatsStmt": _always(NOTHING),
    "AlterSeqStmt": _alter_sequence, "AlterTableMoveAllStmt": _said("it moves tables to another tablespace"),
    "ImportForeignSchemaStmt": _always(NOTHING),
    # What goes, and what gets another name
    "DropStmt": _drop, "RenameStmt": _rename, "AlterObjectSchemaStmt": _move, "AlterOwnerStmt": _owner,
    "DropOwnedStmt": _drop_other("everything a role owns"), "DropRoleStmt": _drop_other("a role"), "DropdbStmt": lambda node, state: Effect(
        "destructive", f"it drops database {node.dbname}", transactional=False),
    "DropTableSpaceStmt": lambda node, state: Effect("destructive", "it drops a tablespace", transactional=False),
    "DropSubscriptionStmt": _drop_other("a subscription"), "DropUserMappingStmt": _drop_other("a user mapping"),
    "ReassignOwnedStmt": _said("it gives everything a role owns to another one"),
    # Functions, types, rights
    "CreateFunctionStmt": _create_function, "AlterFunctionStmt": _said("it changes how a function runs"), "DoStmt": _do, "CallStmt": _call,
    "GrantStmt": _grant, "GrantRoleStmt": _grant_role, "AlterDefaultPrivilegesStmt": _default_rights,
    "CreateRoleStmt": _always(NOTHING), "AlterRoleStmt": _taken("it changes a role, with which the running release may log in"),
    "AlterRoleSetStmt": _said("it changes a setting of a role's sessions"),
    "AlterDatabaseSetStmt": _said("it changes a setting of the database's sessions"),
    "CreateDomainStmt": _make_named("domain"), "CreateEnumStmt": _make_named("type"), "CompositeTypeStmt": _make_named("type"),
    "CreateRangeStmt": _make_named("type"), "DefineStmt": _define, "AlterEnumStmt": _alter_enum, "AlterDomainStmt": _alter_domain,
    "AlterTypeStmt": _said("it changes how a type works"), "CreateSchemaStmt": _create_schema,
    "CreateExtensionStmt": _always(NOTHING), "AlterExtensionStmt": _extension_update,
    "AlterExtensionContentsStmt": _said("it changes what belongs to an extension"),
    "CreatePolicyStmt": _policy, "AlterPolicyStmt": _alter_policy, "CreateTrigStmt": _trigger, "RuleStmt": _rule,
    "CreateEventTrigStmt": _said("it makes an event trigger, which runs at the changes of others"),
    "AlterEventTrigStmt": _said("it changes an event trigger"),
    "CreateCastStmt": _said("it makes a cast, which may change how the running release's statements are understood"),
    "CreateConversionStmt": _always(NOTHING), "CreateOpClassStmt": _always(NOTHING), "CreateOpFamilyStmt": _always(NOTHING),
    "AlterOpFamilyStmt": _said("it changes an operator family"), "AlterOperatorStmt": _said("it changes an operator"),
    "CreateAmStmt": _always(NOTHING), "CreatePLangStmt": _always(NOTHING), "CreateTransformStmt": _always(NOTHING),
    "AlterObjectDependsStmt": _always(NOTHING), "AlterCollationStmt": _always(NOTHING), "AlterDatabaseRefreshCollStmt": _always(NOTHING),
    "AlterTSConfigurationStmt": _said("it changes a text search configuration"),
    "AlterTSDictionaryStmt": _said("it changes a text search dictionary"),
    # Servers
    "CreatedbStmt": _always(_OUTSIDE), "AlterDatabaseStmt": _said("it changes the database itself"),
    "CreateTableSpaceStmt": _always(_OUTSIDE), "AlterTableSpaceOptionsStmt": _always(NOTHING),
    "AlterSystemStmt": lambda node, state: Effect("unknown", "it changes a setting of the server", transactional=False),
    "CreateFdwStmt": _always(NOTHING), "AlterFdwStmt": _said("it changes a foreign data wrapper"),
    "CreateForeignServerStmt": _always(NOTHING), "AlterForeignServerStmt": _said("it changes a foreign server"),
    "CreateUserMappingStmt": _always(NOTHING), "AlterUserMappingStmt": _said("it changes a user mapping"),
    "CreatePublicationStmt": _always(NOTHING), "AlterPublicationStmt": _said("it changes a publication"),
    "CreateSubscriptionStmt": _always(_OUTSIDE), "AlterSubscriptionStmt": _said("it changes a subscription"),
    # Sessions
    "VariableSetStmt": _set, "VariableShowStmt": _set, "ConstraintsSetStmt": _always(_NEUTRAL), "DiscardStmt": _always(_OUTSIDE),
    "TransactionStmt": _transaction, "CheckPointStmt": _always(NOTHING), "NotifyStmt": _always(NOTHING), "ListenStmt": _always(NOTHING),
    "UnlistenStmt": _always(NOTHING), "DeallocateStmt": _always(NOTHING), "PrepareStmt": _always(NOTHING),
    "ExecuteStmt": _said("it runs a prepared statement"), "LoadStmt": _said("it loads a library into the server"),
}  # fmt: skip
