# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh database with two roles, as in production: one owns the schema, the other is the application's."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from support import (
    ROOT,
    SECRET,
    Environment,
    PretendedProvider,
    Process,
    pretended_provider,
    running_api,
    running_worker,
)

from docpipe.db import Database


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set; README.md, 'Tests', says what it has to point to", pytrace=False)
    return value


@dataclass
class Roles:
    """URLs of one database, for the role that owns it and for the application's."""

    owner: str
    application: str


@pytest.fixture(scope="session")
def roles() -> Iterator[Roles]:
    """A new database with the migrations applied by its owner, who is no superuser."""
    server = _required("DOCPIPE_TEST_DATABASE_URL")
    suffix, password = secrets.token_hex(4), secrets.token_hex(16)
    database, role = sql.Identifier(f"docpipe_test_{suffix}"), sql.Identifier(f"docpipe_app_{suffix}")
    urls = Roles(
        owner=_url(server, dbname=f"docpipe_test_{suffix}"),
        application=_url(
            server, dbname=f"docpipe_test_{suffix}", user=f"docpipe_app_{suffix}", password=password
        ),
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} ROLE CURRENT_USER").format(role, sql.Literal(password))
        )
        try:
            _migrate(urls.owner, role)
            yield urls
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def _migrate(url: str, application: sql.Identifier) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        grant = "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}"
        owner.execute(sql.SQL(grant).format(application))
        for script in sorted((ROOT / "supabase/migrations").glob("*.sql")):
            with owner.transaction():
                owner.execute(script.read_bytes())


@pytest.fixture(scope="session")
def database_url(roles: Roles) -> str:
    return roles.application


def _url(url: str, **changes: str) -> str:
    parts = {**conninfo_to_dict(url), **changes}
    return "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**{"port": 5432, **parts})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The application's view of the database."""
    database = Database(database_url, max_size=4)
    yield database
    database.close()


@pytest.fixture(scope="session")
def environment(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A valid configuration, with a queue that no other test run uses."""
    return {
        "DATABASE_URL": database_url,
        "BROKER_URL": _required("DOCPIPE_TEST_BROKER_URL"),
        "JWT_SECRET_KEY": SECRET,
        "STORAGE_PATH": str(tmp_path_factory.mktemp("objects")),
        "MAX_UPLOAD_BYTES": "100000",
        "APP_RELEASE": "v-test",
        "APP_SLOT": "blue",
        "TASK_QUEUE": f"docpipe-test-{secrets.token_hex(4)}",
        "RETRY_BASE_SECONDS": "0.1",
    }


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def api(environment: Environment, logs: Path) -> Iterator[httpx.Client]:
    """The API most tests talk to."""
    with running_api(environment, logs) as (client, _):
        yield client


@pytest.fixture(scope="session")
def worker(environment: Environment, logs: Path) -> Iterator[Process]:
    """The worker most documents are handled by."""
    with running_worker(environment, logs) as process:
        yield process


@pytest.fixture
def provider() -> Iterator[PretendedProvider]:
    """A provider on this machine."""
    with pretended_provider() as provider:
        yield provider


@pytest.fixture
def queue() -> str:
    """A queue that only the worker of one test reads."""
    return f"docpipe-test-{secrets.token_hex(4)}"
