# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both readers of Alembic's revisions, held against what Alembic really does to a reader and a writer of the old release."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy
import test_migration_corpus as corpus
from alembic.config import Config
from alembic.script import ScriptDirectory
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic_driver
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.directory import judge_directory
from sqlalchemy.pool import NullPool

FILES = sorted((Path(__file__).parents[1] / "fixtures" / "alembic").glob("*.py"))
#: Renders without a database, and otherwise works on the connection it is given.
ENV = """
from alembic import context
if context.is_offline_mode():
    context.configure(url="postgresql+psycopg2://", literal_binds=True)
else:
    context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
NOT_APPLIED = "not applied:"
#: Harmless, but nothing says so before Alembic has rendered it.
ONLY_RENDERED = {
    "dialect_asked": "a condition decides what runs",
    "helper_that_adds": "a function decides what runs",
    "model_of_its_own": "the statement is an expression of SQLAlchemy",
}


@dataclass(frozen=True)
class Outcome:
    """What both readers say, and what the old release suffers, empty where it goes on working."""

    name: str
    read: str
    rendered: str
    harm: str

    @property
    def line(self) -> str:
        return f"{self.read:12} {self.rendered:12} {'harmful' if self.harm else 'harmless':9} {self.name:36} {self.harm[:90]}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every revision of the corpus in one project, each built on the one before."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "versions").mkdir()
    (folder / "env.py").write_text(ENV)
    parent = None
    for file in FILES:
        head = f"revision = {file.stem!r}\ndown_revision = {parent!r}\n"
        (folder / "versions" / file.name).write_text(file.read_text() + head)
        parent = file.stem
    return folder


def test_no_harmful_revision_is_called_additive(project: Path, url: str, app: str, capsys: pytest.CaptureFixture) -> None:
    read = {Path(one["file"]).stem: one["verdict"] for one in judge_directory(project)}
    rendered = {Path(one["file"]).stem: one["verdict"] for one in judge_directory(project, python=sys.executable)}
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    with engine.connect() as connection:
        outcomes = [Outcome(file.stem, read[file.stem], rendered[file.stem], harm(project, connection, app, file.stem)) for file in FILES]
    with capsys.disabled():
        print("\n" + "\n".join(o.line for o in outcomes))
    assert [o for o in outcomes if o.harm.startswith(NOT_APPLIED)] == []
    assert [o for o in outcomes if o.harm and "additive" in (o.read, o.rendered)] == []
    assert [o for o in outcomes if not o.harm and o.rendered != "additive"] == []
    assert {o.name for o in outcomes if not o.harm and o.read != "additive"} == set(ONLY_RENDERED)
    assert sum(bool(o.harm) for o in outcomes) > 30 and sum(not o.harm for o in outcomes) > 20


def harm(project: Path, connection: sqlalchemy.Connection, app: str, version: str) -> str:
    """What the old release suffers from one revision, which Alembic applies and nothing keeps."""
    old = [*corpus.split((corpus.FOLDER / "old_release.sql").read_text()), "insert into visits (id) values (1)"]
    with connection.begin() as transaction, connection.connection.cursor() as cursor:
        corpus.prepare(cursor, app, "create table visits (id int)")
        before = [corpus.act(cursor, app, one) for one in old]
        try:
            apply(project, connection, version)
        except sqlalchemy.exc.SQLAlchemyError as error:
            transaction.rollback()
            return f"{NOT_APPLIED} {error}"
        after = [corpus.act(cursor, app, one) for one in old]
        transaction.rollback()
    return next((f"{one[:40]}: {new.shown}" for one, was, new in zip(old, before, after, strict=True) if new.hurts(was)), "")


def apply(project: Path, connection: sqlalchemy.Connection, version: str) -> None:
    """Let Alembic run one revision in the transaction of a connection."""
    config = Config()
    config.set_main_option("script_location", str(project))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    alembic_driver._run(config, script, [script.get_revision(version)], sql=False, table={})
