# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split SQL text with PostgreSQL's own scanner and parser: statements, comments, and the place of each."""

from __future__ import annotations

import ast
import bisect
import io
import re
import tokenize
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import pglast
    from pglast.parser import ParseError
except ImportError:
    pglast = None
    ParseError = ValueError

BOM = "\ufeff"
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_DIRECTIVE = re.compile(r"(?i)^(?:--|#)[ \t]*parity:[ \t]*(.+?)[ \t]*$")


@dataclass(frozen=True)
class Token:
    """`name` is the scanner's; `text` is lower-case for words that are not quoted; `start` to `end` is its place."""

    name: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """One statement as it stands in the text, and its node of the parse tree (None where it cannot be parsed)."""

    text: str
    start: int
    line: int
    node: object


def needs_parser() -> None:
    """Raise ParityError where PostgreSQL's parser is missing."""
    if pglast is None:
        raise ParityError(
            "PostgreSQL's parser is missing on the control node, and without it migrations cannot be judged. Install it into the "
            "Python that runs Ansible: pip install pglast"
        )


def tokens(sql: str) -> list[Token]:
    """The tokens of a text, comments among them. Raises ParseError where a string or a comment never ends."""
    needs_parser()
    _readable(sql)
    return [_token(sql, found) for found in pglast.parser.scan(sql)] if sql else []


def _readable(sql: str) -> None:
    """Raise ParseError for what PostgreSQL's parser would not see: it ends at a NUL, and reads UTF-8 only."""
    strange = re.search("[\0\ud800-\udfff]", sql)
    if strange:
        raise ParseError("a character that no SQL has", strange.start())


def pieces(sql: str) -> list[Piece]:
    """The statements of a text, in order. Raises ParseError where PostgreSQL's parser refuses it."""
    needs_parser()
    words = [token for token in tokens(sql) if token.name not in _COMMENTS]
    starts = [word.start for word in words]
    lines = _Lines(sql)
    result = []
    for raw in pglast.parse_sql(sql):
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(sql)
        first, after = bisect.bisect_left(starts, raw.stmt_location), bisect.bisect_left(starts, end)
        last = words[after - 1]
        last = words[after - 2] if last.text == ";" else last
        start = starts[first]
        result.append(Piece(sql[start : last.end], start, lines.of(start), raw.stmt))
    return result


class _Lines:
    """Line numbers of places that come in order, without counting from the top each time."""

    def __init__(self, sql: str) -> None:
        self.sql, self.line, self.offset = sql, 1, 0

    def of(self, offset: int) -> int:
        self.line += self.sql.count("\n", self.offset, offset)
        self.offset = offset
        return self.line


def pieces_one_by_one(sql: str) -> list[Piece]:
    """The statements as the scanner splits them; one that the parser refuses has no node. Raises ParseError."""
    _readable(sql)
    result = []
    for part in pglast.parser.split(sql, with_parser=False, only_slices=True):
        text = sql[part]
        words = [token for token in tokens(text) if token.name not in _COMMENTS]
        if not words:
            continue
        start = part.start + words[0].start
        own = text[words[0].start : words[-1].end]
        try:
            node = pglast.parse_sql(own)[0].stmt
        except (ParseError, IndexError):
            node = None
        result.append(Piece(own, start, line_of(sql, start), node))
    return result


def line_of(sql: str, offset: int) -> int:
    """Line, from 1, of a place in a text."""
    return sql.count("\n", 0, offset) + 1


def column_of(sql: str, offset: int) -> int:
    """Column, from 1, of a place in a text."""
    return offset - sql.rfind("\n", 0, offset)


def same(one: str, two: str) -> bool:
    """Whether two texts hold the same statements, whatever their comments, spaces, semicolons and surrounding BEGIN/COMMIT."""
    try:
        return _essence(one) == _essence(two)
    except ParseError:
        return one.strip() == two.strip()


def directives(text: str) -> dict[str, str]:
    """The directives in a file's comments: `-- parity: destructive`, in Python `# parity: statement_timeout=2h`.

    A comment counts where it begins its line. Text in a string or between dollar quotes is no comment.
    """
    lines = _comments(text.removeprefix(BOM))
    found = [match[1] for match in map(_DIRECTIVE.match, lines) if match]
    words = (word for line in found for word in re.split(r"[\s,]+", line.lower()) if word)
    return {name: value for name, _equals, value in (word.partition("=") for word in words)}


def sql_comments(sql: str) -> list[tuple[int, str]]:
    """Line and text of each `--` comment that begins its line."""
    found = [token for token in tokens(sql) if token.name == "SQL_COMMENT"]
    return [(line_of(sql, token.start), token.text.rstrip()) for token in found if _begins_line(sql, token.start)]


def _comments(text: str) -> list[str]:
    """The comments of Python, or of SQL. A text that has a directive in a comment of SQL is no program of Python."""
    if "parity:" not in text.lower():
        return []
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return _sql_comments(text)
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return [t.string for t in found if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip()]


def _sql_comments(text: str) -> list[str]:
    try:
        return [comment for _line, comment in sql_comments(text)]
    except ParseError:
        return []


def _begins_line(sql: str, start: int) -> bool:
    return not sql[sql.rfind("\n", 0, start) + 1 : start].strip()


def _token(sql: str, found) -> Token:
    text = sql[found.start : found.end + 1]
    plain = found.kind != "NO_KEYWORD" or (found.name == "IDENT" and not text.startswith(('"', "U&", "u&")))
    return Token(found.name, text.lower() if plain else text, found.start, found.end + 1)


def _essence(sql: str) -> list[str]:
    text = sql.removeprefix(BOM).replace("\r\n", "\n")
    words = [token.text for token in tokens(text) if token.name not in _COMMENTS]
    return [word for word in _unwrapped(words) if word != ";"]


def _unwrapped(words: list[str]) -> list[str]:
    """Without the BEGIN and COMMIT around the whole text."""
    plain = " ".join(words[:3])
    begin = re.match(r"(begin|start)( work| transaction)?( ;|$)", plain)
    tail = words[:-1] if words[-1:] == [";"] else words
    tail = tail[:-1] if tail[-1:] in (["work"], ["transaction"]) else tail
    if not begin or not (tail[-1:] == ["commit"] or tail[-2:] == [";", "end"]):
        return words
    return tail[len(begin[0].replace(" ;", "").split()) : -1]
