# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files encrypted to one public key by the program age. The secret key goes to it on its standard input, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Runs a program with what it reads on its standard input: its code, output and errors. Code 127 where it is not installed.
Run = Callable[[list[str], str], tuple[int, str, str]]

_WORDS = (
    (r"no identity matched|incorrect identity", "the secret key is not the one it was encrypted to"),
    (r"unexpected EOF|failed to decrypt|message authentication|intro|header", "it is cut off or damaged"),
    (r"No space left on device", "the disk is full"),
)


class Age:
    """One pair of keys: with the recipient alone, files can be encrypted; with the identity, decrypted too."""

    def __init__(self, run: Run, recipient: str = "", identity: str = "") -> None:
        self._run = run
        self.can_decrypt = bool(identity)
        self._identity = f"{identity}\n" if identity else ""
        self._recipient = recipient

    def __bool__(self) -> bool:
        return bool(self._recipient or self._identity)

    @property
    def recipient(self) -> str:
        """The public key; empty where nothing is encrypted."""
        if self._identity and not self._recipient:
            self._recipient = self._tool(["age-keygen", "-y"], "the secret key", self._identity).strip()
        return self._recipient

    def encrypt(self, plain: Path, to: Path) -> None:
        _make(to)
        self._tool(["age", "--encrypt", "--recipient", self.recipient, "--output", str(to), str(plain)], str(plain), "")

    def decrypt(self, file: Path, to: Path) -> None:
        if not self.can_decrypt:
            raise ParityError(f"{file} is encrypted with age. Give its secret key: backup_age_identity.")
        _make(to)
        self._tool(["age", "--decrypt", "--identity", "-", "--output", str(to), str(file)], str(file), self._identity)

    def _tool(self, words: list[str], what: str, stdin: str) -> str:
        code, out, err = self._run(words, stdin)
        if code == 127:
            raise ParityError("age is not installed on this host. Install it: apt-get install age")
        if code != 0:
            meaning = next((meaning for pattern, meaning in _WORDS if re.search(pattern, err)), "")
            said = (err.strip().splitlines() or ["no reason given"])[0]
            raise ParityError(f"{words[0]} failed with {what}: {f'{meaning} ({said})' if meaning else said}")
        return out


def _make(path: Path) -> None:
    """Empty, and nobody's but its owner's, before anything is in it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
