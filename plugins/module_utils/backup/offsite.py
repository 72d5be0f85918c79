# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Off-site copies of files, wherever rclone reaches: another host, S3, a mounted directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.backup.manifest import SECRET_OPTION
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Runs a program with its standard input and environment variables. Returns its code, output and errors; code 127 where it is not
#: installed.
Run = Callable[[list[str], str, dict[str, str]], tuple[int, str, str]]
_QUIET = ("--config", "/dev/null", "--retries", "3", "--contimeout", "15s")
_NO_DIRECTORY = 3


def secrets(options: dict) -> list[str]:
    """Values of a remote's options that nobody may see."""
    return [str(value) for name, value in options.items() if value and SECRET_OPTION.search(name)]


class SecondPlace:
    """A directory of a remote. rclone gets the remote's options through its environment."""

    def __init__(self, run: Run, options: dict) -> None:
        self._run = run
        self._path = "parity:" + str(options.get("path", "")).rstrip("/")
        others = {name: value for name, value in options.items() if name != "path"}
        self._variables = {f"RCLONE_CONFIG_PARITY_{name.upper()}": str(value) for name, value in others.items()}

    def files(self) -> dict[str, int]:
        """The size of each file below the directory; none where it is not there yet."""
        listed = self._rclone("lsf", "--recursive", "--files-only", "--format", "sp", "--separator", ";", self._path, empty=True)
        parts = (line.split(";", 1) for line in listed.splitlines())
        return {name: int(size) for size, name in parts}

    def text(self, name: str) -> str:
        return self._rclone("cat", f"{self._path}/{name}")

    def send(self, directory: Path, names: Iterable[str]) -> None:
        """Copy files and compare them with what is there afterwards."""
        listed = "".join(f"{name}\n" for name in names)
        if listed:
            self._rclone("copy", "--files-from-raw", "-", str(directory), self._path, stdin=listed)
            self._rclone("check", "--one-way", "--files-from-raw", "-", str(directory), self._path, stdin=listed)

    def remove(self, names: Iterable[str]) -> None:
        listed = "".join(f"{name}\n" for name in names)
        # Without a list, rclone would remove everything.
        if listed:
            self._rclone("delete", "--files-from-raw", "-", self._path, stdin=listed)

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
