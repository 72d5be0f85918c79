# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database of a provider: a role that owns it and is no superuser, and nothing else to reach the server by."""

from __future__ import annotations

from typing import Any

import module_run
import pytest


def extensions(url: str, *names: str, **options: Any) -> dict[str, Any]:
    return module_run.run("postgresql_extensions", database_url=url, extensions=list(names), schema="extensions", verified=False, **options)


def test_extensions_go_to_their_schema(url: str, query: Any) -> None:
    assert extensions(url, "pgcrypto", check=True)["created"] == ["pgcrypto"]
    assert query("select to_regnamespace('extensions')") == [(None,)]
    done = extensions(url, "pgcrypto")
    assert done["changed"] and done["superuser"] is False and done["server_version"] >= 15
    schema = "select nspname from pg_extension e join pg_namespace n on n.oid = extnamespace where extname = 'pgcrypto'"
    assert query(schema) == [("extensions",)]
    assert not extensions(url, "pgcrypto")["changed"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_thing", "does not offer the extension no_such_thing"),
        ("pg_stat_statements", "cannot be created by this role"),
        ('x"; drop', "cannot be an extension"),
    ],
)
def test_what_a_provider_does_not_let_one_have(url: str, name: str, words: str) -> None:
    assert words in extensions(url, name)["msg"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url, "sslmode=prefer, so whoever sits between"),
        (lambda url: url + "?sslmode=require", "sslmode=require, so whoever sits between"),
        (lambda url: url + "?sslmode=verify-full", "no sslrootcert"),
        (lambda url: url + "?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt", "certificate that cannot be verified"),
        (lambda url: url.rpartition(":")[0] + ":6543/x?sslmode=verify-full", "transaction pooler"),
    ],
)
def test_connections_that_are_refused(url: str, change: Any, words: str) -> None:
    found = module_run.run("postgresql_extensions", database_url=change(url), extensions=["pgcrypto"])
    assert words in found["msg"]
    assert url.split(":")[2].split("@")[0] not in str(found)
