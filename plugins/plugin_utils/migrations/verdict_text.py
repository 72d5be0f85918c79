# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judged migrations do to the running release, as lines for a person and as data for a pull request."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable

_WIDTH = 80
_WORDS = {"additive": "adds", "destructive": "takes away", "unknown": "cannot be judged"}
_MARK = (
    "Rewrite what takes something away so that it only adds; or, where the running release no longer needs it, write "
    "`-- parity: destructive` (in Python `# parity: destructive`) at the top of the file."
)
_NO_PLAN = "Correct what cannot run as it is written."


def deployable(verdict: dict) -> bool:
    """Whether one file may be deployed: it can run as written, and only adds or carries the mark."""
    return not verdict["errors"] and (verdict["mark"] or verdict["verdict"] == "additive")


def lines(verdicts: list[dict]) -> list[str]:
    """The verdicts as lines of at most 80 columns: for each file a heading, and what is not additive in it."""
    return [line for verdict in verdicts for line in _file_lines(verdict)]


def summary(verdicts: list[dict]) -> str:
    """One sentence: how many files there are, and what they do."""
    if not verdicts:
        return "There are no migrations to judge."
    counted = Counter(verdict["verdict"] for verdict in verdicts)
    parts = [f"{counted[name]} {words}" for name, words in (("additive", "only add"), ("destructive", "take something away"))]
    unknown = f"{counted['unknown']} cannot be judged"
    return f"{len(verdicts)} {'file' if len(verdicts) == 1 else 'files'}: {', '.join([*parts, unknown])}."


def refusal(verdicts: list[dict], others: Iterable[str] = ()) -> str:
    """Why this cannot be deployed as it is, and what to do; empty where it can. `others` are problems of other files."""
    refused = [verdict for verdict in verdicts if not deployable(verdict)]
    found = [_refused(verdict) for verdict in refused] + list(others)
    if not found:
        return ""
    advice = [_MARK] if any(not verdict["errors"] for verdict in refused) else []
    advice += [_NO_PLAN] if any(verdict["errors"] for verdict in refused) else []
    return "\n".join([f"{len(found)} problem{'s' if len(found) > 1 else ''}:", *(f"- {words}" for words in found), *advice])


def _refused(verdict: dict) -> str:
    if verdict["errors"]:
        return f"{verdict['file']} cannot run as it is written"
    words = "takes something away" if verdict["verdict"] == "destructive" else "cannot be judged"
    return f"{verdict['file']} {words} and has no mark"


def _file_lines(verdict: dict) -> list[str]:
    marked = ", marked as destructive" if verdict["mark"] else ""
    found = [f"{verdict['file']}: {_WORDS[verdict['verdict']]}{marked}"]
    found += _folded("  error: ", verdict["errors"])
    for statement in verdict["statements"]:
        found += _statement_lines(statement)
    return found


def _statement_lines(statement: dict) -> list[str]:
    if statement["verdict"] == "additive" and not statement["lock"]:
        return []
    reason = f": {statement['reason']}" if statement["reason"] else ""
    lock = f" (lock: {statement['lock']})" if statement["lock"] else ""
    found = _folded(f"  line {statement['line']}: ", [f"{_WORDS[statement['verdict']]}{reason}{lock}"])
    return found + _folded("    instead: ", [statement["remedy"]] if statement.get("remedy") else [])


def _folded(first: str, texts: Iterable[str]) -> list[str]:
    folded = []
    for text in texts:
        folded += textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)
    return folded
