# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of SQL: what a migration does to the release that goes on running with its old code while it is applied.

Additive means that a running reader and writer of that release goes on working; destructive that one may break or data is
lost; unknown that the text does not say. Read with PostgreSQL's own parser: what has no entry in the table is unknown.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import (
    alter_table,
    catalogue,
    masking,
    objects,
    policies,
    queries,
    statements,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import Catalogue, Step
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.layout import Layout, read, without_mark
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import (
    ADDITIVE,
    BLOCKS,
    DESTRUCTIVE,
    UNKNOWN,
    VERDICTS,
    Effect,
    Judged,
    Statement,
    worst,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.objects import Handler, fixed
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import (
    ParseError,
    Piece,
    directives,
    line_of,
    same,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.steps import Opaque, Reader

__all__ = ["BLOCKS", "HANDLERS", "Judged", "Statement", "directives", "judge", "judge_rendered", "read", "same"]

_LATER = (
    "Remove it in a later release, when the running one has no use for it, and mark the file `-- parity: destructive`."
)
#: The one column of Alembic's version table.
_VERSION = "version_num"
_FINE = fixed(ADDITIVE)
_NO_STATEMENT = fixed(UNKNOWN, "it is no statement by itself")


def _unknown(what: str, remedy: str = "", *, transactional: bool = True) -> Handler:
    return fixed(UNKNOWN, what, remedy, transactional=transactional)


def _execute(node, step: Step, known: Catalogue) -> Effect:
    """What a prepared statement does is a step of its own where the text has prepared it."""
    return (
        Effect()
        if known.before("prepared", node.name, step)
        else Effect(UNKNOWN, f"it executes {node.name}, which is not prepared in this file")
    )


def _call(node, step: Step, known: Catalogue) -> Effect:
    return worst(queries.calls(node, step, known))


def _prepare(node, step: Step, known: Catalogue) -> Effect:
    return Effect()


def _cursor(node, step: Step, known: Catalogue) -> Effect:
    return queries.select(node.query, step, known)


def _default_privileges(node, step: Step, known: Catalogue) -> Effect:
    """They concern what is created later, which the running release does not use."""
    return Effect()


def _discard(node, step: Step, known: Catalogue) -> Effect:
    return Effect(transactional=node.target.name != "DISCARD_ALL")


#: The answer for each kind of statement of PostgreSQL's grammar. A kind that is not here cannot be judged.
HANDLERS: dict[str, Handler] = {
    # Rows
    "SelectStmt": queries.select,
    "InsertStmt": queries.write,
    "UpdateStmt": queries.write,
    "DeleteStmt": queries.write,
    "MergeStmt": queries.write,
    "TruncateStmt": queries.truncate,
    "CopyStmt": queries.copy,
    "ExplainStmt": queries.explain,
    "CallStmt": _call,
    "DoStmt": _FINE,  # its parts are steps of their own
    "PrepareStmt": _prepare,
    "ExecuteStmt": _execute,
    "DeallocateStmt": _FINE,
    "DeclareCursorStmt": _cursor,
    "FetchStmt": _FINE,
    "ClosePortalStmt": _FINE,
    # Tables and what belongs to them
    "CreateStmt": objects.create_table,
    "CreateForeignTableStmt": objects.create_table,
    "CreateTableAsStmt": objects.create_table_as,
    "AlterTableStmt": alter_table.judge,
    "AlterTableMoveAllStmt": _unknown(
        "it rewrites and locks every table of a tablespace", "Move the tables one by one."
    ),
    "IndexStmt": objects.create_index,
    "ViewStmt": objects.create_view,
    "CreateTrigStmt": objects.create_trigger,
    "RuleStmt": objects.create_rule,
    "CreatePolicyStmt": policies.create,
    "AlterPolicyStmt": policies.alter,
    "CreateSeqStmt": _FINE,
    "AlterSeqStmt": objects.alter_sequence,
    "CreateStatsStmt": objects.create_statistics,
    "AlterStatsStmt": _FINE,
    "ReplicaIdentityStmt": _NO_STATEMENT,
    # Any object
    "DropStmt": objects.drop,
    "RenameStmt": objects.rename,
    "AlterObjectSchemaStmt": objects.set_schema,
    "AlterOwnerStmt": objects.set_owner,
    "AlterObjectDependsStmt": _FINE,
    "CommentStmt": objects.comment,
    "SecLabelStmt": _unknown("it sets a security label, and who reads that is not seen"),
    # Types, functions, schemas
    "CreateSchemaStmt": objects.create_schema,
    "CreateFunctionStmt": _FINE,  # created, not executed
    "AlterFunctionStmt": objects.alter_function,
    "CompositeTypeStmt": _FINE,
    "CreateEnumStmt": _FINE,
    "CreateRangeStmt": _FINE,
    "CreateDomainStmt": _FINE,
    "AlterEnumStmt": objects.alter_enum,
    "AlterDomainStmt": objects.alter_domain,
    "AlterTypeStmt": _unknown("it changes how a type is stored or handled"),
    "DefineStmt": objects.define,
    "CreateCastStmt": objects.create_cast,
    "CreateConversionStmt": _unknown("it changes how text is converted between encodings"),
    "CreateTransformStmt": _unknown("it changes how functions see the values of a type"),
    "CreateOpClassStmt": _FINE,
    "CreateOpFamilyStmt": _FINE,
    "AlterOpFamilyStmt": _unknown("it changes how indexes compare values"),
    "AlterOperatorStmt": _unknown("it changes how an operator is planned"),
    "CreatePLangStmt": _FINE,
    "CreateAmStmt": _FINE,
    "AlterCollationStmt": _FINE,
    "AlterTSConfigurationStmt": _unknown("it changes what text searches find", "Create another configuration."),
    "AlterTSDictionaryStmt": _unknown("it changes what text searches find", "Create another dictionary."),
    # Rights and roles
    "GrantStmt": objects.grant,
    "GrantRoleStmt": objects.grant_role,
    "AlterDefaultPrivilegesStmt": _default_privileges,
    "CreateRoleStmt": _FINE,
    "AlterRoleStmt": objects.alter_role,
    "AlterRoleSetStmt": _unknown("it changes the settings of a role, as which the running release may log in"),
    "DropRoleStmt": objects.drop_role,
    "DropOwnedStmt": fixed(DESTRUCTIVE, "it drops everything that a role owns", _LATER),
    "ReassignOwnedStmt": _unknown("it gives everything that a role owns to another", "Change the owners one by one."),
    # The world outside
    "CreateExtensionStmt": _FINE,
    "AlterExtensionStmt": _unknown("it updates an extension, and what its script does is not seen"),
    "AlterExtensionContentsStmt": objects.alter_extension_contents,
    "CreateFdwStmt": _FINE,
    "AlterFdwStmt": _unknown("it changes where foreign tables come from"),
    "CreateForeignServerStmt": _FINE,
    "AlterForeignServerStmt": _unknown("it changes where foreign tables come from"),
    "CreateUserMappingStmt": _FINE,
    "AlterUserMappingStmt": _unknown("it changes as whom foreign tables are read"),
    "DropUserMappingStmt": fixed(DESTRUCTIVE, "it drops a user mapping, with which foreign tables are read", _LATER),
    "ImportForeignSchemaStmt": _FINE,
    "CreatePublicationStmt": objects.create_publication,
    "AlterPublicationStmt": objects.alter_publication,
    "CreateSubscriptionStmt": _unknown("it writes rows of another database into tables", transactional=False),
    "AlterSubscriptionStmt": _unknown("it changes which rows of another database are written into tables"),
    "DropSubscriptionStmt": fixed(
        DESTRUCTIVE, "it drops a subscription: rows of another database no longer arrive", _LATER
    ),
    "CreateEventTrigStmt": _unknown("it runs a function whenever the structure is changed"),
    "AlterEventTrigStmt": _unknown("it switches a trigger on changes of the structure"),
    # The server
    "CreatedbStmt": fixed(ADDITIVE, transactional=False),
    "AlterDatabaseStmt": _unknown("it changes the limits of the database"),
    "AlterDatabaseSetStmt": _unknown("it changes the settings with which the running release connects"),
    "AlterDatabaseRefreshCollStmt": _FINE,
    "DropdbStmt": fixed(DESTRUCTIVE, "it drops a database", _LATER, transactional=False),
    "CreateTableSpaceStmt": fixed(ADDITIVE, transactional=False),
    "AlterTableSpaceOptionsStmt": _FINE,
    "DropTableSpaceStmt": fixed(DESTRUCTIVE, "it drops a tablespace", _LATER, transactional=False),
    "AlterSystemStmt": _unknown(
        "it changes the settings of the whole server",
        "Change them where the server is configured.",
        transactional=False,
    ),
    "LoadStmt": _unknown("it loads code into the server"),
    "CheckPointStmt": _FINE,
    # Maintenance
    "VacuumStmt": objects.vacuum,
    "ClusterStmt": objects.cluster,
    "ReindexStmt": objects.reindex,
    "RefreshMatViewStmt": objects.refresh,
    "LockStmt": queries.lock,
    # The session
    "VariableSetStmt": queries.setting,
    "VariableShowStmt": _FINE,
    "DiscardStmt": _discard,
    "ConstraintsSetStmt": _FINE,
    "ListenStmt": _FINE,
    "NotifyStmt": _FINE,
    "UnlistenStmt": _FINE,
    "TransactionStmt": _FINE,  # where it may stand is a matter of the layout
    # Nodes that never stand by themselves
    "RawStmt": _NO_STATEMENT,
    "ReturnStmt": _NO_STATEMENT,
    "PLAssignStmt": _NO_STATEMENT,
    "SetOperationStmt": _NO_STATEMENT,
}


def judge(sql: str, file: str) -> Judged:
    """A migration file in Supabase's layout. What follows a byte order mark is judged, and has to be run."""
    statements.needs_parser()
    layout = Layout(without_mark(sql), file)
    found = _pieces(layout)
    unread = [piece for piece in found if piece.node is None]
    inside = layout.transactions([piece for piece in found if piece.node is not None])
    marked = "no-transaction" in layout.directives
    judged = _statements(inside, transactional=not marked)
    layout.mixed(inside, [one.transactional for one in judged])
    everything = sorted([*judged, *map(_unread, unread)], key=lambda one: one.start)
    unseen = layout.hidden or (layout.problems and not everything)
    verdict = max(_worst(everything), UNKNOWN if unseen else ADDITIVE, key=VERDICTS.index)
    return Judged(verdict, everything, layout.problems, not marked and all(one.transactional for one in everything))


def judge_rendered(sql: str, file: str, version_table: str = "alembic_version") -> Judged:
    """SQL that Alembic or Django has rendered: the tool's own transactions and what it writes into its version table are left out."""
    statements.needs_parser()
    layout = Layout("", file)
    layout.text = without_mark(sql)
    found = _pieces(layout)
    inside = [piece for piece in found if piece.node is not None and not _is_of_the_tool(piece.node, version_table)]
    judged = _statements(inside, transactional=not _commits_between(found))
    everything = sorted(
        [*judged, *(_unread(piece) for piece in found if piece.node is None)], key=lambda one: one.start
    )
    return Judged(_worst(everything), everything, layout.problems, all(one.transactional for one in everything))


def _commits_between(found: list[Piece]) -> bool:
    """Whether others see the database between two of the statements."""
    kinds = [getattr(getattr(piece.node, "kind", None), "name", "") for piece in found]
    commits = [at for at, kind in enumerate(kinds) if kind == "TRANS_STMT_COMMIT"]
    return bool(commits) and any(not kind.startswith("TRANS_STMT") for kind in kinds[commits[0] :])


def _worst(found: list[Statement]) -> str:
    return max((one.verdict for one in found), key=VERDICTS.index, default=ADDITIVE)


def _pieces(layout: Layout) -> list[Piece]:
    """The statements; where the parser refuses the text, those that can be read by themselves, the others without a node."""
    try:
        return statements.pieces(layout.text)
    except ParseError as error:
        layout.refused(error)
    try:
        return statements.pieces_one_by_one(layout.text)
    except ParseError:
        return [Piece(layout.text, 0, line_of(layout.text, 0), None)]


def _unread(piece: Piece) -> Statement:
    text = masking.unread(piece.text)
    why = "PostgreSQL's parser cannot read it"
    return Statement(
        piece.text,
        piece.line,
        piece.start,
        UNKNOWN,
        why,
        "",
        "",
        True,
        masking.shown(text),
        text,
        "Correct the statement.",
    )


def _statements(pieces: list[Piece], *, transactional: bool) -> list[Statement]:
    known = Catalogue(transactional=transactional)
    reader = Reader(known)
    steps = [reader.read(piece) for piece in pieces]
    return [_statement(piece, worst([_effect(step, known) for step in own])) for piece, own in zip(pieces, steps)]


def _effect(step: Step, known: Catalogue) -> Effect:
    if isinstance(step.node, Opaque):
        return step.node.effect
    kind = type(step.node).__name__
    handler = HANDLERS.get(kind)
    if handler is None:
        return Effect(UNKNOWN, f"the judge does not know this kind of statement ({kind})")
    effect = handler(step.node, step, known)
    return replace(effect, table=catalogue.shown(effect.table))


def _statement(piece: Piece, effect: Effect) -> Statement:
    text = masking.masked(piece.text, type(piece.node).__name__)
    return Statement(
        piece.text, piece.line, piece.start, effect.verdict, effect.reason, effect.lock, effect.table, effect.transactional,
        masking.shown(text), text, effect.remedy,
    )  # fmt: skip


def _is_of_the_tool(node, version_table: str) -> bool:
    """BEGIN and COMMIT, and what Alembic writes into its version table, told by the exact form it writes."""
    kind = type(node).__name__
    if kind == "TransactionStmt":
        return True
    if getattr(getattr(node, "relation", None), "relname", None) != version_table:
        return False
    if kind == "InsertStmt":
        return _columns(node.cols) == [_VERSION]
    if kind == "UpdateStmt":
        return _columns(node.targetList) == [_VERSION] and _names_version(node)
    if kind == "DeleteStmt":
        return _names_version(node)
    if kind == "CreateStmt":
        columns = [one.colname for one in node.tableElts or () if type(one).__name__ == "ColumnDef"]
        return columns == [_VERSION]
    return False


def _columns(targets) -> list[str]:
    return [target.name for target in targets or ()]


def _names_version(node) -> bool:
    """WHERE table.version_num = '...'"""
    where = node.whereClause
    if (
        type(where).__name__ != "A_Expr"
        or type(where.lexpr).__name__ != "ColumnRef"
        or type(where.rexpr).__name__ != "A_Const"
    ):
        return False
    return catalogue.strings(where.lexpr.fields)[-2:] == [node.relation.relname, _VERSION]
