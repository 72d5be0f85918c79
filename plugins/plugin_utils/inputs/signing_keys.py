# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a text is fit to sign tokens with."""

from __future__ import annotations

import itertools
import re

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import placeholders

FEWEST_BYTES = 32
FEWEST_CHARACTERS = 8
_FEWEST_STEPS = 4
_REMEDY = "make one with: openssl rand -base64 48"
_PEM = re.compile(r"-----\s*BEGIN|-----\s*END|^[A-Z ]*(?:PRIVATE|PUBLIC) KEY-----", re.MULTILINE)
_WHOLE_PRIVATE = re.compile(r"-----BEGIN (?P<kind>(?:[A-Z]+ )?PRIVATE KEY)-----\s+[A-Za-z0-9+/=\s]{40,}\s-----END (?P=kind)-----\s*")
_ASYMMETRIC = re.compile(r"(?:RS|ES|PS)(?:256|384|512)|ES256K|EdDSA", re.IGNORECASE)


def complaint(value: object, algorithm: str = "HS256") -> str:
    """Why tokens must not be signed with `value`, in words that go on after its name; empty where they may. Never shows it.

    With an `algorithm` of key pairs (RS256, ES256, EdDSA) it has to be a whole private key in PEM.
    """
    if value is None or not str(value).strip():
        return "is missing or empty"
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not text. Put it into quotes"
    if _ASYMMETRIC.fullmatch(algorithm):
        return "" if _WHOLE_PRIVATE.fullmatch(value) else f"is no whole private key in PEM, which {algorithm} signs with"
    if _PEM.search(value):
        part = "a whole private key" if _WHOLE_PRIVATE.fullmatch(value) else "a part of a PEM file"
        return f"is {part}. {algorithm} signs with a random text of {FEWEST_BYTES} bytes or more: {_REMEDY}"
    return _weakness(value)


def _weakness(value: str) -> str:
    if value != value.strip():
        return "begins or ends with a space or a line break, which programs drop or keep as they like. Remove it"
    length = len(value.encode("utf-8", "surrogatepass"))
    if length < FEWEST_BYTES:
        return f"is too short to sign tokens with: {length} bytes, wanted are {FEWEST_BYTES} or more; {_REMEDY}"
    known = placeholders.complaint(value)
    if known:
        return known
    different = len(set(value))
    if different < FEWEST_CHARACTERS:
        return f"has only {different} different characters, wanted are {FEWEST_CHARACTERS} or more; {_REMEDY}"
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(value)}
    if len(steps) < _FEWEST_STEPS or _repeats(value):
        return f"is a row of characters that repeats or counts up, which can be guessed; {_REMEDY}"
    return ""


def _repeats(value: str) -> bool:
    """Whether the value is one piece of at most half its length, again and again."""
    return any(value[size:] == value[:-size] for size in range(1, len(value) // 2 + 1))
