# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions read without running them; Alembic's own operations are the list of what has to have an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from ansible_collections.parity.stack.plugins.module_utils import alembic
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import Applied, Migration
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, alembic_plan, revision_calls


def file(version: str, parent: object = None, body: str = "pass", more: str = "") -> dict[str, str]:
    head = f"revision: str = {version!r}\ndown_revision = {parent!r}\n{more}\n"
    text = f"{head}\ndef upgrade():\n    {body}\n\ndef downgrade():\n    op.drop_table('x')\n"
    return {"file": f"versions/{version}_x.py", "sql": text}


def judged(body: str, more: str = "") -> dict[str, Any]:
    return alembic_plan.judged([file("a", body=body, more=more)])[0]


def test_revisions_come_in_the_order_they_are_built_on() -> None:
    found = alembic_files.read([file("c", ("a", "b")), file("b", "r"), file("a", "r"), file("r")])
    assert [revision.version for revision in found] == ["r", "a", "b", "c"]


def test_a_revision_comes_after_what_it_depends_on() -> None:
    late = file("z1", more="branch_labels = ('late',)")
    found = alembic_files.read([file("a1", more="depends_on = 'late'"), late, file("m1", ("a1", "z1"))])
    assert [(revision.version, revision.parents) for revision in found] == [("z1", ()), ("a1", ("z1",)), ("m1", ("a1", "z1"))]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([file("a"), file("a")], "the same identifier"),
        ([file("b", "a")], "built on a, which is not among them"),
        ([file("a"), file("b")], "several heads: a, b"),
        ([file("a", "b"), file("b", "a")], "several heads|in a circle"),
        ([{"file": "x.py", "sql": "import os"}], "x.py cannot be read"),
        ([{"file": "x.py", "sql": "revision = ("}], "x.py cannot be read"),
        ([{"file": "x.py", "sql": "revision = name()\ndown_revision = None"}], "x.py cannot be read"),
        ([{"file": "x.py", "sql": "revision = 1\ndown_revision = None"}], "x.py cannot be read"),
    ],
)
def test_what_has_no_order_is_refused(files: list, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        alembic_files.read(files)


def test_an_init_file_is_no_revision() -> None:
    assert [one.version for one in alembic_files.read([{"file": "versions/__init__.py", "sql": ""}, file("a")])] == ["a"]


ADDS = [
    "pass",
    '"""A docstring."""',
    "op.create_table('a', sa.Column('id', sa.Integer(), nullable=False))",
    "op.add_column('a', sa.Column('b', sa.Text()))",
    "op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=''))",
    "op.add_column('a', sa.Column('b', sa.Integer(), sa.Identity(), nullable=False))",
    "op.add_column('a', sa.Column('b', sa.Integer(), sa.ForeignKey('c.id'), nullable=True))",
    "op.alter_column('a', 'b', nullable=True)",
    "op.alter_column('a', 'b', server_default='x')",
    "op.create_index('i', 'a', ['b'])",
    "op.create_index(op.f('i'), 'a', ['b'], unique=False)",
    "op.drop_constraint('c', 'a', type_='check')",
    "op.execute('insert into a values (1)')",
    "op.execute(sa.text('insert into a values (1)'))",
    "op.execute(f'ALTER TABLE {NAME} ADD COLUMN x int')",
    "for t in ('a', 'b'):\n        op.execute(f'ALTER TABLE {t} ADD COLUMN x int')",
    "for t, c in [('a', 'x'), ('b', 'y')]:\n        op.execute('ALTER TABLE %s ADD COLUMN %s int' % (t, c))",
    "op.create_table('new', sa.Column('id', sa.Integer()))\n    op.create_unique_constraint('u', 'new', ['id'])\n    op.drop_table('new')",
    "with op.batch_alter_table('a') as batch:\n        batch.add_column(sa.Column('b', sa.Text()))",
    "with op.get_context().autocommit_block():\n        op.execute('CREATE INDEX CONCURRENTLY i ON a (b)')",
    "op.bulk_insert(sa.table('a'), [{'b': 1}])",
    "print('done')",
]

TAKES = [
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=None))", "NOT NULL"),
    ("op.drop_table('a')", "drops table a"),
    ("op.drop_column('a', 'b')", "drops column b of a"),
    ("op.drop_column('a', 'b', schema='s')", "drops column b of s.a"),
    ("op.drop_index('i')", "drops index i"),
    ("op.rename_table('a', 'b')", "renames"),
    ("op.alter_column('a', 'b', new_column_name='c')", "renames column b of a"),
    ("op.alter_column('a', 'b', nullable=False)", "forbids NULL in column b"),
    ("op.alter_column('a', 'b', server_default=None)", "drops the default of column b"),
    ("op.create_unique_constraint('u', 'a', ['b'])", ""),
    ("op.create_index('i', 'a', ['b'], unique=True)", ""),
    ("op.create_check_constraint('c', 'a', 'b > 0')", ""),
    ("op.create_primary_key('p', 'a', ['b'])", ""),
    ("op.create_foreign_key('f', 'a', 'c', ['b'], ['id'])", "foreign key"),
    ("op.drop_constraint('c', 'a', type_='unique')", ""),
    ("op.execute('delete from a')", "deletes rows of a"),
    ("op.execute(sa.text('truncate a'))", "empties a"),
    ("op.execute(SQL)", "drops table users"),
    ("op.execute('DROP TABLE {}'.format(NAME))", "drops table a"),
    ("op.execute('DROP TABLE %s' % NAME)", "drops table a"),
    ("op.execute(textwrap.dedent('''\n        DROP TABLE a'''))", "drops table a"),
    ("for t in ['a', 'b']:\n        op.drop_table(t)", "drops table a"),
    ("with op.batch_alter_table('a') as batch:\n        batch.drop_column('b')", "drops column b of a"),
    ("with op.batch_alter_table('a', schema='s') as batch:\n        batch.alter_column('b', nullable=False)", "NULL in column b of s.a"),
]  # fmt: skip

UNKNOWN = [
    ("op.get_bind().execute(sa.text('DELETE FROM a'))", "not one of Alembic's operations"),
    ("op.get_bind().exec_driver_sql('DELETE FROM a')", "not one of Alembic's operations"),
    ("conn = op.get_bind()\n    conn.execute(sa.text('DELETE FROM a'))", "asks the database"),
    ("op.execute(a.delete())", "delete() is not in the file"),
    ("op.execute(statement)", "the value of statement is not in the file"),
    ("op.execute('DROP TABLE ' + name())", "is not in the file"),
    ("op.execute(f'DROP TABLE {name()}')", "is not in the file"),
    ("helper()", "it calls helper()"),
    ("for t in tables():\n        op.drop_table(t)", "is not in the file"),
    ("if exists('a'):\n        op.drop_table('a')", "a statement of Python decides what runs (if)"),
    ("try:\n        op.drop_table('a')\n    except Exception:\n        pass", "decides what runs (try)"),
    ("with Session() as session:\n        session.execute('x')", "decides what runs (with)"),
    ("op.something_new('a')", "op.something_new() is not known here"),
    ("op.add_column('a', COLUMN)", "the column is not described in the call"),
    ("op.add_column(*ARGUMENTS)", "its arguments are put together"),
    ("op.drop_column(table_name=NAME2, column_name='b')", "the value of NAME2 is not in the file"),
    ("op.run_async(f)", "runs a function of its own"),
    ("lambda: op.drop_table('a')", "decides what runs"),
    ("return op.drop_table('a')", "decides what runs (return)"),
    ("[op.drop_table(t) for t in ('a',)]", "decides what runs (expr)"),
]

NAMES = "NAME = 'a'\nSQL = 'DROP TABLE users'\nCOLUMN = sa.Column('b')\n"


@pytest.mark.parametrize("body", ADDS)
def test_a_revision_that_only_adds_is_additive(body: str) -> None:
    found = judged(body, NAMES)
    assert (found["verdict"], found["judged_from"]) == ("additive", "the revision's file"), found["statements"]


@pytest.mark.parametrize(("body", "reason"), TAKES)
def test_a_revision_that_takes_away_needs_the_mark(body: str, reason: str) -> None:
    found = judged(body, NAMES)
    assert found["verdict"] != "additive" and reason in "; ".join(one["reason"] for one in found["statements"]), found["statements"]
    assert all(one["line"] >= 7 for one in found["statements"])


@pytest.mark.parametrize(("body", "reason"), UNKNOWN)
def test_what_is_no_literal_cannot_be_judged(body: str, reason: str) -> None:
    found = judged(body, NAMES)
    assert found["verdict"] == "unknown" and reason in "; ".join(one["reason"] for one in found["statements"]), found["statements"]


def test_every_operation_of_alembic_has_an_answer() -> None:
    public = {name for name in dir(Operations) if not name.startswith("_")}
    no_operations = {"migration_context", "impl", "create_module_class_proxy"}
    assert public - no_operations <= revision_calls.OPERATIONS.keys(), public - revision_calls.OPERATIONS.keys()


@pytest.mark.parametrize(
    "text",
    ["op.drop_table('a')", "connect()", "if x:\n    upgrade = y", "for t in ():\n    pass"],
)
def test_code_outside_of_upgrade_cannot_be_judged(text: str) -> None:
    text = f"revision = 'a'\ndown_revision = None\n{text}\ndef upgrade():\n    pass\n"
    assert alembic_plan.judged([{"file": "a.py", "sql": text}])[0]["verdict"] == "unknown"


def test_what_is_rendered_counts_and_what_no_rendering_shows_too() -> None:
    rendered = {"revisions": [{"version": "a", "parents": [], "sql": "ALTER TABLE t ADD COLUMN x int;"}]}
    plain = alembic_plan.judged([file("a", body="op.execute(name())")], rendered)[0]
    assert (plain["verdict"], plain["judged_from"]) == ("additive", "alembic upgrade --sql")
    body = "if not context.is_offline_mode():\n        op.drop_table('t')"
    assert alembic_plan.judged([file("a", body=body)], rendered)[0]["verdict"] == "unknown"
    rendered["revisions"][0] = {"version": "a", "parents": [], "error": {"line": 9, "words": "AttributeError: x"}}
    failed = alembic_plan.judged([file("a")], rendered)[0]
    assert (failed["verdict"], failed["statements"][0]["line"]) == ("unknown", 9)
    nothing = alembic_plan.judged([file("a", body="op.drop_table('t')")], {"error": "KeyError: 'KEY'"})[0]
    assert nothing["verdict"] == "destructive" and "renders nothing: KeyError" in nothing["judged_from"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("alembic.ini", "[alembic]\nscript_location = %(here)s/db\nsqlalchemy.url = postgresql://a:b@c/d\n", {}),
        ("alembic.ini", "[alembic]\nscript_location = db\nrecursive_version_locations = true\n", {"recursive_version_locations": "true"}),
        ("alembic.ini", "[alembic]\nscript_location = ./db\nversion_locations = db/a %(here)s/db/b\n", {"version_locations": "a b"}),
        ("alembic.ini", "[alembic]\nscript_location = elsewhere\nrecursive_version_locations = true\n", {}),
        ("pyproject.toml", '[tool.alembic]\nscript_location = "db"\nversion_locations = ["db/x"]\n', {"version_locations": "x"}),
    ],
)
def test_settings_are_those_of_the_project(tmp_path: Path, name: str, text: str, expected: dict[str, str]) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / name).write_text(text)
    assert alembic_files.settings(tmp_path / "db") == expected


@pytest.mark.parametrize("place", ["other/versions", "../x", "db/../../x"])
def test_revisions_outside_of_the_directory_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = db\nversion_locations = {place}\n")
    with pytest.raises(ParityError, match="Keep every revision in the directory of env"):
        alembic_files.settings(tmp_path / "db")


def test_version_table_is_read_from_env_py(tmp_path: Path) -> None:
    (tmp_path / "env.py").write_text("context.configure(connection=c, version_table='v', version_table_schema='ops')\n")
    assert alembic_plan.version_table(tmp_path) == ["v", "ops"]
    (tmp_path / "env.py").write_text("context.configure(connection=c)\n")
    assert alembic_plan.version_table(tmp_path) == ["alembic_version", ""]


def revisions(*files: dict[str, str]) -> list[Migration]:
    return [Migration.judged(entry) for entry in alembic_plan.judged(list(files))]


def test_everything_below_the_current_revision_is_applied() -> None:
    local = revisions(file("a"), file("b", "a"), file("c", "b"))
    assert alembic.history(local, ["b"], {"a": "sum"}) == {"b": Applied(), "a": Applied(sha256="sum")}
    assert sorted(alembic.history(local, ["z"], {})) == ["z"]


@pytest.mark.parametrize(
    ("applied", "accepted", "words"),
    [
        ({"a": Applied()}, [], []),
        ({"z": Applied()}, [], ["The database is at z"]),
        ({"a": Applied(sha256="other")}, [], ["a_x.py changed after"]),
        ({"a": Applied(sha256="other")}, ["a"], []),
    ],
)
def test_drift_names_the_repair(applied: dict, accepted: list, words: list) -> None:
    found = alembic.drift(revisions(file("a")), applied, accepted)
    assert [word for word, problem in zip(words, found, strict=True) if word not in problem] == []
