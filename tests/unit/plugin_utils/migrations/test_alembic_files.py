# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions read without running them; Alembic's own operations are the list of what has to have an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import Applied, Migration
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, alembic_plan, directory, revision_operations

IMPORTS = "from alembic import context, op\nimport sqlalchemy as sa\nimport textwrap\n"


def file(version: str, parent: object = None, body: str = "pass", more: str = "") -> dict[str, str]:
    head = f"{IMPORTS}revision: str = {version!r}\ndown_revision = {parent!r}\n{more}\n"
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
    "op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=sa.func.now()))",
    "op.add_column('a', sa.Column('b', GUID(), nullable=True))",
    "op.add_column('a', sa.Column('b', sa.Text(), sa.Identity(), nullable=False))",
    "op.alter_column('a', 'b', server_default=False, new_column_name=None, type_=None, nullable=None)",
    "import datetime\n    op.bulk_insert(sa.table('a', sa.column('t')), [{'t': datetime.datetime.now()}])",
    "ctx = op.get_context()\n    with ctx.autocommit_block():\n        op.execute('CREATE INDEX CONCURRENTLY i ON a (b)')",
    "with op.batch_alter_table('a') as batch_op:\n        batch_op.create_index(batch_op.f('ix'), ['b'], unique=False)",
    "for name in sorted(('b', 'c')):\n        op.add_column('a', sa.Column(name, sa.Text()))",
    "import logging\n    log = logging.getLogger(__name__)\n    log.info('adds')",
    "op.create_index('i', 'a', COLUMNS)",
    "mood = sa.Enum('a', name='mood')\n    bind = op.get_bind()\n    mood.create(bind, checkfirst=True)",
    "op.get_bind().execute(sa.text('UPDATE a SET b = 1 WHERE b IS NULL'))",
]

TAKES = [
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=None))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=NONE))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=sa.text('NULL')))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=EMPTY))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=sa.FetchedValue()))", "NOT NULL"),
    ("op.add_column('a', sa.Column('b', sa.Text(), sa.FetchedValue(), nullable=0))", "NOT NULL"),
    ("op.add_column('a', column=sa.Column('b', sa.Text(), nullable=REQUIRED))", "NOT NULL"),
    ("with op.batch_alter_table('a') as op2:\n        op2.add_column(sa.Column('b', sa.Text(), nullable=False))", "NOT NULL"),
    ("sql = 'SELECT 1'\n    for t in ['a']:\n        sql = f'DROP TABLE {t}'\n    op.execute(sql)", "drops table a"),
    ("sql = kept = 'DROP TABLE a'\n    op.execute(kept)", "drops table a"),
    ("_, sql = 1, 'DROP TABLE a'\n    op.execute(sql)", "drops table a"),
    ("op.execute('SELECT 1 -- one')\n    op.execute('DROP TABLE a')", "drops table a"),
    ("for t, c in {'a': 'b'}.items():\n        op.drop_column(t, c)", "drops column b of a"),
    ("from alembic import op as o\n    o.drop_table('a')", "drops table a"),
    ("from alembic.op import drop_table\n    drop_table('a')", "drops table a"),
    ("op.get_bind().execute(sa.text('DELETE FROM a'))", "deletes rows of a"),
    ("conn = op.get_bind()\n    conn.exec_driver_sql('DELETE FROM a')", "deletes rows of a"),
    ("sa.Enum('a', name='mood').drop(op.get_bind(), checkfirst=False)", "drops type mood"),
    ("drop = op.drop_table\n    drop('a')", "drops table a"),
    (
        "with op.get_context().autocommit_block():\n        op.execute('DROP TRIGGER t ON a')\n"
        "    op.execute('CREATE TRIGGER t BEFORE UPDATE ON a EXECUTE FUNCTION f()')",
        "drops trigger t",
    ),
    ("op.execute(\"DELETE FROM a WHERE a.version_num = '1'\")", "deletes rows of a"),
    ("t = op.create_table('t', sa.Column('id', sa.Integer()))\n    op.drop_column('users', 'b')", "drops column b of users"),
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
    ("op.get_bind().execute(sa.text('DELETE FROM a')).fetchall()", "not one of Alembic's operations"),
    ("op.get_bind().execute(sa.text('UPDATE a SET b = :c'), {'c': 1})", "not one of Alembic's operations"),
    ("conn = op.get_bind()\n    conn.execute(a.delete())", "is not in the file"),
    ("conn = op.get_bind()\n    rows = conn.execute(sa.text('SELECT 1'))", "asks the database"),
    ("mood = sa.Enum('a', name='mood')\n    mood.drop(op.get_bind())", "its name is not in the call"),
    ("op.execute(a.delete())", "it calls a.delete(), and what that does is not in the file"),
    ("op.execute(statement)", "the value of statement is not in the file"),
    ("op.execute('DROP TABLE ' + name())", "is not in the file"),
    ("op.execute(f'DROP TABLE {name()}')", "is not in the file"),
    ("helper()", "it calls helper()"),
    ("printed()", "it calls printed()"),
    ("print(op.drop_table('a'))", "it calls op.drop_table()"),
    ("op.create_table('t', sa.Column('id', sa.Integer()), op.drop_table('users'))", "it calls op.drop_table()"),
    ("op.create_table('t', *columns())", "it calls columns()"),
    ("op.create_table('t', *COLUMNS)", "its arguments are put together"),
    ("op.create_table('t', sa.Column('id', sa.Integer(), default=helper()))", "it calls helper()"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=anything))", "anything is not in the file"),
    ("op.add_column('a', sa.Column('b', sa.Text(), nullable=False, server_default=sa.null()))", "null() is not in the file"),
    ("op.execute(text('SELECT 1'))", "it calls text()"),
    ("with op.batch_alter_table('a', recreate='always') as batch:\n        batch.add_column(sa.Column('b'))", "makes the table anew"),
    ("with op.batch_alter_table('a') as batch, helper():\n        batch.add_column(sa.Column('b'))", "decides what runs (with)"),
    ("with my_autocommit_block():\n        pass", "decides what runs (with)"),
    ("op.execute(sql := 'SELECT 1')", "not read here"),
    ("x = sa.inspect(1)", "it asks the database"),
    ("NAME[0] = 'x'", "something else than a name"),
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

NAMES = (
    "NAME = 'a'\nSQL = 'DROP TABLE users'\nCOLUMN = sa.Column('b')\nNONE = None\nREQUIRED = False\nEMPTY = sa.text('NULL::text')\n"
    "def text(words):\n    return words\n"
)


@pytest.mark.parametrize("body", ADDS)
def test_a_revision_that_only_adds_is_additive(body: str) -> None:
    found = judged(body, f"{NAMES}from app.types import GUID\nCOLUMNS = ['order', 'user']\n")
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
    known = revision_operations.OPERATIONS.keys() | {"migration_context", "impl", "create_module_class_proxy"}
    assert public <= known, public - known


@pytest.mark.parametrize(
    "text",
    [
        "op.drop_table('a')", "connect()", "for t in ():\n    pass", "x = op.drop_table('a')", "import os\nx = os.system('true')",
        "class A:\n    op.drop_table('a')", "class A:\n    x = helper()",
        "def f(x=op.drop_table('a')):\n    pass", "@helper()\ndef f():\n    pass",
        "if helper():\n    X = 1", "TABLES = []\nTABLES[0:] = ['a']", "with x:\n    pass",
    ],
)  # fmt: skip
def test_code_outside_of_upgrade_cannot_be_judged(text: str) -> None:
    text = f"{IMPORTS}revision = 'a'\ndown_revision = None\n{text}\ndef upgrade():\n    pass\n"
    assert alembic_plan.judged([{"file": "a.py", "sql": text}])[0]["verdict"] == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "", "upgrade = lambda: op.drop_table('a')", "from app.migrations import upgrade", "def upgrade():\n    pass\nupgrade = other",
        "@helper\ndef upgrade():\n    pass", "class upgrade:\n    pass", "if True:\n    def upgrade():\n        pass",
        "def upgrade():\n    pass\n(upgrade, x) = y",
    ],
)  # fmt: skip
def test_an_upgrade_that_is_not_a_function_of_the_file_cannot_be_judged(text: str) -> None:
    text = f"{IMPORTS}revision = 'a'\ndown_revision = None\n{text}\n"
    assert alembic_plan.judged([{"file": "a.py", "sql": text}])[0]["verdict"] == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "import logging\nlogger = logging.getLogger(__name__)",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app import x",
        "try:\n    import x\nexcept ImportError:\n    x = None", "users = sa.table('users', sa.column('id'))",
        "MOOD = sa.Enum('a', name='mood')",
        "from pathlib import Path\nHERE = Path(__file__).resolve().parent", "import enum\nclass Mood(enum.Enum):\n    sad = 'sad'",
        "from sqlalchemy.orm import declarative_base\nBase = declarative_base()\nclass A(Base):\n    id = sa.Column(sa.Integer())",
        "import functools\n@functools.lru_cache\ndef f():\n    pass", "def helper():\n    op.drop_table('a')",
    ],
)  # fmt: skip
def test_what_only_gives_names_is_no_step(text: str) -> None:
    text = f"{IMPORTS}revision = 'a'\ndown_revision = None\n{text}\ndef upgrade():\n    pass\n"
    found = alembic_plan.judged([{"file": "a.py", "sql": text}])[0]
    assert found["verdict"] == "additive", found["statements"]


def test_a_secret_in_a_revision_is_not_shown() -> None:
    for body in (
        "op.get_bind().execute(\"ALTER ROLE x PASSWORD 'hunter22'\")", "op.execute(\"ALTER ROLE x PASSWORD 'hunter22'\")",
        "op.bulk_insert(sa.table('a'), [{'b': 'hunter22'}])", "op.execute(f\"ALTER ROLE x PASSWORD 'hunter22{name()}'\")",
    ):  # fmt: skip
        found = judged(body)["statements"]
        assert found and "hunter22" not in str([{**one, "text": ""} for one in found]), found


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


def test_other_sections_of_alembic_ini_are_kept(tmp_path: Path) -> None:
    (tmp_path / "env.py").write_text("")
    text = "[alembic]\nscript_location = .\nkey = 50%%\n[alembic:exclude]\ntables = a,b\n[loggers]\nkeys = root\n[logger_root]\nlevel = X\n"
    (tmp_path / "alembic.ini").write_text(text)
    assert alembic_files.settings(tmp_path) == {"key": "50%%", "[alembic:exclude]tables": "a,b"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["0001_initial.py"], "but 0001_initial.py"), (["a/migration.sql"], "but a"), (["1_a.SQL"], "but 1_a.SQL"),
        (["alembic.ini", "alembic/env.py"], "but alembic, alembic.ini"),
        ([], ""), ([".gitkeep", "README.md"], ""), (["1_a.sql", "x.txt"], ""),
    ],
)  # fmt: skip
def test_a_directory_of_something_else_is_refused(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("select 1")
    if words:
        with pytest.raises(ParityError, match=words):
            directory.judge_directory(tmp_path)
    else:
        assert len(directory.judge_directory(tmp_path)) == sum(name.endswith(".sql") for name in files)


@pytest.mark.parametrize("place", ["other/versions", "../x", "db/../../x"])
def test_revisions_outside_of_the_directory_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = db\nversion_locations = {place}\n")
    with pytest.raises(ParityError, match="Keep every revision in the directory of env"):
        alembic_files.settings(tmp_path / "db")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("context.configure(connection=c, version_table='v', version_table_schema='ops')", ["v", "ops"]),
        ("context.configure(connection=c)", ["alembic_version", ""]),
        ("NAME = 'v'\ndef run():\n    context.configure(connection=c, version_table=NAME)", ["v", ""]),
        ("O = {'version_table': 'v'}\ncontext.configure(connection=c, **O)", ["v", ""]),
        ("O = dict(version_table='v')\ncontext.configure(connection=c, **O)", ["v", ""]),
        ("context.configure(version_table='v', version_table_schema=None)", ["v", ""]),
        ("context.configure(version_table=settings.table)", []),
        ("context.configure(**options())", []),
        ("context.configure(version_table='v')\ncontext.configure(version_table='w')", []),
        ("context.configure(", []),
    ],
)
def test_version_table_is_read_from_env_py(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "env.py").write_text(text)
    assert alembic_plan.version_table(tmp_path) == expected


def test_revisions_that_alembic_does_not_see_are_said() -> None:
    with pytest.raises(ParityError, match="Alembic does not see a"):
        alembic_plan.judged([file("a")], {"revisions": [{"version": "a2", "parents": [], "sql": ""}]})


def revisions(*files: dict[str, str]) -> list[Migration]:
    return [Migration.judged(entry) for entry in alembic_plan.judged(list(files))]


def test_everything_below_the_current_revision_is_applied() -> None:
    local = revisions(file("a"), file("b", "a"), file("c", "b"))
    assert alembic.history(local, ["b"], {"a": Applied(sha256="sum")}) == {"b": Applied(), "a": Applied(sha256="sum")}
    assert sorted(alembic.history(local, ["z"], {})) == ["z"]
    later = {"z": Applied(parents=("y",)), "y": Applied(parents=("b",))}
    assert sorted(alembic.history(local, ["z"], later)) == ["a", "b", "y", "z"]


@pytest.mark.parametrize(
    ("applied", "accepted", "words"),
    [
        ({"a": Applied()}, [], []),
        ({"z": Applied()}, [], ["The database is at z, which this release does not have, and z was not judged when it was applied"]),
        ({"a": Applied(), "z": Applied(verdict="additive")}, [], []),
        ({"a": Applied(), "z": Applied(file="z_x.py", verdict="destructive")}, [], ["does not have, and z_x.py took something away"]),
        # Two lines: Alembic goes on with neither.
        ({"z": Applied(verdict="additive")}, [], ["is at z, which this release does not have, and the release has"]),
        ({"a": Applied(sha256="other")}, [], ["a_x.py changed after"]),
        ({"a": Applied(sha256="other")}, ["a"], []),
    ],
)
def test_drift_names_the_repair(applied: dict, accepted: list, words: list) -> None:
    found = alembic.drift(revisions(file("a")), applied, accepted)
    assert [word for word, problem in zip(words, found, strict=True) if word not in problem] == []
