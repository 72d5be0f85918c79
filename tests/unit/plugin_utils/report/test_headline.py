# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The telling line of messages as programs write them."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.failed_tasks import failed_tasks
from ansible_collections.parity.stack.plugins.filter.first_failure import first_failure
from ansible_collections.parity.stack.plugins.plugin_utils.report import headline, outcome

HEAD = "api of release v2 is not healthy in slot green: its process ends (exit status {}). Its last log lines:\n"
MISSING = """Traceback (most recent call last):
  File "/opt/shop/slots/green/venv/bin/uvicorn", line 8, in <module>
    sys.exit(main())
             ^^^^^^
  File "/opt/shop/releases/v2/app/shop/main.py", line 3, in <module>
    import shop.missing
ModuleNotFoundError: No module named 'shop.missing'
"""
CHAINED = """Traceback (most recent call last):
  File "/opt/shop/settings.py", line 10, in load
    return os.environ["SECRET_KEY"]
KeyError: 'SECRET_KEY'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/shop/main.py", line 4, in <module>
    load()
django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable
"""
GUNICORN = f"""[2026-01-05 10:00:00 +0000] [17] [INFO] Booting worker with pid: 17
[2026-01-05 10:00:00 +0000] [17] [ERROR] Exception in worker process
{MISSING}[2026-01-05 10:00:00 +0000] [17] [INFO] Worker exiting (pid: 17)
[2026-01-05 10:00:00 +0000] [12] [ERROR] Worker (pid:17) exited with code 3
Traceback (most recent call last):
  File "/opt/shop/venv/lib/gunicorn/arbiter.py", line 209, in run
    self.sleep()
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""
CELERY = """Usage: celery [OPTIONS] COMMAND [ARGS]...
Try 'celery --help' for help.

Error: Invalid value for '-A' / '--app':
Unable to load celery application.
The module shop.tasks was not found.
"""
PYDANTIC = """Traceback (most recent call last):
  File "/opt/shop/main.py", line 4, in <module>
    settings = Settings()
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
SECRET_KEY
  Field required [type=missing, input_value={'database_url': 'postgresql://shop:hunter2@db/shop'}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.10/v/missing
"""
SQLALCHEMY = """Traceback (most recent call last):
  File "/opt/shop/db.py", line 1, in <module>
    engine.connect()
sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at "10.0.0.5", port 5432 failed: Connection refused
\tIs the server running on that host and accepting TCP/IP connections?

(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""
UV = f"""Using CPython 3.11.2
  {chr(0xD7)} No solution found when resolving dependencies:
  ╰─▶ Because there is no version of shopfoo==9 and shop depends on shopfoo==9, we can conclude that shop cannot be used.
"""


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        # Python
        (MISSING, "ModuleNotFoundError: No module named 'shop.missing'"),
        (HEAD.format(1) + MISSING, "ModuleNotFoundError: No module named 'shop.missing'"),
        # systemd restarts it, so its log holds the traceback again, from its middle at first.
        (HEAD.format(0) + MISSING[36:] + MISSING, "ModuleNotFoundError: No module named 'shop.missing'"),
        # A log that begins in the middle of one.
        (
            HEAD.format(1) + '  File "/opt/shop/main.py", line 4, in <module>\n    load()\nshop.settings.Incomplete: no SECRET_KEY\nbye',
            "shop.settings.Incomplete: no SECRET_KEY",
        ),
        (CHAINED, "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable"),
        (HEAD.format(3) + GUNICORN, "ModuleNotFoundError: No module named 'shop.missing'"),
        (
            HEAD.format(1) + "\n".join(f"app1 shop[7]: {line}" for line in MISSING.splitlines()),
            "ModuleNotFoundError: No module named 'shop.missing'",
        ),
        (
            HEAD.format(1) + PYDANTIC,
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings: SECRET_KEY: Field required",
        ),
        (
            SQLALCHEMY,
            'sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at "10.0.0.5", port 5432 failed: '
            "Connection refused",
        ),
        (
            "Traceback (most recent call last):\n  File \"a.py\", line 1\n    def x(\n         ^\nSyntaxError: '(' was never closed",
            "SyntaxError: '(' was never closed",
        ),
        ('Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    assert 0\nAssertionError', "AssertionError"),
        (
            HEAD.format(1) + "shutting down\nValueError: invalid literal for int() with base 10: 'x'",
            "ValueError: invalid literal for int() with base 10: 'x'",
        ),
        # What programs say when they end
        (
            HEAD.format(1) + 'ERROR:    Error loading ASGI app. Could not import module "shop.missing".',
            'ERROR: Error loading ASGI app. Could not import module "shop.missing".',
        ),
        (
            HEAD.format(2) + CELERY,
            "Error: Invalid value for '-A' / '--app': Unable to load celery application. The module shop.tasks was not found.",
        ),
        (
            HEAD.format(2) + "usage: ticker [-h]\nticker: error: unrecognized arguments: --fast",
            "ticker: error: unrecognized arguments: --fast",
        ),
        (
            HEAD.format(0) + "nothing to do\nbye\n",
            "api of release v2 is not healthy in slot green: its process ends (exit status 0): bye",
        ),
        (
            "api of release v2 is not healthy in slot green: /ready answers 503. Its last log lines:\nGET /ready 503",
            "api of release v2 is not healthy in slot green: /ready answers 503",
        ),
        # systemd
        (
            "Unable to start service shop-api@green.service: Job for shop-api@green.service failed because the control process exited with "
            'error code.\nSee "systemctl status shop-api@green.service" and "journalctl -xeu shop-api@green.service" for details.',
            "Unable to start service shop-api@green.service: Job for shop-api@green.service failed because the control process exited with "
            "error code.",
        ),
        # PostgreSQL
        ('psql:0002.sql:3: ERROR:  relation "users" does not exist\nLINE 1: ALTER TABLE users', 'ERROR: relation "users" does not exist'),
        (
            'connection to server at "db" (10.0.0.5), port 5432 failed: FATAL:  password authentication failed for user "shop"\n',
            'FATAL: password authentication failed for user "shop"',
        ),
        (
            "0002_b.sql was not applied: canceling statement due to lock timeout\nThe migration stays pending.",
            "0002_b.sql was not applied: canceling statement due to lock timeout",
        ),
        # pip and uv
        (
            "ERROR: Could not find a version that satisfies the requirement foo==9 (from versions: none)\n"
            "ERROR: No matching distribution found for foo==9",
            "ERROR: Could not find a version that satisfies the requirement foo==9 (from versions: none)",
        ),
        (
            UV,
            "No solution found when resolving dependencies: Because there is no version of shopfoo==9 and shop depends on shopfoo==9, "
            "we can conclude that shop cannot be used.",
        ),
        (
            "error: Failed to fetch: `https://files.example.org/shop.whl`\n  Caused by: dns error",
            "error: Failed to fetch: `https://files.example.org/shop.whl`",
        ),
        # Ansible
        (
            "Failed to connect to the host via ssh: Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts."
            "\r\ndeploy@10.0.0.1: Permission denied (publickey).",
            "Failed to connect to the host via ssh: deploy@10.0.0.1: Permission denied (publickey).",
        ),
        (
            "Failed to connect to the host via ssh: ssh: connect to host 10.0.0.1 port 22: Connection refused",
            "Failed to connect to the host via ssh: ssh: connect to host 10.0.0.1 port 22: Connection refused",
        ),
        (
            "Validation of arguments failed:\nmissing required arguments: release_name",
            "Validation of arguments failed: missing required arguments: release_name",
        ),
        (
            "Task failed: Action failed: 2 problem(s) to solve first; nothing was changed.\n- stack_name is missing",
            "2 problem(s) to solve first; nothing was changed.",
        ),
        ("Task failed: Error while resolving value for 'msg': 'x' is undefined", "Error while resolving value for 'msg': 'x' is undefined"),
        ("One or more items failed", "One or more items failed"),
        # This collection's
        ("1 of 3 requests were not answered as expected:\nThe API: 500", "1 of 3 requests were not answered as expected: The API: 500"),
        ("it ends. Its last log lines:\nx", "it ends"),
        ("one\ntwo", "one"),
        ("", ""),
        ("\n", ""),
        ("x" * 1000, "x" * 300),
    ],
)
def test_headline_of(message: str, wanted: str) -> None:
    assert headline.headline_of(message) == wanted


def test_a_value_that_may_be_a_secret_stays_out() -> None:
    assert "hunter2" not in headline.headline_of(PYDANTIC)


@pytest.mark.parametrize(
    ("result", "first"),
    [
        (
            {
                "msg": "One or more items failed",
                "results": [{"msg": "fine"}, {"failed": True, "msg": "disk full"}, {"failed": True, "msg": "later"}],
            },
            "disk full",
        ),
        ({"msg": "All items completed", "results": [{"unreachable": True, "msg": "no route to host"}]}, "no route to host"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "results": [{"failed": True, "msg": "inner"}]}]}, "inner"),
        ({"msg": "One or more items failed", "results": ["text", {"failed": False, "msg": "fine"}]}, "One or more items failed"),
        ({"msg": "non-zero return code", "stderr": MISSING, "rc": 1}, "ModuleNotFoundError: No module named 'shop.missing'"),
        ({"msg": "non-zero return code", "stderr": "", "stdout": "it is broken"}, "it is broken"),
        (
            {"msg": "MODULE FAILURE: No start of json char found", "module_stderr": "sudo: a password is required"},
            "sudo: a password is required",
        ),
        ({"msg": "Task failed: Module failed: non-zero return code", "stderr": "no"}, "no"),
        ({"msg": "Assertion failed", "assertion": "x == 1"}, "Assertion failed: x == 1"),
        ({"msg": ["one", "two"]}, "one"),
        (
            {"msg": "", "censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"},
            "the output has been hidden due to the fact that 'no_log: true' was specified for this result",
        ),
        ({"msg": HEAD.format(0) + MISSING}, "ModuleNotFoundError: No module named 'shop.missing'"),
        ({"msg": "plain\nmore"}, "plain"),
        ({}, ""),
    ],
)
def test_the_first_line_of_a_result(result: dict, first: str) -> None:
    assert headline.message_of(result).split("\n")[0] == first


def test_the_log_lines_follow_the_reason() -> None:
    lines = headline.message_of({"msg": HEAD.format(1) + MISSING}).split("\n")
    assert lines[0].startswith("ModuleNotFoundError") and lines[1].startswith("api of release v2") and lines[2].startswith("Traceback")
    assert headline.telling_first("plain\nmore") == "plain\nmore"
    assert headline.telling_first("a list:\nmore") == "a list:\nmore"


def host(name: str, **result: object) -> dict:
    return {"inventory_hostname": name, "ansible_failed_task": {"name": "Start it"}, "ansible_failed_result": result}


@pytest.mark.parametrize(
    ("hosts", "order"),
    [
        ([host("a", msg="x"), host("b", msg="y")], ["a", "b"]),
        ([host("a", msg="x", end="2026-01-01 10:00:02"), host("b", msg="y", end="2026-01-01 10:00:01")], ["b", "a"]),
        ([host("a", msg="These hosts have failed or cannot be reached any more: b.\nNothing goes on."), host("b", msg="y")], ["b", "a"]),
        # Without a time for each, the order of the hosts is all that is known.
        ([host("a", msg="x", end="2026-01-01 10:00:02"), host("b", msg="y")], ["a", "b"]),
        ([{"inventory_hostname": "a"}, host("b", msg="y")], ["b"]),
    ],
)
def test_the_first_failure_comes_first(hosts: list[dict], order: list[str]) -> None:
    assert [failure["host"] for failure in failed_tasks(hosts)] == order


LOOP = host("app1", msg="One or more items failed", results=[{"failed": True, "msg": HEAD.format(0) + MISSING}])


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ([], "Another host failed."),
        ([{"inventory_hostname": "a"}], "Another host failed."),
        ([host("a", msg="It is full.")], "Start it (a): It is full."),
        ([host("a")], "Start it (a): it gives no reason."),
        ([host("a", msg="Another host failed."), host("b", msg="x hunter2-and-more")], "Start it (b): x ********"),
        ([host("a", msg="non-zero return code", stderr="psql: error: no route")], "Start it (a): psql: error: no route"),
        ([LOOP], "Start it (app1): ModuleNotFoundError: No module named 'shop.missing'"),
    ],
)
def test_the_message_of_a_rescue_begins_with_the_reason(hosts: list[dict], first: str) -> None:
    assert first_failure(hosts, secrets={"KEY": "hunter2-and-more"}).splitlines()[0] == first


def test_the_report_s_headline_is_the_reason() -> None:
    failures = failed_tasks([LOOP])
    built = outcome.build(head={"release": "v2", "outcome": "rolled back"}, failures=failures)
    wanted = "v2 was rolled back: ModuleNotFoundError: No module named 'shop.missing' (Start it on app1)"
    assert built["headline"] == wanted and wanted in outcome.text(built)


def test_no_secret_is_in_a_headline() -> None:
    message = 'Traceback (most recent call last):\n  File "a", line 1, in b\nValueError: bad key hunter2-and-more'
    assert "hunter2" not in failed_tasks([host("a", msg=message)], secrets={"KEY": "hunter2-and-more"})[0]["message"]
