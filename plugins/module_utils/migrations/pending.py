# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as the control node has judged them: which ones have to run, in which order, and whether they may.

Nothing here reads SQL, and nothing here talks to a database: `runner` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: The options of a file, as modules take them. Documented in plugins/doc_fragments/migrations.py.
FILE = {"file": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}}
ADDITIVE, DESTRUCTIVE, UNKNOWN = "additive", "destructive", "unknown"
#: The reader that judges a revision of Alembic before it is rendered.
FILES = "the revision's file"


@dataclass(frozen=True)
class Statement:
    """One statement of a file, as it was judged. `start` is its place in the file's text, `line` counts from 1."""

    text: str
    line: int = 1
    start: int = 0
    verdict: str = ADDITIVE
    reason: str = ""
    remedy: str = ""
    lock: str = ""
    locks: str = ""  # the lock in words
    table: str = ""
    shown: str = ""  # on one line, without what may be a secret
    masked: str = ""  # the same, whole
    index: str = ""  # the index it builds CONCURRENTLY
    transactional: bool = True


@dataclass(frozen=True)
class Migration:
    """One file: SQL, a revision of Alembic, or a migration of Django. `version` is compared as text, as Supabase does.

    `parents` are the versions it is built on, where they are not simply those before it; `replaces` those that it squashes.
    """

    file: str
    version: str
    name: str
    sha256: str
    text: str = ""
    verdict: str = ADDITIVE
    marked: bool = False  # whether the file says of itself that it takes something away
    transactional: bool = True
    statement_timeout: str = ""
    problems: list[str] = field(default_factory=list)  # why it cannot run as it is written
    statements: list[Statement] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    judged_from: str = ""
    version_table: list[str] = field(default_factory=list)  # name and schema of Alembic's own table, empty where nobody knows

    @classmethod
    def judged(cls, entry: dict) -> Migration:
        """From one entry of the judged plan."""
        known = {one.name for one in fields(Statement)}
        statements = [Statement(**{key: value for key, value in one.items() if key in known}) for one in entry["statements"]]
        given = {one.name: entry[one.name] for one in fields(cls) if one.name in entry}
        return cls(**{**given, "statements": statements})

    @property
    def waits(self) -> bool:
        """Whether it runs only once the release has proved itself."""
        return self.marked or self.verdict != ADDITIVE

    @property
    def undecided(self) -> bool:
        """Whether only its file was read so far, the file does not show what it does, and its tool renders it later."""
        return self.verdict == UNKNOWN and self.judged_from == FILES and not self.marked

    @property
    def reasons(self) -> list[str]:
        """Why it is not additive, each with its line."""
        return [f"line {one.line}: {one.reason}" for one in self.statements if one.verdict != ADDITIVE and one.reason]

    @property
    def remedies(self) -> str:
        return " ".join(dict.fromkeys(one.remedy for one in self.statements if one.verdict != ADDITIVE and one.remedy))

    def preview(self, findings: Iterable[dict] = ()) -> str:
        """The part of a dry run about it: its statements, the locks they take, and a linter's findings."""
        notes = ["after the release has proved itself"] if self.waits else []
        notes += [] if self.transactional else ["not in a transaction"]
        notes += [f"judged from {self.judged_from}"] if self.file.endswith(".py") and self.judged_from else []
        lines = [f"-- {self.file}" + (f" ({', '.join(notes)})" if notes else "")]
        for statement in self.statements:
            lines += [f"-- takes {statement.locks}"] if statement.locks else []
            lines.append(f"{statement.masked};")
        lines += [f"-- squawk, line {found['line']}: {found['message']} ({found['rule']})" for found in findings]
        return "\n".join(lines) + "\n"

    def describe(self) -> dict:
        """Its entry of the plan."""
        return {
            "file": self.file,
            "version": self.version,
            "verdict": self.verdict,
            "destructive": self.waits,
            "destroys": self.reasons,
            "transactional": self.transactional,
            "sha256": self.sha256,
            "judged_from": self.judged_from,
            "version_table": self.version_table,
            "statements": [
                {"line": one.line, "sql": one.shown, "verdict": one.verdict, "reason": one.reason, "locks": one.locks}
                for one in self.statements
            ],
        }


@dataclass(frozen=True)
class Applied:
    """The database's record of one applied migration: the statements as its tool recorded them, and what we recorded of its file.

    `verdict` is empty where nobody recorded one, `parents` are those of a revision of Alembic.
    """

    statements: list[str] | None = None
    sha256: str | None = None
    file: str = ""
    verdict: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What runs now, and what waits until the release has proved itself: migrations, or revisions of Alembic."""

    now: list = field(default_factory=list)
    later: list = field(default_factory=list)


def unverified(local: list[Migration], history: dict[str, Applied]) -> list[dict]:
    """Applied files of which another tool recorded the statements, and nobody a checksum: the control node compares them."""
    found = [(migration, history[migration.version]) for migration in local if migration.version in history]
    return [
        {"file": migration.file, "version": migration.version, "statements": known.statements}
        for migration, known in found
        if known.sha256 is None and known.statements
    ]


def drift(local: list[Migration], history: dict[str, Applied], accepted: Iterable[str] = ()) -> list[str]:
    """How files and history have drifted apart, each with its repair."""
    result = []
    if refused := not_additive(missing(local, history), history):
        repair = f"delete from supabase_migrations.schema_migrations where version in ({_quoted(sorted(refused))});"  # noqa: S608 - shown
        result.append(
            f"The database has migrations that this release does not, and {in_words(refused)}. Deploy a release that has "
            f"their files; or, if what they did was undone by hand, take them out of the history: {repair}"
        )
    newest = max(history, default="")
    late = [migration.file for migration in local if migration.version not in history and migration.version < newest]
    if late:
        result.append(
            f"{', '.join(late)} would run after a later one ({newest}) that is already applied. "
            "Rename it to a version above that, and check that it still fits what came in between."
        )
    edited = [
        migration
        for migration in local
        if migration.version not in accepted and migration.version in history
        and history[migration.version].sha256 not in (None, migration.sha256)
    ]
    return result + ([edited_after([migration.file for migration in edited], [m.version for m in edited])] if edited else [])


def missing(local: list[Migration], history: dict[str, Applied]) -> list[str]:
    """The versions that the database has and the release does not."""
    return sorted(set(history) - {migration.version for migration in local})


def additive(versions: Iterable[str], history: dict[str, Applied]) -> list[str]:
    """The files of those versions that only added something when they were applied: a release from before them runs with them."""
    return [history[version].file or version for version in versions if history[version].verdict == ADDITIVE]


def not_additive(versions: Iterable[str], history: dict[str, Applied]) -> dict[str, str]:
    """Why a release from before those versions may not run with them, by version."""
    reasons = {DESTRUCTIVE: "took something away when it was applied", UNKNOWN: "could not be judged when it was applied"}
    return {
        version: f"{history[version].file or version} {reasons.get(history[version].verdict, 'was not judged when it was applied')}"
        for version in versions
        if history[version].verdict != ADDITIVE
    }


def in_words(refused: dict[str, str]) -> str:
    return ", ".join(refused[version] for version in sorted(refused))


def edited_after(files: list[str], versions: list[str]) -> str:
    """What is wrong with files that are not what was applied, and what to do."""
    return (
        f"{', '.join(files)} changed after it was applied, so the database does not have what the file says. Restore the file as it was "
        "applied, and put the change into a new migration. If the change makes no difference, accept it: "
        f"-e '{{\"release_accept_edited\": {_json(versions)}}}'"
    )


def decide(todo: list, problems: list[str], *, fresh: bool, allow_destructive: bool, rendered_later: bool = False) -> Plan:
    """Plan when each of `todo` runs; the format of a migration does not matter. `problems` are those found before.

    With `rendered_later`, its tool has not rendered the revisions yet: a revision whose file shows too little is then no reason to refuse.
    """
    problems = problems + [problem for migration in todo for problem in migration.problems]
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    if fresh:
        return Plan(now=todo)
    later = [migration for migration in todo if migration.waits and not (rendered_later and migration.undecided)]
    now = [migration for migration in todo if migration not in later]
    problems = [*_unmarked(later), *_unapproved(later, allow_destructive), *_behind(todo, later)]
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    return Plan(now, later)


def _unmarked(later: list[Migration]) -> list[str]:
    return [refusal(migration) for migration in later if not migration.marked]


def refusal(migration: Migration) -> str:
    """Why an unmarked file is refused, and what to do."""
    why = "takes something away from the running release" if migration.verdict == DESTRUCTIVE else "cannot be judged"
    instead = f" {migration.remedies}" if migration.remedies else " Rewrite it so that it only adds."
    reader = f" (Judged from {migration.judged_from}.)" if migration.file.endswith(".py") else ""
    return (
        f"{migration.file} {why}: {'; '.join(migration.reasons)}.{reader}{instead} Or, where the running release has no use for what "
        "goes, write `-- parity: destructive` (in Python `# parity: destructive`) at the top of the file."
    )


def _unapproved(later: list[Migration], allowed: bool) -> list[str]:
    waiting = [migration for migration in later if migration.marked]
    if allowed or not waiting:
        return []
    named = "; ".join(f"{migration.file} ({', '.join(migration.reasons) or 'as its author says'})" for migration in waiting)
    return [
        f"Destructive migrations are refused until someone approves them: {named}. They run after the release has proved itself. "
        "Approve them: -e stack_allow_destructive=true"
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
    """The pause without any lock before the next attempt: doubles from half a second to a quarter of a minute."""
    return min(0.5 * 2 ** (attempt - 1), 15.0)


def _quoted(versions: list[str]) -> str:
    return ", ".join(f"'{version}'" for version in versions)


def _json(versions: list[str]) -> str:
    return "[" + ", ".join(f'"{version}"' for version in versions) + "]"
