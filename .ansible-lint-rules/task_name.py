# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule task-name: names of plays, blocks and tasks are orders an operator understands at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import glossary
from ansiblelint.rules import AnsibleLintRule

if TYPE_CHECKING:
    from ansiblelint.errors import MatchError
    from ansiblelint.file_utils import Lintable
    from ansiblelint.utils import Task

FEWEST, MOST = 3, 8
VERBS_FILE = Path(__file__).with_name("verbs.txt")


def verbs() -> frozenset[str]:
    """The verbs a name may begin with, one a line in verbs.txt; lines that begin with # are comments."""
    lines = VERBS_FILE.read_text(encoding="utf-8").split("\n")
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def problems(name: str) -> list[str]:
    """What is wrong with a name, one sentence each. An expression of Jinja counts as one word."""
    words = re.sub(r"\{\{.*?\}\}", "JINJA", name).split()
    found = []
    first = words[0].rstrip(",") if words else ""
    if first not in verbs():
        found.append(
            f"begins with {first!r}, which is not in .ansible-lint-rules/verbs.txt: begin with what the task does,"
            " such as Release, Compare or Check, or add the verb, with a capital letter, to that file"
        )
    if not FEWEST <= len(words) <= MOST:
        found.append(f"has {len(words)} words: use {FEWEST} to {MOST}, a verb and its object")
    found += [str(finding) for finding in glossary.findings(name)]
    return found


class TaskNameRule(AnsibleLintRule):
    """Names begin with a verb of the list, have three to eight words, and use the glossary's words."""

    id = "task-name"
    description = (
        "A name is a capitalised imperative verb and its object, three to eight words, such as 'Release the deployment lock'. "
        "It uses the words of docs/glossary.md."
    )
    severity = "MEDIUM"
    tags = ["idiom"]  # noqa: RUF012 - as the base class has it
    version_changed = "1.0.0"

    def matchplay(self, file: Lintable, data: dict[str, Any]) -> list[MatchError]:
        """Check the name of a play, and of an imported playbook."""
        if file.kind != "playbook" or "name" not in data:
            return []
        return self._matches(str(data["name"]), file, data=data)

    def matchtask(self, task: Task, file: Lintable | None = None) -> list[MatchError]:
        """Check the name of a task or a block. The rule name[missing] refuses the ones without."""
        return self._matches(str(task.name), file, lineno=task.line) if task.name else []

    def _matches(self, name: str, file: Lintable | None, **place: Any) -> list[MatchError]:
        return [self.create_matcherror(message=f"{name!r} {problem}", filename=file, **place) for problem in problems(name)]
