# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project that uses Alembic, migrated with the same checks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import module_run
import psycopg2
import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.directory import judge_directory

#: An env.py as Alembic's own template has it: it renders without a database, and connects for the rest.
ENV = """
from alembic import context
from sqlalchemy import create_engine, pool
url = context.config.get_main_option("sqlalchemy.url").replace("postgresql:", "postgresql+psycopg2:")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True{more})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection{more})
        with context.begin_transaction():
            context.run_migrations()
"""
#: One that always connects: nothing of it can be rendered without a database.
CONNECTS = """
from alembic import context
from sqlalchemy import create_engine, pool
url = context.config.get_main_option("sqlalchemy.url").replace("postgresql:", "postgresql+psycopg2:")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "env.py").write_text(ENV.format(more=""))
    (tmp_path / "versions").mkdir()
    return tmp_path


def revision(project: Path, version: str, parent: str | None, body: str, mark: str = "") -> None:
    text = f"{mark}\nfrom alembic import op\nimport sqlalchemy as sa\nrevision = {version!r}\ndown_revision = {parent!r}\n"
    (project / "versions" / f"{version}_x.py").write_text(f"{text}\ndef upgrade():\n    {body}\n")


def options(project: Path, url: str, **more: Any) -> dict[str, Any]:
    return {"database_url": url, "directory": str(project), "alembic": {"directory": str(project), "python": sys.executable}, **more}


def migrate(project: Path, url: str, **more: Any) -> dict[str, Any]:
    return module_run.act("schema_migrations", **options(project, url, **more))


def test_the_same_checks(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "op.create_table('items', sa.Column('id', sa.Integer(), primary_key=True))")
    revision(project, "b", "a", "op.add_column('items', sa.Column('old', sa.Text()))")
    assert migrate(project, url, check=True)["pending"] == ["versions/a_x.py", "versions/b_x.py"]
    assert query("select to_regclass('items')") == [(None,)]
    done = migrate(project, url)
    assert done.get("pending") == ["versions/a_x.py", "versions/b_x.py"], done
    assert query("select version_num from alembic_version") == [("b",)]
    assert not migrate(project, url)["changed"]

    revision(project, "c", "b", "op.execute('insert into items select nothing')")
    assert 'column "nothing" does not exist' in migrate(project, url)["msg"]
    revision(project, "c", "b", "op.drop_column('items', 'old')")
    assert "takes something away" in migrate(project, url)["msg"]
    revision(project, "c", "b", "op.drop_column('items', 'old')", "# parity: destructive")
    assert migrate(project, url, allow_destructive=True)["later"] == ["versions/c_x.py"]
    assert migrate(project, url, allow_destructive=True, phase="destructive")["pending"] == ["versions/c_x.py"]
    assert query("select version_num from alembic_version") == [("c",)]

    revision(project, "a", None, "pass")
    assert "versions/a_x.py changed after it was applied" in migrate(project, url)["msg"]
    (project / "versions" / "c_x.py").unlink()
    assert "The database is at c" in (said := migrate(project, url, accept_edited=["a"])["msg"])
    assert "versions/c_x.py took something away when it was applied" in said


def test_an_earlier_release_runs_with_revisions_that_only_added(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "op.create_table('items', sa.Column('id', sa.Integer(), primary_key=True))")
    migrate(project, url)
    revision(project, "b", "a", "op.add_column('items', sa.Column('b', sa.Text()))")
    revision(project, "c", "b", "op.add_column('items', sa.Column('c', sa.Text()))")
    migrate(project, url)
    for version in "bc":
        (project / "versions" / f"{version}_x.py").unlink()
    again = migrate(project, url)
    assert not again.get("failed") and not again["changed"], again
    assert again["ahead"] == ["versions/b_x.py", "versions/c_x.py"]
    assert "They only added something when they were applied" in str(again["warnings"])
    assert query("select version_num from alembic_version") == [("c",)]

    revision(project, "d", "a", "op.add_column('items', sa.Column('d', sa.Text()))")
    assert "the release has versions/d_x.py, which the database does not" in migrate(project, url)["msg"]


def commit_once_somebody_waits(url: str, holder: Any) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _dummy in range(600):
            cursor.execute("select count(*) from pg_locks where not granted and locktype = 'relation'")
            if cursor.fetchone()[0]:
                time.sleep(0.5)  # longer than who waits is willing to
                break
            time.sleep(0.05)
    holder.commit()


def test_a_lock_delays_it(project: Path, url: str, session: Any) -> None:
    revision(project, "a", None, "op.create_table('items', sa.Column('id', sa.Integer(), primary_key=True))")
    migrate(project, url)
    revision(project, "b", "a", "op.add_column('items', sa.Column('x', sa.Text()))")
    holder = session()
    holder.cursor().execute("select * from items")
    threading.Thread(target=commit_once_somebody_waits, args=(url, holder)).start()
    done = migrate(project, url, lock_timeout="300ms")
    assert done["pending"] == ["versions/b_x.py"] and done["attempts"]["versions/b_x.py"] > 1, done


USERS = "create table users (id int primary key, name text); insert into users values (1, 'one')"
HARMFUL = [
    ("for t in ('users', 'more'):\n        op.execute(f'ALTER TABLE {t} DROP COLUMN name')", "drops column name of users", "destructive"),
    ("op.execute(SQL)", "it drops table users", "destructive"),
    ("op.execute('DROP TABLE %s' % NAME)", "it drops table users", "destructive"),
    ("op.execute('DROP TABLE {}'.format(NAME))", "it drops table users", "destructive"),
    ("op.get_bind().execute(sa.text('DELETE FROM users'))", "it deletes rows of users", "destructive"),
    ("rows = op.get_bind().execute(sa.text('SELECT 1')).fetchall()", "it uses what the database answers", "unknown"),
    ("op.get_bind().exec_driver_sql('DELETE FROM users')", "it asks the database", "unknown"),
    ("for one in ['DELETE FROM users']:\n        op.get_bind().execute(sa.text(one))", "it deletes rows", "destructive"),
    ("op.execute(sa.table('users').delete())", "it deletes rows of users", "destructive"),
    ("helper()", "it drops table users", "destructive"),
    ("from alembic import context\n    if not context.is_offline_mode():\n        op.execute('DROP TABLE users')", "cannot be", "unknown"),
    ("import os\n    os.system('true')\n    op.execute('SELECT 1')", "cannot be judged", "unknown"),
    ("with op.batch_alter_table('users') as batch:\n        batch.drop_column('name')", "it drops column name of users", "destructive"),
    ("op.alter_column('users', 'name', nullable=False)", "it forbids NULL", "destructive"),
    ("op.create_unique_constraint('u', 'users', ['name'])", "unique", "destructive"),
]


@pytest.mark.parametrize(("body", "words", "verdict"), HARMFUL, ids=[row[0][:40] for row in HARMFUL])
def test_a_harmful_revision_is_refused_by_both_readers(project: Path, url: str, query: Any, body: str, words: str, verdict: str) -> None:
    query(USERS)
    text = "from alembic import op\nimport sqlalchemy as sa\nrevision = 'b'\ndown_revision = None\n"
    text += "SQL = 'DROP TABLE users'\nNAME = 'users'\n"
    helper = "\ndef helper():\n    op.execute('DROP TABLE users')\n"
    (project / "versions" / "b_x.py").write_text(f"{text}{helper}\ndef upgrade():\n    {body}\n")
    from_file = judge_directory(project)[0]
    rendered = judge_directory(project, python=sys.executable)[0]
    assert from_file["verdict"] != "additive" and from_file["judged_from"] == "the revision's file", from_file
    assert (rendered["verdict"], rendered["judged_from"]) == (verdict, "alembic upgrade --sql"), rendered
    said = migrate(project, url)["msg"]
    assert words in said and query("select count(*) from users where name = 'one'") == [(1,)], said


#: What does not show in the SQL of a revision, and what is said of it; the last ones only look so.
UNSEEN = [
    ("if op.get_bind().execute(sa.text('SELECT 1')):\n        op.drop_table('users')", "it uses what the database answers (bool)"),
    ("for row in op.get_bind().execute(sa.text('SELECT 1')):\n        pass", "it uses what the database answers (iter)"),
    ("try:\n        sa.inspect(op.get_bind())\n    except Exception:\n        pass", "it asks the database (inspect)"),
    ("try:\n        op.get_bind().scalar(sa.text('SELECT 1'))\n    except:\n        pass", "it asks the database (scalar)"),
    ("if op.get_context().impl.as_sql:\n        pass", "it asks whether it is only rendered"),
    ("if getattr(context, 'is_offline' + '_mode')():\n        pass", "it asks whether it is only rendered"),
    ("os.system(f'touch {HERE}/made')", "it runs a program"),
    ("__import__('subprocess').run(['touch', f'{HERE}/made'])", "it runs a program"),
    ("(HERE / 'made').write_text('x')", "it writes a file"),
    ("(HERE / 'made').mkdir()", "it makes a directory"),
    ("__import__('urllib.request').request.urlopen('http://127.0.0.1:9/')", "it opens a connection"),
    ("sa.create_engine('postgresql+psycopg2://a:b@127.0.0.1:9/c').connect()", "it opens a connection of its own to a database"),
    ("(HERE / 'env.py').read_text()", ""),
    ("op.execute((HERE / 'more.sql').read_text())", ""),
    ("sa.Enum('a', name='mood').create(op.get_bind(), checkfirst=True)", ""),
    ("op.get_bind().execute(sa.text('SELECT 1'))", ""),
    ("if op.get_bind().dialect.name == 'postgresql':\n        op.execute('SELECT 1')", ""),
]


def test_what_does_not_show_in_the_sql_of_a_revision_is_not_done_and_cannot_be_judged(project: Path) -> None:
    head = "import os\nfrom pathlib import Path\nfrom alembic import context, op\nimport sqlalchemy as sa\n"
    head += "HERE = Path(__file__).parent.parent\n"
    (project / "more.sql").write_text("SELECT 1")
    for number, (body, _words) in enumerate(UNSEEN):
        parent = f"r{number - 1:02}" if number else None
        text = f"{head}revision = 'r{number:02}'\ndown_revision = {parent!r}\n\ndef upgrade():\n    {body}\n"
        (project / "versions" / f"r{number:02}.py").write_text(text)
    found = judge_directory(project, python=sys.executable)
    said = [(one["statements"] or [{"reason": ""}])[0] for one in found]
    assert [(body, one["reason"]) for (body, _words), one in zip(UNSEEN, said, strict=True)] == UNSEEN
    assert [one["verdict"] for one in found] == ["unknown" if words else "additive" for _body, words in UNSEEN]
    assert all(one["line"] >= 9 for one, (_body, words) in zip(said, UNSEEN, strict=True) if words)
    assert not (project / "made").exists()


def test_a_dry_run_before_staging_warns_of_what_only_its_file_does_not_show(project: Path, url: str, query: Any, tmp_path: Path) -> None:
    query(USERS)
    revision(project, "a", None, "if op.get_bind().dialect.name == 'postgresql':\n        op.execute('SELECT 1')")
    nowhere = {"directory": str(tmp_path / "nowhere"), "python": str(tmp_path / "nowhere" / "python")}
    done = migrate(project, url, check=True, state="planned", alembic=nowhere)
    assert done["steps"] == ["versions/a_x.py"], done
    assert done["plan"][0]["judged_from"] == "the revision's file" and done["plan"][0]["verdict"] == "unknown"
    assert "a_x.py cannot be judged from its file: line 8: a statement of Python decides" in str(done["warnings"]), done
    checked = migrate(project, url, check=True, state="checked", alembic=None)
    assert (checked["problems"], checked["asked"]) == ([], True) and "cannot be judged from its file" in str(checked["warnings"]), checked
    revision(project, "a", None, "op.drop_table('users')")
    assert "takes something away" in migrate(project, url, check=True, state="checked", alembic=None)["problems"][0]
    assert "takes something away" in migrate(project, url, check=True, state="planned", alembic=nowhere)["msg"]


def test_a_table_of_versions_that_nobody_knows_is_said_before_anything_is_applied(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "op.create_table('a', sa.Column('id', sa.Integer()))")
    hidden = "import os\nNAME = os.environ.get('TABLE', 'v')\n"
    (project / "env.py").write_text(hidden + ENV.format(more=", version_table=NAME"))
    done = migrate(project, url, state="planned")
    assert done["plan"][0]["version_table"] == ["v", ""], done
    told = {"alembic": {"directory": str(project), "python": sys.executable}, "plan": done["plan"], "file": "versions/a_x.py"}
    assert migrate(project, url, **told)["pending"] == ["versions/a_x.py"]
    assert query("select version_num from v") == [("a",)]
    (project / "env.py").write_text(f"{hidden}{ENV.format(more=', version_table=NAME')}".replace("literal_binds=True", "nothing=nothing"))
    said = migrate(project, url)["msg"]
    assert "env.py takes version_table or version_table_schema from what its file does not show" in said, said


def test_limits_reach_a_driver_that_does_not_read_pgoptions(project: Path, url: str, query: Any) -> None:
    (project / "env.py").write_text(ASYNC)
    revision(project, "a", None, "op.execute(\"create table limits as select current_setting('lock_timeout') as l\")")
    assert migrate(project, url, lock_timeout="1234ms").get("pending") == ["versions/a_x.py"]
    assert query("select l from limits") == [("1234ms",)]


def test_a_failure_shows_what_postgresql_says_and_not_its_last_hint(project: Path, url: str, query: Any) -> None:
    query(f"{USERS}; create view v as select id from users")
    revision(project, "b", None, "op.drop_column('users', 'id')", "# parity: destructive")
    said = migrate(project, url, allow_destructive=True, phase="destructive")["msg"]
    assert "cannot drop column id of table users because other objects depend on it" in said and "b_x.py, line" in said, said
    revision(project, "b", None, "op.execute(\"do $$ begin raise exception 'quota of % reached', 7; end $$\")")
    said = migrate(project, url)["msg"]
    assert "quota of 7 reached" in said and "context: PL/pgSQL function inline_code_block" in said, said


def test_a_password_is_in_no_message_however_it_is_encoded(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "pass")
    (project / "env.py").write_text(
        "import os\nfrom alembic import context\nurl = os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:')\n"
        "context.config.set_main_option('sqlalchemy.url', url)\n"
    )
    password, encoded = "p%20 :x/%41", "p%2520%20%3Ax%2F%2541"
    user = url.partition("://")[2].partition(":")[0]
    query(f"alter role {user} password '{password}'")
    answer = migrate(project, url.replace(url.partition(f"{user}:")[2].partition("@")[0], encoded))
    text = json.dumps(answer)
    assert "invalid interpolation syntax" in answer["msg"], answer
    assert not [form for form in (password, encoded, encoded.replace("%", "%%"), password.replace("%", "%%")) if form in text], text


def test_a_secret_that_env_py_quotes_is_not_shown(project: Path) -> None:
    revision(project, "a", None, "pass")
    (project / "env.py").write_text("import os\nraise ValueError('not ' + os.environ['JWT_SECRET_KEY'] + ' of all')\n")
    found = judge_directory(project, python=sys.executable, environment={"JWT_SECRET_KEY": "hunter22hunter22"})
    assert "renders nothing: ValueError: not ******** of all" in found[0]["judged_from"], found


def test_env_py_gets_what_the_services_get(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "op.create_table('a', sa.Column('id', sa.Integer()))")
    env = (project / "env.py").read_text().replace('context.config.get_main_option("sqlalchemy.url")', 'os.environ["OWNER"]')
    (project / "env.py").write_text(f"import os\nKEY = os.environ['JWT_SECRET_KEY']\n{env}")
    said = migrate(project, url)["msg"]
    assert "KeyError: 'JWT_SECRET_KEY' (env.py, line 2)" in said and "release_migration_environment" in said, said
    told = {"directory": str(project), "python": sys.executable, "variable": "OWNER", "environment": {"JWT_SECRET_KEY": "x" * 40}}
    assert migrate(project, url, alembic=told)["pending"] == ["versions/a_x.py"]
    assert query("select to_regclass('a') is not null") == [(True,)]


ASYNC = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
url = context.config.get_main_option("sqlalchemy.url").replace("postgresql:", "postgresql+asyncpg:")
def run(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
async def online():
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(online())
"""
TABLE = ', version_table="shop_version", version_table_schema="ops"'
PLAIN = "op.create_table('{0}', sa.Column('id', sa.Integer(), primary_key=True))"


def file(version: str, parent: object, *, depends: object = None, body: str | None = None) -> str:
    text = f"from alembic import op\nimport sqlalchemy as sa\nrevision = {version!r}\ndown_revision = {parent!r}\n"
    text += f"depends_on = {depends!r}\n"
    return f"{text}\n\ndef upgrade() -> None:\n    {body or PLAIN.format('t_' + version)}\n"


#: Shapes of projects: files beside env.py, and what env.py is where it is another.
SHAPES = {
    "one revision": {"versions/a.py": file("a", None)},
    "an __init__.py": {"versions/__init__.py": "", "versions/a.py": file("a", None)},
    "a revision that others depend on": {
        "versions/a.py": file("a1", None, depends="z1"), "versions/z.py": file("z1", None),
        "versions/m.py": file("m1", ("a1", "z1"), body="pass"),
    },
    "branches that are merged": {
        "versions/a.py": file("a", None), "versions/b.py": file("b", "a"), "versions/c.py": file("c", "a"),
        "versions/d.py": file("d", ("b", "c"), body="pass"),
    },
    "annotated names": {"versions/a.py": file("a", None).replace("revision =", "revision: str =", 1)},
    "sub-folders": {
        "alembic.ini": "[alembic]\nscript_location = %(here)s\nrecursive_version_locations = true\n",
        "versions/2026/a.py": file("a", None), "versions/2027/b.py": file("b", "a"),
    },
    "several places of versions": {
        "alembic.ini": "[alembic]\nscript_location = .\nversion_locations = ./versions ./more\n",
        "versions/a.py": file("a", None), "more/b.py": file("b", "a"),
    },
    "a table of versions of its own": {
        "env.py": ENV.format(more=TABLE), "versions/a.py": file("a", None), "versions/b.py": file("b", "a"),
    },
    "a transaction for each revision": {
        "env.py": ENV.format(more=", transaction_per_migration=True"), "versions/a.py": file("a", None), "versions/b.py": file("b", "a"),
    },
    "a section of its own in alembic.ini": {
        "alembic.ini": "[alembic]\nscript_location = .\n[shop]\nschema = ops\n",
        "env.py": ENV.format(more=", version_table_schema=context.config.get_section('shop')['schema']"), "versions/a.py": file("a", None),
    },
    "an env.py that always connects": {"env.py": CONNECTS, "versions/a.py": file("a", None), "versions/b.py": file("b", "a")},
    "an async env.py": {"env.py": ASYNC, "versions/a.py": file("a", None), "versions/b.py": file("b", "a")},
    "a loop and an f-string": {
        "versions/a.py": file("a", None, body="for t in ('o', 'i'):\n        op.execute(f'CREATE TABLE {t} (id int)')"),
    },
    "an autocommit block": {
        "versions/a.py": file("a", None),
        "versions/b.py": file("b", "a", body=(
            "with op.get_context().autocommit_block():\n        op.execute('CREATE INDEX CONCURRENTLY i ON t_a (id)')")),
    },
    "rows and an enum": {
        "versions/a.py": file("a", None, body=(
            "mood = op.create_table('mood', sa.Column('m', sa.Enum('sad', 'glad', name='m')))\n    op.bulk_insert(mood, [{'m': 'sad'}])")),
    },
}  # fmt: skip

SCHEMA = (
    "select table_schema, table_name, column_name, data_type from information_schema.columns "
    "where table_schema not in ('pg_catalog', 'information_schema', 'supabase_migrations') order by 1, 2, 3"
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_project_ends_as_alembic_itself_leaves_it(
    tmp_path: Path, url: str, query: Any, other_url: str, shape: str
) -> None:
    """The oracle is Alembic's own `upgrade head`, in another database."""
    files = {"env.py": ENV.format(more=""), **SHAPES[shape]}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    ini = tmp_path / "oracle.ini"
    settings = files.get("alembic.ini", "[alembic]\nscript_location = %(here)s\n")
    ini.write_text(settings.replace("[alembic]", f"[alembic]\nsqlalchemy.url = {other_url}"))
    for address in (url, other_url):
        with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
            cursor.execute("create schema ops")
            connection.commit()
    words = [sys.executable, "-m", "alembic", "-c", str(ini), "upgrade", "heads"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    judged = {one["file"]: one["verdict"] for one in judge_directory(tmp_path, python=sys.executable)}
    assert set(judged.values()) == {"additive"}, judged
    ran = migrate(tmp_path, url)
    assert ran.get("pending"), ran
    assert migrate(tmp_path, url, state="planned")["steps"] == []
    with closing(psycopg2.connect(other_url)) as connection, connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        wanted = cursor.fetchall()
    assert query(SCHEMA) == wanted
    table = {"a table of versions of its own": "ops.shop_version", "a section of its own in alembic.ini": "ops.alembic_version"}.get(
        shape, "alembic_version"
    )
    with closing(psycopg2.connect(other_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"select version_num from {table} order by 1")
        assert query(f"select version_num from {table} order by 1") == cursor.fetchall()


def test_what_a_file_does_not_show_is_left_to_alembic_before_the_release_is_staged(project: Path, url: str, query: Any) -> None:
    query(USERS)
    revision(project, "b", None, "globals()['op'].add_column('users', sa.Column('x', sa.Integer()))")
    assert migrate(project, url, state="checked", alembic=None)["problems"] == []
    assert migrate(project, url, state="planned", alembic=None, check=True)["pending"] == ["versions/b_x.py"]
    assert migrate(project, url)["pending"] == ["versions/b_x.py"], "rendered, it only adds"
    revision(project, "c", "b", "op.drop_column('users', 'name')")
    assert "it drops column name" in migrate(project, url, state="checked", alembic=None)["problems"][0]
