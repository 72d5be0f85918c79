# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files encrypted to one public key by the program age. The secret key goes to it on its standard input, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.backup.repository import make_private, sha256
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Runs a program with what it reads on its standard input: its code, output and errors. Code 127 where it is not installed.
Run = Callable[[list[str], str], tuple[int, str, str]]

#: What the words of a failed age mean; upper and lower case are the same.
_WORDS = (
    (r"no space left on device", "the disk is full"),
    (r"no identity matched|incorrect identity", "the key is not the one it was encrypted with"),
    (r"unexpected EOF|failed to decrypt|message authentication|not a valid|intro|header", "it is cut off or damaged"),
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

    def encrypt(self, plain: Path, to: Path, digest: str, what: str) -> None:
        """Encrypt a file with this SHA-256 (`what` it is, for a message). With the secret key, it is replaced by what decrypts again.

        Raises ParityError where age fails, or where what decrypts again has another checksum.
        """
        make_private(to)
        who, stdin = (["--recipient", self._recipient], "") if self._recipient else (["--identity", "-"], self._identity)
        self._tool(["age", "--encrypt", *who, "--output", str(to), str(plain)], str(plain), stdin)
        if self.can_decrypt:
            plain.unlink()
            self.decrypt(to, plain)
            if sha256(plain) != digest:
                raise ParityError(f"The encrypted {what} does not decrypt to the original. It was not kept.")

    def decrypt(self, file: Path, to: Path) -> None:
        """Decrypt a file to one that only its owner may read. Raises ParityError without the secret key, or where age fails."""
        if not self.can_decrypt:
            raise ParityError(f"{file} is encrypted with age. Give its secret key: backup_age_identity.")
        make_private(to)
        self._tool(["age", "--decrypt", "--identity", "-", "--output", str(to), str(file)], str(file), self._identity)

    def _tool(self, words: list[str], what: str, stdin: str) -> str:
        code, out, err = self._run(words, stdin)
        if code == 127:
            raise ParityError("age is not installed on this host. Install it: apt-get install age")
        if code != 0:
            raise ParityError(f"{words[0]} failed with {what}: {_explained(err)}")
        return out


def _explained(err: str) -> str:
    """What age said on its standard error: the meaning with the line that has it, or the first line."""
    lines = err.strip().splitlines() or ["no reason given"]
    known = (f"{meaning} ({line})" for pattern, meaning in _WORDS for line in lines if re.search(pattern, line, re.IGNORECASE))
    return next(known, lines[0])
