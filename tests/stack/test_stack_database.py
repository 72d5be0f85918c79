# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of a deployed stack: the application works through the pooler, a backup takes the database's place, and the
application goes on."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from running_playbooks import table
from servers import NAME, ROOT, assert_keeps_secrets, load, on, play, python_on, size, sql, upload, values

pytestmark = pytest.mark.usefixtures("deployed_stack")

#: Documents of this run, on a stack that may have been tested before.
RUN = str(int(time.time()))
APPLICATION = "from pg_stat_activity where usename = 'docpipe_app'"


def completed(subject: str, seconds: float = 60) -> float:
    """Upload a document through the gateway; how long it takes until it is complete."""
    subject, started = f"{RUN} {subject}", time.monotonic()
    upload(1, subject)
    while sql(f"SELECT state FROM documents WHERE owner = '{subject}'") != [["complete"]]:
        assert time.monotonic() < started + seconds, sql(f"SELECT state, reason FROM documents WHERE owner = '{subject}'")
        time.sleep(0.5)
    return time.monotonic() - started


def deployment_lock(state: str, **context: str) -> dict:
    """Call the module that keeps the lock, as a control node that is not this one."""
    arguments = {"state": state, "context": {"stack": "docpipe", "user": "docpipe", "host": "app1", **context}}
    done = subprocess.run(
        ["ansible", "app1", "-i", "inventories/local", "-o", "-m", "parity.stack.deployment_lock", "-a", json.dumps(arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.split("=>", 1)[1])


def test_the_application_works_through_the_pooler_and_the_owner_does_not() -> None:
    completed("pooled")
    # PgBouncer comes through the server's socket, so that a client's address is one that came past it.
    assert sql(f"select distinct client_addr is null {APPLICATION}") == [["t"]]
    shown = on("data1", "runuser", "-u", "postgres", "--", "psql", "-h", "/var/run/postgresql", "-p", "6432", "-U", "pgbouncer", "-XAtc",
               "show pools", "pgbouncer")  # fmt: skip
    clients = on("data1", "runuser", "-u", "postgres", "--", "psql", "-h", "/var/run/postgresql", "-p", "6432", "-U", "pgbouncer", "-XAtc",
                 "show clients", "pgbouncer")  # fmt: skip
    assert all("TLSv1.3" in line for line in clients.splitlines() if "|docpipe_app|" in line), clients
    assert sql("select distinct type from pg_hba_file_rules order by 1") == [["hostssl"], ["local"]]
    pool = next(line.split("|") for line in shown.splitlines() if line.startswith("docpipe|docpipe_app|"))
    assert pool[-1] == "transaction", shown


def test_a_large_database_is_backed_up_and_proved_with_progress_while_the_application_answers() -> None:
    rows = size(50_000, 2_000_000)
    sql("set role docpipe_owner; drop table if exists many; create table many (id int primary key, words text); "
        f"insert into many select n, md5(n::text) || md5((-n)::text) from generate_series(1, {rows}) n")  # fmt: skip
    started = time.monotonic()
    with load(5) as requests:
        run = play("playbooks/backup.yml", *values(backup_label="large"), seconds=1800)
    seconds = time.monotonic() - started
    assert run.code == 0, run.output[-3000:]
    told = [line.strip() for line in run.output.splitlines() if line.startswith("    data1: ")]
    assert re.search(f"public.many, {rows} rows.*restoring.*public.many, {rows} rows", "\n".join(told), re.DOTALL), told
    manifest = json.loads(on("data1", "sh", "-c", "cat $(ls /var/backups/docpipe/*-large.json | tail -n 1)"))
    assert manifest["tables"]["public.many"] == rows and manifest["verified"] == "restore"
    table("backup of a large database: dumped, restored and compared, with 5 requests/s to the application",
          ["rows", "database", "dump", "took", "lines of progress", "requests", "failed"],
          [[rows, f"{manifest['database_size'] // 2**20} MiB", f"{manifest['size'] // 2**20} MiB", f"{seconds:.0f} s", len(told),
            requests.result["sent"], len(requests.failed)]])  # fmt: skip
    assert requests.failed == []
    sql("drop table many")
    on("data1", "sh", "-c", "rm /var/backups/docpipe/*-large.*")


READER = """
import json, ssl, sys, time, urllib.request
from pathlib import Path
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
headers = {"Authorization": "Bearer " + Path("/run/token").read_text(encoding="utf-8").strip()}
slowest, answers, failed, end = 0, 0, [], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    before = time.monotonic()
    try:
        urllib.request.urlopen(urllib.request.Request("https://edge1:8443/documents?limit=1", headers=headers), timeout=30, context=context)
        answers += 1
    except Exception as error:
        failed.append(f"{type(error).__name__} {error}")
    slowest = max(slowest, time.monotonic() - before)
    time.sleep(0.2)
print(json.dumps({"answers": answers, "failed": failed, "slowest": round(slowest, 2)}))
"""
MIGRATION = """
- hosts: app1
  gather_facts: false
  tasks:
    - name: Add a column to the table
      parity.stack.schema_migrations:
        database_url: "{{ stack_database_owner_url }}"
        migrations: "{{ given }}"
        lock_timeout: 1s
"""


def test_a_migration_that_waits_for_a_lock_lets_the_application_answer(tmp_path: Path) -> None:
    completed("reader")  # leaves a token on ops1
    folder = ROOT / "examples/docpipe/supabase/migrations"
    given = [{"file": path.name, "sql": path.read_text(encoding="utf-8")} for path in sorted(folder.glob("*.sql"))]
    given.append({"file": "29990101000001_note.sql", "sql": "alter table documents add column note text;"})
    (tmp_path / "migrate.yml").write_text(MIGRATION, encoding="utf-8")
    held = size(8, 20)
    # Somebody reads for long, and the migration has to wait for them; the application's readers would queue up behind it.
    holder = ["runuser", "-u", "postgres", "--", "psql", "-ddocpipe", "-XAtqc",
              f"begin; select count(*) from documents; select pg_sleep({held})"]  # fmt: skip
    holding = subprocess.Popen(["docker", "exec", f"{NAME}-data1", *holder], stdout=subprocess.DEVNULL)
    reading = subprocess.Popen(["docker", "exec", "-i", f"{NAME}-ops1", "python3", "-", str(held + 4)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    reading.stdin.write(READER)
    reading.stdin.close()
    reading.stdin = None
    started = time.monotonic()
    try:
        run = play(str(tmp_path / "migrate.yml"), *values(given=given))
        took = time.monotonic() - started
        seen = json.loads(reading.communicate(timeout=60)[0])
        assert run.code == 0 and run.changed["app1"] == 1, run.output[-3000:]
        assert sql("select count(*) from information_schema.columns where table_name = 'documents' and column_name = 'note'") == [["1"]]
    finally:
        holding.wait(timeout=60)
        sql("alter table documents drop column if exists note")
        for history in ("schema_migrations", "parity_checksums"):
            sql(f"delete from supabase_migrations.{history} where version like '2999%'")
    table("a migration that waits for a lock: what readers of the application see meanwhile",
          ["lock held", "migration took", "answers", "failed", "slowest"],
          [[f"{held} s", f"{took:.0f} s", seen["answers"], len(seen["failed"]), f"{seen['slowest']} s"]])  # fmt: skip
    assert took > held - 2, "nobody had to wait"
    assert seen["failed"] == [] and seen["answers"] > held and seen["slowest"] < 3, seen


def test_a_restore_nobody_confirmed_or_beside_another_run_is_refused() -> None:
    before = sql("select oid from pg_database where datname = 'docpipe'")
    for words in ([], values(restore_confirm="another")):
        run = play("playbooks/restore.yml", *words)
        assert run.code != 0 and "-e restore_confirm=docpipe" in run.output, run.output[-3000:]
        assert "Take the deployment lock" not in run.output, "it went on to the lock"
    held = deployment_lock("locked", operator="Ada")
    try:
        run = play("playbooks/restore.yml", *values(restore_confirm="docpipe"))
    finally:
        deployment_lock("unlocked", run=held["run"])
    assert run.code != 0 and "Ada holds the lock" in run.output, run.output[-3000:]
    assert "The database is the one it was before" in run.output
    assert not any(run.changed.values())
    assert sql("select oid from pg_database where datname = 'docpipe'") == before


def test_a_restored_database_is_the_one_the_application_goes_on_with() -> None:
    completed("before the backup")
    backup = play("playbooks/backup.yml")
    assert backup.code == 0, backup.output[-3000:]
    assert '"server": "data1:5432"' in on("data1", "sh", "-c", "cat /var/backups/docpipe/*.json"), "it went past the pooler"
    completed("after the backup")
    words = values(restore_confirm="docpipe")
    predicted = play("playbooks/restore.yml", "--check", "--diff", *words)
    assert predicted.code == 0, predicted.output[-3000:]
    assert "takes the place of docpipe, which is kept as docpipe_before_" in predicted.words, predicted.output[-3000:]
    assert sql("select count(*) from pg_database where datname like 'docpipe_%'") == [["0"]]
    run = play("playbooks/restore.yml", *words)
    assert run.code == 0, run.output[-4000:]
    assert run.changed == predicted.changed
    assert_keeps_secrets(run.output)
    # The services find the new database by themselves, through a pooler that knew the one before.
    assert completed("after the restore", seconds=30) < 30
    found = sql(f"select owner from documents where owner like '{RUN} % the backup' or owner like '{RUN} % the restore' order by 1")
    assert found == [[f"{RUN} after the restore"], [f"{RUN} before the backup"]]
    # Nobody connects to the one of before, which has what came after the backup.
    kept = sql("select datname, datallowconn from pg_database where datname like 'docpipe_before_%'")
    assert [allowed for _name, allowed in kept] == ["f"]
    assert "deploy.lock" not in on("app1", "ls", "-A", "/var/lib/docpipe")
    on("data1", "runuser", "-u", "postgres", "--", "dropdb", kept[0][0])


def test_a_server_that_is_no_replica_is_not_promoted() -> None:
    unnamed = play("playbooks/promote.yml")
    assert unnamed.code != 0 and "with one of data1" in unnamed.output, unnamed.output[-3000:]
    primary = play("playbooks/promote.yml", *values(promote_host="data1"))
    assert "takes writes already" in primary.output and not any(primary.changed.values()), primary.output[-3000:]


def test_status_shows_the_inside_of_the_database_and_says_where_it_cannot() -> None:
    sql("create table public.child (id int primary key, parent int references public.child); "
        "insert into public.child select n, 1 from generate_series(1, 2000) n; analyze public.child")  # fmt: skip
    try:
        run = play("playbooks/status.yml")
        assert run.code == 0, run.output[-3000:]
        assert "child_parent_fkey of public.child (parent; 2000 rows) has no index" in run.words, run.output[-3000:]
        assert not any(run.changed.values())
        subprocess.run(["docker", "exec", f"{NAME}-data1", "systemctl", "stop", "postgresql@15-main"], check=True, timeout=60)
        away = play("playbooks/status.yml")
        assert away.code == 0, away.output[-3000:]
        assert "the database is not checked: The server of database docpipe" in away.words, away.output[-3000:]
    finally:
        on("data1", "systemctl", "start", "postgresql@15-main")
        sql("drop table public.child")
    completed("after the server was away", seconds=60)


def test_monitoring_sees_the_database() -> None:
    ask = "import urllib.request as r; print(r.urlopen('http://ops1:9090/api/v1/query?query=database_connections').read().decode())"
    deadline = time.monotonic() + 60  # the database was just away, and is asked every 15 seconds
    while not (found := json.loads(python_on("ops1", ask))["data"]["result"]):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert found[0]["metric"]["instance"] == "data1:9187"
