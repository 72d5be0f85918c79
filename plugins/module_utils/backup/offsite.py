# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Off-site copies of files, wherever rclone reaches: another host, S3, a mounted directory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Runs a program with its standard input and environment variables. Returns its code, output and errors; code 127 where it is not
#: installed.
Run = Callable[[list[str], str, dict[str, str]], tuple[int, str, str]]
#: Options of rclone whose values nobody may see.
_SECRET_OPTION = re.compile(r"(?i)(secret|pass|token|key$|key_pem)")
_QUIET = ("--config", "/dev/null", "--retries", "3", "--contimeout", "15s")
_NO_DIRECTORY = 3


def secrets(options: dict) -> list[str]:
    """Values of a remote's options that nobody may see."""
    return [str(value) for name, value in options.items() if value and _SECRET_OPTION.search(name)]


class OffSitePlace:
    """A directory of a remote. rclone gets the remote's options through its environment."""

    def __init__(self, run: Run, options: dict) -> None:
        self._run = run
        self._path = "parity:" + str(options.get("path", "")).rstrip("/")
        others = {name: value for name, value in options.items() if name != "path"}
        self._variables = {f"RCLONE_CONFIG_PARITY_{name.upper()}": str(value) for name, value in others.items()}

    def files(self, *, below: bool, check: bool = False) -> dict[str, int]:
        """The size in bytes of each file in the directory, and `below` it too; none where it is not there yet.

        In a dry run (`check`), a place that cannot be used has no files: the real run installs rclone, or makes the directory.
        """
        where = ["--recursive"] if below else []
        try:
            listed = self._rclone("lsf", *where, "--files-only", "--format", "sp", "--separator", ";", self._path, empty=True)
        except ParityError:
            if not check:
                raise
            return {}
        parts = (line.split(";", 1) for line in listed.splitlines())
        return {name: int(size) for size, name in parts}

    def text(self, name: str) -> str:
        """The content of a file."""
        return self._rclone("cat", f"{self._path}/{name}")

    def send(self, directory: Path, names: Iterable[str]) -> None:
        """Copy files of a directory and compare them with what is there afterwards. What is missing in the directory is left out."""
        names = list(names)
        self._each(names, "copy", source=directory)
        self.compare(directory, names)

    def send_one(self, path: Path) -> None:
        """Copy one file, without comparing it. Raises ParityError where it is missing."""
        self._rclone("copyto", str(path), f"{self._path}/{path.name}")

    def compare(self, directory: Path, names: Iterable[str]) -> None:
        """Raise ParityError where files of a directory differ from what is there."""
        self._each(names, "check", "--one-way", source=directory)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        self._each(names, "delete")

    def _each(self, names: Iterable[str], *words: str, source: Path | None = None) -> None:
        """Run rclone for the files of a list. Without one, it would mean every file, and remove everything."""
        listed = "".join(f"{name}\n" for name in names)
        places = [str(source), self._path] if source else [self._path]
        if listed:
            self._rclone(*words, "--files-from-raw", "-", *places, stdin=listed)

    def _rclone(self, *words: str, stdin: str = "", empty: bool = False) -> str:
        code, out, err = self._run(["rclone", *words, *_QUIET], stdin, {"LC_ALL": "C.UTF-8", **self._variables})
        if code == 127:
            raise ParityError("rclone is not installed on this host. Install it: apt-get install rclone")
        if code == _NO_DIRECTORY and empty:
            return ""
        if code != 0:
            lines = [line for line in err.splitlines() if "NOTICE" not in line] or [err or os.strerror(5)]
            raise ParityError(f"The off-site copies of the backups cannot be used. rclone says: {lines[-1].strip()}")
        return out
