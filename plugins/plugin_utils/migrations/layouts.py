# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are not plain SQL: commands of psql, data of COPY, sections of other tools. Each is said with its line and a remedy."""

from __future__ import annotations

import re

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import texts
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.tree import ParseError

_SECTION = re.compile(r"(?i)^--[ \t]*(\+(?:goose|micrate)\b|migrate:(?:up|down)\b|rambler\b|\+migrate\b|//@UNDO|!(?:Ups|Downs)\b)")
_DOWN = re.compile(r"(?i)(?:\.|_|-)(?:down|undo|rollback|revert)\.sql$")
_TOOLS = {"+goose": "goose", "+micrate": "micrate", "migrate:": "dbmate", "rambler": "rambler", "+migrate": "sql-migrate"}
_COMMAND = re.compile(r"(?m)^[ \t]*\\(\S*)")
_VARIABLE = re.compile(r"(?<![:\w]):(?!:)['\"]?([A-Za-z_]\w*)")


def problems(sql: str, file: str) -> list[str]:
    """Why a text is not plain SQL; empty where it is, as far as its layout tells."""
    if "\0" in sql:
        return [f"{file}, line {texts.line_of(sql, sql.index(chr(0)))}: the file has a NUL byte. Save it as UTF-8 text."]
    if _DOWN.search(file):
        return [f"{file}: this file undoes a migration of another tool. Keep it out of the directory of migrations."]
    tokens = texts.known_tokens(sql)
    comments = [token for token in tokens if token.name == "SQL_COMMENT"]
    return _sections(sql, file, comments) or _copied(sql, file, tokens) or _commands(sql, file, tokens)


def explain(sql: str, file: str, error: ParseError) -> str:
    """What PostgreSQL's parser refuses, with its place, and what it usually is."""
    place = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else 0
    line = texts.line_of(sql, place)
    column = place - sql.rfind("\n", 0, place)
    variable = _VARIABLE.match(sql, place) if place < len(sql) else None
    if variable:
        return f"{file}, line {line}: :{variable[1]} is a variable of psql. Write the value itself."
    return f"{file}, line {line}, column {column}: PostgreSQL's parser says {error.args[0]}. Correct the statement."


def _sections(sql: str, file: str, comments: list) -> list[str]:
    for token in comments:
        match = _SECTION.match(sql[token.start : token.end])
        if match:
            tool = next((name for mark, name in _TOOLS.items() if match[1].lower().startswith(mark)), "another tool")
            return [
                f"{file}, line {texts.line_of(sql, token.start)}: {match[0].strip()!r} is a section of {tool}, whose files go up and down. "
                "All of a file is run here: keep the statements that go up, and remove the rest and this line."
            ]
    return []


def _copied(sql: str, file: str, tokens: list) -> list[str]:
    """COPY ... FROM stdin, whose data follow in the file."""
    words = [token for token in tokens if token.name not in ("SQL_COMMENT", "C_COMMENT")]
    start = 0
    for number, token in enumerate(words):
        if token.text == "copy" and number == start:
            end = next((place for place in range(number, len(words)) if words[place].text == ";"), len(words))
            if any(one.text == "from" and two.text == "stdin" for one, two in zip(words[number:end], words[number + 1 : end])):
                line = texts.line_of(sql, token.start)
                return [f"{file}, line {line}: COPY ... FROM stdin needs psql, which reads the rows out of the file. Write INSERT instead."]
        if token.text == ";":
            start = number + 1
    return []


def _commands(sql: str, file: str, tokens: list) -> list[str]:
    """Lines that psql itself understands. A backslash is no token of SQL outside of strings and comments."""
    places = {token.start for token in tokens if token.text == "\\"}
    found = []
    for match in _COMMAND.finditer(sql):
        if match.start() + match[0].index("\\") in places:
            name = f"\\{match[1]}"
            since = ", which pg_dump has been writing since August 2025" if match[1] in ("restrict", "unrestrict") else ""
            line = texts.line_of(sql, match.start() + match[0].index("\\"))
            found.append(f"{file}, line {line}: {name} is a command of psql{since}. Remove the line.")
    return found
