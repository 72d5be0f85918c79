# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge of migrations says: one answer for each statement, and one for the whole text."""

from __future__ import annotations

from dataclasses import dataclass, field

ADDITIVE = "additive"
UNKNOWN = "unknown"
DESTRUCTIVE = "destructive"
#: From harmless to harmful: the verdict of several is the last of these.
VERDICTS = (ADDITIVE, UNKNOWN, DESTRUCTIVE)

ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
SHARE = "SHARE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"
ROW_SHARE = "ROW SHARE"
ACCESS_SHARE = "ACCESS SHARE"

#: What a lock keeps others from, for a person who reads a plan.
BLOCKS = {
    ACCESS_EXCLUSIVE: "reads and writes",
    EXCLUSIVE: "writes",
    SHARE_ROW_EXCLUSIVE: "writes",
    SHARE: "writes",
    SHARE_UPDATE_EXCLUSIVE: "other changes of the structure",
    ROW_EXCLUSIVE: "nothing but changes of the structure",
    ROW_SHARE: "nothing but changes of the structure",
    ACCESS_SHARE: "nothing but changes of the structure",
}
WEAKEST_FIRST = ("", *reversed(BLOCKS))


@dataclass(frozen=True)
class Effect:
    """What one node of the parse tree does to those who use the database."""

    verdict: str = ADDITIVE
    reason: str = ""
    remedy: str = ""
    lock: str = ""
    table: str = ""
    transactional: bool = True


@dataclass(frozen=True)
class Statement:
    """One statement of a text, with its place and what it does."""

    text: str  # as written, without the semicolon
    line: int  # from 1, in the file
    start: int  # offset in characters in the text, after a byte order mark
    verdict: str  # "additive" | "destructive" | "unknown"
    reason: str  # why it is not additive, as a part of a sentence; "" where it is
    lock: str  # "ACCESS EXCLUSIVE" ... or ""
    table: str  # what is locked, schema-qualified but for public, "" where nothing in use is
    transactional: bool  # may run in a transaction
    shown: str  # one line, <= 240 characters, literals that may be secrets masked
    masked: str  # whole text, the same masking
    remedy: str = ""  # what to write instead, as a sentence; "" where there is nothing better


@dataclass(frozen=True)
class Judged:
    """The answer for a whole text."""

    verdict: str  # worst of the statements: destructive > unknown > additive
    statements: list[Statement] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # why it cannot be run as written, each "FILE, line N: ..."
    transactional: bool = True


def worst(effects: list[Effect]) -> Effect:
    """Several effects as one: the worst verdict with every reason, the strongest lock.

    Reasons and remedies are kept once each, in order.
    """
    verdict = max((effect.verdict for effect in effects), key=VERDICTS.index, default=ADDITIVE)
    strongest = max(effects, key=lambda effect: WEAKEST_FIRST.index(effect.lock), default=Effect())
    return Effect(
        verdict,
        "; ".join(dict.fromkeys(effect.reason for effect in effects if effect.reason)),
        " ".join(dict.fromkeys(effect.remedy for effect in effects if effect.remedy)),
        strongest.lock,
        strongest.table,
        all(effect.transactional for effect in effects),
    )
