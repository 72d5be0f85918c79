# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written once and then belong to a person: what is there is never overwritten."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import variables


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
        return "\n".join(self._shown(line) for line in lines)

    def _shown(self, line: str) -> str:
        """A line of the diff. Of one that a person may have written a secret into, only the name is shown."""
        if not line.startswith("-") or line.startswith("---"):
            return line
        name = re.fullmatch(r"-[\s#-]*([A-Za-z_][A-Za-z0-9_]*)\s*[:=].*", line)
        secret = "secrets" in self.path.name or self.path.name.startswith(".env")
        words = re.findall(r"([A-Za-z_][A-Za-z0-9_]*)\s*[:=]", line)
        if secret or any(variables.is_secret(word) for word in words):
            return f"-{name[1]}: (not shown)" if name else "-(not shown)"
        return line


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
