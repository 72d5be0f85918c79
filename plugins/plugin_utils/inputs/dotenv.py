# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of NAME=value, read by python-dotenv, with references expanded as docker compose does it.

What python-dotenv cannot parse, or what would stay in a value as a literal ${...}, is refused with its line. Messages never show a
value: where a line cannot be read, any part of it may be a piece of a secret, so even its name is left out.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.interpolation import Unexpanded, expanded

try:
    from dotenv.parser import Binding, parse_stream
except ImportError:
    parse_stream = None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Where python-dotenv lets the value begin: after the name, with its quotes, and the equal sign.
_BEFORE_VALUE = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*")
_DOUBLE_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_MISSING = "{name} needs python-dotenv, which is not installed on the control node: pip install python-dotenv into the Python of Ansible."


def read(path: Path) -> dict[str, str]:
    """Names and values of a file. Raises ParityError with file, line and remedy."""
    try:
        state = path.stat()
        return dict(_read(path, state.st_mtime_ns, state.st_size))
    except OSError as error:
        raise ParityError(f"{path} cannot be read: {error.strerror}. Correct its name or its permissions.") from error


def parse(text: str, name: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names and values of a text; the last of a name counts. `name` stands for the file in messages.

    A reference takes its value from `environment` (by default that of this process), then from the lines before it.
    Raises ParityError with the line and the remedy.
    """
    if parse_stream is None:
        raise ParityError(_MISSING.format(name=name))
    environment = os.environ if environment is None else environment
    # As in the lookup of a secret: what is empty in the environment does not stand before a value of the file.
    filled = {key: value for key, value in environment.items() if value}
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ParityError(f"{name}, line {line}: there is a NUL character. Save the file as UTF-8 text.")
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        key = _checked_key(binding, name)
        if key:
            values[key] = _value(binding, key, name, {**environment, **values, **filled})
    return values


@lru_cache(maxsize=8)
def _read(path: Path, _modified: int, _size: int) -> dict[str, str]:
    """The file in this state: lookups ask for it once for each of its names."""
    content = path.read_bytes()
    try:
        return parse(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParityError(f"{path}, line {line}: this is not UTF-8. Save the file as UTF-8 text.") from None


def _checked_key(binding: Binding, name: str) -> str:
    """The name a binding gives a value to; empty for comments and empty lines."""
    source = binding.original.string
    blank = source[: len(source) - len(source.lstrip())]
    place = f"{name}, line {binding.original.line + blank.count(chr(10))}"
    if binding.error:
        raise ParityError(
            f"{place}: this line cannot be read. A quote is not closed, or something stands after the closing quote. Put the whole "
            "value into one pair of quotes."
        )
    if binding.key is None:
        return ""
    if binding.value is None:
        raise ParityError(
            f"{place}: there is no = after the name. Write NAME= for an empty value; put a value of several lines into quotes."
        )
    if not _NAME.fullmatch(binding.key):
        raise ParityError(
            f"{place}: what stands before the = is no name. A name has letters, digits and _, no digit first. Put a value of several "
            "lines into quotes."
        )
    return binding.key


def _value(binding: Binding, key: str, name: str, values: Mapping[str, str]) -> str:
    """The binding's value with its references expanded; in single quotes nothing is one."""
    source = binding.original.string
    before = _BEFORE_VALUE.match(source)
    start = before.end() if before else 0
    if source[start : start + 1] == "'":
        return str(binding.value)
    text = str(binding.value)
    quoted = _DOUBLE_QUOTED.match(source, start)
    if quoted:
        text = _with_dollars_kept(quoted[1])
    try:
        if not quoted and "\\$" in text:
            raise Unexpanded("has a \\$ outside of quotes, which programs read differently")
        return expanded(text, values)
    except Unexpanded as error:
        line = binding.original.line + source.count("\n", 0, start)
        raise ParityError(
            f"{name}, line {line}: {key} {error}. Put the value into single quotes, or write $$ for a $, where no reference is meant."
        ) from None


def _with_dollars_kept(inner: str) -> str:
    r"""The text between double quotes as python-dotenv decodes it, where \$ stands for a $ that begins no reference."""
    escaped = re.sub(r"\\(.)", lambda found: "$$" if found[1] == "$" else found[0], inner, flags=re.DOTALL)
    [binding] = parse_stream(io.StringIO(f'A="{escaped}"'))
    return str(binding.value)
