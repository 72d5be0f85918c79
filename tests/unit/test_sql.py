# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL is taken apart where PostgreSQL takes it apart, and judged by what it does to others."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import sql, sql_effects


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ;; -- nothing\n/* at all; */", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';'; select 2", ["select ';'", "select 2"]),
        ("select 'it''s;'; x", ["select 'it''s;'", "x"]),
        (r"select E'a\';b'; x", [r"select E'a\';b'", "x"]),
        (r"select 'a\'; x", [r"select 'a\'", "x"]),  # no escape without E
        ('alter table "a;b" x; y', ['alter table "a;b" x', "y"]),
        ("a /* b /* c; */ d; */ e; f", ["a /* b /* c; */ d; */ e", "f"]),
        ("a -- b;\nc; d", ["a -- b;\nc", "d"]),
        ("do $$ x; y $$; z", ["do $$ x; y $$", "z"]),
        ("do $a$ x; $$ y; $$ $a$; z", ["do $a$ x; $$ y; $$ $a$", "z"]),
        ("select $1; x", ["select $1", "x"]),
        ("create rule r as on insert to t do (a; b); c", ["create rule r as on insert to t do (a; b)", "c"]),
        (
            "create function f() returns int begin atomic select case when a then 1 end; select 2; end; x",
            ["create function f() returns int begin atomic select case when a then 1 end; select 2; end", "x"],
        ),
        ("begin; x; end; y", ["begin", "x", "end", "y"]),
        ("select 'never closed; a", ["select 'never closed", "a"]),
        ("select /* never closed; a", ["select"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert [statement.text for statement in sql.split(text)] == expected


def test_a_statement_knows_where_it_stands() -> None:
    text = "-- one\nselect 1;\n\n  select\n  2"
    assert [(s.line, s.start) for s in sql.split(text)] == [(2, 7), (4, 20)]
    assert sql.place(text, 20) == (4, 3)
    assert sql.place(text, 29) == (5, 3)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("select 1;", "-- x\nSELECT   1", True),
        ("select 1; select 2", "select 1;\nselect 2;", True),
        ("select 'a'", "select 'A'", False),
        ('select "a"', 'select "A"', False),
        ("select 1", "select 2", False),
    ],
)
def test_same(one: str, two: str, expected: bool) -> None:
    assert sql.same(one, two) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", {}),
        ("-- parity: destructive\ndrop table a", {"destructive": ""}),
        ("--parity:statement_timeout=2h, destructive", {"statement_timeout": "2h", "destructive": ""}),
        ("# parity: destructive", {"destructive": ""}),
        ("-- about parity: destructive", {}),
    ],
)
def test_directives(text: str, expected: dict) -> None:
    assert sql.directives(text) == expected


def test_a_statement_is_shown_without_a_password() -> None:
    (statement,) = sql.split("create role a login\n password 'se''cret' valid until 'x'")
    assert statement.shown == "create role a login password '...' valid until 'x'"


def judged(text: str) -> list[sql_effects.Effect]:
    return sql_effects.effects(sql.split(text))


@pytest.mark.parametrize(
    ("text", "lock", "table"),
    [
        ("create table a (id int)", None, ""),
        ("create table a (id int references b)", "SHARE ROW EXCLUSIVE", "b"),
        ("create index i on public.a (x)", "SHARE", "a"),
        ("create unique index concurrently if not exists i on a (x)", "SHARE UPDATE EXCLUSIVE", "a"),
        ("alter table only s.a add column b text", "ACCESS EXCLUSIVE", "s.a"),
        ('alter table if exists "A b" add c int', "ACCESS EXCLUSIVE", '"A b"'),
        ("alter table a validate constraint c", "SHARE UPDATE EXCLUSIVE", "a"),
        ("alter table a add constraint c foreign key (x) references b (y) not valid", "SHARE ROW EXCLUSIVE", "a"),
        ("alter table a validate constraint c, add d int", "ACCESS EXCLUSIVE", "a"),
        ("alter table a disable trigger t", "SHARE ROW EXCLUSIVE", "a"),
        ("alter index i rename to j", "SHARE UPDATE EXCLUSIVE", "i"),
        ("create trigger t before insert on a for each row execute function f()", "SHARE ROW EXCLUSIVE", "a"),
        ("create policy p on storage.objects using (true)", "ACCESS EXCLUSIVE", "storage.objects"),
        ("insert into a values (1)", "ROW EXCLUSIVE", "a"),
        ("update only a set x = 1", "ROW EXCLUSIVE", "a"),
        ("with x as (select 1) update a set y = 1", "ROW EXCLUSIVE", "a"),
        ("vacuum a", "SHARE UPDATE EXCLUSIVE", "a"),
        ("vacuum full a", "ACCESS EXCLUSIVE", "a"),
        ("reindex table concurrently a", "SHARE UPDATE EXCLUSIVE", "a"),
        ("refresh materialized view concurrently a", "EXCLUSIVE", "a"),
        ("lock table a in share mode", "SHARE", "a"),
        ("comment on table a is 'x'", "SHARE UPDATE EXCLUSIVE", "a"),
        ("select pg_sleep(1)", None, ""),
        ("grant select on a to b", None, ""),
        ("create function f() returns int language sql as $$ select 1 $$", None, ""),
    ],
)
def test_locks(text: str, lock: str | None, table: str) -> None:
    (effect,) = judged(text)
    assert (effect.lock, effect.table) == (lock, table if lock else effect.table)
    assert effect.destroys == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("drop table if exists a cascade", "drops table a"),
        ("DROP MATERIALIZED VIEW s.a", "drops materialized view s.a"),
        ("drop function f(int)", "drops function f"),
        ("drop index concurrently i", "drops index i"),
        ("drop owned by x", "drops owned"),
        ("alter table a drop column if exists b", "drops column b of a"),
        ("alter table a drop b", "drops column b of a"),
        ("alter table a add c int, drop column b", "drops column b of a"),
        ("alter table a rename to b", "renames a"),
        ("alter table a rename column b to c", "renames column b of a"),
        ("alter table a rename b to c", "renames column b of a"),
        ("alter view a rename to b", "renames a"),
        ("alter type a rename value 'x' to 'y'", "renames or moves type a"),
        ("alter table a set schema b", "another schema"),
        ("alter table a alter column b type bigint using b::bigint", "type of column b of a"),
        ("alter table a alter b set data type text", "type of column b of a"),
        ("alter table a alter column b set not null", "forbids NULL in column b"),
        ("alter table a alter column b drop default", "drops the default of column b"),
        ("alter table a add column b text not null", "NOT NULL without a default"),
        ("alter table a add column b numeric(10, 2) not null, add c int", "NOT NULL without a default"),
        ("truncate table a", "empties a"),
        ("delete from a where x", "deletes rows of a"),
        ("with x as (select 1) delete from a", "deletes rows of a"),
        ("do $$ begin execute 'drop table a'; end $$", "'drop table'"),
        ("do $x$ begin DELETE  FROM a; end $x$", "'delete from'"),
        ("alter table a detach partition b", "detaches a partition"),
    ],
)
def test_what_destroys(text: str, why: str) -> None:
    assert why in judged(text)[-1].destroys


@pytest.mark.parametrize(
    "text",
    [
        "alter table a drop constraint c",
        "alter table a alter column b drop not null",
        "alter table a rename constraint b to c",
        "alter table a add column b text not null default ''",
        "alter table a add column b bigint not null generated always as identity",
        "alter table a add constraint c check (b is not null) not valid",
        "alter table a alter column type set default 1",
        "alter type a add value 'x'",
        "alter table a add column dropped int",
        "drop trigger if exists t on a; create trigger t after insert on a execute function f()",
        "drop policy if exists p on a; create policy p on a using (true)",
        "drop view if exists v; create view v as select 1",
        "create table tmp (x int not null); insert into tmp select 1; drop table tmp",
        "do $$ begin /* drop table a */ perform 1; end $$",
        "create function f() returns void language sql as $$ delete from a $$",
        "select 'drop table a'",
    ],
)
def test_what_destroys_nothing(text: str) -> None:
    assert [effect.destroys for effect in judged(text) if effect.destroys] == []


@pytest.mark.parametrize(
    ("text", "transactional"),
    [
        ("create index concurrently i on a (b)", False),
        ("drop index concurrently i", False),
        ("reindex index concurrently i", False),
        ("vacuum analyze a", False),
        ("alter system set x = 1", False),
        ("alter table a detach partition b concurrently", False),
        ("refresh materialized view concurrently v", True),
        ("create index i on a (b)", True),
        ("analyze a", True),
    ],
)
def test_what_runs_in_a_transaction(text: str, transactional: bool) -> None:
    assert judged(text)[0].transactional is transactional


@pytest.mark.parametrize("text", ["begin", "start transaction", "commit", "rollback", "end"])
def test_transactions_of_a_file_s_own_are_seen(text: str) -> None:
    assert judged(text)[0].own_transaction
