# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a server of the stack from the inside: its resources, its network, its way to database and broker, its files and its logs.
docs/checks.md says why each check matters. Writes nothing but a temporary table.
"""

from __future__ import annotations

import glob
import ipaddress
import json
import os
import shutil
import socket
import stat
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import amqp, brokers, redis, tls
from ansible_collections.parity.stack.plugins.module_utils.backup import manifest
from ansible_collections.parity.stack.plugins.module_utils.checks import host_facts, leaks
from ansible_collections.parity.stack.plugins.module_utils.checks.collect import Check, NothingToCheck, Seen
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.release import slots
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout

#: The limits, where the inventory has none.
LIMITS: dict[str, float] = {
    "disk_used_percent": 90,
    "memory_used_percent": 95,
    "load_per_core": 4,
    "file_handles_percent": 80,
    "clock_seconds": 30,
    "database_round_trip_ms": 20,
    "database_write_ms": 500,
    "database_connections_percent": 80,
    "broker_round_trip_ms": 20,
    "certificate_days": 14,
    "backup_hours": 26,
}
_ROUND_TRIPS = 20
_POOL = 5
_MOST_LINES = 40


@dataclass(frozen=True)
class Server:
    """What one host has to fulfil. A field that is empty is not checked."""

    limits: dict[str, float] = field(default_factory=lambda: dict(LIMITS))
    time: float | None = None
    open_ports: list[int] | None = None
    reachable: list[dict] = field(default_factory=list)
    closed: list[dict] = field(default_factory=list)
    database_url: str = field(default="", repr=False)
    database_owner_url: str = field(default="", repr=False)
    database_tls: bool = True
    broker_url: str = field(default="", repr=False)
    certificates: list[dict] = field(default_factory=list)
    authorities: list[str] = field(default_factory=list)
    private_files: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    units: list[str] = field(default_factory=list)
    log_files: list[str] = field(default_factory=list)
    log_hours: float = 24
    backup_directory: str = ""
    backup_name: str = ""
    worker_stack: str = ""
    worker_user: str = ""
    worker_inspect: dict[str, list[str]] = field(default_factory=dict)
    worker_tasks: list[str] = field(default_factory=list)


# --- Infrastructure ---------------------------------------------------------------------------------------------------


def infrastructure(server: Server) -> list[Check]:
    limit = server.limits
    found = [
        Check(
            "infrastructure.disk",
            "Disks have room",
            f"at most {limit['disk_used_percent']:g} % of space and inodes used",
            partial(_disk, server),
            "critical",
        ),
        Check("infrastructure.memory", "Memory is left", f"at most {limit['memory_used_percent']:g} % used", partial(_memory, server)),
        Check(
            "infrastructure.load",
            "The processors keep up",
            f"a load of at most {limit['load_per_core']:g} for each of them",
            partial(_load, server),
            "minor",
        ),
        Check(
            "infrastructure.files",
            "File handles are left",
            f"at most {limit['file_handles_percent']:g} % used, by the host and by each process",
            partial(_files, server),
        ),
    ]
    if server.time is not None:
        wanted = f"at most {limit['clock_seconds']:g} s from the control node's"
        found.append(Check("infrastructure.clock", "The clock is roughly the control node's", wanted, partial(_clock, server, time.time())))
    if server.open_ports is not None:
        wanted = f"only {', '.join(map(str, sorted(server.open_ports))) or 'nothing'}"
        found.append(
            Check("infrastructure.listening", "Nothing listens to the network but what has to", wanted, partial(_listening, server))
        )
    if server.reachable:
        found.append(
            Check(
                "infrastructure.network", "The host reaches what it needs", "every place answers", partial(_reachable, server), "critical"
            )
        )
    if server.closed:
        found.append(
            Check("infrastructure.closed", "What is closed stays closed", "no place answers", partial(_closed, server), "critical")
        )
    if server.database_url:
        found += _database_checks(server)
    if server.database_owner_url:
        wanted = f"1000 rows in a temporary table within {limit['database_write_ms']:g} ms"
        found.append(Check("infrastructure.database_write", "The database writes", wanted, partial(_write, server), "critical"))
    if server.broker_url:
        found += _broker_checks(server)
    if server.database_url:
        found += _database_certificate(server)
    days = f"verified, and {limit['certificate_days']:g} days left at least"
    found += [
        Check(
            "infrastructure.certificate",
            f"The certificate of {place['name']} is good",
            days,
            partial(_certificate, server, place),
            "critical",
        )
        for place in server.certificates
    ]
    if server.authorities:
        wanted = f"{limit['certificate_days']:g} days left at least"
        found.append(Check("infrastructure.authority", "The authorities the host trusts go on", wanted, partial(_authorities, server)))
    return found


def _disk(server: Server) -> Seen:
    most, lines = 0.0, []
    for place in host_facts.file_systems(Path("/proc/self/mounts").read_text(encoding="utf-8")):
        if not os.path.isdir(place):
            continue
        usage, nodes = shutil.disk_usage(place), os.statvfs(place)
        space = 100 * (1 - usage.free / (usage.used + usage.free)) if usage.used + usage.free else 0
        inodes = 100 * (1 - nodes.f_favail / nodes.f_files) if nodes.f_files else 0
        most = max(most, space, inodes)
        lines.append(f"{place}: {space:.0f} % of the space used, {usage.free >> 20} MiB free; {inodes:.0f} % of the inodes used")
    if not lines:
        raise ParityError("no file system on a disk is mounted")
    return Seen(most <= server.limits["disk_used_percent"], f"at most {most:.0f} % used", "\n".join(lines))


def _memory(server: Server) -> Seen:
    available, total = host_facts.memory_available(Path("/proc/meminfo").read_text(encoding="utf-8"))
    if not total:
        raise ParityError("/proc/meminfo says nothing of the memory")
    used = 100 * (1 - available / total)
    return Seen(used <= server.limits["memory_used_percent"], f"{used:.0f} % used", f"{available} of {total} MiB available")


def _load(server: Server) -> Seen:
    one, five, fifteen = os.getloadavg()
    cores = os.cpu_count() or 1
    evidence = f"load {one:.2f}, {five:.2f}, {fifteen:.2f} over 1, 5 and 15 minutes; {cores} processors"
    return Seen(five / cores <= server.limits["load_per_core"], f"{five / cores:.1f} for each processor, over five minutes", evidence)


def _files(server: Server) -> Seen:
    used, _unused, most = map(int, Path("/proc/sys/fs/file-nr").read_text(encoding="ascii").split())
    whole = 100 * used / most
    processes = host_facts.open_files()
    worst = 100 * processes[0][0] if processes else 0.0
    lines = [f"the host: {used} of {most}", *(f"{name}: {count} of {limit}" for _share, count, limit, name in processes[:5])]
    return Seen(max(whole, worst) <= server.limits["file_handles_percent"], f"at most {max(whole, worst):.1f} % used", "\n".join(lines))


def _clock(server: Server, now: float) -> Seen:
    off = now - (server.time or 0)
    words = f"{abs(off):.1f} s {'ahead of it' if off > 0 else 'behind it'}"
    return Seen(abs(off) <= server.limits["clock_seconds"], words, "The time of the request is in it; infrastructure.clocks is exact.")


def _listening(server: Server) -> Seen:
    tables = [path.read_text(encoding="ascii") for path in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if path.exists()]
    found = host_facts.listening_outside(*tables)
    wanted = set(server.open_ports or ())
    lines = [
        f"{port}: {', '.join(sorted(host_facts.owners(inodes))) or 'unknown'}{'' if port in wanted else '   <- not expected'}"
        for port, inodes in sorted(found.items())
    ]
    stray = sorted(set(found) - wanted)
    return Seen(not stray, f"also {', '.join(map(str, stray))}" if stray else f"{len(found)} ports, all expected", "\n".join(lines))


_UNRESOLVED = "its name does not resolve"


def _tried(place: dict, seconds: float) -> tuple[dict, str, float]:
    """The error of a connection, empty where it works, and how long it took."""
    began = time.monotonic()
    try:
        with socket.create_connection((place["address"], int(place["port"])), timeout=seconds):
            return place, "", time.monotonic() - began
    except socket.gaierror as error:
        return place, f"{_UNRESOLVED} ({error.strerror})", time.monotonic() - began
    except OSError as error:
        return place, error.strerror or str(error), time.monotonic() - began


def _all_tried(places: list[dict], seconds: float) -> list[tuple[dict, str, float]]:
    with ThreadPoolExecutor(min(16, len(places))) as pool:
        return list(pool.map(lambda place: _tried(place, seconds), places))


def _reachable(server: Server) -> Seen:
    tried = _all_tried(server.reachable, 5)
    away = [f"{place['name']} ({place['address']}:{place['port']})" for place, error, _took in tried if error]
    lines = [f"{place['name']} ({place['address']}:{place['port']}): {error or f'{took * 1000:.1f} ms'}" for place, error, took in tried]
    return Seen(not away, f"not {', '.join(away)}" if away else f"{len(tried)} places", "\n".join(lines))


def _closed(server: Server) -> Seen:
    tried = _all_tried(server.closed, 2)
    unknown = [place["name"] for place, error, _took in tried if error.startswith(_UNRESOLVED)]
    if unknown:
        raise ParityError(f"the name of {', '.join(unknown)} does not resolve on this host")
    opened = [f"{place['name']} ({place['address']}:{place['port']})" for place, error, _took in tried if not error]
    lines = [f"{place['name']} ({place['address']}:{place['port']}): {error or 'open'}" for place, error, _took in tried]
    return Seen(not opened, f"open: {', '.join(opened)}" if opened else f"{len(tried)} places, all closed", "\n".join(lines))


# --- Database ---------------------------------------------------------------------------------------------------------


def _database_checks(server: Server) -> list[Check]:
    limit = server.limits
    return [
        Check(
            "infrastructure.database",
            "The database answers quickly",
            f"a round trip of at most {limit['database_round_trip_ms']:g} ms, in the median",
            partial(_round_trip, server),
            "critical",
        ),
        Check(
            "infrastructure.database_pool",
            "The database has connections left",
            f"{_POOL} more at once, and at most {limit['database_connections_percent']:g} % used",
            partial(_pool, server),
        ),
    ]


def _target(server: Server) -> postgresql.Target:
    return postgresql.parse_url(server.database_url, pooled=True)


def _round_trip(server: Server) -> Seen:
    with closing(postgresql.connect(_target(server))) as connection:
        connection.autocommit = True
        took = []
        for _dummy in range(_ROUND_TRIPS):
            began = time.monotonic()
            postgresql.rows(connection, "SELECT 1")
            took.append(1000 * (time.monotonic() - began))
        version = postgresql.rows(connection, "SHOW server_version")[0][0]
    median = statistics.median(took)
    evidence = f"PostgreSQL {version}; {_ROUND_TRIPS} round trips, from {min(took):.1f} to {max(took):.1f} ms"
    return Seen(median <= server.limits["database_round_trip_ms"], f"{median:.2f} ms", evidence)


def _write(server: Server) -> Seen:
    """Write as the owner, because the application's role may make no table, not even a temporary one. Rolls the transaction back."""
    with closing(postgresql.connect(postgresql.parse_url(server.database_owner_url))) as connection:
        began = time.monotonic()
        postgresql.rows(connection, "CREATE TEMPORARY TABLE parity_probe (number bigint, words text) ON COMMIT DROP")
        postgresql.rows(connection, "INSERT INTO parity_probe SELECT n, repeat('x', 100) FROM generate_series(1, 1000) AS n")
        written = postgresql.rows(connection, "SELECT count(*), sum(number) FROM parity_probe")[0]
        took = 1000 * (time.monotonic() - began)
        connection.rollback()
    right = (int(written[0]), int(written[1])) == (1000, 500500)
    return Seen(right and took <= server.limits["database_write_ms"], f"{took:.0f} ms", "" if right else f"read back {written}")


def _pool(server: Server) -> Seen:
    target = _target(server)
    with ExitStack() as opened:
        try:
            connections = [opened.enter_context(closing(postgresql.connect(target))) for _dummy in range(_POOL)]
            for connection in connections:
                connection.autocommit = True  # a transaction would keep a pooler's connection to the server from others
                postgresql.rows(connection, "SELECT 1")
        except ParityError as error:
            return Seen(False, str(error))
        query = "SELECT count(*) FILTER (WHERE backend_type = 'client backend'), current_setting('max_connections') FROM pg_stat_activity"
        used, most = map(int, postgresql.rows(connections[0], query)[0])
    percent = 100 * used / most
    return Seen(
        percent <= server.limits["database_connections_percent"], f"{percent:.0f} % used", f"{used} of {most}, {_POOL} of them ours"
    )


def _stays_here(host: str) -> bool:
    try:
        return all(ipaddress.ip_address(found[4][0]).is_loopback for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except OSError:
        return False


def _only_encrypted(server: Server) -> Seen:
    target = _target(server)
    if not server.database_tls:
        raise NothingToCheck("the inventory asks for no TLS between the application and the database")
    if _stays_here(target.host):
        raise NothingToCheck("the connection does not leave this host")
    # The attempt without TLS comes second: when it is refused now, the missing TLS is the reason.
    required = target.options.get("sslmode", "prefer")
    encrypted = target if required in ("require", "verify-ca", "verify-full") else _with_mode(target, "require")
    try:
        with closing(postgresql.connect(encrypted)) as connection:
            info = getattr(connection, "info", None)
            version = info.ssl_attribute("protocol") if info and info.ssl_in_use else "unknown version"
    except ParityError as error:
        return Seen(False, "not accepted with TLS", str(error))
    try:
        postgresql.connect(_with_mode(target, "disable")).close()
    except ParityError as error:
        return Seen(True, f"{version}, refused without", str(error))
    return Seen(False, f"{version}, and accepted without", "Set database_certificate, and let clients in by TLS only.")


def _with_mode(target: postgresql.Target, mode: str) -> postgresql.Target:
    return replace(target, options={**target.options, "sslmode": mode})


# --- Broker -----------------------------------------------------------------------------------------------------------


def _broker_checks(server: Server) -> list[Check]:
    return [
        Check(
            "infrastructure.broker",
            "The broker answers quickly",
            f"a round trip of at most {server.limits['broker_round_trip_ms']:g} ms, in the median",
            partial(_broker, server),
            "critical",
        ),
        Check(
            "infrastructure.broker_keeps",
            "The broker keeps what it is given",
            "it writes to disk, and removes nothing by itself",
            partial(_broker_keeps, server),
            "critical",
        ),
    ]


def _broker_of(server: Server) -> brokers.Broker:
    broker = brokers.read(server.broker_url, databases=None)
    if broker.kind == "sentinel":
        raise NothingToCheck("which Redis is the master is Sentinel's to say, and Parity does not ask it")
    return broker


def _broker(server: Server) -> Seen:
    broker = _broker_of(server)
    if broker.kind == "rabbitmq":
        with amqp.session(broker) as connection:
            took, version = _timed(connection.round_trip), connection.version
    else:
        with redis.session(broker.redis) as session:
            took = _timed(partial(session.ask, "PING"))
            version = f"Redis {redis.information(session, 'server').get('redis_version', 'unknown')}"
    median = statistics.median(took)
    evidence = f"{version}; {_ROUND_TRIPS} round trips, from {min(took):.1f} to {max(took):.1f} ms"
    return Seen(median <= server.limits["broker_round_trip_ms"], f"{median:.2f} ms", evidence)


def _timed(ask: Callable[[], object]) -> list[float]:
    """How many milliseconds each of several round trips takes."""
    took = []
    for _dummy in range(_ROUND_TRIPS):
        began = time.monotonic()
        ask()
        took.append(1000 * (time.monotonic() - began))
    return took


def _broker_keeps(server: Server) -> Seen:
    broker = _broker_of(server)
    if broker.kind == "rabbitmq":
        raise NothingToCheck("RabbitMQ keeps what is in durable queues, and does not say over AMQP which ones are")
    with redis.session(broker.redis) as session:
        disk, memory = redis.information(session, "persistence"), redis.information(session, "memory")
        keeps = disk.get("aof_enabled") == "1" or _saves(session)
    wrong = [] if keeps else ["it keeps nothing on disk"]
    wrong += [
        f"{key} is {disk[key]}"
        for key in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if disk.get(key, "ok") != "ok"
    ]
    policy, limit, used = memory.get("maxmemory_policy", "noeviction"), int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    if policy != "noeviction":
        wrong.append(f"with its memory full it removes tasks ({policy})")
    if limit and used > 0.9 * limit:
        wrong.append(f"{used} of {limit} bytes of its memory are used")
    evidence = "\n".join(
        f"{key}: {value}" for key, value in sorted({**disk, **memory}.items()) if key.endswith(("status", "enabled", "policy"))
    )
    return Seen(not wrong, "; ".join(wrong) or "it does", evidence)


def _saves(session: redis.Session) -> bool:
    """Whether the broker writes snapshots. INFO shows the result of the last one even where none was ever made."""
    try:
        found = session.ask("CONFIG", "GET", "save")
    except redis.Refused as error:
        raise ParityError(
            f"it keeps no append-only file, and does not say whether it makes snapshots (CONFIG GET save: {error})"
        ) from error
    return isinstance(found, list) and len(found) == 2 and bool(found[1])


def _only_with_password(server: Server) -> Seen:
    broker = _broker_of(server)
    if broker.kind == "rabbitmq":
        return _refuses_strangers(broker)
    with redis.session(broker.redis, password=False) as session:
        try:
            session.ask("PING")
        except redis.Refused as refusal:
            return Seen(str(refusal).startswith("NOAUTH"), f"refused: {refusal}")
    return Seen(False, f"{broker} answers without a password", "Set broker_password.")


def _refuses_strangers(broker: brokers.Broker) -> Seen:
    """RabbitMQ's user guest, and the application's user without its password, have to be refused."""
    lines = []
    for user, password in (("guest", "guest"), (broker.user, "")):
        refusal = amqp.login_refused(broker, user, password)
        if not refusal:
            return Seen(False, f"{broker} lets in {user} with {'the password guest' if password else 'no password'}", "Remove this user.")
        lines.append(f"{user}: {refusal}")
    return Seen(True, "refused", "\n".join(lines))


# --- Certificates -----------------------------------------------------------------------------------------------------


def _certificate(server: Server, place: dict) -> Seen:
    found = tls.shown(
        place["address"],
        int(place["port"]),
        ca_file=place.get("ca_file"),
        name=place.get("server_name") or "",
        postgresql=bool(place.get("postgresql")),
    )
    if found.problem:
        return Seen(False, found.problem)
    evidence = f"for {', '.join(found.names)}; issued by {found.issuer}; {found.version}"
    return Seen(found.days >= server.limits["certificate_days"], f"{found.days} days left", evidence)


def _database_certificate(server: Server) -> list[Check]:
    """Check the database's certificate, where the application verifies it. Uses its URL, so the check trusts what it trusts."""
    try:
        target = _target(server)
    except ParityError:  # infrastructure.database says what is wrong with the URL
        return []
    if not target.options.get("sslmode", "").startswith("verify"):
        return []
    place = {
        "name": "the database",
        "address": target.host,
        "port": target.port,
        "ca_file": target.options.get("sslrootcert"),
        "postgresql": True,
    }
    days = f"verified, and {server.limits['certificate_days']:g} days left at least"
    title = "The certificate of the database is good"
    return [Check("infrastructure.certificate", title, days, partial(_certificate, server, place), "critical")]


def _authorities(server: Server) -> Seen:
    found = [(days, f"{path}: {name}") for path in server.authorities for days, name in tls.authorities(path)]
    least = min(days for days, _name in found)
    lines = "\n".join(f"{name}: {days} days left" for days, name in found)
    return Seen(least >= server.limits["certificate_days"], f"{least} days left", lines)


# --- Application ------------------------------------------------------------------------------------------------------


def application(server: Server) -> list[Check]:
    if not server.worker_inspect:
        return []
    wanted = f"each answers, and together they know {', '.join(server.worker_tasks) or 'a task'}"
    return [Check("application.worker", "The workers live, and know their tasks", wanted, partial(_workers, server), "critical")]


def _workers(server: Server) -> Seen:
    """Reach each worker as a task does: through the broker, with the live release, as the user of the service."""
    layout = Layout(server.worker_stack)
    slot = layout.live_slot()
    if slot is None:
        raise ParityError("no slot is live on this host")
    known: list[str] = []
    for process, words in server.worker_inspect.items():
        code, out, _errors = slots.run_as(layout, process, slot, server.worker_user, words)
        told = _tasks(out)
        if told is None:
            return Seen(False, f"{process}: " + ("no answer within 30 s" if code == 124 else f"no answer (exit code {code})"))
        known += told
    return _judged(sorted(set(known)), server.worker_tasks)


def _judged(known: list[str], wanted: list[str]) -> Seen:
    missing = sorted(set(wanted) - set(known))
    return Seen(bool(known) and not missing, f"without {', '.join(missing)}" if missing else f"{len(known)} tasks", "\n".join(known))


def _tasks(out: str) -> list[str] | None:
    """The tasks of the one worker that answers; Celery prints other lines before the JSON."""
    for line in reversed(out.splitlines()):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            return sorted({str(task).partition(" ")[0] for tasks in told.values() if isinstance(tasks, list) for task in tasks})
    return None


# --- Security ---------------------------------------------------------------------------------------------------------


def security(server: Server) -> list[Check]:
    found = []
    if server.private_files:
        found.append(
            Check(
                "security.files",
                "Files that hold secrets are closed to others",
                "neither readable nor writable by everybody, nor writable by a group",
                partial(_private, server),
                "critical",
            )
        )
    if server.secrets:
        found.append(
            Check(
                "security.logs", "No secret is in a log", f"none in the last {server.log_hours:g} hours", partial(_logs, server), "critical"
            )
        )
        found.append(Check("security.processes", "No secret is in a process list", "none", partial(_processes, server), "critical"))
    if server.database_url:
        found.append(
            Check(
                "security.database_tls",
                "The database is reached over TLS only",
                "accepted with TLS, refused without",
                partial(_only_encrypted, server),
                "critical",
            )
        )
    if server.broker_url:
        found.append(
            Check(
                "security.broker_password",
                "The broker answers nobody without its password",
                "refused",
                partial(_only_with_password, server),
                "critical",
            )
        )
    return found


def _private(server: Server) -> Seen:
    paths = sorted({path for pattern in server.private_files for path in glob.glob(pattern)})
    if not paths:
        raise NothingToCheck("none of these files is on this host")
    wrong = []
    for path in paths:
        found = os.lstat(path)
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISLNK(found.st_mode) and mode & 0o027:
            wrong.append(f"{path}: mode {mode:04o}, owner {found.st_uid}:{found.st_gid}; chmod o=,g-w {path}")
    words = f"{len(wrong)} of {len(paths)} are open" if wrong else f"{len(paths)} files and directories"
    return Seen(not wrong, words, _short(wrong or paths))


def _logs(server: Server) -> Seen:
    needles = leaks.Needles(server.secrets)
    found, read = leaks.in_journal(needles, server.units, server.log_hours)
    for path in sorted({path for pattern in server.log_files for path in glob.glob(pattern)}):
        hits, size = leaks.in_file(needles, Path(path))
        found, read = found + hits, read + size
    if not needles:
        raise NothingToCheck("every secret is too short to be searched for")
    words = f"{len(found)} places" if found else "none"
    return Seen(not found, words, _short(found) or f"{read / 1e6:.1f} MB read, {len(needles)} secrets searched for")


def _processes(server: Server) -> Seen:
    needles = leaks.Needles(server.secrets)
    if not needles:
        raise NothingToCheck("every secret is too short to be searched for")
    found = leaks.in_process_list(needles)
    return Seen(not found, f"{len(found)} processes" if found else "none", _short(found))


# --- Monitoring -------------------------------------------------------------------------------------------------------


def monitoring(server: Server) -> list[Check]:
    if not server.backup_directory:
        return []
    wanted = f"not older than {server.limits['backup_hours']:g} hours, whole, and proved by a restore"
    return [Check("monitoring.backup", "There is a fresh backup of the database", wanted, partial(_backup, server))]


def _backup(server: Server) -> Seen:
    hours = server.limits["backup_hours"]
    if not hours:
        raise NothingToCheck("the inventory asks for no fresh backup")
    good = manifest.good_backups(Path(server.backup_directory), server.backup_name)
    if not good:
        return Seen(False, f"none in {server.backup_directory}", "Make one: ansible-playbook parity.stack.backup")
    newest = good[-1]
    age = (datetime.now(UTC) - newest.finished).total_seconds() / 3600
    evidence = f"{newest.path.name}, {newest.manifest['size']} bytes, {len(newest.manifest['tables'])} tables; {len(good)} backups in all"
    return Seen(age <= hours, f"{age:.1f} hours old", evidence)


def _short(lines: Iterable[str]) -> str:
    lines = list(lines)
    more = [f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join(lines[:_MOST_LINES] + more)


GROUPS: dict[str, Callable[[Server], list[Check]]] = {
    "infrastructure": infrastructure,
    "application": application,
    "security": security,
    "monitoring": monitoring,
}
