# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project that uses Alembic, migrated with the same checks."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import module_run
import pytest

ENV = """
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
    (tmp_path / "env.py").write_text(ENV)
    (tmp_path / "versions").mkdir()
    return tmp_path


def revision(project: Path, version: str, parent: str | None, body: str, mark: str = "") -> None:
    text = f"{mark}\nfrom alembic import op\nimport sqlalchemy as sa\nrevision = {version!r}\ndown_revision = {parent!r}\n"
    (project / "versions" / f"{version}_x.py").write_text(f"{text}\ndef upgrade():\n    {body}\n")


def options(project: Path, url: str, **more: Any) -> dict[str, Any]:
    found = sorted((project / "versions").glob("*.py"))
    return {
        "database_url": url,
        "migrations": [{"file": path.name, "sql": path.read_text()} for path in found],
        "alembic": {"directory": str(project), "python": sys.executable},
        **more,
    }


def migrate(project: Path, url: str, **more: Any) -> dict[str, Any]:
    return module_run.act("schema_migrations", **options(project, url, **more))


def test_the_same_checks(project: Path, url: str, query: Any) -> None:
    revision(project, "a", None, "op.create_table('items', sa.Column('id', sa.Integer(), primary_key=True))")
    revision(project, "b", "a", "op.add_column('items', sa.Column('old', sa.Text()))")
    assert migrate(project, url, check=True)["pending"] == ["a_x.py", "b_x.py"]
    assert query("select to_regclass('items')") == [(None,)]
    done = migrate(project, url)
    assert done.get("pending") == ["a_x.py", "b_x.py"], done
    assert query("select version_num from alembic_version") == [("b",)]
    assert not migrate(project, url)["changed"]

    revision(project, "c", "b", "op.execute('insert into items select nothing')")
    assert 'column "nothing" does not exist' in migrate(project, url)["msg"]
    revision(project, "c", "b", "op.drop_column('items', 'old')")
    assert "takes something away" in migrate(project, url)["msg"]
    revision(project, "c", "b", "op.drop_column('items', 'old')", "# parity: destructive")
    assert migrate(project, url, allow_destructive=True)["later"] == ["c_x.py"]
    assert migrate(project, url, allow_destructive=True, phase="destructive")["pending"] == ["c_x.py"]
    assert query("select version_num from alembic_version") == [("c",)]

    revision(project, "a", None, "pass")
    assert "a_x.py changed after it was applied" in migrate(project, url)["msg"]
    (project / "versions" / "c_x.py").unlink()
    assert "The database is at c" in migrate(project, url, accept_edited=["a"])["msg"]


def test_a_lock_delays_it(project: Path, url: str, session: Any) -> None:
    revision(project, "a", None, "op.create_table('items', sa.Column('id', sa.Integer(), primary_key=True))")
    migrate(project, url)
    revision(project, "b", "a", "op.add_column('items', sa.Column('x', sa.Text()))")
    holder = session()
    holder.cursor().execute("select * from items")
    threading.Timer(4, holder.commit).start()
    done = migrate(project, url, lock_timeout="300ms")
    assert done["pending"] == ["b_x.py"] and done["attempts"]["b_x.py"] > 1, done
