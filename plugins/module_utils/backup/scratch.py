# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scratch database beside the real one, to restore a dump into; and what is counted in both."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql.client import Target, rows

#: Class of the advisory lock a backup holds; "prty" in ASCII.
LOCK = 0x70727479

_TABLES = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (
    select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e'
  )
  and not n.nspname ~ any(%s)
order by 1
"""


def take_lock(control, target: Target) -> None:
    """Hold the database's backup lock for as long as `control` is connected, and clear what killed runs have left."""
    if not rows(control, "select pg_try_advisory_lock(%s, 1)", (LOCK,))[0][0]:
        raise ParityError(f"Another backup of {target.place} is being made. Wait for it to end and try again.")
    for (name,) in rows(
        control,
        "select datname from pg_database where starts_with(datname, %s) and pg_get_userbyid(datdba) = %s",
        (prefix(target.database), target.user),
    ):
        _drop(control, name)


def prefix(database: str) -> str:
    """How the names of a database's scratch databases begin. Names have 63 bytes at most."""
    return f"parity_scratch_{database[:32]}_"


def export_snapshot(connection) -> str:
    """Begin a transaction whose view of the data pg_dump can share, and that nothing ends but us."""
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    _unlimited(connection)
    return rows(connection, "select pg_export_snapshot()")[0][0]


@dataclass(frozen=True)
class Contents:
    """What is compared: the rows of every table, and a checksum of a sample of them."""

    rows: dict[str, int]
    samples: dict[str, str] = field(default_factory=dict)


#: Up to this many rows a table's sample is the whole table; of larger ones it is the first and the last rows by primary key.
WHOLE = 20_000
EACH_END = 2_000


def contents(connection, progress: Callable[[str], None] = lambda words: None, excluded: Iterable[str] = ()) -> Contents:
    """Rows and samples of every table that is not the system's or an extension's, or in a schema that is `excluded`."""
    _unlimited(connection)
    for setting, value in _SAME_TEXT:
        rows(connection, f"set {setting} = {value}")
    names = [name for (name,) in rows(connection, _TABLES, ([pattern(name) for name in excluded],))]
    counted: dict[str, int] = {}
    samples: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        counted[name] = rows(connection, f"select count(*) from only {name}")[0][0]  # noqa: S608 - quoted by the server
        samples[name] = _sample(connection, name, counted[name])
        if counted[name] > WHOLE:
            progress(f"table {number} of {len(names)}: {name}, {counted[name]} rows")
    return Contents(counted, samples)


def pattern(schema: str) -> str:
    """A name of a schema, in which * stands for anything, as a regular expression."""
    return "^" + ".*".join(re.escape(part) for part in schema.split("*")) + "$"


#: What decides how a value looks as text.
_SAME_TEXT = (
    ("datestyle", "'ISO, YMD'"), ("timezone", "'UTC'"), ("intervalstyle", "'postgres'"), ("extra_float_digits", "3"),
    ("bytea_output", "'hex'"), ("search_path", "''"),
)  # fmt: skip

_PRIMARY_KEY = """
select string_agg(quote_ident(a.attname), ', ' order by k.place), string_agg(quote_ident(a.attname) || ' desc', ', ' order by k.place)
from pg_index i cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = %s::regclass and i.indisprimary
"""


def _sample(connection, table: str, count: int) -> str:
    """A checksum that does not depend on the order of the rows. A large table without a primary key has none."""
    source = f"select t from only {table} t"  # noqa: S608 - quoted by the server
    if count > WHOLE:
        ((up, down),) = rows(connection, _PRIMARY_KEY, (table,))
        if up is None:
            return ""
        source = f"({source} order by {up} limit {EACH_END}) union all ({source} order by {down} limit {EACH_END})"
    digest = "('x' || md5(s.t::text))::bit(64)::bigint::numeric"
    return str(rows(connection, f"select count(*) || ':' || coalesce(sum({digest}), 0) from ({source}) s")[0][0])  # noqa: S608


@contextmanager
def database(control, target: Target, name: str = "", keep: bool = False) -> Iterator[str]:
    """An empty database that belongs to the target's role, dropped at the end; with `keep` only where something fails."""
    name = name or f"{prefix(target.database)}{int(time.time())}"
    may_create = rows(control, "select rolcreatedb or rolsuper from pg_roles where rolname = current_user")[0][0]
    with _creator(control, target, may_create) as creator:  # pylint: disable=contextmanager-generator-missing-cleanup
        try:
            rows(
                creator,
                f'create database "{name}" owner {_identifier(target.user)} template template0 {_locale(control)}',
            )
            rows(control, f'revoke connect on database "{name}" from public')
            if not may_create:
                _extensions(control, creator, target, name)
            yield name
        except BaseException:
            # What went wrong before is what a person has to read; a database that stays is dropped by the next run.
            with suppress(ParityError):
                _drop(control, name)
            raise
        if not keep:
            _drop(control, name)


@contextmanager
def _creator(control, target: Target, may_create: bool) -> Iterator:
    """Who makes the scratch database: the role itself where it may, else the superuser through the server's socket."""
    if may_create:
        yield control
        return
    hint = (
        f"The dump of {target.place} cannot be proved by restoring it: the role {target.user} may not create "
        "databases, and {why}. Run the backup on the server's host, or let the role create databases "
        "(ALTER ROLE ... CREATEDB), or set backup_verify to readable."
    )
    try:
        creator = postgresql.connect_locally(target.port)
    except ParityError:
        raise ParityError(hint.format(why="this host is not the server's")) from None
    with closing(creator):
        here, there = (rows(c, "select pg_postmaster_start_time()") for c in (creator, control))
        if here != there:
            raise ParityError(hint.format(why="the server on this host is another one"))
        yield creator


@dataclass(frozen=True)
class Facts:
    """What belongs to a database and is in no dump of it: who may connect, and the settings it gives its sessions."""

    grants: list[str]
    settings: list[tuple[str, str]]


def database_facts(control) -> Facts:
    """The facts of the database `control` is connected to. `%s` stands for its name."""
    grants = rows(
        control,
        "select format('grant %s on database %%s to %s%s', a.privilege_type, "
        "case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, "
        "case when a.is_grantable then ' with grant option' else '' end) "
        "from pg_database d, aclexplode(d.datacl) a where d.datname = current_database() and a.grantee <> d.datdba",
    )
    settings = rows(
        control,
        "select split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) from pg_db_role_setting s, unnest(s.setconfig) c "
        "where s.setrole = 0 and s.setdatabase = (select oid from pg_database where datname = current_database())",
    )
    return Facts([grant for (grant,) in grants], settings)


def exchange(target: Target, *, new: str, old: str, facts: Facts) -> None:
    """Give `new` the name of the live database, and the live one the name `old`, in one transaction.

    Sessions in the live database are ended; they find the new one when they connect again.
    """
    with closing(_administrator(target)) as admin:
        live, fresh, kept = (_identifier(name) for name in (target.database, new, old))
        rows(admin, f"revoke all on database {fresh} from public")
        for grant in facts.grants:
            rows(admin, grant.replace("%s", fresh))
        for name, value in facts.settings:
            rows(admin, f"alter database {fresh} set {_identifier(name)} = {_literal(value)}")
        rows(admin, f"alter database {live} with allow_connections false")
        try:
            _end_sessions(admin, target.database, new)
            rows(admin, "begin")
            rows(admin, f"alter database {live} rename to {kept}")
            rows(admin, f"alter database {fresh} rename to {live}")
            rows(admin, "commit")
        except BaseException:
            with suppress(ParityError):
                rows(admin, "rollback")
                rows(admin, f"alter database {live} with allow_connections true")
            raise


def _administrator(target: Target):
    """Somebody who may rename the database: its role where that may create databases, else the superuser on this host."""
    with closing(postgresql.connect(target)) as control:
        control.autocommit = True
        may = rows(control, "select rolcreatedb or rolsuper from pg_roles where rolname = current_user")[0][0]
    connection = postgresql.connect(target, "postgres") if may else postgresql.connect_locally(target.port)
    connection.autocommit = True
    return connection


def _end_sessions(admin, *databases: str) -> None:
    deadline = time.monotonic() + 20
    while rows(admin, "select pg_terminate_backend(pid) from pg_stat_activity where datname = any(%s)", (list(databases),)):
        if time.monotonic() > deadline:
            raise ParityError(f"Sessions in {databases[0]} do not end. Stop what keeps connecting, and run the restore again.")
        time.sleep(0.2)


def _extensions(control, creator, target: Target, name: str) -> None:
    """Extensions only a superuser may create are made before the role restores the rest."""
    wanted = rows(
        control,
        "select e.extname from pg_extension e join pg_available_extension_versions v "
        "on v.name = e.extname and v.version = e.extversion where not v.trusted and e.extname <> 'plpgsql'",
    )
    if not wanted:
        return
    with closing(postgresql.connect_locally(target.port, name)) as connection:
        for (extension,) in wanted:
            rows(connection, f"create extension if not exists {_identifier(extension)} cascade")


def _locale(control) -> str:
    """Encoding and locale of the source, so that indexes and checks behave alike."""
    found = rows(
        control,
        "select to_jsonb(d), pg_encoding_to_char(encoding) from pg_database d where datname = current_database()",
    )
    facts, encoding = found[0]
    words = [
        f"encoding {_literal(encoding)}",
        f"lc_collate {_literal(facts['datcollate'])}",
        f"lc_ctype {_literal(facts['datctype'])}",
    ]
    provider, locale = facts.get("datlocprovider"), facts.get("datlocale") or facts.get("daticulocale")
    if provider == "i":
        words += ["locale_provider icu", f"icu_locale {_literal(locale)}"]
    elif provider == "b":
        words += ["locale_provider builtin", f"builtin_locale {_literal(locale)}"]
    return " ".join(words)


def _drop(control, name: str) -> None:
    """Drop a scratch database. Without FORCE, which wants to end autovacuum's work there and may not."""
    query = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename = current_user"
    rows(control, query, (name,))
    rows(control, f'drop database if exists "{name}"')


def _unlimited(connection) -> None:
    """No limit for daily work may end a backup; and a policy on rows may not hide any."""
    for setting, value in (
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("row_security", "off"),
    ):
        rows(connection, f"set {setting} = {value}")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
