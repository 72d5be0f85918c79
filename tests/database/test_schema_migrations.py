# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations against a real PostgreSQL, by a role that owns the database and nothing else."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from typing import Any

import module_run
import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.release import journal
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import plan

FIRST = ("1_items", "create table items (id bigint primary key, name text not null);\ninsert into items values (1, 'one');")
SECOND = ("2_price", "alter table items add column price numeric;")


def files(*migrations: tuple[str, str]) -> list[dict[str, str]]:
    return [{"file": f"{name}.sql", "sql": sql} for name, sql in migrations]


def migrate(url: str, *migrations: tuple[str, str], **options: Any) -> dict[str, Any]:
    return module_run.act("schema_migrations", database_url=url, migrations=files(*migrations), **options)


def versions(query: Any) -> list[str]:
    return [version for (version,) in query("select version from supabase_migrations.schema_migrations order by 1")]


def test_first_run_second_run_and_history(url: str, query: Any) -> None:
    predicted = migrate(url, FIRST, SECOND, check=True)
    assert predicted["pending"] == ["1_items.sql", "2_price.sql"] and predicted["changed"] and predicted["fresh"]
    assert "create table items" in predicted["diff"]["after"]
    assert query("select to_regclass('items'), to_regnamespace('supabase_migrations')") == [(None, None)]
    done = migrate(url, FIRST, SECOND)
    assert done["pending"] == predicted["pending"] and done["attempts"] == {"1_items.sql": 1, "2_price.sql": 1}
    assert query("select version, name, statements[1] from supabase_migrations.schema_migrations order by 1") == [
        ("1", "items", "create table items (id bigint primary key, name text not null)"),
        ("2", "price", "alter table items add column price numeric"),
    ]
    again = migrate(url, FIRST, SECOND)
    assert not again["changed"] and again["pending"] == []


def test_plan_of_a_database_that_does_not_exist(url: str) -> None:
    nowhere = url.rpartition("/")[0] + "/never_made"
    plan = migrate(nowhere, FIRST, check=True, state="planned")
    assert plan["steps"] == ["1_items.sql"] and not plan["changed"]
    assert "has no database of this name" in json.dumps(plan["warnings"])
    assert "has no database of this name" in migrate(nowhere, FIRST, state="planned")["msg"]


def test_plan_says_what_is_locked_and_what_the_linter_says(url: str) -> None:
    migrate(url, FIRST)
    lint = [{"file": "2_price.sql", "line": 1, "rule": "some-rule", "message": "Mind this."}]
    plan = migrate(url, FIRST, SECOND, state="planned", lint=lint)
    (step,) = plan["plan"]
    assert step["statements"][0]["locks"] == "ACCESS EXCLUSIVE on items (blocks reads and writes)"
    assert step["lint"] == lint and plan["steps"] == ["2_price.sql"] and not plan["changed"]
    shown = migrate(url, FIRST, SECOND, check=True, file="2_price.sql", lint=lint)["diff"]["after"]
    assert "takes ACCESS EXCLUSIVE on items" in shown and "Mind this. (some-rule)" in shown


def test_what_runs_first_and_what_later(url: str, query: Any) -> None:
    migrate(url, FIRST, SECOND)
    drop = ("4_drop", "-- parity: destructive\nalter table items drop column price;")
    add = ("3_add", "alter table items add column amount int default 0;")
    unmarked = migrate(url, FIRST, SECOND, add, ("4_drop", "alter table items drop column price;"))
    assert "4_drop.sql takes something away" in unmarked["msg"] and "it drops column price of items" in unmarked["msg"]
    unapproved = migrate(url, FIRST, SECOND, add, drop)
    assert "-e stack_allow_destructive=true" in unapproved["msg"]
    first = migrate(url, FIRST, SECOND, add, drop, allow_destructive=True)
    assert first["pending"] == ["3_add.sql"] and first["later"] == ["4_drop.sql"]
    assert query("select price, amount from items") == [(None, 0)]
    later = migrate(url, FIRST, SECOND, add, drop, allow_destructive=True, phase="destructive", file="4_drop.sql")
    assert later["changed"] and versions(query) == ["1", "2", "3", "4"]
    assert query("select count(*) from information_schema.columns where column_name = 'price'") == [(0,)]


def test_an_additive_one_does_not_overtake_a_destructive_one(url: str, query: Any) -> None:
    migrate(url, FIRST)
    drop = ("2_drop", "-- parity: destructive\nalter table items drop column name;")
    refused = migrate(url, FIRST, drop, ("3_add", "alter table items add column x int"), allow_destructive=True)
    assert "3_add.sql comes after the destructive 2_drop.sql" in refused["msg"] and versions(query) == ["1"]


def test_a_database_without_tables_runs_all_step_by_step(url: str, query: Any) -> None:
    drop = ("2_drop", "alter table items drop column name;")
    all_of_them = (FIRST, drop, ("3_add", "alter table items add column x int not null default 0"))
    plan = migrate(url, *all_of_them, state="planned")
    assert plan["steps"] == ["1_items.sql", "2_drop.sql", "3_add.sql"] and plan["later"] == []
    for step in plan["steps"]:
        assert migrate(url, *all_of_them, file=step, fresh=plan["fresh"])["pending"] == [step]
    assert versions(query) == ["1", "2", "3"]
    assert "is not the next migration" in migrate(url, *all_of_them, ("4_a", "select 1"), ("5_b", "select 1"), file="5_b.sql")["msg"]


def test_edited_missing_and_out_of_order_files_are_errors_that_name_the_repair(url: str, query: Any) -> None:
    migrate(url, FIRST, SECOND)
    edited = ("2_price", "alter table items add column price money;")
    refused = migrate(url, FIRST, edited)
    assert "2_price.sql changed after it was applied" in refused["msg"] and '"release_accept_edited": ["2"]' in refused["msg"]
    query("update supabase_migrations.parity_checksums set verdict = 'unknown'")  # of what only added, the release is told (below)
    assert "delete from supabase_migrations.schema_migrations where version in ('2')" in migrate(url, FIRST)["msg"]
    late = migrate(url, ("0_before", "select 1"), FIRST, SECOND)
    assert "0_before.sql would run after a later one (2)" in late["msg"]
    both = migrate(url, edited, check=True)
    assert len(both["problems"]) == 2 and versions(query) == ["1", "2"]
    accepted = migrate(url, FIRST, edited, accept_edited=["2"])
    assert accepted["changed"] and accepted["pending"] == []
    assert not migrate(url, FIRST, edited)["changed"]
    assert "2_price.sql changed" in migrate(url, FIRST, SECOND)["msg"]


def test_a_database_the_supabase_cli_has_been_managing_is_adopted(url: str, query: Any) -> None:
    query("create schema supabase_migrations")
    query("create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)")
    query("create table items (id bigint primary key, name text not null)")
    statements = ["create table items (id bigint primary key, name text not null)", "insert into items values (1, 'one')"]
    query("insert into supabase_migrations.schema_migrations values ('1', %s, 'items'), ('2', null, 'price')", (statements,))
    assert "1_items.sql changed after" in migrate(url, ("1_items", FIRST[1] + " select 1;"), SECOND)["msg"]
    plan = migrate(url, FIRST, SECOND, ("3_x", "select 1"), state="planned")
    assert plan["steps"] == ["checksums", "3_x.sql"]
    assert migrate(url, FIRST, SECOND, ("3_x", "select 1"), file="checksums")["changed"]
    assert versions(query) == ["1", "2"]
    assert "2_price.sql changed after" in migrate(url, FIRST, ("2_price", "select 2"))["msg"]
    assert migrate(url, FIRST, SECOND, ("3_x", "select 1"))["pending"] == ["3_x.sql"]


def test_the_third_of_five_is_broken(url: str, query: Any) -> None:
    third = ("3_broken", "create table half (id int);\n\ninsert into half\n  select nothing from items;\n")
    rest = (("4_d", "create table d (id int)"), ("5_e", "create table e (id int)"))
    failed = migrate(url, FIRST, SECOND, third, *rest)
    assert 'column "nothing" does not exist' in failed["msg"] and "line 4, column 10" in failed["msg"]
    assert failed["file"] == "3_broken.sql" and failed["statement_number"] == 2 and failed["server"]["code"] == "42703"
    assert failed["statement"] == "insert into half select nothing from items"
    assert versions(query) == ["1", "2"]
    assert query("select to_regclass('half'), to_regclass('d'), to_regclass('items') is null") == [(None, None, False)]
    mended = ("3_broken", "create table half (id int);")
    assert migrate(url, FIRST, SECOND, mended, *rest)["pending"] == ["3_broken.sql", "4_d.sql", "5_e.sql"]


def test_a_lock_held_for_20_s_delays_the_migration_and_no_reader_for_longer_than_the_lock_timeout(
    url: str, query: Any, session: Any
) -> None:
    migrate(url, FIRST)
    holder, reader = session(), session()
    holder.cursor().execute("select * from items")  # a long reader: ACCESS SHARE until its transaction ends
    reader.autocommit = True
    started = time.monotonic()
    threading.Timer(20, holder.commit).start()
    process = module_run.start("schema_migrations", database_url=url, judged=plan.judged(files(FIRST, SECOND)), lock_timeout="1s")
    waits = []
    while process.poll() is None:
        before = time.monotonic()
        with reader.cursor() as cursor:
            cursor.execute("select count(*) from items")
        waits.append(time.monotonic() - before)
        time.sleep(0.02)
    done = module_run.result(process)
    assert done["pending"] == ["2_price.sql"] and done["attempts"]["2_price.sql"] > 3, done
    assert time.monotonic() - started > 20
    assert 0.5 < max(waits) < 1.6, max(waits)  # readers did queue up behind it, and not for longer
    assert len(waits) > 100


def test_who_holds_the_lock_is_named_at_the_end(url: str, session: Any, query: Any) -> None:
    migrate(url, FIRST)
    holder = session()
    holder.cursor().execute("set application_name = 'nightly report'; lock table items in access share mode")
    failed = migrate(url, FIRST, SECOND, lock_timeout="100ms", lock_retries=2)
    assert "did not get its lock in 3 attempts" in failed["msg"] and "nightly report" in failed["msg"]
    assert "ACCESS EXCLUSIVE on items" in failed["msg"] and versions(query) == ["1"]


def test_two_migrators_at_once(url: str, query: Any) -> None:
    slow = ("3_slow", "select pg_sleep(2); create table slow (id int);")
    many = [module_run.start("schema_migrations", database_url=url, judged=plan.judged(files(FIRST, SECOND, slow))) for _dummy in range(2)]
    done = [module_run.result(process) for process in many]
    assert sorted(len(one["pending"]) for one in done) == [0, 3], done
    assert versions(query) == ["1", "2", "3"]


def test_a_migrator_that_does_not_end_is_named(url: str, query: Any) -> None:
    slow = module_run.start("schema_migrations", database_url=url, judged=plan.judged(files(("1_slow", "select pg_sleep(6)"))))
    deadline = time.monotonic() + 5
    while not query("select 1 from pg_locks where locktype = 'advisory'") and time.monotonic() < deadline:
        time.sleep(0.1)
    refused = migrate(url, ("1_slow", "select pg_sleep(6)"), wait_seconds=1)
    assert "Another migration of" in refused["msg"] and "(process " in refused["msg"]
    assert module_run.result(slow)["pending"] == ["1_slow.sql"]


def test_a_killed_migrator_leaves_nothing_behind(url: str, query: Any) -> None:
    killed = files(FIRST, ("2_slow", "create table x (); select pg_sleep(5)"))
    slow = module_run.start("schema_migrations", database_url=url, judged=plan.judged(killed))
    deadline = time.monotonic() + 10
    while not query("select 1 from pg_stat_activity where query like 'select pg_sleep%%'") and time.monotonic() < deadline:
        time.sleep(0.1)
    slow.kill()
    slow.wait()
    quick = migrate(url, FIRST, ("2_slow", "create table x ()"))
    assert quick["pending"] == ["2_slow.sql"] and versions(query) == ["1", "2"]


def test_what_runs_concurrently_runs_outside_a_transaction_while_others_wait_for_the_lock(url: str, query: Any, session: Any) -> None:
    migrate(url, FIRST)
    index = ("2_index", "create index concurrently by_name on items (name);")
    writer = session()
    writer.cursor().execute("insert into items values (2, 'two')")  # the index waits for this to end, for longer than lock_timeout
    threading.Timer(3, writer.commit).start()
    judged = plan.judged(files(FIRST, index))
    many = [module_run.start("schema_migrations", database_url=url, judged=judged, lock_timeout="500ms") for _dummy in range(2)]
    done = [module_run.result(process) for process in many]
    assert sorted(one["pending"] for one in done) == [[], ["2_index.sql"]], done
    assert query("select indisvalid from pg_index where indexrelid = 'by_name'::regclass") == [(True,)]


def test_a_failed_concurrent_index_leaves_nothing_and_a_killed_one_is_cleared(url: str, query: Any) -> None:
    migrate(url, FIRST)
    query("insert into items values (2, 'one')")
    index = ("2_index", "-- parity: destructive\ncreate unique index concurrently if not exists by_name on items (name);")
    approved = {"allow_destructive": True, "phase": "destructive"}
    failed = migrate(url, FIRST, index, **approved)
    assert "could not create unique index" in failed["msg"] and "left nothing behind" in failed["msg"]
    assert query("select to_regclass('by_name')") == [(None,)]
    with pytest.raises(Exception, match="could not create unique index"):
        query(index[1])  # what a killed run leaves: an invalid index that IF NOT EXISTS would take for a good one
    assert query("select to_regclass('by_name') is not null") == [(True,)]
    query("delete from items where id = 2")
    assert migrate(url, FIRST, index, **approved)["pending"] == ["2_index.sql"]
    assert query("select indisvalid from pg_index where indexrelid = 'by_name'::regclass") == [(True,)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("create table x (); commit; create table y ();", "begins or ends a transaction"),
        ("create index concurrently i on items (name); create table x ();", "into a file of its own"),
        ("\\restrict abc\ncreate table x ();", "line 1: \\restrict is a command of psql"),
        ("copy items from stdin;\n1\tx; y\n\\.\n", "COPY ... FROM stdin needs psql"),
        ("-- +goose Up\ncreate table x ();\n-- +goose Down\ndrop table x;", "is a line of goose"),
        ("alter type st add value 'b'; update t set s = 'b';", "Write two files"),
        ("create tabel x ();", "line 1: column 8: PostgreSQL's parser says: syntax error"),
        ("-- parity: destuctive\nselect 1", "`-- parity: destuctive` means nothing"),
        ("-- parity: statement_timeout=long\nselect 1", "statement_timeout='long'"),
    ],
)
def test_files_that_cannot_run_as_they_are_written(url: str, query: Any, text: str, words: str) -> None:
    migrate(url, FIRST)
    assert words in migrate(url, FIRST, ("2_x", text))["msg"] and versions(query) == ["1"]


def test_a_file_in_begin_and_commit_is_one_transaction_and_equals_the_same_without(url: str, query: Any) -> None:
    migrate(url, FIRST)
    whole = ("2_x", "begin;\ncreate table x (id int);\ncommit;\n")
    assert migrate(url, FIRST, whole)["pending"] == ["2_x.sql"]
    # As Supabase's command line records it, with and without the two lines in the file.
    query("delete from supabase_migrations.parity_checksums where version = '2'")
    recorded = ["begin", "create table x (id int)", "commit"]
    query("update supabase_migrations.schema_migrations set statements = %s where version = '2'", (recorded,))
    assert not migrate(url, FIRST, ("2_x", "create table x (id int);"), state="planned").get("failed")
    assert "2_x.sql changed after it was applied" in migrate(url, FIRST, ("2_x", "create table x (id bigint);"))["msg"]
    assert migrate(url, FIRST, whole)["changed"]


def test_an_earlier_release_runs_with_files_that_only_added(url: str, query: Any) -> None:
    added, removed = ("2_x", "create table x (id int)"), ("3_y", "-- parity: destructive\ndrop table x")
    migrate(url, FIRST, added)
    earlier = migrate(url, FIRST)
    assert not earlier.get("failed") and not earlier["changed"] and earlier["ahead"] == ["2_x.sql"]
    assert "2_x.sql. They only added something when they were applied" in str(earlier["warnings"])
    assert migrate(url, FIRST, state="checked")["problems"] == []

    migrate(url, FIRST, added, removed, allow_destructive=True, phase="destructive")
    assert versions(query) == ["1", "2", "3"]
    assert migrate(url, FIRST, added, removed)["ahead"] == []
    assert "3_y.sql took something away when it was applied. Deploy a release" in migrate(url, FIRST, added)["msg"]
    # Whatever another tool has applied, nobody has judged.
    query("delete from supabase_migrations.parity_checksums where version = '2'")
    assert "2 was not judged when it was applied" in migrate(url, FIRST)["msg"]


def test_a_byte_order_mark_is_no_part_of_the_first_statement(url: str, query: Any) -> None:
    migrate(url, FIRST)
    assert "it drops table items" in migrate(url, FIRST, ("2_x", "\ufeffdrop table items;"))["msg"]
    assert migrate(url, FIRST, ("2_x", "\ufeffcreate table x (id int);"))["pending"] == ["2_x.sql"]
    assert query("select statements[1] from supabase_migrations.schema_migrations where version = '2'") == [("create table x (id int)",)]


def test_a_check_reports_every_problem_and_fails_for_none(url: str, query: Any) -> None:
    migrate(url, FIRST)
    clean = migrate(url, FIRST, SECOND, state="checked")
    assert (clean["problems"], clean["asked"], clean["changed"]) == ([], True, False)
    wrong = migrate(url, FIRST, ("2_x", "\\restrict a"), ("3_y", "copy x from stdin;"), state="checked")
    assert len(wrong["problems"]) == 2 and not wrong.get("failed")
    assert "takes something away" in migrate(url, FIRST, ("2_x", "drop table items"), state="checked")["problems"][0]
    marked = migrate(url, FIRST, ("2_x", "-- parity: destructive\ndrop table items"), state="checked")
    assert "until someone approves" in marked["problems"][0]
    nowhere = migrate(url.rpartition("/")[0] + "/never_made", ("1_x", "drop table items"), ("2_y", "\\i x"), state="checked")
    assert not nowhere["asked"] and "no database of this name" in nowhere["reason"] and len(nowhere["problems"]) == 1
    assert versions(query) == ["1"]


def test_a_statement_that_takes_too_long(url: str, query: Any) -> None:
    migrate(url, FIRST)
    slow = ("2_slow", "select pg_sleep(3);")
    assert "-- parity: statement_timeout=2h" in migrate(url, FIRST, slow, statement_timeout="300ms")["msg"]
    more = ("2_slow", "-- parity: statement_timeout=5s\nselect pg_sleep(1);")
    assert migrate(url, FIRST, more, statement_timeout="300ms")["changed"]


def test_a_file_that_leaves_settings_or_a_role_behind(url: str, query: Any) -> None:
    odd = ("1_odd", "select set_config('search_path', '', false); set lock_timeout = 1; create table public.a (id int);")
    assert migrate(url, odd, ("2_b", "create table b (id int)"))["pending"] == ["1_odd.sql", "2_b.sql"]
    assert query("select to_regclass('public.b') is not null") == [(True,)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("@", "wrong@", 1), "refuses the password"),
        (lambda url: url.rpartition(":")[0] + ":6543/x", "transaction pooler"),
        (lambda url: url + "?sslmode=verify-full&sslrootcert=/nowhere.pem", "certificate that cannot be verified"),
    ],
)
def test_connections_that_cannot_be_had(url: str, change: Any, words: str) -> None:
    failed = migrate(change(url), FIRST)
    assert words in failed["msg"]
    assert url.split(":")[2].split("@")[0] not in str(failed).replace("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "")


def test_percent_signs_and_odd_texts_run_as_they_are(url: str, query: Any) -> None:
    text = "create table odd (x text);\ninsert into odd values ('100%s %(a)s; -- not a comment'), (E'a\\'b;');\n-- the end"
    assert migrate(url, ("1_odd", text))["changed"]
    assert query("select x from odd order by 1") == [("100%s %(a)s; -- not a comment",), ("a'b;",)]


def test_what_a_run_applied_is_noted_in_its_journal(url: str, query: Any) -> None:
    """In a journal of its own: a stack's journal has one place on a host."""
    stack = f"migrating-{uuid.uuid4().hex[:8]}"
    path = Layout(stack).journal
    try:
        migrate(url, FIRST, SECOND, stack=stack, run="r1", check=True)
        assert not path.exists()
        broken = ("3_broken", "alter table items add column x int; select 1 / 0;")
        outside = ("3_outside", "create index concurrently i on items (name); create index concurrently i on items (name);")
        assert "migrations" not in migrate(url, FIRST, SECOND, stack=stack, run="r1")
        assert "division by zero" in migrate(url, FIRST, SECOND, broken, stack=stack, run="r2")["msg"]
        assert "already exists" in migrate(url, FIRST, SECOND, outside, stack=stack, run="r3")["msg"]
        entries = journal.read(path)
        assert [(one["phase"], one["file"]) for one in entries if one["run"] == "r1"] == [
            ("migrating", "1_items.sql"), ("migrated", "1_items.sql"), ("migrating", "2_price.sql"), ("migrated", "2_price.sql"),
        ]  # fmt: skip
        assert [journal.applied_migrations(entries, run) for run in ("r1", "r2", "r3")] == [
            ["1_items.sql", "2_price.sql"], [], ["3_outside.sql (may be applied)"],
        ]  # fmt: skip
        assert versions(query) == ["1", "2"]
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


def test_a_password_between_dollar_signs_is_in_no_message(url: str) -> None:
    target = postgresql.parse_url(url, "url")
    word = target.password
    for text in (f"$${word}$$", f"'{word}'", f"E'{word}'"):
        failed = migrate(url, ("1_x", f"select {text}::int;"))
        assert failed["failed"] and f"{word}$" not in json.dumps(failed) and f"'{word}'" not in json.dumps(failed)
