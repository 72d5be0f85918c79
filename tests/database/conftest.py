# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL that `tools/test.py database` runs, and for each test a database owned by a role without further rights."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).parents[2]
_AnsibleCollectionFinder(paths=[str(ROOT / ".cache" / "collections")])._install()

from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql  # noqa: E402 - found by the line above

Query = Callable[..., list[tuple]]


def _server() -> postgresql.Target:
    url = os.environ.get("PARITY_TEST_DATABASE_URL")
    if not url:
        pytest.fail("PARITY_TEST_DATABASE_URL is not set; run `tools/test.py database`", pytrace=False)
    return postgresql.parse_url(url)


def _database() -> Iterator[str]:
    server, suffix = _server(), secrets.token_hex(4)
    name, password = f"parity_{suffix}", secrets.token_hex(16)
    with closing(postgresql.connect(server)) as admin:
        admin.autocommit = True
        postgresql.rows(admin, f"create role {name} login password '{password}' role current_user")
        postgresql.rows(admin, f"create database {name} owner {name}")
        yield f"postgresql://{name}:{password}@{server.host}:{server.port}/{name}"
        postgresql.rows(admin, f"drop database {name} with (force)")
        postgresql.rows(admin, f"drop role {name}")


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of a new database, for its owner, who is no superuser and may create nothing else."""
    yield from _database()


@pytest.fixture
def other_url() -> Iterator[str]:
    """The same for another one, in which an oracle works."""
    yield from _database()


@pytest.fixture
def target(url: str) -> postgresql.Target:
    return postgresql.parse_url(url)


@pytest.fixture
def query(target: postgresql.Target) -> Iterator[Query]:
    """Asks the database on a connection of its own, in autocommit."""
    with closing(postgresql.connect(target)) as connection:
        connection.autocommit = True

        def ask(words: str, values: Any = None) -> list[tuple]:
            with connection.cursor() as cursor:
                cursor.execute(words, values)
                return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def session(target: postgresql.Target) -> Iterator[Callable[[], Any]]:
    """Opens sessions of others, in a transaction, closed at the end."""
    opened: list[Any] = []

    def open_one() -> psycopg2.extensions.connection:
        opened.append(postgresql.connect(target))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def app(target: postgresql.Target) -> Iterator[str]:
    """A role for the old release, which owns nothing. The owner of the database may act as it."""
    name = f"{target.user}_app"
    with closing(postgresql.connect(_server())) as admin:
        admin.autocommit = True
        postgresql.rows(admin, f"create role {name} nologin role {target.user}")
        yield name
        postgresql.rows(admin, f"drop role {name}")
