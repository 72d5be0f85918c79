# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of SQL: what a migration does to the release that goes on running with its old code while it is applied."""

from __future__ import annotations

from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import ADDITIVE, BLOCKS, UNKNOWN, VERDICTS, Judged, Statement
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import BOM, ParseError, Piece, directives, pieces, same

__all__ = ["BLOCKS", "Judged", "Statement", "directives", "judge", "judge_rendered", "same"]


def judge(sql: str, file: str) -> Judged:
    """A migration file in Supabase's layout."""
    return _judge(sql.removeprefix(BOM), file)


def judge_rendered(sql: str, file: str) -> Judged:
    """SQL that Alembic or Django has rendered."""
    return _judge(sql, file)


def _judge(text: str, file: str) -> Judged:
    try:
        found = [_statement(piece) for piece in pieces(text)]
    except ParseError as error:
        return Judged(UNKNOWN, [], [f"{file}, line 1: PostgreSQL's parser refuses it: {error.args[0]}."])
    return Judged(max((one.verdict for one in found), key=VERDICTS.index, default=ADDITIVE), found)


def _statement(piece: Piece) -> Statement:
    """Nothing is recognised yet, so nothing is harmless."""
    return Statement(piece.text, piece.line, piece.start, UNKNOWN, "its kind is not known to the judge", "", "", True, "'...'", "'...'")
