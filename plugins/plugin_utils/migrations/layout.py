# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a migration file: what is no SQL in it, and what makes it impossible to run as one transaction."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import masking, queries
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import (
    BOM,
    ParseError,
    Piece,
    column_of,
    directives,
    line_of,
    sql_comments,
    tokens,
)

DIRECTIVES = ("destructive", "no-transaction", "statement_timeout")
_DURATION = re.compile(r"^\d+(us|ms|s|min|h|d)?$")
_PSQL = re.compile(r"(?m)^[ \t]*\\(?P<command>[^\s\\]*)[^\n]*")
_COPY = re.compile(r"(?i)\bcopy\b[^;]*?\bfrom\s+stdin\b[^;]*(?:;[^\n]*(?:\n|$)|$)")
_END_OF_DATA = re.compile(r"(?m)^\\\.[ \t]*\r?$")
_VARIABLE = re.compile(r":(['\"]?)([A-Za-z_]\w*)\1")
_SECTIONS = re.compile(
    r"(?i)^--[ \t]*(?:(?P<goose>\+goose[ \t]+(?!up\b|statementbegin\b|statementend\b)\S+)|(?P<dbmate>migrate:(?:down\b|up[ \t]+\S+))"
    r"|(?P<migrate>\+migrate[ \t]+(?!up[ \t]*$|statementbegin\b|statementend\b)\S+)|(?P<liquibase>liquibase\b|rollback\b|changeset\b)"
    r"|(?P<mybatis>//[ \t]*@undo)|(?P<rambler>rambler[ \t]+down))"
)
_NAMES = {"migrate": "sql-migrate", "mybatis": "MyBatis Migrations", "liquibase": "Liquibase"}
#: Statements that may stand beside one that runs outside of a transaction.
_NEUTRAL = ("VariableSetStmt", "VariableShowStmt", "CommentStmt")
_TWO_FILES = "Write two files: a new enum value can be used only once it is committed."


def read(path: str | Path) -> str:
    """Text of a migration file, a byte order mark included. Raises ParityError where it is no UTF-8."""
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ParityError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is no UTF-8. Save the file as UTF-8 without a byte order mark."
        ) from error


class Layout:
    """`text` is the file with all that is no SQL blanked out, so that every place stays where it is."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[str] = []
        self.hidden = False  # whether something was blanked out that would do what is not seen
        self.text = self._plain(text)
        self.directives = directives(self.text)
        self._sections()
        self._directives()

    def problem(self, line: int, message: str) -> None:
        self.problems.append(f"{self.file}, line {line}: {message}")

    def _plain(self, text: str) -> str:
        if "\0" in text:
            self.problem(line_of(text, text.index("\0")), "a NUL byte, which no SQL has. Save the file as UTF-8.")
            text = text.replace("\0", " ")
        if self.file.lower().endswith((".down.sql", ".undo.sql")):
            self.problem(
                1, "the name says that the file undoes a migration; it would be run. Move it out of the folder."
            )
        return self._without_psql(text)

    def _without_psql(self, text: str) -> str:
        position = 0
        while True:
            found = [match for match in (_PSQL.search(text, position), _COPY.search(text, position)) if match]
            if not found:
                return text
            match = min(found, key=lambda one: one.start())
            end = match.end()
            if _is_between(text[: match.start()]):
                end = self._psql(text, match) if match.re is _PSQL else self._copy(text, match)
                text = _blank(text, match.start(), end)
            position = end if end > match.start() else end + 1

    def _psql(self, text: str, match: re.Match) -> int:
        command = "\\" + match["command"]
        self.hidden = self.hidden or "restrict" not in command
        why = ", which pg_dump has been writing since August 2025" if "restrict" in command else ""
        self.problem(line_of(text, match.start()), f"{command} is a command of psql{why}, and no SQL. Remove it.")
        return match.end()

    def _copy(self, text: str, match: re.Match) -> int:
        line = line_of(text, match.start())
        self.problem(line, "COPY ... FROM stdin needs psql, which reads the rows. Write INSERT instead.")
        end = _END_OF_DATA.search(text, match.end())
        return end.end() if end else match.end()

    def _sections(self) -> None:
        try:
            comments = sql_comments(self.text)
        except ParseError:
            return
        for line, comment in comments:
            match = _SECTIONS.match(comment)
            if match:
                tool = _NAMES.get(match.lastgroup, match.lastgroup)
                remedy = "Keep what applies the migration, and remove the rest and this line."
                self.problem(
                    line, f"{comment!r} is a line of {tool}, but everything in the file would be run. {remedy}"
                )

    def _directives(self) -> None:
        for name, value in self.directives.items():
            line = next((at for at, comment in _comments(self.text) if name in comment.lower()), 1)
            if name not in DIRECTIVES:
                self.problem(line, f"`-- parity: {name}` means nothing. Known are: {', '.join(DIRECTIVES)}.")
            elif name == "statement_timeout" and not _DURATION.match(value):
                self.problem(
                    line,
                    f"statement_timeout={value!r} is no duration. Write a number with a unit, such as 30min or 2h.",
                )

    def refused(self, error: ParseError) -> None:
        """Say why PostgreSQL's parser refuses the text."""
        offset = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else 0
        line, variable = line_of(self.text, offset), _VARIABLE.match(self.text, offset)
        if variable:
            return self.problem(line, f"{variable[0]} is a variable of psql, and no SQL. Write the value itself.")
        if self.text[offset : offset + 1] == "\\":
            return self.problem(line, "a backslash begins a command of psql, which is no SQL. Remove it.")
        words = f"column {column_of(self.text, offset)}: PostgreSQL's parser says: {masking.parser_words(error, self._line(line))}"
        return self.problem(
            line, f"{words}. Correct the statement. (The parser is PostgreSQL 18's; the server's may be older.)"
        )

    def _line(self, line: int) -> str:
        return "\n".join(self.text.split("\n")[max(line - 4, 0) : line + 3])  # a statement may speak of it lines before

    def transactions(self, pieces: list[Piece]) -> list[Piece]:
        """The statements without BEGIN and COMMIT around the whole; those in the middle are refused."""
        if (
            len(pieces) > 1
            and _is(pieces[0], "TRANS_STMT_BEGIN", "TRANS_STMT_START")
            and _is(pieces[-1], "TRANS_STMT_COMMIT")
        ):
            self.wrapped = True
            inside = pieces[1:-1]
        else:
            inside = pieces
        own = [piece for piece in inside if type(piece.node).__name__ == "TransactionStmt"]
        for piece in own:
            remedy = _TWO_FILES if self._new_value(pieces) else (
                "Each file runs in one of its own, together with its row in the history. Remove the line, or write two files.")  # fmt: skip
            self.problem(piece.line, f"{masking.shown(piece.text)!r} begins or ends a transaction. {remedy}")
        if not own and "no-transaction" not in self.directives:
            self._enum_values(inside)
        return [piece for piece in inside if piece not in own]

    wrapped = False

    def mixed(self, pieces: list[Piece], transactional: list[bool]) -> None:
        """Say what runs outside of a transaction beside what should not."""
        outside = [piece for piece, inside in zip(pieces, transactional) if not inside]
        beside = [p for p, inside in zip(pieces, transactional) if inside and type(p.node).__name__ not in _NEUTRAL]
        if outside and self.wrapped:
            self.problem(
                outside[0].line, "the statement cannot run in a transaction. Remove BEGIN and COMMIT around it."
            )
        elif outside and beside and "no-transaction" not in self.directives:
            self.problem(
                outside[0].line,
                "the statement cannot run in a transaction (CONCURRENTLY, VACUUM), and the file has others that should. Put it into a "
                "file of its own; or, where half of the file may stay after a failure, write `-- parity: no-transaction` at its top.",
            )

    def _enum_values(self, pieces: list[Piece]) -> None:
        for position, piece, value in _added_values(pieces):
            used = next((later for later in pieces[position + 1 :] if _uses(later, value)), None)
            if used is not None:
                name = ".".join(part.sval for part in piece.node.typeName)
                self.problem(
                    used.line,
                    f"the value {value!r} of {name}, added in line {piece.line}, is used in the same file. {_TWO_FILES}",
                )

    def _new_value(self, pieces: list[Piece]) -> bool:
        return any(_uses(later, value) for at, _piece, value in _added_values(pieces) for later in pieces[at + 1 :])


def _added_values(pieces: list[Piece]) -> list[tuple[int, Piece, str]]:
    """Where a value is added to an enum that the file has not created itself."""
    made = [
        [part.sval for part in piece.node.typeName] for piece in pieces if type(piece.node).__name__ == "CreateEnumStmt"
    ]
    return [
        (at, piece, piece.node.newVal)
        for at, piece in enumerate(pieces)
        if type(piece.node).__name__ == "AlterEnumStmt"
        and not piece.node.oldVal
        and [p.sval for p in piece.node.typeName] not in made
    ]


def _uses(piece: Piece, value: str) -> bool:
    """Whether a statement has the value as a string, in the tree or in the body of a DO block."""
    kind = type(piece.node).__name__
    if kind in ("CommentStmt", "AlterEnumStmt"):
        return False
    if kind in ("DoStmt", "CreateFunctionStmt"):
        return kind == "DoStmt" and f"'{value}'" in piece.text
    return any(
        type(node).__name__ == "A_Const" and getattr(node.val, "sval", None) == value
        for node in queries.nodes(piece.node)
    )


def _is(piece: Piece, *kinds: str) -> bool:
    """A plain BEGIN or COMMIT, without options."""
    node = piece.node
    return type(node).__name__ == "TransactionStmt" and node.kind.name in kinds and not node.options and not node.chain


def _is_between(before: str) -> bool:
    """Whether a place is outside of every string, body and comment: the scanner reads the text up to it without a complaint."""
    try:
        tokens(before)
    except ParseError:
        return False
    return True


def _comments(text: str) -> list[tuple[int, str]]:
    try:
        return sql_comments(text)
    except ParseError:
        return []


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def without_mark(text: str) -> str:
    """The text after its byte order mark."""
    return text.removeprefix(BOM)
