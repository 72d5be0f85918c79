# SPDX-License-Identifier: GPL-3.0-or-later
"""What the schema promises, seen with the rights of the application."""

import math

import psycopg
import pytest
from conftest import Roles
from psycopg import errors


def test_owner_is_no_superuser_and_application_may_not_change_the_schema(roles: Roles) -> None:
    with psycopg.connect(roles.owner) as owner:
        assert owner.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            False,
        )
    for statement in ("CREATE TABLE t ()", "ALTER TABLE documents ADD c text", "DROP TABLE chunks"):
        with psycopg.connect(roles.application) as application, pytest.raises(errors.InsufficientPrivilege):
            application.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
def test_audit_log_only_grows(roles: Roles, statement: str) -> None:
    with (
        psycopg.connect(roles.application) as application,
        pytest.raises(errors.RaiseException, match="only grows"),
    ):
        application.execute(statement)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 0], [2, 0], 1.0),
        ([1, 0], [0, 1], 0.0),
        ([1, 2], [-1, -2], -1.0),
        ([3, 4], [4, 3], 0.96),
        ([0, 0], [1, 1], None),
        ([1, 0], [1, 0, 0], None),
    ],
)
def test_cosine_similarity(roles: Roles, a: list[float], b: list[float], expected: float | None) -> None:
    with psycopg.connect(roles.application) as application:
        row = application.execute("SELECT cosine_similarity(%s::real[], %s::real[])", (a, b)).fetchone()
    assert row is not None
    assert row[0] is expected if expected is None else math.isclose(row[0], expected, abs_tol=1e-6)


def test_a_failed_document_has_a_reason(roles: Roles) -> None:
    with psycopg.connect(roles.application) as application, pytest.raises(errors.CheckViolation):
        application.execute(
            "INSERT INTO documents (owner, filename, content_type, size_bytes, sha256, object_key, state)"
            " VALUES ('a', 'f', 't', 1, '', 'k', 'failed')"
        )
