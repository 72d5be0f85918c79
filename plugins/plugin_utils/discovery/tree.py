# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an application, read with bounds: so many, so large, text only, and none that lies outside of it."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

MOST_FILES = 5000
LARGEST = 1_000_000
#: Directories that hold what others wrote, what was built, or what never runs in production. Those with a dot are skipped, too.
_SKIPPED = frozenset(["__pycache__", "build", "dist", "env", "node_modules", "site-packages", "test", "tests", "venv"])


class Tree:
    """Names of files relative to the application's directory, and their text. What is left out stands in `notes`."""

    def __init__(self, root: Path, *, most: int = MOST_FILES, largest: int = LARGEST) -> None:
        if not root.is_dir():
            raise ParityError(f"{root} is no directory. Name the one that holds the application: -e application=DIR")
        self.root = root.resolve()
        self.notes: list[str] = []
        self._largest = largest
        self._texts: dict[str, str | None] = {}
        self.names = self._walk(most)
        self._known = frozenset(self.names)
        if not self.names:
            raise ParityError(f"{root} holds no file to read. Name the directory with the application's sources: -e application=DIR")

    def _walk(self, most: int) -> list[str]:
        """Breadth first, so that what is left out of a large tree is what lies deepest."""
        found: list[str] = []
        todo = deque([self.root])
        while todo:
            directory = todo.popleft()
            for entry in self._entries(directory):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and not entry.name.startswith("."):
                        todo.append(Path(entry.path))
                elif self._is_ours(entry):
                    if len(found) == most:
                        self.notes.append(f"only the first {most} files were read; those deeper in the tree were not")
                        return found
                    found.append(self._relative(entry.path))
        return found

    def _entries(self, directory: Path) -> list[os.DirEntry]:
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.notes.append(f"{self._relative(directory)} cannot be read: {error.strerror}")
            return []

    def _is_ours(self, entry: os.DirEntry) -> bool:
        """A file, or a link to a file of the application."""
        if not entry.is_symlink():
            return entry.is_file(follow_symlinks=False)
        target = Path(entry.path).resolve()
        if target.is_relative_to(self.root) and target.is_file():
            return True
        if target.exists():
            self.notes.append(f"{self._relative(entry.path)} is a link that was not followed")
        return False

    def _relative(self, path: str | Path) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def named(self, *names: str) -> list[str]:
        """Files with one of these names, the one nearest to the root first."""
        return [name for name in self.names if name.rpartition("/")[2] in names]

    def has(self, name: str) -> bool:
        return name in self._known

    def text(self, name: str) -> str | None:
        """The text of a file; None where it is too big, no text or cannot be read, which `notes` then says."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> str | None:
        path = self.root / name
        try:
            size = path.stat().st_size
            if size > self._largest:
                self.notes.append(f"{name} was not read: it has {size} bytes, and at most {self._largest} are read")
                return None
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            self.notes.append(f"{name} was not read: it is no UTF-8 text")
            return None
        except OSError as error:
            self.notes.append(f"{name} cannot be read: {error.strerror}")
            return None
        if "\0" in text:
            self.notes.append(f"{name} was not read: it is no text")
            return None
        return text
