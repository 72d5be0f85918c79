# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts pages into chunks: pure, and the same every time, which makes storing them again harmless."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from docpipe.parsing import Page

CHUNK_CHARACTERS = 800
OVERLAP_CHARACTERS = 100


@dataclass(frozen=True)
class Chunk:
    """A piece of one page; `index` counts through the whole document."""

    index: int
    page: int
    text: str


def chunk_pages(
    pages: Iterable[Page], size: int = CHUNK_CHARACTERS, overlap: int = OVERLAP_CHARACTERS
) -> list[Chunk]:
    """Chunks of at most `size` characters; none spans two pages, so each can name its page."""
    pieces = (
        (page.number, piece) for page in pages for piece in _split(" ".join(page.text.split()), size, overlap)
    )
    return [Chunk(index, number, piece) for index, (number, piece) in enumerate(pieces)]


def _split(text: str, size: int, overlap: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = _break_before(text, start, start + size)
        yield text[start:end].strip()
        if end >= len(text):
            return
        # Begin the next chunk a little earlier, at a word, so that no sentence is lost between two.
        space = text.rfind(" ", max(start + 1, end - 2 * overlap), end - overlap)
        start = space + 1 if space >= 0 else end


def _break_before(text: str, start: int, limit: int) -> int:
    """Where to end a chunk: after a sentence in its second half, else between words, else anywhere."""
    if limit >= len(text):
        return len(text)
    middle = (start + limit) // 2
    sentence = max(text.rfind(mark, middle, limit) for mark in (". ", "! ", "? "))
    if sentence >= 0:
        return sentence + 1
    word = text.rfind(" ", middle, limit + 1)
    return word if word >= 0 else limit
