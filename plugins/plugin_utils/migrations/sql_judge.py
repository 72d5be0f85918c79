# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of SQL: what a migration does to the release that goes on running with its old code while it is applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import layouts, plpgsql, scene, statements, texts, tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.effect import ADDITIVE, UNKNOWN, Effect, worst
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.locks import BLOCKS, described
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.scene import Known, Scene
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.texts import Piece, directives, same
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import ParseError, ast

__all__ = ["BLOCKS", "Judged", "Known", "Statement", "described", "directives", "judge", "judge_rendered", "learn", "same"]

_TOGETHER = (
    "Put it into a file of its own, or, where half of the file may stay after a failure, write `-- parity: no-transaction` at the top."
)


@dataclass(frozen=True)
class Statement:
    """One statement of a text, with its place and what it does to the running release."""

    text: str  # as written, without the semicolon
    line: int  # from 1
    start: int  # offset in characters, after a byte order mark
    verdict: str  # "additive" | "destructive" | "unknown"
    reason: str  # why it is not additive, as a part of a sentence; "" where it is
    lock: str  # "ACCESS EXCLUSIVE" ... or ""
    table: str  # what is locked, "" where nothing in use is
    transactional: bool  # may run in a transaction
    shown: str  # one line of at most 240 characters, without what may be a secret
    masked: str  # the whole text, without what may be a secret
    remedy: str = ""  # what to write instead; "" where there is nothing better
    index: str = ""  # the index it builds CONCURRENTLY, which a killed run leaves invalid

    @property
    def locks(self) -> str:
        """The lock in words."""
        return described(self.lock, self.table)


@dataclass(frozen=True)
class Judged:
    """The answer for a whole text. `text` is what is to be run: the file without a byte order mark."""

    verdict: str
    statements: list[Statement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # why it cannot run as it is written, each "FILE, line N: ..."
    transactional: bool = True
    text: str = ""


def judge(sql: str, file: str, known: Known | None = None) -> Judged:
    """A migration file. `known` is what the files before it have made."""
    text = sql.removeprefix(texts.BOM)
    problems = layouts.problems(text, file)
    try:
        pieces = texts.pieces(text) if not problems else []
    except ParseError as error:
        problems = [layouts.explain(text, file, error)]
    if problems:
        return Judged(UNKNOWN, [], problems, text=text)
    if len(pieces) > 2 and texts.is_begin(pieces[0].node) and texts.is_commit(pieces[-1].node):
        pieces = pieces[1:-1]
    found = _effects(pieces, known or Known())
    result = [_statement(piece, effect) for piece, effect in zip(pieces, found)]
    together = "no-transaction" not in directives(sql) and all(effect.transactional for effect in found)
    problems = [*_own_transactions(pieces, file), *_enum_values(pieces, file, together), *_mixture(pieces, found, file, sql)]
    return Judged(worst(one.verdict for one in result), result, problems, together, text)


def judge_rendered(sql: str, file: str) -> Judged:
    """SQL that Alembic or Django renders, which see to their transactions themselves."""
    try:
        pieces = [piece for piece in texts.pieces(sql) if not isinstance(piece.node, ast.TransactionStmt)]
    except ParseError as error:
        return Judged(UNKNOWN, [], [layouts.explain(sql, file, error)], text=sql)
    result = [_statement(piece, effect) for piece, effect in zip(pieces, _effects(pieces, Known()))]
    return Judged(worst(one.verdict for one in result), result, [], True, sql)


def learn(known: Known, sql: str) -> None:
    """Add what a file makes to what is known; a file that cannot be read adds nothing."""
    try:
        for raw in tree.parse(sql.removeprefix(texts.BOM)):
            known.learn(raw.stmt)
    except ParseError:
        return


def _effects(pieces: list[Piece], known: Known) -> list[Effect]:
    """The effect of each statement, in order, knowing what the file makes before it and leaves behind."""
    nodes = list(_flat(pieces))
    after = scene.left_behind(nodes)
    state = Scene(
        known,
        finally_there=scene.outcome(nodes),
        open_tables=set(scene.open_policies(nodes)),
        views_after=after.views,
        functions_after=after.functions,
    )
    return [statements.judge(piece.node, state) for piece in pieces]


def _flat(pieces: list[Piece]) -> Iterable[object]:
    """Every statement, those inside of DO among them."""
    for piece in pieces:
        yield piece.node
        if isinstance(piece.node, ast.DoStmt):
            yield from (step.node for step in plpgsql.block(piece.node) if step.node is not None)


def _statement(piece: Piece, effect: Effect) -> Statement:
    masked = texts.masked(piece.text, piece.node)
    return Statement(
        piece.text, piece.line, piece.start, effect.verdict, effect.reason if effect.verdict != ADDITIVE else "", effect.lock, effect.table,
        effect.transactional, texts.on_one_line(masked), masked, effect.remedy, _built_index(piece.node),
    )  # fmt: skip


def _built_index(node: object) -> str:
    if isinstance(node, ast.IndexStmt) and node.concurrent:
        return node.idxname or ""
    concurrently = isinstance(node, ast.ReindexStmt) and any(one.defname == "concurrently" for one in node.params or ())
    return node.relation.relname if concurrently and node.relation else ""


def _own_transactions(pieces: list[Piece], file: str) -> list[str]:
    found = [piece for piece in pieces if isinstance(piece.node, ast.TransactionStmt)]
    if not found:
        return []
    if _new_enum_values([one for one in pieces if isinstance(one.node, ast.AlterEnumStmt)]):
        return []
    return [
        f"{file}, line {piece.line}: {texts.on_one_line(piece.text)!r} begins or ends a transaction. Each file runs in one of its own, "
        "together with its row in the history; remove the line, or put what follows into a file of its own."
        for piece in found
    ]


def _new_enum_values(pieces: list[Piece]) -> set[str]:
    return {piece.node.newVal for piece in pieces if isinstance(piece.node, ast.AlterEnumStmt) and piece.node.oldVal is None}


def _enum_values(pieces: list[Piece], file: str, together: bool) -> list[str]:
    """A new value of a type can be used only once it is committed."""
    added: set[str] = set()
    own = {tree.strings(piece.node.typeName) for piece in pieces if isinstance(piece.node, ast.CreateEnumStmt)}
    for piece in pieces:
        if isinstance(piece.node, ast.AlterEnumStmt):
            added |= _new_enum_values([piece]) if tree.strings(piece.node.typeName) not in own else set()
            continue
        used = {token.text[1:-1] for token in texts.tokens(piece.text) if token.name == "SCONST"} & added
        if used and together:
            value = sorted(used)[0]
            return [
                f"{file}, line {piece.line}: this file adds the value {value!r} to a type, and a new value can be used only once it is "
                "committed. Make two files: one that adds the value, and one with what comes after."
            ]
    return []


def _mixture(pieces: list[Piece], effects: list[Effect], file: str, sql: str) -> list[str]:
    if "no-transaction" in directives(sql):
        return []
    counted = [effect for piece, effect in zip(pieces, effects) if not effect.neutral and not isinstance(piece.node, ast.TransactionStmt)]
    if {effect.transactional for effect in counted} != {True, False}:
        return []
    line = next(piece.line for piece, effect in zip(pieces, effects) if not effect.transactional)
    return [
        f"{file}, line {line}: this statement cannot run in a transaction (CONCURRENTLY, VACUUM), and others of the file should. "
        f"{_TOGETHER}"
    ]
