# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL text taken apart by PostgreSQL's own scanner: statements, comments, directives, and what must not be shown."""

from __future__ import annotations

import ast as python
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import tree
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import ParseError, ast

BOM = "\ufeff"
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_LITERALS = ("SCONST", "USCONST", "BCONST", "XCONST")
_DIRECTIVE = re.compile(r"(?i)^(?:--|#)[ \t]*parity:[ \t]*(.+?)[ \t]*$")
_HIDDEN = "'...'"
_MOST_SHOWN = 240

#: Statements whose literals may be secrets.
_SECRET_KINDS = (
    "CreateRoleStmt", "AlterRoleStmt", "CreateUserMappingStmt", "AlterUserMappingStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt",
    "CreateForeignServerStmt", "AlterForeignServerStmt", "AlterSystemStmt", "InsertStmt", "UpdateStmt", "MergeStmt",
)  # fmt: skip
_SECRET_WORDS = re.compile(r"(?i)password|passwd|secret|token|credential|api_?key|private_?key|connection|dblink|crypt|://[^/\s]*:[^/\s]*@")


@dataclass(frozen=True)
class Token:
    """`name` is the scanner's; `text` is in lower case where it is no literal and not quoted; `start` to `end` is its place."""

    name: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """One statement as it stands in the text, with its node of the parser's tree."""

    text: str
    start: int
    line: int
    node: object


def read(path: Path) -> str:
    """The text of a migration. Raises ParityError, with the line, where it is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParityError(f"{path.name}, line {line}: this is not UTF-8 text. Save the file as UTF-8.") from None


def tokens(sql: str) -> list[Token]:
    """The tokens of a text without its comments. Raises ParseError where a string or a comment never ends."""
    return [one for one in all_tokens(sql) if one.name not in _COMMENTS]


def pieces(sql: str) -> list[Piece]:
    """The statements of a text, in order. Raises ParseError where PostgreSQL's parser refuses it."""
    words, result = tokens(sql), []
    for raw in tree.parse(sql):
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(sql)
        inside = [word for word in words if raw.stmt_location <= word.start < end and word.text != ";"]
        start = inside[0].start
        result.append(Piece(sql[start : inside[-1].end], start, line_of(sql, start), raw.stmt))
    return result


def line_of(sql: str, offset: int) -> int:
    """Line, from 1, of a place in a text."""
    return sql.count("\n", 0, offset) + 1


def same(one: str, two: str) -> bool:
    """Whether two texts hold the same statements, whatever their comments, spaces, semicolons and surrounding BEGIN and COMMIT."""
    try:
        return _essence(one) == _essence(two)
    except ParseError:
        return one.strip() == two.strip()


def directives(text: str) -> dict[str, str]:
    """What a file says of itself in comments: `-- parity: destructive`, in Python `# parity: statement_timeout=2h`.

    A comment counts where it begins its line. What stands in a string or between dollar quotes is none.
    """
    found = [match[1] for match in map(_DIRECTIVE.match, _comment_lines(text.removeprefix(BOM))) if match]
    words = (word for line in found for word in re.split(r"[\s,]+", line.lower()) if word)
    return {name: value for name, _equals, value in (word.partition("=") for word in words)}


def masked(text: str, node: object) -> str:
    """A statement without what may be a secret: its literals, where its kind or its words speak of one."""
    kind = type(node).__name__
    if kind not in _SECRET_KINDS and not (_SECRET_WORDS.search(text) and kind not in ("CreateStmt", "CommentStmt")):
        return text
    result = text
    for token in reversed(all_tokens(text)):
        literal = token.name in _LITERALS
        if literal and kind in ("DoStmt", "CreateFunctionStmt") and token.text.startswith("$"):
            result = result[: token.start] + _masked_body(result[token.start : token.end]) + result[token.end :]
        elif literal:
            result = result[: token.start] + _HIDDEN + result[token.end :]
    return result


def on_one_line(text: str) -> str:
    """A statement for a message: on one line, shortened."""
    words = " ".join(text.split())
    return words if len(words) <= _MOST_SHOWN else words[: _MOST_SHOWN - 3] + "..."


def _masked_body(quoted: str) -> str:
    """A body between dollar quotes, with the literals in it hidden."""
    quote = quoted[: quoted.index("$", 1) + 1]
    body = quoted[len(quote) : -len(quote)]
    try:
        for token in reversed(all_tokens(body)):
            if token.name in _LITERALS or token.name in _COMMENTS:
                body = body[: token.start] + (_HIDDEN if token.name in _LITERALS else "") + body[token.end :]
    except ParseError:
        return f"{quote}...{quote}"
    return quote + body + quote


def all_tokens(sql: str) -> list[Token]:
    """The tokens of a text, comments among them. Raises ParseError where a string or a comment never ends."""
    tree.require_parser()
    return [_token(sql, found) for found in tree.scan(sql)] if sql else []


def _token(sql: str, found: object) -> Token:
    text = sql[found.start : found.end + 1]
    plain = found.kind != "NO_KEYWORD" or (found.name == "IDENT" and not text.startswith(('"', "U&", "u&")))
    return Token(found.name, text.lower() if plain else text, found.start, found.end + 1)


def _comment_lines(text: str) -> Iterator[str]:
    if not re.search(r"(?i)parity:", text):
        return
    if is_python(text):
        yield from _python_comments(text)
        return
    for token in known_tokens(text):
        if token.name == "SQL_COMMENT" and not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip():
            yield text[token.start : token.end].rstrip()


def is_python(text: str) -> bool:
    """Whether a text is a Python file and no SQL."""
    try:
        return bool(python.parse(text).body)
    except (SyntaxError, ValueError):
        return False


def known_tokens(sql: str) -> list[Token]:
    """The tokens of a text, comments among them, up to where PostgreSQL's scanner gives up."""
    try:
        return all_tokens(sql)
    except ParseError as error:
        place = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else 0
        return known_tokens(sql[:place]) if 0 < place < len(sql) else []


def _python_comments(text: str) -> list[str]:
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return [one.string for one in found if one.type == tokenize.COMMENT and not one.line[: one.start[1]].strip()]


def _essence(sql: str) -> list[list[str]]:
    """The words of each statement, without a BEGIN and a COMMIT around all of them."""
    found: list[list[str]] = [[]]
    for token in tokens(sql.removeprefix(BOM).replace("\r\n", "\n")):
        if token.text == ";":
            found.append([])
        else:
            found[-1].append(token.text)
    statements = [words for words in found if words]
    return [words for number, words in enumerate(statements) if not _frame(number, words, len(statements), statements)]


def _frame(number: int, words: list[str], count: int, statements: list[list[str]]) -> bool:
    whole = count > 1 and _begins(statements[0]) and _ends(statements[-1])
    return whole and number in (0, count - 1)


def _begins(words: list[str]) -> bool:
    return words in (["begin"], ["begin", "work"], ["begin", "transaction"], ["start", "transaction"])


def _ends(words: list[str]) -> bool:
    return words[0] in ("commit", "end") and words[1:] in ([], ["work"], ["transaction"])


def is_begin(node: object) -> bool:
    return isinstance(node, ast.TransactionStmt) and node.kind.name in ("TRANS_STMT_BEGIN", "TRANS_STMT_START") and not node.options


def is_commit(node: object) -> bool:
    return isinstance(node, ast.TransactionStmt) and node.kind.name == "TRANS_STMT_COMMIT" and not node.chain
