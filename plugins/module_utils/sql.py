# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL text taken apart as PostgreSQL's own scanner would: statements, words, and where each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SCANNER = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\.?\d[\w.]*)
    | (?P<symbol>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BODY = re.compile(r"^\$[^$]*\$(.*)\$[^$]*\$$", re.DOTALL)
_SECRET = re.compile(r"(?i)(\bpassword\s+)(?:e?'(?:[^']|'')*')")


@dataclass(frozen=True)
class Token:
    """`text` is lower-case for words and as written for all else; `start` is its place in the whole text."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True)
class Statement:
    """One statement without its semicolon; `start` is its place in the whole text, `line` counts from 1."""

    text: str
    start: int
    line: int
    tokens: tuple[Token, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What a statement is told by: every token, strings and bodies reduced to their kind."""
        return tuple(_word(token) for token in self.tokens)

    @property
    def bodies(self) -> list[str]:
        """What stands between dollar quotes."""
        found = (_BODY.match(token.text) for token in self.tokens if token.kind == "dollar")
        return [match[1] for match in found if match]

    @property
    def masked(self) -> str:
        """The statement as it was written, without a password."""
        return _SECRET.sub(r"\1'...'", self.text)

    @property
    def shown(self) -> str:
        """The statement for a message: on one line, shortened, without a password."""
        text = " ".join(self.masked.split())
        return text if len(text) <= 240 else text[:237] + "..."


def split(sql: str) -> list[Statement]:
    """The statements of a text. Semicolons in strings, bodies, comments and brackets do not end one."""
    result: list[Statement] = []
    tokens: list[Token] = []
    depth = atomic = 0
    for token in _tokens(sql):
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif token.kind == "word":
            atomic = _atomic(tokens, token, atomic)
        if token.text == ";" and depth <= 0 and not atomic:
            _close(result, sql, tokens)
            tokens = []
            depth = 0
        else:
            tokens.append(token)
    _close(result, sql, tokens)
    return result


def same(one: str, two: str) -> bool:
    """Whether two texts hold the same statements, whatever their comments, spaces and semicolons."""
    first, second = ([token.text for token in _tokens(text) if token.text != ";"] for text in (one, two))
    return first == second


def place(sql: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a place in a text."""
    before = sql[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def directives(sql: str) -> dict[str, str]:
    """What a file says of itself in comments of its own: `-- parity: destructive`, `-- parity: statement_timeout=2h`."""
    found = re.findall(r"(?mi)^[ \t]*(?:--|#)[ \t]*parity:[ \t]*(.+?)[ \t]*$", sql)
    words = (word for line in found for word in re.split(r"[\s,]+", line.lower()) if word)
    return {name: value for name, _equals, value in (word.partition("=") for word in words)}


def _tokens(sql: str) -> list[Token]:
    result, position = [], 0
    while position < len(sql):
        match = _SCANNER.match(sql, position)
        if not match:  # no character is unknown to the scanner; this is for the type checker
            break
        end = match.end()
        kind = "dollar" if match["dollar"] else match.lastgroup or "symbol"
        if kind == "comment":
            end = _end_of_comment(sql, position)
        elif kind != "space":
            text = match[0]
            result.append(Token(kind, text.lower() if kind == "word" else text, position))
        position = end
    return result


def _end_of_comment(sql: str, start: int) -> int:
    """Comments of this kind nest in PostgreSQL."""
    depth = 0
    for match in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return start + match.end()
    return len(sql)


def _atomic(before: list[Token], token: Token, depth: int) -> int:
    """How deep in a function's body of plain SQL (BEGIN ATOMIC ... END) the text is after this word."""
    if not depth:
        return int(token.text == "atomic" and bool(before) and before[-1].text == "begin")
    return depth + {"case": 1, "end": -1}.get(token.text, 0)


def _close(result: list[Statement], sql: str, tokens: list[Token]) -> None:
    if tokens:
        start, last = tokens[0].start, tokens[-1]
        text = sql[start : last.start + len(last.text)]
        result.append(Statement(text, start, place(sql, start)[0], tuple(tokens)))


def _word(token: Token) -> str:
    if token.kind in ("string", "escaped"):
        return "''"
    return "$$" if token.kind == "dollar" else token.text
