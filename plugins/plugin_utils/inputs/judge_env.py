# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a .env file, said by names and lines and never by values."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import brokers, urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import dotenv, placeholders, signing_keys

#: What .env.production.example calls required. A test holds the two together.
REQUIRED = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "JWT_SECRET_KEY")
_ALGORITHMS = ("JWT_ALGORITHM", "JWT_ALG", "ALGORITHM")
_KEY = re.compile(r"(?:.*_)?(?:JWT_(?:.*_)?(?:KEY|SECRET)|SECRET_KEY|SIGNING_KEY)")
_SECRET = re.compile(r".*(?:SECRET|PASSWORD|PASSWD|_PASS|TOKEN|KEY|CREDENTIALS?|_URL|_URI|_DSN|IDENTITY)(?:_.*)?|PASS")
_URL = re.compile(r".*_(?:URL|URI|DSN)|URL|URI|DSN")
_DATABASE, _REDIS, _WEB = ("postgres",), ("redis:", "rediss:"), ("http:", "https:")


def verdicts(path: Path) -> list[str]:
    """One sentence for each problem; none where the file can be deployed with.

    A file that cannot be read is one problem, with its line.
    """
    try:
        values = dotenv.read(path)
    except ParityError as error:
        return [str(error)]
    found = ((name, _complaint(name, value, values)) for name, value in values.items())
    return [f"{name} {words.removesuffix('.')}." for name, words in found if words]


def _complaint(name: str, value: str, values: dict[str, str]) -> str:
    if not value.strip():
        return "is empty, and a deployment needs it" if name in REQUIRED else ""
    try:
        _read_url(name, value)
    except ParityError as error:
        return str(error).strip()
    if _KEY.fullmatch(name) and "PUBLIC" not in name:
        algorithm = next((values[other] for other in _ALGORITHMS if values.get(other)), "HS256")
        return signing_keys.complaint(value, algorithm)
    return placeholders.complaint(value) if _SECRET.fullmatch(name) else ""


def _read_url(name: str, value: str) -> None:
    """Read what is a URL as whoever connects reads it. Raises ParityError."""
    kind = value.lower()
    if name == "BROKER_URL" or (_URL.fullmatch(name) and kind.startswith(_REDIS)):
        brokers.read(value, "")
    elif name in ("DATABASE_URL", "DATABASE_OWNER_URL") or (_URL.fullmatch(name) and kind.startswith(_DATABASE)):
        postgresql.parse_url(value, "", pooled="OWNER" not in name)
    elif _URL.fullmatch(name) and kind.startswith(_WEB):
        urls.split(value, "", "https://api.example.org")
