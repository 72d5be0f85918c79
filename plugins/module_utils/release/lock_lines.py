# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock file as pip takes it apart: logical lines without comments, and the hashes in them. For the control node and for hosts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

#: Algorithms that pip takes for `--hash`, with the length of their digests in hexadecimal digits.
ALGORITHMS = {"sha256": 64, "sha384": 96, "sha512": 128}
#: pip's own rule: a comment begins a line, or comes after a space.
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"(?:^|\s)--hash[=\s]+(\S+)")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, continued ones joined, without comments and empty lines."""
    start, parts = 0, []
    for number, line in enumerate(text.splitlines(), 1):
        comment = bool(_COMMENT.match(line))
        start = start or number
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        # As pip does it: a comment ends what was continued, and is none of it.
        parts.append(f" {line}" if comment else line)
        whole = _COMMENT.sub("", "".join(parts)).strip()
        if whole:
            yield start, whole
        start, parts = 0, []
    whole = _COMMENT.sub("", "".join(parts)).strip()
    if whole:
        yield start, whole


def hashes(line: str) -> list[str]:
    """The hashes of a logical line, as `sha256:...`."""
    return [found[1] for found in _HASH.finditer(line)]


def digests(content: bytes, wanted: set[str]) -> set[str]:
    """The hashes among `wanted` that a file's content has. Algorithms that none of them names are not computed."""
    names = {one.partition(":")[0] for one in wanted} & ALGORITHMS.keys()
    return {f"{name}:{hashlib.new(name, content).hexdigest()}" for name in names} & wanted


def venv_key(lock: bytes, python_version: str, machine: str) -> str:
    """Names the virtual environment that a lock file makes with one exact Python on one machine type.

    It is another name than that of environments which were made before hashes were verified: those are not used again.
    """
    digest = hashlib.sha256(b"hashes verified\0" + lock)
    digest.update(f"{python_version} {machine}".encode())
    return digest.hexdigest()[:16]
