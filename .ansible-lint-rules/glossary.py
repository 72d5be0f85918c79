# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of docs/glossary.md that are not to be used, and where a text uses one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"

# Verbs of the glossary whose forms do not follow from the word.
FORMS = {
    "bring": "brings?|brought|bringing",
    "give": "gives?|gave|given|giving",
    "go": "go|goes|went|gone|going",
    "is": "be|is|are|was|were|been|being",
    "make": "makes?|made|making",
    "put": "puts?|putting",
    "run": "runs?|ran|running",
    "stand": "stands?|stood|standing",
    "take": "takes?|took|taken|taking",
}
# What follows a word within a sentence: blanks, or the end of a line and the next line's indentation.
GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*)"


@dataclass(frozen=True)
class Banned:
    """A phrase that is not to be used, the word to use, and the expression that finds the phrase."""

    phrase: str
    instead: str
    pattern: re.Pattern


@dataclass(frozen=True)
class Finding:
    """Where a text uses a banned phrase: its line (from 1), the words seen, and the word to use."""

    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.words!r} is a word not to use: write {self.instead!r} (docs/glossary.md)"


@cache
def banned(glossary: Path = GLOSSARY) -> tuple[Banned, ...]:
    """Every phrase of the right-hand column of the glossary's tables."""
    found = []
    for line in glossary.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 3 and cells[0] != "word" and set(cells[0]) != {"-"}:
            phrases = [phrase.strip() for phrase in cells[2].split(",") if phrase.strip()]
            found += [Banned(phrase, cells[0], pattern(phrase)) for phrase in phrases]
    return tuple(found)


def pattern(phrase: str) -> re.Pattern:
    """An expression that finds a phrase of the glossary in each form of its first word; `…` stands for up to three words."""
    first, *rest = phrase.split()
    parts = [rf"(?:{FORMS.get(first, _regular(first))})"]
    for word in rest:
        parts.append(r"(?:GAP[\w'-]+){0,3}" if word == "…" else f"GAP{re.escape(word)}")
    return re.compile(rf"\b{''.join(parts)}\b".replace("GAP", GAP), re.IGNORECASE)


def _regular(word: str) -> str:
    stem = word.removesuffix("e")
    return rf"{re.escape(word)}|{re.escape(stem)}(?:e?s|ed|ing)"


def findings(text: str, line: int = 1) -> Iterator[Finding]:
    """Every banned phrase in a text that begins at `line` of its file, in the order of the glossary."""
    for entry in banned():
        for match in entry.pattern.finditer(text):
            at = line + text.count("\n", 0, match.start())
            yield Finding(at, " ".join(match.group().split()), entry.instead)
