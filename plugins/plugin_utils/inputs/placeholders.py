# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find secrets that other people know: the example's, a documentation's, or a placeholder such as CHANGE-ME."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import dotenv

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.production.example"
_PASSWORD = re.compile(r"://[^:/?#@\s]*:([^/?#@\s]*)@")
_MARKS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\$\{.*\}?|\{\{.*|%[A-Z_]+%|__[A-Z_]+__|(.)\1{2,}")
_COMMANDS = "change|replace|fill|insert|enter|set|put|add|paste"
_THINGS = "secret|password|passwd|passphrase|pass|key|token|value|credential|credentials"
#: Compared with the value in lower case, reduced to letters and digits.
_WORDS = re.compile(
    rf"""(?:please)?(?:{_COMMANDS})(?:me|this|it|in|here|with.*|your.*|a?(?:{_THINGS}))(?:now|please|later|here|before.*|in.*|to.*|for.*|with.*)?\d*
    | .*(?:changeme|changethis|replaceme|placeholder|atleast\d+(?:char|byte)).*
    | (?:your|my|our|insert|enter)\w*(?:secret|password|key|token)\d*
    | your\w*here | \w*goeshere
    | (?:my|the|a|very|super|top|strong|secure|default|example|sample|dummy|fake|test|app|jwt|db|api|this|is|{_THINGS})*
      (?:{_THINGS}|example|sample|dummy|default)(?:here|string|text)?(?:123|1234|12345|123456|1|\d{{1,4}})?
    | x{{3,}} | todo | tbd | fixme | none | null | nil | undefined | empty | foo | bar | foobar""",
    re.VERBOSE,
)
#: Keys that documentations print, and that are found in production again and again.
_DOCUMENTED = (
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)


def complaint(value: object) -> str:
    """Why other people know a secret, or the password in a URL; empty where they do not. Never shows the value."""
    text = "" if value is None else str(value)
    for secret in (text, *(unquote(found) for found in _PASSWORD.findall(text))):
        if secret and secret in example_values():
            return "is the example's value, which everybody knows. Choose one of your own, for example with: openssl rand -base64 48"
        if secret in _DOCUMENTED:
            return "is a key out of a documentation, which everybody knows. Make one: openssl rand -base64 48"
        if "://" not in secret and _is_placeholder(secret.strip()):
            return "is a placeholder, not a secret. Choose a value of your own, for example with: openssl rand -base64 48"
    return ""


def _is_placeholder(text: str) -> bool:
    bare = re.sub(r"[\W_]", "", text.lower())
    return bool(_MARKS.fullmatch(text) or _WORDS.fullmatch(bare))


@cache
def example_values() -> frozenset[str]:
    """The values of the example file, and the passwords in its URLs; nothing where the file is not installed."""
    if not EXAMPLE.is_file():
        return frozenset()
    values = [value for value in dotenv.parse(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name, {}).values() if value]
    return frozenset([*values, *(unquote(found) for value in values for found in _PASSWORD.findall(value))])
