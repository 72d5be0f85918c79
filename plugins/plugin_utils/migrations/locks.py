# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locks of PostgreSQL's tables that keep somebody from something."""

from __future__ import annotations

from collections.abc import Iterable

ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
SHARE = "SHARE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"

#: What a lock keeps others from, for a person who reads a plan.
BLOCKS = {
    ACCESS_EXCLUSIVE: "reads and writes",
    EXCLUSIVE: "writes",
    SHARE_ROW_EXCLUSIVE: "writes",
    SHARE: "writes",
    SHARE_UPDATE_EXCLUSIVE: "other changes of the structure",
    ROW_EXCLUSIVE: "nothing but changes of the structure",
}
_WEAKEST_FIRST = ("", *reversed(BLOCKS))


def strongest(locks: Iterable[str]) -> str:
    """The strongest of some locks, empty where there is none."""
    return max(locks, key=_WEAKEST_FIRST.index, default="")


def described(lock: str, table: str) -> str:
    """A lock in words; empty where no table in use is locked."""
    return f"{lock} on {table or 'what it names'} (blocks {BLOCKS[lock]})" if lock else ""
