# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of an application as its migrations need it: connected as the owner of the schema.

An application reads its connection from one URL, or builds it from parts. Wherever its own login stands in its environment, the owner's
takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import quote, quote_plus

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql


def as_owner(environment: Mapping[str, object], application_url: str, owner_url: str) -> dict[str, object]:
    """`environment` with the owner's login in place of the application's; as it is where either URL cannot be read.

    A value changes where it is the application's password, where it is the application's user in a variable whose name says so (USER,
    LOGIN, ROLE), or where it is a URL with both. The port changes with the user in such a URL: the owner needs the server itself.
    """
    try:
        application, owner = postgresql.parse_url(application_url, pooled=True), postgresql.parse_url(owner_url)
    except ParityError:
        return dict(environment)
    return {name: _changed(name, value, application, owner) for name, value in environment.items()}


def _changed(name: str, value: object, application: postgresql.Target, owner: postgresql.Target) -> object:
    text = str(value)
    if application.password and text == application.password:
        return owner.password
    if text == application.user and any(word in name.upper() for word in ("USER", "LOGIN", "ROLE")):
        return owner.user
    if application.port != owner.port and text == str(application.port) and "PORT" in name.upper() and _is_of_database(name):
        return type(value)(owner.port) if isinstance(value, int) else str(owner.port)
    for encode in (partial(quote, safe=""), quote_plus, str):
        login = f"{encode(application.user)}:{encode(application.password)}@"
        if application.password and login in text:
            text = text.replace(login, f"{encode(owner.user)}:{encode(owner.password)}@")
            return text.replace(f"@{application.host}:{application.port}/", f"@{owner.host}:{owner.port}/")
    return value


def _is_of_database(name: str) -> bool:
    """Whether a variable speaks of the database by its name: a port of another service may have the same number."""
    return any(word in name.upper() for word in ("DB", "DATABASE", "POSTGRES", "PG", "SQL"))
