# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written once and then belong to a person: what is there is never overwritten."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically


@dataclass(frozen=True)
class File:
    """A file of the inventory: its text as it would be written now, and the text that is there."""

    path: Path
    text: str
    present: str | None

    def difference(self) -> str:
        """What would be written differently now; empty where nothing would, or where there is no file yet."""
        if self.present is None or self.present == self.text:
            return ""
        lines = difflib.unified_diff(self.present.splitlines(), self.text.splitlines(), str(self.path), "found now", n=0, lineterm="")
        return "\n".join(lines)


def compare(folder: Path, texts: dict[str, str]) -> list[File]:
    """Raises ParityError where the inventory cannot be a directory."""
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise ParityError(f"{place} is a file, and the inventory has to be a directory. Name another: -e inventory=inventories/NAME")
    return [File(folder / name, text, _present(folder / name)) for name, text in texts.items()]


def write(files: list[File]) -> None:
    for file in files:
        if file.present is None:
            write_atomically(file.path, file.text)


def _present(path: Path) -> str | None:
    """The text that is there. A broken link counts as there: it is somebody's."""
    if not path.exists() and not path.is_symlink():
        return None
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
