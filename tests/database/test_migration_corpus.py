# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of SQL, held against what PostgreSQL really does to a reader and a writer of the old release."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import sql_judge, statements

FOLDER = Path(__file__).parents[1] / "fixtures" / "migrations"
FILES = sorted(FOLDER.glob("*.migration.sql"))
_PARTS = re.compile(r"^-- (set-up|old release|migration)\n", re.MULTILINE)

#: Harmless to this old release, but what would tell so is in the database and not in the file: each needs the mark.
NEEDS_THE_MARK = {
    "text_instead_of_varchar": "the file does not say what type the column has now",
    "foreign_key_dropped": "the file does not say that the constraint is a foreign key whose cascade nobody needs",
    "plain_index_dropped": "the file does not say that the index is not unique, nor that nobody needs its speed",
    "function_same_arguments": "the file does not say that the result was the same before",
}


@dataclass(frozen=True)
class Outcome:
    """`harm` is what the old release suffers, empty where it goes on working."""

    name: str
    verdict: str
    harm: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the server answers to one statement of the old release."""

    error: str = ""
    columns: tuple[str, ...] = ()
    rows: int = 0

    @property
    def shown(self) -> str:
        return self.error or f"{self.rows} rows of {', '.join(self.columns) or 'nothing'}"

    def hurts(self, before: Answer) -> bool:
        """Whether the old release misses something: an error, a column, or rows. It does not mind more of them."""
        return bool(self.error) or not set(before.columns) <= set(self.columns) or self.rows < before.rows


def test_no_harmful_migration_is_called_additive(target: postgresql.Target, app: str, capsys: pytest.CaptureFixture) -> None:
    with closing(postgresql.connect(target)) as connection:
        outcomes = [try_migration(connection, app, file) for file in FILES]
    with capsys.disabled():
        print(table(outcomes))
    assert [o for o in outcomes if o.problems] == [], "the server has refused what the judge has split"
    assert [o for o in outcomes if o.harm and o.verdict == "additive"] == []
    refused = {o.name for o in outcomes if not o.harm and o.verdict != "additive"}
    assert refused == set(NEEDS_THE_MARK)
    assert sum(bool(o.harm) for o in outcomes) > 40
    assert sum(not o.harm for o in outcomes) > 40


def try_migration(connection, app: str, file: Path) -> Outcome:
    """Run a migration between two runs of the old release, and leave nothing of it."""
    parts = read(file, app)
    judged = sql_judge.judge(parts["migration"], file.name)
    old = split((FOLDER / "old_release.sql").read_text()) + split(parts["old release"])
    with connection.cursor() as cursor:
        prepare(cursor, app, parts["set-up"])
        before = [act(cursor, app, one) for one in old]
        problems = [*judged.problems, *run(cursor, judged.statements)]
        after = [act(cursor, app, one) for one in old]
    connection.rollback()
    harm = next((f"{one.split(chr(10))[0][:50]}: {new.shown}" for one, was, new in zip(old, before, after) if new.hurts(was)), "")
    return Outcome(file.name.removesuffix(".migration.sql"), judged.verdict, harm, tuple(problems))


def run(cursor, found: list[sql_judge.Statement]) -> list[str]:
    """Run the statements one by one, as the judge has split them; what the server says against one."""
    for statement in found:
        try:
            cursor.execute(statement.text)
        except psycopg2.Error as error:
            cursor.connection.rollback()
            return [f"line {statement.line}: {error}"]
    return []


def read(file: Path, app: str) -> dict[str, str]:
    found = _PARTS.split(file.read_text().replace('"APP"', app))
    return {"set-up": "", "old release": "", **dict(zip(found[1::2], found[2::2]))}


def split(text: str) -> list[str]:
    return [piece.text for piece in statements.pieces(text)]


def prepare(cursor, app: str, further: str) -> None:
    for kind in ("tables", "sequences", "functions"):
        cursor.execute(f"alter default privileges grant all on {kind} to {app}")
    cursor.execute((FOLDER / "base.sql").read_text())
    cursor.execute(f"grant usage on schema public to {app}")
    for statement in split(further):
        cursor.execute(statement)


def act(cursor, app: str, statement: str) -> Answer:
    """One statement of the old release, undone again."""
    cursor.execute("savepoint old_release")
    cursor.execute(f"set local role {app}")
    try:
        cursor.execute(statement)
        answer = Answer(columns=tuple(column.name for column in cursor.description or ()), rows=cursor.rowcount)
    except psycopg2.Error as error:
        answer = Answer(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    cursor.execute("rollback to savepoint old_release")
    return answer


def table(outcomes: list[Outcome]) -> str:
    lines = [f"{o.verdict:12} {'harmful' if o.harm else 'harmless':9} {o.name:45} {o.harm[:110]}" for o in outcomes]
    return "\n" + "\n".join(lines)


def test_old_release_works_before_each_migration(target: postgresql.Target, app: str) -> None:
    """Else a statement that fails before and after would prove nothing."""
    old = split((FOLDER / "old_release.sql").read_text())
    with closing(postgresql.connect(target)) as connection, connection.cursor() as cursor:
        prepare(cursor, app, "")
        assert [answer for answer in (act(cursor, app, one) for one in old) if answer.error] == []
