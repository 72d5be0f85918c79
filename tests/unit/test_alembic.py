# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions are read without running them."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import alembic
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import Applied


def file(version: str, parent: object = None, body: str = "pass") -> dict[str, str]:
    names = f"revision: str = {version!r}\ndown_revision = {parent!r}\n"
    text = f"{names}\ndef upgrade():\n    {body}\n\ndef downgrade():\n    op.drop_table('x')\n"
    return {"file": f"{version}_x.py", "sql": text}


def test_the_order_is_the_one_they_are_built_on() -> None:
    found = alembic.parse([file("c", ("a", "b")), file("b", "r"), file("a", "r"), file("r")])
    assert [revision.version for revision in found] == ["r", "a", "b", "c"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([file("a"), file("a")], "the same identifier"),
        ([file("b", "a")], "built on a, which is not below"),
        ([file("a"), file("b")], "several heads: a, b"),
        ([{"file": "x.py", "sql": "import os"}], "x.py cannot be read"),
        ([{"file": "x.py", "sql": "revision = ("}], "x.py cannot be read"),
    ],
)
def test_what_has_no_order(files: list, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        alembic.parse(files)


def test_everything_below_the_current_revision_is_applied() -> None:
    revisions = alembic.parse([file("a"), file("b", "a"), file("c", "b")])
    assert alembic.history(revisions, ["b"], {"a": "sum"}) == {"b": Applied(), "a": Applied(sha256="sum")}
    assert sorted(alembic.history(revisions, ["z"], {})) == ["z"]


@pytest.mark.parametrize(
    ("applied", "accepted", "words"),
    [
        ({"a": Applied()}, [], []),
        ({"z": Applied()}, [], ["The database is at z"]),
        ({"a": Applied(sha256="other")}, [], ["a_x.py changed after"]),
        ({"a": Applied(sha256="other")}, ["a"], []),
    ],
)
def test_drift(applied: dict, accepted: list, words: list) -> None:
    found = alembic.drift(alembic.parse([file("a")]), applied, accepted)
    assert [word for word, problem in zip(words, found, strict=True) if word not in problem] == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("op.create_table('a', sa.Column('id', sa.Integer(), nullable=False))", ""),
        ("op.add_column('a', sa.Column('b', sa.Text()))", ""),
        ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=''))", ""),
        ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False))", "adds a column to a as NOT NULL"),
        ("op.drop_table('a')", "drops table a"),
        ("op.drop_column('a', 'b')", "drops column a, b"),
        ("op.drop_constraint('c', 'a')", ""),
        ("op.rename_table('a', 'b')", "renames a, b"),
        ("op.alter_column('a', 'b', type_=sa.BigInteger())", "changes the type of a, b"),
        ("op.alter_column('a', 'b', new_column_name='c')", "renames a, b"),
        ("op.alter_column('a', 'b', nullable=False)", "forbids NULL in a, b"),
        ("op.alter_column('a', 'b', nullable=True)", ""),
        ("op.alter_column('a', 'b', server_default=None)", "drops the default"),
        ("op.execute('delete from a')", "deletes rows of a"),
        ("op.execute(sa.text('truncate a'))", "empties a"),
        ("op.execute('insert into a values (1)')", ""),
        ("with op.batch_alter_table('a') as batch: batch.drop_column('b')", "drops column b"),
    ],
)
def test_what_destroys(body: str, why: str) -> None:
    (revision,) = alembic.parse([file("a", body=body)])
    assert why in "".join(revision.destroys) and bool(why) == bool(revision.destroys)


def test_a_failure_is_told_without_its_traceback() -> None:
    (revision,) = alembic.parse([file("a")])
    output = (
        "Traceback (most recent call last):\n  File x\npsycopg2.errors.DuplicateTable: relation exists\n\nThe above\n"
        "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateTable) relation \"a\" already exists\n\n"
        "[SQL: CREATE TABLE a ()]\n(Background on this error)"
    )
    said = alembic.explain(revision, output)
    assert said.endswith('relation "a" already exists / [SQL: CREATE TABLE a ()]') and "Traceback" not in said
