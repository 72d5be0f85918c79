# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL migrations in Supabase's layout: which files are to run, in which order, and whether they may.

Nothing here talks to a database: `migrator` does.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from ansible_collections.parity.stack.plugins.module_utils import sql as language
from ansible_collections.parity.stack.plugins.module_utils import sql_effects
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

_FILE = re.compile(r"([0-9]+)_(.*)\.sql")
_DIRECTIVES = ("destructive", "no-transaction", "statement_timeout")
_DURATION = re.compile(r"^\d+(us|ms|s|min|h|d)?$")


@dataclass(frozen=True)
class Migration:
    """One file: `version` is compared as text, as Supabase does."""

    version: str
    name: str
    sql: str

    @property
    def file(self) -> str:
        return f"{self.version}_{self.name}.sql"

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @cached_property
    def directives(self) -> dict[str, str]:
        return language.directives(self.sql)

    @cached_property
    def statements(self) -> list[language.Statement]:
        return language.split(self.sql)

    @cached_property
    def effects(self) -> list[sql_effects.Effect]:
        return sql_effects.effects(self.statements)

    @property
    def marked(self) -> bool:
        """Whether the file says of itself that it takes something away."""
        return "destructive" in self.directives

    @property
    def destroys(self) -> list[str]:
        """What it takes from the running release, each with its line."""
        pairs = zip(self.statements, self.effects)
        return [f"line {statement.line}: {effect.destroys}" for statement, effect in pairs if effect.destroys]

    @property
    def transactional(self) -> bool:
        return "no-transaction" not in self.directives and all(effect.transactional for effect in self.effects)

    def problems(self) -> list[str]:
        """Why the file cannot be run the way it is written."""
        result = [
            f"{self.file} says {name!r} in a line `-- parity:`, which means nothing. Known are: {', '.join(_DIRECTIVES)}."
            for name in self.directives
            if name not in _DIRECTIVES
        ]
        limit = self.directives.get("statement_timeout")
        if limit is not None and not _DURATION.match(limit):
            result.append(f"{self.file} sets statement_timeout={limit!r}. Write a number with a unit, such as 30min or 2h.")
        for statement, effect in zip(self.statements, self.effects):
            if effect.own_transaction:
                result.append(
                    f"{self.file}, line {statement.line}: {statement.shown!r} begins or ends a transaction. Each file runs in "
                    "one of its own, together with its row in the history; remove the line."
                )
        mixed = {effect.transactional for effect in self.effects} == {True, False}
        if mixed and "no-transaction" not in self.directives:
            result.append(
                f"{self.file} has statements that cannot run in a transaction (CONCURRENTLY, VACUUM) beside others that should. "
                "Put them into a file of their own, or, where half of the file may stay after a failure, write "
                "`-- parity: no-transaction` at its top."
            )
        return result

    def preview(self, findings: Iterable[dict] = ()) -> str:
        """What a dry-run shows of it: its statements, the locks they take, and what a linter says of them."""
        notes = ["after the release has proved itself"] if self.marked or self.destroys else []
        notes += [] if self.transactional else ["not in a transaction"]
        lines = [f"-- {self.file}" + (f" ({', '.join(notes)})" if notes else "")]
        for statement, effect in zip(self.statements, self.effects):
            lines += [f"-- takes {effect.locks}"] if effect.locks else []
            lines.append(f"{statement.masked};")
        lines += [f"-- squawk, line {found['line']}: {found['message']} ({found['rule']})" for found in findings]
        return "\n".join(lines) + "\n"

    def describe(self) -> dict:
        """What the plan says of it."""
        return {
            "file": self.file,
            "destructive": bool(self.marked or self.destroys),
            "destroys": self.destroys,
            "transactional": self.transactional,
            "sha256": self.sha256,
            "statements": [
                {"line": statement.line, "sql": statement.shown, "locks": effect.locks}
                for statement, effect in zip(self.statements, self.effects)
            ],
        }


@dataclass(frozen=True)
class Applied:
    """What the database says of one migration it has: the statements as its tool recorded them, and our checksum."""

    statements: list[str] | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to run now, and what waits until the release has proved itself: migrations, or revisions of Alembic."""

    now: list = field(default_factory=list)
    later: list = field(default_factory=list)


def parse(files: Iterable[dict[str, str]]) -> list[Migration]:
    """Migrations from `[{"file": ..., "sql": ...}]`, in order. Raises ParityError for odd names and double versions."""
    result = []
    for entry in files:
        match = _FILE.fullmatch(entry["file"])
        if not match:
            raise ParityError(
                f"{entry['file']!r} is not the name of a migration; wanted is <version>_<name>.sql with digits for the "
                "version, for example 20260102030405_documents.sql"
            )
        result.append(Migration(match[1], match[2], entry["sql"]))
    result.sort(key=lambda migration: migration.version)
    for one, two in itertools.pairwise(result):
        if one.version == two.version:
            raise ParityError(
                f"{one.file} and {two.file} have the same version. Give the later one a version of its own."
            )
    return result


def drift(local: list[Migration], history: dict[str, Applied], accepted: Iterable[str] = ()) -> list[str]:
    """How files and history have drifted apart, each with its repair."""
    result = []
    missing = sorted(set(history) - {migration.version for migration in local})
    if missing:
        repair = f"delete from supabase_migrations.schema_migrations where version in ({_quoted(missing)});"  # noqa: S608 - shown, not run
        result.append(
            f"The database has migrations that this release does not: {', '.join(missing)}. Deploy a release that has "
            f"their files; or, if what they did was undone by hand, take them out of the history: {repair}"
        )
    newest = max(history, default="")
    late = [migration.file for migration in local if migration.version not in history and migration.version < newest]
    if late:
        result.append(
            f"{', '.join(late)} would run after a later one ({newest}) that is already applied. "
            "Rename it to a version above that, and check that it still fits what came in between."
        )
    edited = [migration for migration in local if migration.version not in accepted and _edited(migration, history)]
    if edited:
        result.append(
            f"{', '.join(migration.file for migration in edited)} changed after it was applied, so the database does not have "
            "what the file says. Restore the file as it was applied, and put the change into a new migration. If the change "
            f"makes no difference, accept it: -e '{{\"release_accept_edited\": {_json([m.version for m in edited])}}}'"
        )
    return result


def _edited(migration: Migration, history: dict[str, Applied]) -> bool:
    applied = history.get(migration.version)
    if applied is None:
        return False
    if applied.sha256 is not None:
        return applied.sha256 != migration.sha256
    # Applied by another tool, which recorded the statements or nothing.
    return bool(applied.statements) and not language.same(";\n".join(applied.statements), migration.sql)


def plan(
    local: list[Migration],
    history: dict[str, Applied],
    *,
    fresh: bool,
    allow_destructive: bool = False,
    accepted: Iterable[str] = (),
) -> Plan:
    """What is to run. Raises ParityError, with all that is wrong, where files and history do not agree or may not run.

    `fresh` says that the database has no tables: then nothing can be taken away, and everything runs in order.
    """
    problems = drift(local, history, accepted)
    todo = [migration for migration in local if migration.version not in history]
    return decide(todo, problems, fresh=fresh, allow_destructive=allow_destructive)


def decide(todo: list, problems: list[str], *, fresh: bool, allow_destructive: bool) -> Plan:
    """When each of `todo` runs, in whichever format it is written. `problems` are those that are known already."""
    problems = problems + [problem for migration in todo for problem in migration.problems()]
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    if fresh:
        return Plan(now=todo)
    later = [migration for migration in todo if migration.marked or migration.destroys]
    now = [migration for migration in todo if migration not in later]
    problems = [*_unmarked(later), *_unapproved(later, allow_destructive), *_behind(todo, later)]
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    return Plan(now, later)


def _unmarked(later: list) -> list[str]:
    return [
        f"{migration.file} takes something away from the release that runs: {'; '.join(migration.destroys)}. "
        "Rewrite it so that it only adds, and remove what is old in a later release; or, if the running release has no use "
        "for it any more, write `-- parity: destructive` (in Python `# parity: destructive`) at its top."
        for migration in later
        if not migration.marked
    ]


def _unapproved(later: list, allowed: bool) -> list[str]:
    waiting = [migration for migration in later if migration.marked]
    if allowed or not waiting:
        return []
    named = "; ".join(f"{migration.file} ({', '.join(migration.destroys) or 'as its author says'})" for migration in waiting)
    return [
        f"Destructive migrations are refused until someone approves them: {named}. They would run after the release has "
        "proved itself. Approve them: -e stack_allow_destructive=true"
    ]


def _behind(todo: list, later: list) -> list[str]:
    behind = [migration.file for migration in todo[todo.index(later[0]) :] if migration not in later] if later else []
    if not behind:
        return []
    return [
        f"{', '.join(behind)} comes after the destructive {later[0].file}, which runs only when the release has proved itself. "
        "Deploy the release that brought the destructive one first; or let the destructive one come last."
    ]


def seconds_to_wait(attempt: int) -> float:
    """How long nobody is kept waiting before the next attempt: doubles from half a second to a quarter of a minute."""
    return min(0.5 * 2 ** (attempt - 1), 15.0)


def _quoted(versions: list[str]) -> str:
    return ", ".join(f"'{version}'" for version in versions)


def _json(versions: list[str]) -> str:
    return "[" + ", ".join(f'"{version}"' for version in versions) + "]"
