# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one statement does to the release that runs, as a value that can be combined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import locks

ADDITIVE = "additive"
UNKNOWN = "unknown"
DESTRUCTIVE = "destructive"
_BEST_FIRST = (ADDITIVE, UNKNOWN, DESTRUCTIVE)


@dataclass(frozen=True)
class Effect:
    """`reason` says why the verdict is not additive and `remedy` what to write instead; `lock` is on `table`.

    `transactional` says that it may run in a transaction. `neutral` are those that may run in one or beside one, because nothing
    of them stays (SET, RESET, SHOW, COMMENT).
    """

    verdict: str = ADDITIVE
    reason: str = ""
    remedy: str = ""
    lock: str = ""
    table: str = ""
    transactional: bool = True
    neutral: bool = False

    def on(self, lock: str, table: str) -> Effect:
        """The same with a lock on a table."""
        return replace(self, lock=lock, table=table)


NOTHING = Effect()


def takes(reason: str, remedy: str = "") -> Effect:
    """An effect that takes something away from the running release."""
    return Effect(DESTRUCTIVE, reason, remedy)


def unknown(reason: str, remedy: str = "") -> Effect:
    """An effect that cannot be judged."""
    return Effect(UNKNOWN, reason, remedy)


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts, additive where there is none."""
    return max(verdicts, key=_BEST_FIRST.index, default=ADDITIVE)


def together(effects: Iterable[Effect]) -> Effect:
    """Several effects as one: the worst verdict with its reasons, and the strongest lock."""
    found = list(effects)
    verdict = worst(one.verdict for one in found)
    bad = [one for one in found if one.verdict == verdict and verdict != ADDITIVE]
    lock = locks.strongest(one.lock for one in found)
    return Effect(
        verdict,
        "; ".join(dict.fromkeys(one.reason for one in bad)),
        " ".join(dict.fromkeys(one.remedy for one in bad if one.remedy)),
        lock,
        next((one.table for one in found if one.lock == lock), ""),
        all(one.transactional for one in found),
        bool(found) and all(one.neutral for one in found),
    )
