# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as data: what was expected, what was seen, how long it took. All of them are made, whatever the first one says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

PASSED, FAILED, ERROR, NOT_RUN = "passed", "failed", "error", "not run"


class NothingToCheck(Exception):
    """The inventory has nothing of this kind, so there is nothing to look at. Says so, and is no pass."""


@dataclass(frozen=True)
class Seen:
    """What a check found: whether that is as expected, in words, and what shows it."""

    good: bool
    words: str
    evidence: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at. `look` raises ParityError or OSError where it cannot be looked at, which is never a pass, and
    NothingToCheck where there is nothing to look at.
    """

    id: str
    title: str
    expected: str
    look: Callable[[], Seen]
    severity: str = "major"

    @property
    def group(self) -> str:
        return self.id.split(".")[0]


def perform(checks: Iterable[Check], *, host: str = "", clock: Callable[[], float] = time.monotonic) -> list[dict]:
    """Make all checks, in order, and say what each has seen."""
    found = []
    for check in checks:
        began = clock()
        try:
            seen = check.look()
            status = PASSED if seen.good else FAILED
        except NothingToCheck as reason:
            seen, status = Seen(False, f"not checked: {reason}"), NOT_RUN
        except (ParityError, OSError) as error:
            seen, status = Seen(False, f"could not be checked: {error}"), ERROR
        except Exception as error:  # the other checks are made all the same; its words may hold anything
            seen, status = Seen(False, f"could not be checked: {type(error).__name__}, which this check was not made for"), ERROR
        found.append(
            {
                "id": check.id,
                "group": check.group,
                "title": check.title,
                "severity": check.severity,
                "expected": check.expected,
                "host": host,
                "status": status,
                "seen": seen.words,
                "evidence": seen.evidence,
                "seconds": round(clock() - began, 4),
            }
        )
    return found
