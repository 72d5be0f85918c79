# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a statement does to the release that runs, asked of PostgreSQL's own parser: adds, takes away, or cannot be judged."""

from __future__ import annotations

import pglast
import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import sql_judge, statements, table_actions, texts
from hypothesis import given, settings
from hypothesis import strategies as some
from pglast import ast, enums

#: What the files before have made.
BEFORE = """
create table t (id int primary key, s text check (s in ('a', 'b')), o int references u on delete cascade, p int references u);
create view v as select id, s from t;
create function f(a int) returns int language sql as 'select 1';
"""


def judge(sql: str) -> sql_judge.Judged:
    known = sql_judge.Known()
    sql_judge.learn(known, BEFORE)
    return sql_judge.judge(sql, "1_a.sql", known)


def do(body: str) -> str:
    return f"do $$ begin {body} end $$"


TAKES = [
    ("drop table if exists a cascade", "drops table a"),
    ("DROP MATERIALIZED VIEW s.a", "drops materialized view s.a"),
    ("drop foreign table a", "drops foreign table a"),
    ("drop function f2(int)", "drops function f2"),
    ("drop aggregate g(int)", "drops aggregate g"),
    ("drop type ty", "drops type ty"),
    ("drop schema s cascade", "drops schema s"),
    ("drop extension e", "drops extension e"),
    ("drop index concurrently i", "drops index i"),
    ("drop index i", "drops index i"),
    ("drop trigger x on t", "drops trigger x of t"),
    ("drop policy x on t", "drops policy x of t"),
    ("drop owned by x", "drops everything a role owns"),
    ("drop role x", "drops a role"),
    ("drop table new; create table new (id int)", "drops table new"),
    ("create table if not exists n (id int); drop table n", "drops table n"),
    ("create or replace function g() returns int language sql as 'select 1'; drop function g()", "drops function g"),
    ("drop function h(text, int); create function h(q text, n int, l text) returns int language sql as 'select 1'", "drops function h"),
    ("drop function f(int); create function f(a int) returns bigint language sql as 'select 2'", "changes what function f"),
    ("drop function f(int); create function f(b int) returns int language sql as 'select 2'", "changes what function f"),
    ("drop view v; create view v as select id from t", "takes s out of view v"),
    ("alter table a drop column if exists b", "drops column b of a"),
    ("alter table a drop b", "drops column b of a"),
    ("alter table a add c int, drop column b", "drops column b of a"),
    ("alter table a rename to b", "renames a"),
    ("alter table a rename column b to c", "renames column b of a"),
    ("alter table a rename b to c", "renames column b of a"),
    ("alter view a rename to b", "renames a"),
    ("alter view v rename column id to number", "renames column id of v"),
    ("alter function f(int) rename to g", "renames function f"),
    ("alter schema s rename to r", "renames schema s"),
    ("alter type a rename value 'x' to 'y'", "renames value 'x' of type a"),
    ("alter type a rename attribute x to y", "renames"),
    ("alter type a drop attribute x", "attributes of type a"),
    ("alter table a set schema b", "another schema"),
    ("alter function f(int) set schema b", "another schema"),
    ("alter table a alter column b type bigint using b::bigint", "type of column b of a"),
    ("alter table a alter b set data type text", "type of column b of a"),
    ("alter table a alter column b set not null", "forbids NULL in column b"),
    ("alter table a alter column b drop default", "drops the default of column b"),
    ("alter table a alter column b drop identity", "drops the identity of column b"),
    ("alter table a alter column b drop expression", "drops the expression of column b"),
    ("alter table a alter column b add generated always as identity", "GENERATED ALWAYS"),
    ("alter table a alter column b set generated always", "GENERATED ALWAYS"),
    ("alter table a add column b text not null", "NOT NULL without a default"),
    ("alter table a add column serial text not null", "adds column serial to a as NOT NULL"),
    ("alter table a add column identity text not null", "adds column identity to a as NOT NULL"),
    ('alter table a add column "default" text not null', "as NOT NULL without a default"),
    ("alter table a add column generated int not null", "adds column generated to a as NOT NULL"),
    ("alter table a add column b text not null default null", "NOT NULL without a default"),
    ("alter table a add column b text not null default null::text", "NOT NULL without a default"),
    ("alter table a add column b serial[] not null", "NOT NULL without a default"),
    ("alter table a add column b s.serial not null", "NOT NULL without a default"),
    ("alter table a add column b int primary key", "NOT NULL without a default"),
    ("alter table a add column b numeric(10, 2) not null, add c int", "NOT NULL without a default"),
    ("alter table a add column b int unique default 0", "one default for all rows"),
    ("alter table a add constraint c unique (x)", "demands unique rows in a"),
    ("alter table a add unique (x)", "demands unique rows in a"),
    ("alter table a add primary key (x)", "demands unique rows in a"),
    ("alter table a add constraint e exclude using gist (x with =)", "demands unique rows in a"),
    ("create unique index i on a (x)", "demands unique rows in a"),
    ("create unique index concurrently i on a (lower(x))", "demands unique rows in a"),
    ("alter table t drop constraint t_pkey", "drops the unique constraint t_pkey"),
    ("alter table t drop constraint t_o_fkey", "deletes or changes rows"),
    ("alter table a enable row level security", "without a policy"),
    ("alter table a enable row level security; create policy p on a using (owner = current_user)", "without a policy"),
    ("alter table a force row level security", "forces row level security"),
    ("create policy p on a as restrictive using (false)", "restrictive policy"),
    ("alter table a disable trigger x", "disables a trigger of a"),
    ("alter table a set unlogged", "unlogged"),
    ("alter table a no inherit b", "out of its parent"),
    ("alter table a detach partition b", "detaches a partition"),
    ("create rule r as on insert to a do instead nothing", "adds a rule to a"),
    ("alter domain d add check (value > 0)", "narrows domain d"),
    ("alter domain d set not null", "narrows domain d"),
    ("truncate table a", "empties a"),
    ("truncate a, b", "empties a; it empties b"),
    ("delete from a where x", "deletes rows of a"),
    ("with x as (select 1) delete from a", "deletes rows of a"),
    ("with x as (delete from a returning *) select * from x", "deletes rows of a"),
    ("insert into b with x as (delete from a returning *) select * from x", "deletes rows of a"),
    ("merge into a using b on a.id = b.id when matched then delete", "deletes rows of a"),
    ("revoke select on a from b", "revokes rights"),
    ("revoke all on schema s from public", "revokes rights"),
    ("revoke a from b", "takes a role out of another"),
    ("alter role x with nologin", "changes a role"),
    ("refresh materialized view a with no data", "empties a"),
    ("reindex schema public", "waiting while it works"),
    ("reindex database d", "waiting while it works"),
    (do("execute 'drop table a';"), "drops table a"),
    (do("DELETE  FROM a;"), "deletes rows of a"),
    (do("alter table t drop s;"), "drops column s of t"),
    (do("alter table t rename s to s2;"), "renames column s of t"),
    (do("if true then alter table t add column z text not null; end if;"), "NOT NULL without a default"),
    (do("for i in 1..3 loop truncate a; end loop;"), "empties a"),
    (do("begin drop table a; exception when others then null; end;"), "drops table a"),
    ("do language plpgsql 'begin drop table a; end'", "drops table a"),
    (do("if true then create table q (i int); end if; drop table q;"), "drops table q"),
    ("create function c() returns void language plpgsql as $$ begin delete from t; end $$; select c()", "deletes rows of t"),
    ("create function c() returns void language sql as $$ delete from t $$; " + do("perform c();"), "deletes rows of t"),
    ("create procedure c() language sql begin atomic delete from t; end; call c()", "deletes rows of t"),
]  # fmt: skip

ADDS = [
    "",
    "-- a comment alone",
    "create table a (id int not null unique check (id > 0))",
    "alter table a add column b text not null default ''",
    "alter table a add column b bigint not null generated always as identity",
    "alter table a add column b int generated always as (1) stored not null",
    "alter table a add column b bigserial not null",
    "alter table a add column b uuid not null unique default gen_random_uuid()",
    "alter table a add column b int unique",
    "alter table a add column b int check (b > 0)",
    "alter table a add column b int check (b is null or c is not null)",
    "alter table a add column b timestamptz check (b is null or began is not null)",
    "alter table a add column b text check (b in ('x', 'y'))",
    "alter table a add column b text check (char_length(b) between 1 and 5)",
    "alter table a add column b int references c",
    "alter table a add column b int default 1 check (b > 0)",
    "alter table a add column b int; create unique index on a (b)",
    "alter table a add column b int; alter table a drop column b",
    "alter table a add column b int; alter table a add constraint c foreign key (b) references d",
    "alter table a add column b int default 0; alter table a alter column b set not null",
    "alter table a add column b int; alter table a alter b set default 1; alter table a alter b set not null",
    "alter table a alter column b drop not null",
    "alter table a alter column b set default 1",
    "alter table a alter column type set default 1",
    "alter table a alter column b add generated by default as identity",
    "alter table a add column dropped int",
    "alter table a validate constraint c",
    "alter table a disable row level security",
    "alter table a enable row level security; create policy p on a using (true)",
    "alter table a enable row level security; create policy p on a to public using (true) with check (true)",
    "create policy p on a for select using (true)",
    "alter table t drop constraint t_s_check",
    "alter table t drop constraint t_p_fkey",
    "alter table t drop constraint t_s_check; alter table t add constraint t_s_check check (s in ('a', 'b', 'c'))",
    "alter table a add constraint c unique using index i",
    "alter table a attach partition b for values in (1)",
    "alter index i rename to j",
    "alter trigger x on a rename to y",
    "alter type a add value 'x'",
    "alter type a add attribute x int",
    "drop trigger if exists x on a; create trigger x after insert on a execute function f()",
    "drop policy if exists p on a; create policy p on a using (true)",
    do("drop policy if exists p on a; create policy p on a using (true);"),
    do("drop trigger if exists x on a; create trigger x after insert on a execute function f();"),
    "drop index i; create index i on a (x)",
    "drop view v; create view v as select id, s, o from t",
    "drop function f(int); create function f(a int) returns int language sql as 'select 2'",
    "create or replace view v as select id, s, 1 as one from t",
    "create table tmp (x int not null); insert into tmp select 1; delete from tmp; drop table tmp",
    "create temporary table tmp as select 1 as x; truncate tmp; drop table tmp",
    "create table n (id int); alter table n add column b text not null; alter table n enable row level security",
    "create table n (id int); revoke all on n from public",
    "create schema s; drop schema s",
    "create type ty as enum ('a'); drop type ty",
    do("/* drop table a */ perform 1;"),
    do("if not exists (select from pg_type where typname = 'x') then create type x as enum ('a'); end if;"),
    do("raise notice 'drop table a';"),
    "create function g() returns void language sql as $$ delete from a $$",
    "create function g() returns trigger language plpgsql as $$ begin drop table a; return new; end $$",
    "create function g() returns void language plpgsql as $$ begin insert into t values (1); end $$; select g()",
    "select 'drop table a'",
    "select setval('t_id_seq', (select max(id) from t))",
    "select pg_catalog.set_config('search_path', '', false)",
    "select lower(s), count(*), coalesce(o, 1), now() from t group by 1, 3",
    "insert into a values (1) on conflict (x) do update set y = excluded.y",
    "update a set x = upper(y) where z is null",
    "update a set x = 1",
    "merge into a using b on a.id = b.id when not matched then insert values (1)",
    "grant select on a to b",
    "create role r login password 'x'",
    "create extension if not exists pg_trgm",
    "create trigger x before insert on a for each row execute function g()",
    "comment on column a.b is 'x'",
    "set local statement_timeout = 0",
    "alter sequence s owned by a.b",
    "alter domain d drop constraint c",
    "refresh materialized view concurrently a",
    "vacuum analyze a",
    "begin; create table a (id int); commit;",
]  # fmt: skip

UNKNOWN = [
    (do("execute format('drop table %I', 'x');"), "put together at run time"),
    (do("execute 'drop ' || 'table a';"), "put together at run time"),
    ("do $$ declare r record; begin for r in execute 'select 1' || x loop null; end loop; end $$", "put together at run time"),
    (do("perform cleanup();"), "calls cleanup()"),
    ("do $$ declare x int := cleanup(); begin null; end $$", "calls cleanup()"),
    ("do $$ declare x int; begin x := cleanup(); end $$", "calls cleanup()"),
    (do("x := cleanup();"), "its body cannot be read"),
    (do("if cleanup() then null; end if;"), "calls cleanup()"),
    ("do language plpython3u $$ x $$", "its body is in plpython3u"),
    ("select cleanup()", "calls cleanup()"),
    ("select s.lower('x')", "calls s.lower()"),
    ("select dblink_exec('x', 'drop table a')", "calls dblink_exec()"),
    ("select pg_terminate_backend(1)", "calls pg_terminate_backend()"),
    ("update t set s = slug(s)", "calls slug()"),
    ("call p()", "calls p()"),
    ("execute prepared", "prepared statement"),
    ("alter table a drop constraint c", "no file of the directory shows what it is"),
    ("alter table a rename constraint b to c", "renames a constraint of a"),
    ("alter table a add constraint c check (b is not null) not valid", "adds a check to a"),
    ("alter table a add check (b > 0)", "adds a check to a"),
    ("alter table a add column b int check (b is not null)", "adds a check to a"),
    ("alter table a add column b int check (coalesce(b, 0) > 0)", "adds a check to a"),
    ("alter table a add column b int default 1 check (b < c)", "adds a check to a"),
    ("alter table t drop constraint t_s_check; alter table t add constraint t_s_check check (s in ('a', 'c'))", "adds a check to t"),
    ("alter table a add constraint c foreign key (x) references b (y) not valid", "adds a foreign key to a"),
    ("alter table a owner to b", "another owner"),
    ("drop view w; create view w as select 1 as x", "which columns it had"),
    ("drop view v; create view v as select * from t", "which columns it had"),
    ("drop function g(int); create function g(a int) returns int language sql as 'select 1'", "what it gave back before"),
    ("alter policy p on a using (false)", "changes a policy of a"),
    ("alter function f(int) strict", "changes how a function runs"),
    ("alter role x set search_path = y", "setting of a role"),
    ("alter database d set search_path = y", "setting of the database"),
    ("alter system set work_mem = '1GB'", "setting of the server"),
    ("alter extension e update", "updates extension e"),
    ("alter sequence s restart", "how sequence s counts"),
    ("create event trigger e on ddl_command_start execute function f()", "event trigger"),
    ("create cast (text as int) with inout as implicit", "makes a cast"),
    ("copy a from program 'rm -rf /'", "program"),
    ("load 'x'", "loads a library"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "reason"), TAKES)
def test_judge_names_what_takes_something_away(sql: str, reason: str) -> None:
    answer = judge(sql)
    assert answer.verdict == "destructive" and reason in "; ".join(one.reason for one in answer.statements), answer


@pytest.mark.parametrize("sql", ADDS)
def test_judge_lets_pass_what_only_adds(sql: str) -> None:
    answer = judge(sql)
    assert (answer.verdict, answer.problems) == ("additive", []), [one.reason for one in answer.statements]
    assert not [one.reason + one.remedy for one in answer.statements if one.reason or one.remedy]


@pytest.mark.parametrize(("sql", "reason"), UNKNOWN)
def test_judge_says_what_cannot_be_judged(sql: str, reason: str) -> None:
    answer = judge(sql)
    assert answer.verdict == "unknown" and reason in "; ".join(one.reason for one in answer.statements), answer


def test_every_kind_of_statement_has_an_answer() -> None:
    """Those that are left out are no statements of their own: parts of others, and the frame of each."""
    kinds = {name for name in dir(ast) if name.endswith("Stmt")} - {"RawStmt", "ReplicaIdentityStmt", "SetOperationStmt"}
    assert kinds == statements._HANDLERS.keys() & kinds, kinds - statements._HANDLERS.keys()


def test_every_action_of_alter_table_has_an_answer_or_cannot_be_judged() -> None:
    answered = {*table_actions._HARMLESS, *table_actions._TAKES, *table_actions._UNKNOWN, *table_actions._HANDLERS}
    silent = {one.name for one in enums.AlterTableType} - answered
    # What PostgreSQL makes of others later; its parser never gives them.
    assert silent == {
        "AT_AddColumnToView", "AT_CookedColumnDefault", "AT_AddIndex", "AT_ReAddIndex", "AT_ReAddConstraint", "AT_ReAddDomainConstraint",
        "AT_AddIndexConstraint", "AT_ReAddComment", "AT_ReplaceRelOptions", "AT_ReAddStatistics",
    }  # fmt: skip
    made = ast.AlterTableStmt(
        relation=ast.RangeVar(relname="a"), objtype=enums.ObjectType.OBJECT_TABLE,
        cmds=(ast.AlterTableCmd(subtype=enums.AlterTableType.AT_ReAddIndex),),
    )  # fmt: skip
    effect = statements.judge(made, sql_judge.Scene(sql_judge.Known()))
    assert effect.verdict == "unknown" and "not known here" in effect.reason


def test_a_kind_that_is_not_known_cannot_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(statements._HANDLERS, "NotifyStmt")
    assert judge("notify x").verdict == "unknown"


@pytest.mark.parametrize(
    ("sql", "lock", "table"),
    [
        ("create table a (id int)", "", ""),
        ("create table a (id int references b)", "SHARE ROW EXCLUSIVE", "b"),
        ("create table a partition of b for values in (1)", "ACCESS EXCLUSIVE", "b"),
        ("create index i on public.a (x)", "SHARE", "a"),
        ("create index concurrently if not exists i on a (x)", "SHARE UPDATE EXCLUSIVE", "a"),
        ("alter table only s.a add column b text", "ACCESS EXCLUSIVE", "s.a"),
        ('alter table if exists "A b" add c int', "ACCESS EXCLUSIVE", '"A b"'),
        ("alter table a validate constraint c", "SHARE UPDATE EXCLUSIVE", "a"),
        ("alter table a add constraint c foreign key (x) references b (y) not valid", "SHARE ROW EXCLUSIVE", "a"),
        ("alter table a validate constraint c, add d int", "ACCESS EXCLUSIVE", "a"),
        ("alter table a disable trigger t", "SHARE ROW EXCLUSIVE", "a"),
        ("alter table a set (fillfactor = 70)", "SHARE UPDATE EXCLUSIVE", "a"),
        ("alter table a set (user_catalog_table = true)", "ACCESS EXCLUSIVE", "a"),
        ("alter index i rename to j", "SHARE UPDATE EXCLUSIVE", "i"),
        ("create trigger t before insert on a for each row execute function f()", "SHARE ROW EXCLUSIVE", "a"),
        ("create policy p on storage.objects using (true)", "ACCESS EXCLUSIVE", "storage.objects"),
        ("insert into a values (1)", "ROW EXCLUSIVE", "a"),
        ("update only a set x = 1", "ROW EXCLUSIVE", "a"),
        ("with x as (select 1) update a set y = 1", "ROW EXCLUSIVE", "a"),
        ("with x as (update a set y = 1 returning *) select * from x", "ROW EXCLUSIVE", "a"),
        ("vacuum a", "SHARE UPDATE EXCLUSIVE", "a"),
        ("vacuum full a", "ACCESS EXCLUSIVE", "a"),
        ("vacuum (full, analyze) a", "ACCESS EXCLUSIVE", "a"),
        ("vacuum (full false) a", "SHARE UPDATE EXCLUSIVE", "a"),
        ("reindex table concurrently a", "SHARE UPDATE EXCLUSIVE", "a"),
        ("reindex table a", "ACCESS EXCLUSIVE", "a"),
        ("refresh materialized view concurrently a", "EXCLUSIVE", "a"),
        ("lock table a in share mode", "SHARE", "a"),
        ("lock table a", "ACCESS EXCLUSIVE", "a"),
        ("comment on table a is 'x'", "SHARE UPDATE EXCLUSIVE", "a"),
        (do("alter table a add b int;"), "ACCESS EXCLUSIVE", "a"),
        ("select pg_sleep(1)", "", ""),
        ("grant select on a to b", "", ""),
        ("create function f() returns int language sql as $$ select 1 $$", "", ""),
    ],
)
def test_judge_knows_the_lock(sql: str, lock: str, table: str) -> None:
    (statement,) = judge(sql).statements
    assert (statement.lock, statement.table if lock else "") == (lock, table)
    assert statement.locks == (f"{lock} on {table} (blocks {sql_judge.BLOCKS[lock]})" if lock else "")


@pytest.mark.parametrize(
    ("sql", "transactional"),
    [
        ("create index concurrently i on a (b)", False),
        ("drop index concurrently i", False),
        ("reindex index concurrently i", False),
        ("vacuum analyze a", False),
        ("alter system set x = 1", False),
        ("alter table a detach partition b concurrently", False),
        ("create database d", False),
        ("-- parity: no-transaction\ninsert into a values (1)", False),
        ("set lock_timeout = '5s'; create index concurrently i on a (b); comment on index i is 'x'", False),
        ("refresh materialized view concurrently v", True),
        ("create index i on a (b)", True),
        ("analyze a", True),
    ],
)
def test_judge_knows_what_runs_in_a_transaction(sql: str, transactional: bool) -> None:
    answer = judge(sql)
    assert (answer.transactional, answer.problems) == (transactional, [])


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("\\restrict abc\n\nset statement_timeout = 0;", "line 1: \\restrict is a command of psql, which pg_dump"),
        ("select 1;\n  \\i other.sql\n", "line 2: \\i is a command of psql"),
        ("create table a (id int);\ncopy a (id) from stdin;\n1\n\\.\n", "line 2: COPY ... FROM stdin needs psql"),
        ("COPY a FROM STDIN WITH (FORMAT csv);\n'x; y\n\\.\n", "COPY ... FROM stdin needs psql"),
        ("-- +goose Up\ncreate table g (id int);\n-- +goose Down\ndrop table g;", "line 1: '-- +goose' is a section of goose"),
        ("create table g ();\n-- migrate:down\ndrop table g;", "line 2: '-- migrate:down' is a section of dbmate"),
        ("select :name", "line 1: :name is a variable of psql"),
        ("select :'name'", "line 1: :name is a variable of psql"),
        ("select 1;\ncreate tabel x ();", "line 2, column 8: PostgreSQL's parser says syntax error at or near \"tabel\""),
        ("select 'never closed", "line 1, column 8: PostgreSQL's parser says unterminated quoted string"),
        ("select 1;\0", "line 1: the file has a NUL byte"),
        ("alter type st add value 'b';\ncommit;\nbegin;\nupdate t set s = 'b';", "line 4: this file adds the value 'b' to a type"),
        ("alter type st add value 'b'; update t set s = 'b'", "Make two files"),
        ("create table a (); commit; create table b ()", "'commit' begins or ends a transaction"),
        ("savepoint x", "begins or ends a transaction"),
        ("create index concurrently i on a (b);\ncreate table c ()", "line 1: this statement cannot run in a transaction"),
    ],
)
def test_judge_says_what_cannot_run_as_it_is_written(sql: str, words: str) -> None:
    answer = judge(sql)
    assert words in " ".join(answer.problems) and all(one.startswith("1_a.sql, line") for one in answer.problems), answer.problems


@pytest.mark.parametrize("name", ["1_a.down.sql", "1_a_undo.sql", "1_a.rollback.sql"])
def test_judge_refuses_a_file_that_undoes(name: str) -> None:
    assert "undoes a migration" in sql_judge.judge("drop table a", name).problems[0]


@pytest.mark.parametrize(
    "sql",
    [
        "select '\\restrict'", "select 1 -- \\i x", "/* \\i x */ select 1", "select $$ \\d $$", "select '-- +goose Up'", "select a::int",
        "select '10:30'", "copy a to stdout",
        "create type ty as enum ('a'); alter type ty add value 'b'; insert into t (s) values ('b')",
    ],
)  # fmt: skip
def test_judge_takes_only_real_commands_for_commands(sql: str) -> None:
    assert judge(sql).problems == []


def test_a_byte_order_mark_is_taken_off() -> None:
    answer = judge("\ufeffdrop table users;")
    assert (answer.verdict, answer.text, answer.statements[0].start) == ("destructive", "drop table users;", 0)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (" ;; -- nothing\n/* at all; */", []),
        ("select ';'; select 2", ["select ';'", "select 2"]),
        (r"select E'a\';b'; select 'a\'", [r"select E'a\';b'", r"select 'a\'"]),
        ("select 1 /* c; /* c; */ d; */ ; select 2", ["select 1", "select 2"]),
        ("do $a$ begin null; end; $a$; select 1", ["do $a$ begin null; end; $a$", "select 1"]),
        ("create rule r as on insert to t do (select 1; select 2); vacuum", [
            "create rule r as on insert to t do (select 1; select 2)", "vacuum",
        ]),
        (
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 'ü'",
            ["create function f() returns int begin atomic select case when true then 1 end; select 2; end", "select 'ü'"],
        ),
    ],
)  # fmt: skip
def test_statements_are_those_of_the_parser(sql: str, expected: list[str]) -> None:
    assert [one.text for one in judge(sql).statements] == expected


def test_a_statement_knows_where_it_stands() -> None:
    sql = "-- ü\nselect 1;\n\n  select\n  2"
    found = judge(sql).statements
    assert [(one.line, one.start) for one in found] == [(2, 5), (4, 18)]
    assert all(sql[one.start :].startswith(one.text) for one in found)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("select 1;", "-- x\nSELECT   1", True),
        ("select 1; select 2", "select 1;\nselect 2;", True),
        ("begin;\ncreate table a (id int);\ncommit;", "create table a (id int)", True),
        ("START TRANSACTION; select 1; COMMIT WORK", "select 1", True),
        ("begin; select 1", "select 1", False),
        ("select 'a'", "select 'A'", False),
        ('select "a"', 'select "A"', False),
        ("select 1", "select 2", False),
        ("select 'never closed", "select 'never closed ", True),
    ],
)
def test_same_compares_statements(one: str, two: str, expected: bool) -> None:
    assert sql_judge.same(one, two) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", {}),
        ("-- parity: destructive\ndrop table a", {"destructive": ""}),
        ("\ufeff-- parity: destructive\ndrop table a", {"destructive": ""}),
        ("--parity:statement_timeout=2h, destructive", {"statement_timeout": "2h", "destructive": ""}),
        ("# parity: destructive\nx = 1\n", {"destructive": ""}),
        ("-- about parity: destructive", {}),
        ("select 1 -- parity: destructive", {}),
        ("insert into notes values ('\n-- parity: destructive\n')", {}),
        ("do $$ begin\n-- parity: destructive\nnull; end $$", {}),
        ("/*\n-- parity: destructive\n*/", {}),
        ('x = """\n# parity: destructive\n"""\n', {}),
        ("x = (\n# parity: destructive", {}),
    ],
)
def test_directives_are_comments_of_their_own(text: str, expected: dict[str, str]) -> None:
    assert sql_judge.directives(text) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "create role a login\n password 'x1y2z3'", "alter user a password 'x1y2z3'", "create role a password $$x1y2z3$$",
        "create user mapping for a server s options (user 'b', password 'x1y2z3')", "insert into users values ('a', 'x1y2z3')",
        "create subscription s connection 'host=h password=x1y2z3' publication p", "update a set token = 'x1y2z3'",
        do("perform set_config('app.secret', 'x1y2z3', false);"), do("execute 'alter role a password ''x1y2z3''';"),
        "select dblink_connect('password=x1y2z3')", "do $a$ begin create role b password $b$x1y2z3$b$; -- x1y2z3 is the password\n end $a$",
        "alter system set primary_conninfo = 'password=x1y2z3'", "create server s foreign data wrapper w options (secret_key 'x1y2z3')",
    ],
)  # fmt: skip
def test_what_may_be_a_secret_is_not_shown(sql: str) -> None:
    (statement,) = judge(sql).statements
    assert "x1y2z3" not in statement.shown + statement.masked + statement.reason and "x1y2z3" in statement.text


def test_what_is_no_secret_is_shown() -> None:
    sql = "create table a (password_hash text default 'none', kind text check (kind in ('x')))"
    assert judge(sql).statements[0].masked == sql


def test_rendered_sql_keeps_its_transactions_to_itself() -> None:
    rendered = "BEGIN;\n\nALTER TABLE a DROP COLUMN b;\n\nUPDATE alembic_version SET version_num='b' WHERE version_num = 'a';\n\nCOMMIT;\n"
    answer = sql_judge.judge_rendered(rendered, "b_x.py")
    assert (answer.verdict, answer.problems, len(answer.statements)) == ("destructive", [], 2)


def test_destructive_statements_have_a_remedy_where_there_is_one() -> None:
    assert "later release" in judge("alter table a drop b").statements[0].remedy
    assert "CREATE OR REPLACE VIEW" in judge("drop view w; create view w as select 1 as x").statements[0].remedy


SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)
PARTS = some.sampled_from([
    "alter table a", "drop", "create", "table", "column", "function f()", "returns int", "do $$", "$$", "begin", "end", ";", "'", '"', "\\",
    "add", "not null", "default", "check (", ")", "policy p on a", "execute", "-- x\n", "/*", "*/", ":x", "\n",
    "language sql", "as", "select 1", "with x as (", "delete from a", "ü", "\0", "copy a from stdin", "$1", "perform", "if", "then", "commit",
])  # fmt: skip


@SETTINGS
@given(some.one_of(some.text(max_size=60), some.lists(PARTS, max_size=12).map(" ".join)))
def test_judge_answers_whatever_it_is_given(text: str) -> None:
    """No text makes it fail, and what PostgreSQL's parser refuses is never additive without a problem."""
    answer = sql_judge.judge(text, "1_a.sql")
    try:
        pglast.parse_sql(text.removeprefix(texts.BOM))
    except (pglast.parser.ParseError, ValueError):
        assert answer.problems and answer.verdict == "unknown"


@SETTINGS
@given(some.lists(some.sampled_from([*(sql for sql, _why in TAKES), *ADDS]), min_size=1, max_size=4), some.booleans())
def test_a_file_is_as_bad_as_its_worst_statement_unless_it_made_the_thing(statements_of_file: list[str], block: bool) -> None:
    """A comment and a space change nothing."""
    sql = ";\n".join(statements_of_file)
    first = judge(sql)
    second = judge("-- x\n" + sql.replace(" ", "  ") if block else "/* y */ " + sql)
    assert first.verdict == second.verdict or "'" in sql
