# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A statement for people to read: without the strings that may be secrets."""

from __future__ import annotations

import re

from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import ParseError, tokens

#: Statements whose strings are passwords, connections or rows.
_KINDS = (
    "CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "CreateUserMappingStmt", "AlterUserMappingStmt", "CreateSubscriptionStmt",
    "AlterSubscriptionStmt", "CreateForeignServerStmt", "AlterForeignServerStmt", "CreateFdwStmt", "AlterFdwStmt", "AlterSystemStmt",
    "AlterDatabaseSetStmt", "InsertStmt", "UpdateStmt", "MergeStmt", "ExecuteStmt", "CopyStmt",
)  # fmt: skip
_SPEAKS = re.compile(
    r"(?i)passw|secret|token|credential|api_?key|private_?key|access_?key|connection|conninfo|dblink|jwt|encrypt|crypt\("
)
_STRINGS = ("SCONST", "USCONST", "XCONST", "BCONST")
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_PROGRAMS = ("DoStmt", "CreateFunctionStmt")
_BODY = re.compile(r"^(\$[^$]*\$)(.*)(\$[^$]*\$)$", re.DOTALL)
#: What a message may quote: a word without digits, or a sign.
_HARMLESS_WORD = re.compile(r"^([A-Za-z_]{1,40}|[^\w\s])$")
_LONGEST = 240


def masked(text: str, kind: str) -> str:
    """The statement with its strings as '...' where its kind, or what it speaks of, makes secrets possible."""
    if kind not in _KINDS and not _SPEAKS.search(text):
        return text
    return _without_strings(text, kind in _PROGRAMS)


def speaks_of_secrets(text: str) -> bool:
    return bool(_SPEAKS.search(text))


def unread(text: str) -> str:
    """A statement that the parser refuses: nobody knows what stands where in it."""
    return "..." if _SPEAKS.search(text) else _without_strings(text, False)


def shown(text: str) -> str:
    """On one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def parser_words(error: ParseError, text: str) -> str:
    """What the parser says, without a part of the text that may be a secret."""
    words = str(error.args[0])
    near = re.search(r' at or near "(.*)"$', words, re.DOTALL)
    if near and (not _HARMLESS_WORD.match(near[1]) or _SPEAKS.search(text)):
        return words[: near.start()]
    return words


def _without_strings(text: str, program: bool) -> str:
    try:
        found = tokens(text)
    except ParseError:
        return "..."  # nothing of what cannot be read is safe to show
    result, position = [], 0
    for token in found:
        if token.name in (*_STRINGS, *_COMMENTS):
            result += [text[position : token.start], _replacement(token, program)]
            position = token.end
    return "".join([*result, text[position:]])


def _replacement(token, program: bool) -> str:
    if token.name in _COMMENTS:
        return "\n" if "\n" in token.text else ""
    body = _BODY.match(token.text) if program else None
    return f"{body[1]}{_without_strings(body[2], False)}{body[3]}" if body else "'...'"
