# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One digest of everything that decides what a deployment makes of a host: inputs, the release's sources, and the code itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

#: What of a collection decides what a host becomes.
_CODE = ("playbooks", "plugins", "roles")


def of(values: Mapping[str, object], sources: Iterable[str], code: str) -> str:
    """SHA-256 (hexadecimal) over named values, digests of sources and the digest of the code; the order of names is no difference."""
    content = json.dumps([_plain(values), list(sources), code], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def inputs_of(specification: Mapping, defaults: Mapping) -> set[str]:
    """The names of a role's inputs: what its argument specification documents, and what has a default."""
    entries = (specification.get("argument_specs") or {}).values()
    return {*defaults, *(name for entry in entries for name in entry.get("options") or {})}


def of_code(root: Path) -> str:
    """SHA-256 over names and contents of the files a collection at `root` works with."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(root)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _plain(value: object) -> object:
    """The value with its types told apart: 1, "1", true and null are four values."""
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
