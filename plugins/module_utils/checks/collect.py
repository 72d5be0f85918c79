# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as data: what was expected, what was seen, how long it took. Every check is made, also after one that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: The options of modules that make checks. Documented in plugins/doc_fragments/checks.py.
SPEC = {"host": {"type": "str", "default": ""}}
PASSED, FAILED, ERROR, NOT_RUN = "passed", "failed", "error", "not run"


class NothingToCheck(Exception):
    """The inventory has nothing of this kind, so there is nothing to check. The report shows this, and it is no pass."""


@dataclass(frozen=True)
class Seen:
    """What a check found: whether it is as expected, the finding in words, and the evidence."""

    good: bool
    words: str
    evidence: str = ""


@dataclass(frozen=True)
class Check:
    """One check. `look` raises ParityError or OSError where the check cannot be made, which is never a pass, and NothingToCheck where
    there is nothing to check.
    """

    id: str
    title: str
    expected: str
    look: Callable[[], Seen]
    severity: str = "major"

    @property
    def group(self) -> str:
        return self.id.split(".")[0]


def logic(make: Callable[[dict], list[dict]]) -> Callable[[Any], dict]:
    """What a module of checks does with its options. In check mode nothing is checked."""
    return lambda module: {"changed": False, "checks": [] if module.check_mode else make(module.params)}


def perform(checks: Iterable[Check], *, host: str = "", clock: Callable[[], float] = time.monotonic) -> list[dict]:
    """Make all checks, in order, and return what each has seen."""
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
            seen, status = Seen(False, f"could not be checked: {type(error).__name__}, which this check does not handle"), ERROR
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
