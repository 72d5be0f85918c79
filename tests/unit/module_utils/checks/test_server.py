# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of a server passes where all is well, and fails for the one thing it is there for."""

from __future__ import annotations

import json
import os
import re
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from ansible_collections.parity.stack.plugins.module_utils.checks import collect, host_facts, leaks
from ansible_collections.parity.stack.plugins.module_utils.checks import server as server_checks
from ansible_collections.parity.stack.plugins.module_utils.checks.server import LIMITS, Server
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

SECRET = "a/secret+of=thirty&two!letters.."


def results(server: Server, *groups: str) -> dict[str, dict]:
    found = [check for group in groups or server_checks.GROUPS for check in server_checks.GROUPS[group](server)]
    return {item["id"]: item for item in collect.perform(found, host="h")}


def limits(**changed: float) -> dict[str, float]:
    return {**LIMITS, **changed}


def test_nothing_is_looked_at_that_nobody_asked_for() -> None:
    wanted = {f"infrastructure.{name}" for name in ("disk", "memory", "load", "files")}
    assert set(results(Server(limits=limits(load_per_core=1e9)))) == wanted


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("disk", "disk_used_percent"), ("memory", "memory_used_percent"), ("load", "load_per_core"),
        ("files", "file_handles_percent"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("value", "status"), [(1e9, "passed"), (-1, "failed")])
def test_resources(name: str, limit: str, value: float, status: str) -> None:
    found = results(Server(limits=limits(**{limit: value})), "infrastructure")[f"infrastructure.{name}"]
    assert found["status"] == status and found["seen"] and found["evidence"]


@pytest.mark.parametrize(("off", "status", "words"), [(0, "passed", ""), (-3600, "failed", "ahead"), (3600, "failed", "behind")])
def test_clock(off: float, status: str, words: str) -> None:
    found = results(Server(time=datetime.now(UTC).timestamp() + off), "infrastructure")["infrastructure.clock"]
    assert found["status"] == status and words in found["seen"]


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - what the check has to see
        yield server.getsockname()[1]


def test_ports() -> None:
    with listening() as port:
        place = {"name": "here", "address": "127.0.0.1", "port": port}
        tables = [path.read_text(encoding="ascii") for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists()]
        there = sorted(host_facts.listening_outside(*tables))
        assert port in there
        good = results(Server(open_ports=there, reachable=[place]), "infrastructure")
        bad = results(Server(open_ports=[one for one in there if one != port], closed=[place]), "infrastructure")
    gone = results(Server(reachable=[place], closed=[place]), "infrastructure")
    assert good["infrastructure.network"]["status"] == good["infrastructure.listening"]["status"] == "passed"
    assert bad["infrastructure.listening"]["status"] == bad["infrastructure.closed"]["status"] == "failed"
    assert f"also {port}" in bad["infrastructure.listening"]["seen"]
    assert (gone["infrastructure.network"]["status"], gone["infrastructure.closed"]["status"]) == ("failed", "passed")


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_whatever_keeps_a_name_from_being_resolved_is_not_taken_for_closed(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_where: object, **_how: object) -> None:
        raise socket.gaierror(number, "no")

    monkeypatch.setattr(server_checks.socket, "create_connection", refuse)
    place = {"name": "elsewhere", "address": "elsewhere.example", "port": 1}
    found = results(Server(closed=[place], reachable=[place]), "infrastructure")
    assert [found[f"infrastructure.{name}"]["status"] for name in ("closed", "network")] == ["error", "failed"]


def test_a_name_that_does_not_resolve_is_not_taken_for_closed() -> None:
    place = {"name": "there", "address": "no-such-host.invalid", "port": 1}
    assert results(Server(closed=[place]), "infrastructure")["infrastructure.closed"]["status"] in ("error",)


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("0100007F:1F90", False),
        ("0B00007F:1F90", False),
        ("00000000:1F90", True),
        ("0B601DAC:1F90", True),
        ("00000000000000000000000001000000:1F90", False),
        ("0000000000000000FFFF00000100007F:1F90", False),
        ("00000000000000000000000000000000:1F90", True),
    ],
)
def test_what_listens_to_the_network(address: str, outside: bool) -> None:
    line = f"   0: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
    assert host_facts.listening_outside(HEAD + line) == ({8080: {"4711"}} if outside else {})


def test_file_systems_are_those_of_disks() -> None:
    mounts = "\n".join(
        [
            "proc /proc proc rw 0 0", "/dev/sda1 / ext4 rw,relatime 0 0", "/dev/sda1 /bind ext4 rw 0 0", "tmpfs /run tmpfs rw 0 0",
            "/dev/loop0 /snap squashfs ro 0 0", "/dev/sdb1 /srv/my\\040files xfs rw 0 0", "files:/x /srv/shared nfs4 rw 0 0",
            "/dev/sr0 /media iso9660 ro 0 0",
        ]
    )  # fmt: skip
    assert list(host_facts.file_systems(mounts)) == ["/", "/srv/my files", "/srv/shared"]


# --- Broker -----------------------------------------------------------------------------------------------------------


class Broker(socketserver.StreamRequestHandler):
    """As much of Redis as is asked for."""

    password = "pass word"
    save: str | None = "3600 1"
    persistence = "aof_enabled:1\r\naof_last_write_status:ok\r\nrdb_last_bgsave_status:ok\r\n"
    memory = "used_memory:10\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"

    def handle(self) -> None:
        known = not self.password
        while line := self.rfile.readline():
            words = []
            for _dummy in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            if words[0] == "AUTH":
                known = words[-1] == self.password
                self.wfile.write(b"+OK\r\n" if known else b"-WRONGPASS no\r\n")
            elif not known:
                self.wfile.write(b"-NOAUTH Authentication required.\r\n")
            elif words[0] == "PING":
                self.wfile.write(b"+PONG\r\n")
            elif words[0] == "CONFIG" and self.save is None:
                self.wfile.write(b"-ERR unknown command 'CONFIG'\r\n")
            elif words[0] == "CONFIG":
                self.wfile.write(b"*2\r\n$4\r\nsave\r\n$%d\r\n%s\r\n" % (len(self.save), self.save.encode()))
            else:
                text = {"persistence": self.persistence, "memory": self.memory}.get(words[1], "redis_version:7\r\n").encode()
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(text), text))


NO_AOF = "aof_enabled:0\r\nrdb_last_bgsave_status:ok\r\n"  # which INFO says even where no snapshot was ever asked for
GOOD = "redis://:pass%20word@127.0.0.1:{}/0"


@pytest.mark.parametrize(
    ("differs", "url", "failed"),
    [
        ({}, GOOD, {}),
        ({"password": ""}, "redis://127.0.0.1:{}/0", {"security.broker_password": "failed"}),
        ({}, "redis://:wrong@127.0.0.1:{}/0", {"infrastructure.broker": "error", "infrastructure.broker_keeps": "error"}),
        ({"persistence": "aof_enabled:1\r\naof_last_write_status:err\r\n"}, GOOD, {"infrastructure.broker_keeps": "failed"}),
        ({"persistence": NO_AOF, "save": ""}, GOOD, {"infrastructure.broker_keeps": "failed"}),
        ({"persistence": NO_AOF, "save": None}, GOOD, {"infrastructure.broker_keeps": "error"}),
        ({"persistence": NO_AOF}, GOOD, {}),
        ({"save": None}, GOOD, {}),
        ({"memory": "maxmemory_policy:allkeys-lru\r\n"}, GOOD, {"infrastructure.broker_keeps": "failed"}),
        ({"memory": "used_memory:95\r\nmaxmemory:100\r\n"}, GOOD, {"infrastructure.broker_keeps": "failed"}),
    ],
)  # fmt: skip
def test_broker(differs: dict, url: str, failed: dict) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Differs", (Broker,), differs)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found = results(Server(broker_url=url.format(server.server_address[1])), "infrastructure", "security")
        server.shutdown()
    seen = {name: item["status"] for name, item in found.items() if "broker" in name}
    assert len(seen) == 3 and {name: status for name, status in seen.items() if status != "passed"} == failed
    assert "pass word" not in json.dumps(found)


class Rabbit(socketserver.StreamRequestHandler):
    """As much of AMQP 0-9-1 as is asked for. `users` are those let in, with the virtual hosts that are theirs."""

    users: ClassVar = {("app", "pass word"): ["shop"]}
    header = b"AMQP\0\0\x09\x01"
    refusal = 403

    def handle(self) -> None:
        if self.rfile.read(8) != self.header:
            self.wfile.write(b"AMQP\0\1\0\0")
            return
        table = b"\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x053.9.9"
        self.answer(0, 10, 10, b"\0\x09" + struct.pack("!I", len(table)) + table + b"\0\0\0\x05PLAIN\0\0\0\x05en_US")
        start = self.asked(10, 11)
        login = start[start.index(b"\x05PLAIN") + 10 :].split(b"\x05en_US")[0]
        user, password = login.decode().split("\0")[1:]
        if (user, password) not in self.users:
            return self.close(self.refusal, "ACCESS_REFUSED")
        self.answer(0, 10, 30, struct.pack("!HIH", 100, 131072, 60))
        self.asked(10, 31)
        opened = self.asked(10, 40)
        if opened[1 : 1 + opened[0]].decode() not in self.users[user, password]:
            return self.close(530, "NOT_ALLOWED")
        self.answer(0, 10, 41, b"\0")
        while frame := self.frame():
            self.answer(frame[0], *{(20, 10): (20, 11, b"\0\0\0\0"), (10, 50): (10, 51, b"")}[frame[1]])

    def frame(self) -> tuple[int, tuple[int, int], bytes] | None:
        head = self.rfile.read(7)
        if len(head) < 7:
            return None
        _kind, channel, size = struct.unpack("!BHI", head)
        payload = self.rfile.read(size + 1)[:-1]
        return channel, struct.unpack("!HH", payload[:4]), payload[4:]

    def asked(self, *method: int) -> bytes:
        frame = self.frame()
        assert frame and frame[1] == method, frame
        return frame[2]

    def answer(self, channel: int, group: int, number: int, arguments: bytes) -> None:
        heartbeat = struct.pack("!BHI", 8, 0, 0) + b"\xce"
        payload = struct.pack("!HH", group, number) + arguments
        self.wfile.write(heartbeat + struct.pack("!BHI", 1, channel, len(payload)) + payload + b"\xce")

    def close(self, code: int, words: str) -> None:
        self.answer(0, 10, 50, struct.pack("!H", code) + bytes([len(words)]) + words.encode() + b"\0\0\0\0")


RABBIT = "amqp://app:pass%20word@127.0.0.1:{}/shop"


@pytest.mark.parametrize(
    ("differs", "url", "statuses", "words"),
    [
        ({}, RABBIT, ("passed", "not run", "passed"), "RabbitMQ 3.9.9; 20 round trips"),
        ({}, RABBIT.replace("pass%20word", "wrong"), ("error", "not run", "passed"), "403 ACCESS_REFUSED"),
        ({}, RABBIT.replace("/shop", "//"), ("error", "not run", "passed"), "530 NOT_ALLOWED"),
        ({"header": b"AMQP\1\0\1\0"}, RABBIT, ("error", "not run", "error"), "another version of AMQP"),
        ({"refusal": 320}, RABBIT, ("passed", "not run", "error"), "320 ACCESS_REFUSED"),
        ({"users": {**Rabbit.users, ("guest", "guest"): []}}, RABBIT, ("passed", "not run", "failed"), "lets in guest"),
        ({"users": {**Rabbit.users, ("app", ""): []}}, RABBIT, ("passed", "not run", "failed"), "lets in app with no password"),
    ],
)  # fmt: skip
def test_rabbitmq(differs: dict, url: str, statuses: tuple, words: str) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Differs", (Rabbit,), differs)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        found = results(Server(broker_url=url.format(server.server_address[1])), "infrastructure", "security")
        server.shutdown()
    seen = [found[name]["status"] for name in ("infrastructure.broker", "infrastructure.broker_keeps", "security.broker_password")]
    assert tuple(seen) == statuses and words in json.dumps(found) and "pass word" not in json.dumps(found)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\1\0\0\0\0\0\4\0\x0a\0\x0a\xcd", b"\1\0\0\0\0\0\1\0\xce"],
    ids=["web server", "wrong end of a frame", "no method"],
)  # fmt: skip
def test_what_is_no_amqp_broker_is_no_pass(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:
        threading.Thread(target=lambda: web.accept()[0].sendall(answer), daemon=True).start()
        found = results(Server(broker_url=RABBIT.format(web.getsockname()[1])), "infrastructure")["infrastructure.broker"]
    assert found["status"] == "error" and "no AMQP broker" in found["seen"]


def test_sentinel_is_not_asked_for_its_master() -> None:
    found = results(Server(broker_url="sentinel://:p@127.0.0.1:1;sentinel://:p@127.0.0.1:2/0"), "infrastructure", "security")
    seen = {name: (item["status"], item["seen"]) for name, item in found.items() if "broker" in name}
    assert len(seen) == 3 and all(status == "not run" and "Sentinel" in words for status, words in seen.values())


# --- Database ---------------------------------------------------------------------------------------------------------


URL = "postgresql://app:secret@database.example:5432/shop"


@pytest.mark.parametrize(
    ("without", "with_tls", "status"),
    [(False, True, "passed"), (True, True, "failed"), (False, False, "failed"), (True, False, "failed")],
)
def test_the_database_is_reached_over_tls_only(monkeypatch: pytest.MonkeyPatch, without: bool, with_tls: bool, status: str) -> None:
    class Connection:
        info = None

        def close(self) -> None:
            pass

    def connect(target: postgresql.Target) -> Connection:
        if not (without if target.options["sslmode"] == "disable" else with_tls):
            raise ParityError("refused")
        return Connection()

    monkeypatch.setattr(server_checks.postgresql, "connect", connect)
    assert results(Server(database_url=URL), "security")["security.database_tls"]["status"] == status


@pytest.mark.parametrize(
    "server", [Server(database_url=URL, database_tls=False), Server(database_url=URL.replace("database.example", "127.0.0.1"))]
)
def test_where_tls_is_not_wanted(server: Server) -> None:
    assert results(server, "security")["security.database_tls"]["status"] == "not run"


def test_a_database_that_is_away_is_no_pass() -> None:
    away = "postgresql://app:secret@127.0.0.1:1/shop"
    found = results(Server(database_url=away, database_owner_url=away), "infrastructure")
    assert {found[f"infrastructure.{name}"]["status"] for name in ("database", "database_write")} == {"error"}
    assert found["infrastructure.database_pool"]["status"] == "failed"
    assert "secret" not in json.dumps(found)


def test_a_certificate_is_looked_at_where_the_url_verifies_it() -> None:
    verified = Server(database_url=URL + "?sslmode=verify-full&sslrootcert=/etc/shop/authority.pem")
    names = [check.id for check in server_checks.infrastructure(verified)]
    assert "infrastructure.certificate" in names
    assert "infrastructure.certificate" not in [check.id for check in server_checks.infrastructure(Server(database_url=URL))]


# --- Files, logs, processes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "status"), [(0o640, "passed"), (0o600, "passed"), (0o644, "failed"), (0o660, "failed"), (0o602, "failed")]
)
def test_private_files(tmp_path: Path, mode: int, status: str) -> None:
    path = tmp_path / "api.env"
    path.touch()
    path.chmod(mode)
    found = results(Server(private_files=[str(tmp_path / "*.env")]), "security")["security.files"]
    assert found["status"] == status and str(path) in found["evidence"]


def test_no_private_files_are_no_pass(tmp_path: Path) -> None:
    assert results(Server(private_files=[str(tmp_path / "*")]), "security")["security.files"]["status"] == "not run"


@pytest.mark.parametrize(
    ("secrets", "text", "found"),
    [
        ({"KEY": SECRET}, f"begin {SECRET} end", ["KEY"]),
        ({"KEY": SECRET}, "a%2Fsecret%2Bof%3Dthirty%26two%21letters..", ["KEY"]),
        ({"KEY": SECRET}, "a/secret", []),
        ({"URL": "postgresql://app:long%2Fpassword@h/d"}, "password=long/password", ["URL"]),
        ({"URL": "postgresql://app:long%2Fpassword@h/d"}, "connected to postgresql://app@h/d", []),
        ({"URL": "postgresql://docpipe_app@h/d"}, "connected to postgresql://docpipe_app@h/d", []),
        ({"HOOK": "https://hooks.example/T0/B0/x"}, "posted to https://hooks.example/T0/B0/x", ["HOOK"]),
        ({"HOOK": "https://hooks.example/T0/B0/x"}, "https://hooks.example answers", []),
        ({"DSN": "https://0123456789abcdef@sentry.example"}, "key 0123456789abcdef", ["DSN"]),
        ({"API": "https://api.example"}, "GET https://api.example/health", []),
        ({"SHORT": "abc"}, "abc", []),
        ({}, "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJlc2lnbmF0dXJl", ["a token (JWT)"]),
    ],
)
def test_secrets_are_found_in_every_form(secrets: dict, text: str, found: list[str]) -> None:
    assert leaks.Needles(secrets).in_(text.encode()) == found


def test_a_log_file_is_searched_line_by_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(["nothing"] * 300000 + [f"password {SECRET}"]), encoding="utf-8")
    hits, size = leaks.in_file(leaks.Needles({"KEY": SECRET}), log)
    assert hits == [f"{log}: KEY"] and size == log.stat().st_size


def fake_journalctl(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> None:
    program = folder / "journalctl"
    (folder / "journal.txt").write_text(text, encoding="utf-8")
    program.write_text(f"#!/bin/sh\ncat {folder}/journal.txt\necho broken >&2\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("line", "status"), [("started", "passed"), (f"DATABASE_URL is {SECRET}", "failed"), ("eyJhbGciOi.eyJzdWIi", "passed")]
)
def test_the_journal_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, status: str) -> None:
    fake_journalctl(tmp_path, monkeypatch, f"2030-01-01T00:00:00+0000 app1 shop-api[12]: {line}\n")
    found = results(Server(secrets={"KEY": SECRET}), "security")["security.logs"]
    assert found["status"] == status and SECRET not in json.dumps(found)
    assert status == "passed" or found["evidence"] == "shop-api at 2030-01-01T00:00:00+0000: KEY"


def test_a_journal_that_cannot_be_read_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_journalctl(tmp_path, monkeypatch, "", code=1)
    found = results(Server(secrets={"KEY": SECRET}), "security")["security.logs"]
    assert found["status"] == "error" and "broken" in found["seen"]


def test_more_than_can_be_read_is_no_pass(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"x\n" * 3000000)
    with pytest.raises(ParityError, match="validation_log_hours"):
        leaks.in_file(leaks.Needles({"KEY": SECRET}), log, seconds=0)


def test_arguments_of_processes_are_searched() -> None:
    server = Server(secrets={"KEY": SECRET})
    with subprocess.Popen(["python3", "-c", "input()", SECRET], stdin=subprocess.PIPE) as process:
        bad = results(server, "security")["security.processes"]
        process.communicate(b"\n")
    assert bad["status"] == "failed" and bad["evidence"].endswith(": KEY") and SECRET not in json.dumps(bad)
    assert results(server, "security")["security.processes"]["status"] == "passed"


# --- Backups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours_old", "size", "limit", "status"),
    [(1, 4, 26, "passed"), (30, 4, 26, "failed"), (1, 5, 26, "failed"), (None, 4, 26, "failed"), (1, 4, 0, "not run")],
)
def test_backups_are_fresh(tmp_path: Path, hours_old: float | None, size: int, limit: float, status: str) -> None:
    if hours_old is not None:
        finished = datetime.now(UTC) - timedelta(hours=hours_old)
        name = f"shop-{finished:%Y%m%dT%H%M%SZ}"
        (tmp_path / f"{name}.dump").write_bytes(b"dump")
        manifest = {"size": size, "sha256": "", "tables": {}, "finished": finished.isoformat()}
        (tmp_path / f"{name}.json").write_text(json.dumps(manifest), encoding="utf-8")
    server = Server(backup_directory=str(tmp_path), backup_name="shop", limits=limits(backup_hours=limit))
    assert results(server, "monitoring")["monitoring.backup"]["status"] == status


# --- Worker -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "tasks"),
    [
        ('{"worker-blue@app1": ["shop.embed", "shop.parse [rate_limit=5]"]}\n', ["shop.embed", "shop.parse"]),
        ('->  worker: OK\n{"w": ["a"]}\n', ["a"]),
        ("Error: No nodes replied within time constraint\n", None),
        ("[1]\n", None),
    ],
)
def test_tasks_a_worker_tells(out: str, tasks: list[str] | None) -> None:
    assert server_checks._tasks(out) == tasks


@pytest.mark.parametrize(
    ("answers", "status", "seen"),
    [
        ({"worker": ["a", "b"], "mail": ["c"]}, "passed", "3 tasks"),
        ({"worker": ["a", "b"], "mail": ["a"]}, "failed", "without c"),
        ({"worker": ["a", "b", "c"], "mail": None}, "failed", "mail: no answer (exit code 69)"),
    ],
)
def test_every_worker_of_a_host_is_asked(monkeypatch: pytest.MonkeyPatch, answers: dict, status: str, seen: str) -> None:
    def run_as(_layout, process: str, _slot: str, _user: str, _words: list[str]) -> tuple[int, str, str]:
        told = answers[process]
        return (69, "Error: No nodes replied", "") if told is None else (0, json.dumps({f"{process}-blue@app1": told}), "")

    monkeypatch.setattr(server_checks.slots, "run_as", run_as)
    monkeypatch.setattr(server_checks.Layout, "live_slot", lambda _layout: "blue")
    asked = {process: ["x"] for process in answers}
    server = Server(worker_stack="shop", worker_user="root", worker_inspect=asked, worker_tasks=["a", "b", "c"])
    found = results(server, "application")["application.worker"]
    assert (found["status"], found["seen"]) == (status, seen)


def test_a_worker_without_a_live_slot_is_no_pass() -> None:
    server = Server(worker_stack="no-such-stack", worker_user="root", worker_inspect={"worker": ["x"]})
    found = results(server, "application")["application.worker"]
    assert found["status"] == "error" and "no slot is live" in found["seen"]


def test_secrets_do_not_show() -> None:
    server = replace(Server(), secrets={"KEY": SECRET}, database_url=SECRET, broker_url=SECRET, database_owner_url=SECRET)
    assert SECRET not in repr(server)
    assert re.search("open_ports", repr(server))
