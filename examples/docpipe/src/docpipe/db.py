# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL. No DDL: the schema is the business of the migrations, run by another role."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[Any]

# Notice a server that went away within seconds instead of minutes; the URL may say otherwise.
_DEFAULTS = {
    "application_name": "docpipe",
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def connection_arguments(url: str) -> dict[str, Any]:
    """Arguments for `psycopg.connect`; without prepared statements, for PgBouncer in transaction mode."""
    return {**_DEFAULTS, **conninfo_to_dict(url), "prepare_threshold": None}


class Database:
    """A small pool that opens by itself on first use, and so never before a worker process has forked."""

    def __init__(self, url: str, max_size: int = 10) -> None:
        self._pool = ConnectionPool(
            kwargs=connection_arguments(url),
            min_size=1,
            max_size=max_size,
            timeout=5,
            max_idle=300,
            # Left to itself, the pool waits ever longer between tries, and would find a database that is back
            # only after minutes. As it gives up soon, the next request tries at once.
            reconnect_timeout=3,
            check=ConnectionPool.check_connection,
            open=False,
        )

    @contextmanager
    def transaction(self, timeout: float | None = None) -> Iterator[Connection]:
        """A connection whose work is committed at the end, or rolled back when an exception passes."""
        if self._pool.closed:
            self._pool.open()
        with self._pool.connection(timeout) as connection:
            yield connection

    def check(self) -> None:
        """Raise unless the database answers."""
        with self.transaction(timeout=1.5) as connection:
            connection.execute("SELECT 1")

    def close(self) -> None:
        self._pool.close()
