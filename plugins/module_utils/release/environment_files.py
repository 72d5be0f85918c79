# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files of services, in the syntax of systemd's EnvironmentFile=: the one writer, and the one reader.

The reader follows systemd, so that a file somebody has edited by hand is read as the service reads it; of what the writer
writes it is the exact inverse. A value may have line breaks and tabs (a key in PEM has), and no other control characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEEDS_ESCAPE = '"\\`$'
#: One line as systemd takes it: a comment, or a name with a value of quoted pieces and a plain rest.
_ENTRY = re.compile(
    r"""[ \t\n\r]*(?:
        [\#;](?:\\.|[^\\\n\r])*
        | (?P<name>[^\n\r\ \t][^=\n\r]*) =
          (?P<pieces>(?:[ \t]|'[^']*(?:'|\Z)|"(?:\\.|[^"\\])*(?:"|\Z))*)
          (?P<plain>(?:\\.|[^\\\n\r])*)
        | [^\n\r]+
    )""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"""'(?P<single>[^']*)'?|"(?P<double>(?:\\.|[^"\\])*)"?""", re.DOTALL)


def text(values: Mapping[str, object]) -> str:
    """The content of an environment file, sorted by name. Raises ParityError for what cannot be passed to a process."""
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in sorted(values.items()))


def parse(content: str) -> dict[str, str]:
    """Names and values of an environment file, as systemd reads it; the last of a name counts."""
    found = {}
    at = 0
    while entry := _ENTRY.match(content, at):
        at = entry.end()
        if entry["name"] is not None:
            found[entry["name"].rstrip(" \t")] = _pieces(entry["pieces"]) + _plain(entry["plain"])
    return found


def read(path: Path) -> dict[str, str]:
    """The same for a file. Raises OSError."""
    return parse(path.read_text(encoding="utf-8"))


def _quoted(name: str, value: object) -> str:
    content = str(value)
    if not _NAME.fullmatch(name):
        raise ParityError(f"{name!r} cannot be an environment variable: letters, digits and _ only, no digit first.")
    if any((ord(character) < 32 and character not in "\n\t") or ord(character) == 127 for character in content):
        raise ParityError(
            f"the value of {name} has a control character other than a line break or a tab, which cannot be passed. Remove it; "
            "a line ends with a line feed alone."
        )
    return '"' + re.sub(r'(["\\`$])', r"\\\1", content) + '"'


def _pieces(written: str) -> str:
    """Quoted pieces in a row: in single quotes all is literal, in double quotes a backslash keeps a special character."""
    return "".join(
        piece["single"] if piece["single"] is not None else re.sub(r"\\(.)", _unescaped, piece["double"], flags=re.DOTALL)
        for piece in _PIECE.finditer(written)
    )


def _unescaped(found: re.Match[str]) -> str:
    if found[1] in _NEEDS_ESCAPE:
        return found[1]
    return "" if found[1] == "\n" else found[0]


def _plain(written: str) -> str:
    """A value without quotes: a backslash keeps any character, and joins lines; space at the end is dropped."""
    kept = re.sub(r"((?:\\.|[^\\ \t])*)[ \t]*\Z", r"\1", written, flags=re.DOTALL)
    return re.sub(r"\\(.)", lambda found: "" if found[1] in "\n\r" else found[1], kept, flags=re.DOTALL)
