# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply migrations to a PostgreSQL: one migrator at a time, and nobody waits behind a lock that is not granted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import pending
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import Applied, Migration
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql.client import Target, rows

try:
    import psycopg2
    import psycopg2.errorcodes as codes
except ImportError:  # Said in plain words by postgresql.connect.
    psycopg2 = None

#: Any number will do as long as every migrator of a database takes the same; this is "parity" in ASCII.
ADVISORY_LOCK = 0x706172697479

HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key, statements text[], name text
)"""
#: In Supabase's schema, because its command line leaves that one out of what it compares.
CHECKSUMS = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.parity_checksums (
    version text not null primary key, sha256 text not null, file text not null, verdict text not null,
    parents text[] not null default '{}', recorded timestamptz not null default now()
)"""

_HAS_TABLES = """
select exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'supabase_migrations')
      and pg_has_role(c.relowner, 'member')
      and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
)"""

_HOLDERS = """
select distinct a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), l.mode,
       coalesce(extract(epoch from now() - a.xact_start), 0)::int
from pg_locks l join pg_stat_activity a using (pid)
where l.granted and a.pid <> all(%s) and l.relation = to_regclass(%s)
order by 5 desc limit 3"""


@dataclass(frozen=True)
class Limits:
    """Time limits, in PostgreSQL's notation where they are text."""

    lock_timeout: str = "2s"
    lock_retries: int = 30
    statement_timeout: str = "15min"
    wait_seconds: int = 600


@dataclass
class State:
    """What the database knows before anything runs."""

    history: dict[str, Applied]
    fresh: bool


def read_state(connection) -> State:
    """Read the applied migrations, with their records; `fresh` where the role has no tables."""
    history: dict[str, Applied] = {}
    if exists(connection, "supabase_migrations.schema_migrations"):
        found = rows(connection, "select version, statements from supabase_migrations.schema_migrations")
        known = records(connection)
        history = {version: replace(known.get(version, Applied()), statements=statements) for version, statements in found}
    return State(history, not history and without_tables(connection))


def records(connection) -> dict[str, Applied]:
    """What was recorded of the files of applied migrations, by version."""
    if not exists(connection, "supabase_migrations.parity_checksums"):
        return {}
    found = rows(connection, "select version, sha256, file, verdict, parents from supabase_migrations.parity_checksums")
    return {version: Applied(None, sha256, file, verdict, tuple(parents)) for version, sha256, file, verdict, parents in found}


def without_tables(connection) -> bool:
    """Whether the role has no tables, so that a migration cannot remove anything."""
    return not rows(connection, _HAS_TABLES)[0][0]


@contextmanager
def only_migrator(target: Target, wait_seconds: int) -> Iterator[Guard]:
    """Hold the migrators' lock of a database on a connection that does nothing else."""
    with closing(open_session(target, "parity migrations: lock")) as connection:
        guard = Guard(connection, target)
        guard.take(wait_seconds)
        yield guard


class Guard:
    """The lock of the migrator. It ends with its connection, however the migrator ends.

    The migrator tries again and again instead of waiting: a statement that waits holds a snapshot, and an index that the previous
    migrator builds CONCURRENTLY would wait for that snapshot to end.
    """

    def __init__(self, connection, target: Target) -> None:
        self.connection = connection
        self.target = target

    def take(self, wait_seconds: int) -> None:
        deadline = time.monotonic() + wait_seconds
        while not rows(self.connection, "select pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))[0][0]:
            if time.monotonic() > deadline:
                raise ParityError(
                    f"Another migration of {self.target.place} has been running for more than {wait_seconds} s"
                    f"{self._holder()}. Wait for it to end, or end its session, and run this again."
                )
            time.sleep(0.5)

    def check(self) -> None:
        """Raise ParityError where this migrator does not hold the lock any more."""
        held = rows(
            self.connection,
            "select 1 from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted "
            "and classid::bigint = %s and objid::bigint = %s",
            (ADVISORY_LOCK >> 32, ADVISORY_LOCK & 0xFFFFFFFF),
        )
        if not held:
            raise ParityError(
                f"The connection to {self.target.place} does not keep its session: it goes through a pooler in transaction mode. "
                "Migrations need a direct connection, or a pooler in session mode."
            )

    def pid(self) -> int:
        return self.connection.get_backend_pid()

    def _holder(self) -> str:
        found = rows(
            self.connection,
            "select a.pid, coalesce(a.usename, '?'), coalesce(host(a.client_addr), 'the server itself') "
            "from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted "
            "and l.classid::bigint = %s and l.objid::bigint = %s",
            (ADVISORY_LOCK >> 32, ADVISORY_LOCK & 0xFFFFFFFF),
        )
        return "".join(f" (process {pid}, {user} from {place})" for pid, user, place in found)


def open_session(target: Target, name: str):
    """A connection in autocommit that no limit for idle sessions ends."""
    connection = postgresql.connect(Target(**{**vars(target), "options": {**target.options, "application_name": name}}))
    connection.autocommit = True
    rows(
        connection,
        "select set_config(name, '0', false) from pg_settings "
        "where name in ('idle_session_timeout', 'idle_in_transaction_session_timeout')",
    )
    return connection


def prepare(connection, unknown: list, *, history_table: bool = True) -> None:
    """Make the tables, and record a checksum for the applied files in `unknown`. Call it under the lock, after the plan."""
    if history_table and not exists(connection, "supabase_migrations.schema_migrations"):
        rows(connection, HISTORY)
    if not exists(connection, "supabase_migrations.parity_checksums"):
        rows(connection, CHECKSUMS)
    for migration in unknown:
        record_checksum(connection, migration)


def unrecorded(local: list, history: dict[str, Applied], accepted: list[str]) -> list:
    """Applied files whose checksum is still to be recorded, or was accepted anew."""
    pairs = [(migration, history[migration.version]) for migration in local if migration.version in history]
    return [
        migration
        for migration, known in pairs
        if migration.sha256  # of a package it has none: that is not ours to hold to its text
        and (known.sha256 is None or (migration.version in accepted and known.sha256 != migration.sha256))
    ]


class Runner:
    """Applies one file after the other."""

    def __init__(self, target: Target, guard: Guard, limits: Limits, note: Callable[[str], None] = lambda words: None) -> None:
        self.target = target
        self.guard = guard
        self.limits = limits
        self.note = note

    def apply(self, migration: Migration) -> int:
        """Run one file and record it. Returns how many attempts it took."""
        self.guard.check()
        with closing(open_session(self.target, f"parity migration {migration.version}"[:63])) as connection:
            for attempt in range(1, self.limits.lock_retries + 2):
                try:
                    self._run(connection, migration)
                    return attempt
                except _Locked as locked:
                    if attempt > self.limits.lock_retries:
                        raise ParityError(self._gave_up(migration, locked, attempt), **locked.details) from None
                    pause = pending.seconds_to_wait(attempt)
                    self.note(f"{migration.file}: {locked}; nothing is held, next attempt in {pause:g} s")
                    time.sleep(pause)
        raise AssertionError("unreachable")

    def _run(self, connection, migration: Migration) -> None:
        for words in ("reset session authorization", "reset all"):
            rows(connection, words)
        transactional = migration.transactional
        # What runs CONCURRENTLY waits for others by the same means a lock_timeout ends, and blocks nobody meanwhile.
        lock_timeout = self.limits.lock_timeout if transactional else "0"
        limit = migration.statement_timeout or self.limits.statement_timeout
        rows(connection, "select set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)", (lock_timeout, limit))
        invalid = set() if transactional else _drop_remains(connection, migration)
        if transactional:
            rows(connection, "begin")
        try:
            for number in range(len(migration.statements)):
                self._execute(connection, migration, number)
            # A file may have taken another role, which need not be able to write the history.
            for words in ("reset role", "reset session authorization"):
                rows(connection, words)
            if not transactional:
                rows(connection, "begin")
            _record(connection, migration)
            rows(connection, "commit")
        except BaseException:
            with suppress(ParityError, psycopg2.Error):
                rows(connection, "rollback")
                if not transactional:
                    _drop_invalid(connection, _invalid_indexes(connection) - invalid)
            raise

    def _execute(self, connection, migration: Migration, number: int) -> None:
        statement = migration.statements[number]
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement.text)
        except psycopg2.Error as error:
            details = describe(migration, number, error)
            if error.pgcode in (codes.LOCK_NOT_AVAILABLE, codes.DEADLOCK_DETECTED) and migration.transactional:
                raise _Locked(migration, number, details) from None
            raise ParityError(_failed(migration, number, details, self.limits), **details) from None

    def _gave_up(self, migration: Migration, locked: _Locked, attempts: int) -> str:
        blocked = migration.statements[locked.number]
        found = rows(self.guard.connection, _HOLDERS, ([self.guard.pid()], blocked.table)) if blocked.table else []
        holders = "; ".join(
            f"process {pid} ({user}{', ' + name if name else ''}) holds {mode} since {age} s" for pid, user, name, mode, age in found
        )
        return (
            f"{migration.file} did not get its lock in {attempts} attempts of {self.limits.lock_timeout} each and left nothing behind: "
            f"line {locked.details['line']}, {locked.details['statement']!r}"
            f"{', which takes ' + blocked.locks if blocked.lock else ''}. "
            f"{'Held by ' + holders + '. ' if holders else ''}End what holds it, or migrate at a quieter time."
        )


class _Locked(Exception):
    """A lock was not granted in time."""

    def __init__(self, migration: Migration, number: int, details: dict) -> None:
        super().__init__(f"line {details['line']} did not get its lock")
        self.number = number
        self.details = details


def describe(migration: Migration, number: int, error) -> dict:
    """Where a file failed and what the server said, as data."""
    statement = migration.statements[number]
    diagnosis = error.diag
    offset = int(diagnosis.statement_position) - 1 if diagnosis.statement_position else 0
    line, column = _place(migration.text, statement.start + offset)
    server = {
        "code": error.pgcode,
        "message": diagnosis.message_primary or str(error).strip() or "the connection was lost",
        "detail": diagnosis.message_detail,
        "hint": diagnosis.message_hint,
        "context": diagnosis.context,
    }
    return {
        "file": migration.file,
        "statement": statement.shown,
        "statement_number": number + 1,
        "line": line,
        "column": column if diagnosis.statement_position else None,
        "server": {key: value for key, value in server.items() if value},
    }


def _place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a place in a text."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _failed(migration: Migration, number: int, details: dict, limits: Limits) -> str:
    server = details["server"]
    where = f"line {details['line']}" + (f", column {details['column']}" if details["column"] else "")
    left = "It left nothing behind"
    if not migration.transactional:
        left = f"It does not run in a transaction: its first {number} statements stay" if number else "It left nothing behind"
    words = [server["message"], *(f"{key}: {server[key]}" for key in ("detail", "hint", "context") if key in server)]
    late = server.get("code") == "57014" and "statement timeout" in server["message"]
    advice = (
        f" It may take {migration.statement_timeout or limits.statement_timeout}; "
        "where it needs more, write `-- parity: statement_timeout=2h` at its top."
        if late
        else ""
    )
    return (
        f"{migration.file} failed in statement {number + 1} of {len(migration.statements)} ({where}): {details['statement']!r}. "
        f"PostgreSQL says: {' / '.join(words)} [{server.get('code', 'no code')}].{advice} {left}; the migrations before it stay applied."
    )


def _record(connection, migration: Migration) -> None:
    rows(
        connection,
        "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
        (migration.version, [statement.text for statement in migration.statements], migration.name),
    )
    record_checksum(connection, migration)


def record_checksum(connection, migration) -> None:
    """Record the checksum of an applied file, and what it was judged to be, for a release that does not have the file."""
    verdict = pending.DESTRUCTIVE if migration.marked else migration.verdict
    rows(
        connection,
        "insert into supabase_migrations.parity_checksums (version, sha256, file, verdict, parents) values (%s, %s, %s, %s, %s) "
        "on conflict (version) do update set sha256 = excluded.sha256, file = excluded.file, verdict = excluded.verdict, "
        "parents = excluded.parents, recorded = now()",
        (migration.version, migration.sha256, migration.file, verdict, list(migration.parents)),
    )


def exists(connection, table: str) -> bool:
    """Whether there is a table of this name."""
    return rows(connection, "select to_regclass(%s) is not null", (table,))[0][0]


def _invalid_indexes(connection) -> set[str]:
    query = (
        "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from pg_index i join pg_class c on c.oid = i.indexrelid "
        "join pg_namespace n on n.oid = c.relnamespace where not i.indisvalid and pg_has_role(c.relowner, 'member') "
        "and c.relkind = 'i' and n.nspname !~ '^pg_'"
    )
    return {name for (name,) in rows(connection, query)}


def _drop_remains(connection, migration: Migration) -> set[str]:
    """Remove what a killed run left of the indexes this file builds. Returns the invalid ones that are not its own."""
    built = {statement.index for statement in migration.statements if statement.index}
    invalid = _invalid_indexes(connection)
    own = {name for name in invalid if name.rpartition(".")[2].strip('"') in built}
    _drop_invalid(connection, own)
    return invalid - own


def _drop_invalid(connection, names: set[str]) -> None:
    for name in sorted(names):
        rows(connection, f"drop index concurrently if exists {name}")
