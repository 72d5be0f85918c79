# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, so that a password itself never has to be sent to a server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stringprep
import unicodedata

ITERATIONS = 4096
VERIFIER = re.compile(r"^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$")

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The verifier of a password, with a random salt unless one is given."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_encode(salt)}${_encode(stored)}:{_encode(server)}"


def matches(password: str, stored: str | None) -> bool:
    """Whether `stored` is the SCRAM verifier of `password`; an MD5 hash or no password at all is not."""
    found = VERIFIER.match(stored or "")
    if not found:
        return False
    wanted = verifier(password, salt=base64.b64decode(found[2]), iterations=int(found[1]))
    return hmac.compare_digest(wanted, stored)


def saslprep(text: str) -> str:
    """Normalise a password (RFC 4013) the way PostgreSQL does: what cannot be normalised is taken as it is."""
    if text.isascii():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    normalised = unicodedata.normalize("NFKC", mapped)
    if not normalised or any(table(c) for c in normalised for table in _PROHIBITED):
        return text
    if any(stringprep.in_table_a1(c) for c in normalised):
        return text
    if any(stringprep.in_table_d1(c) for c in normalised):
        mixed = any(stringprep.in_table_d2(c) for c in normalised)
        if mixed or not stringprep.in_table_d1(normalised[0]) or not stringprep.in_table_d1(normalised[-1]):
            return text
    return normalised


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()
