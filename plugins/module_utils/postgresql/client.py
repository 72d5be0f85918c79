# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part that talks to PostgreSQL shares: names, URLs, connections, and plain messages for a server's errors."""

from __future__ import annotations

import os
import pwd
import re
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils import urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:  # Installed on the target by the role; a dry-run comes before that.
    psycopg2 = None

#: The option of modules that use this host's server. Documented in plugins/doc_fragments/postgresql.py.
PORT = {"port": {"type": "int", "default": 5432}}
IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
RESERVED = ("postgres", "public", "template0", "template1", "none", "all", "replication", "sameuser", "samerole")
SOCKETS = "/var/run/postgresql"
TRANSACTION_POOLER = 6543

_TRUTH = ("0", "1")
_MODES = ("disable", "prefer", "require")
#: libpq's options that a URL may have, with the values libpq takes; () is any text, int a whole number.
_URL_OPTIONS: dict[str, tuple[str, ...] | type[int]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslrootcert": (), "sslcert": (), "sslkey": (), "sslcrl": (), "sslcrldir": (), "sslsni": _TRUTH,
    "channel_binding": _MODES, "gssencmode": _MODES, "connect_timeout": int, "application_name": (),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "keepalives": int, "keepalives_idle": int, "keepalives_interval": int, "keepalives_count": int,
}  # fmt: skip
#: SQLAlchemy's names of drivers, as in postgresql+asyncpg://, with options of theirs that mean nothing to libpq.
_DRIVERS: dict[str, tuple[str, ...]] = {
    "psycopg2": (),
    "psycopg": ("prepare_threshold",),
    "psycopg_async": ("prepare_threshold",),
    "asyncpg": ("timeout", "command_timeout", "statement_cache_size", "prepared_statement_cache_size"),
    "pg8000": (),
}
_SHAPE = "postgresql://user:password@host:5432/database?sslmode=require"


def name_problem(option: str, value: object) -> str | None:
    """Why `value` cannot name a role or database, or None."""
    if not isinstance(value, str) or not IDENTIFIER.match(value):
        return (
            f"{option} is {value!r}. A name starts with a lower-case letter or underscore and goes on with lower-case "
            "letters, digits and underscores, 63 characters at most."
        )
    if value in RESERVED or value.startswith("pg_"):
        return f"{option} is {value!r}, a name PostgreSQL keeps for itself. Choose another one."
    return None


@dataclass(frozen=True)
class Target:
    """A database as its URL describes it. `options` are libpq's; `driver` is SQLAlchemy's name of the one the application uses."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    options: dict[str, str] = field(default_factory=dict)
    driver: str = ""

    @property
    def place(self) -> str:
        return f"{self.database} on {self.host}:{self.port}"

    def parameters(self, database: str | None = None) -> dict[str, str]:
        """libpq's parameters, without the password: fit for a command line."""
        return {
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "dbname": database or self.database,
            "connect_timeout": "10",
            **self.options,
        }

    def conninfo(self, database: str | None = None) -> str:
        """The same as one libpq string."""
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.parameters(database).items())


def parse_url(url: object, option: str = "the database URL", *, pooled: bool = False) -> Target:
    """Read postgresql://user:password@host:port/database?sslmode=..., also with a driver of SQLAlchemy's (postgresql+asyncpg://).

    `pooled` admits the port of a transaction pooler, for those who need nothing of a session.

    Messages never quote the URL: with a password that is not percent-encoded, any part of it may be the password.
    """
    parts = urls.split(url, option, _SHAPE)
    driver = _driver(parts.scheme, option)
    if not parts.user or not parts.password:
        raise ParityError(f"{option} names no user or no password. It has to look like {_SHAPE}")
    database = urls.decoded(parts.path[1:], option)
    if not database or "/" in parts.path[1:] or parts.fragment:
        raise ParityError(f"{option} cannot be read: after its host stands no name of one database. It has to look like {_SHAPE}")
    port = parts.port or 5432
    if port == TRANSACTION_POOLER and not pooled:
        raise ParityError(
            f"{option} has the port {port}, which is a transaction pooler: snapshots and locks of a session do not "
            "work through it. Use the direct connection or the session pooler, on port 5432."
        )
    return Target(parts.host, port, parts.user, parts.password, database, _options(parts.options, driver, option), driver)


def _driver(scheme: str, option: str) -> str:
    name, plus, driver = scheme.partition("+")
    if name != "postgresql" and scheme != "postgres":
        raise ParityError(f"{option} has to start with postgresql://. It has to look like {_SHAPE}")
    if plus and driver not in _DRIVERS:
        raise ParityError(
            f"{option} starts with the name of a driver that is not supported. Supported: {', '.join(_DRIVERS)}, as in "
            "postgresql+psycopg://; postgresql:// alone is right everywhere."
        )
    return driver


def _options(given: dict[str, str], driver: str, option: str) -> dict[str, str]:
    """libpq's options. asyncpg's `ssl` is its sslmode; what is the driver's alone is left out."""
    found = {name: value for name, value in given.items() if name not in _DRIVERS.get(driver, ())}
    if driver == "asyncpg" and "ssl" in found:
        if "sslmode" in found:
            raise ParityError(f"{option} has ssl and sslmode, which are the same thing. Keep one of the two.")
        found["sslmode"] = found.pop("ssl")
    unknown = [name for name in found if name not in _URL_OPTIONS]
    if "ssl" in unknown:
        raise ParityError(f"{option} has the option ssl, which only asyncpg knows (postgresql+asyncpg://). Write sslmode=require.")
    if unknown:
        shown = ", ".join(sorted(unknown)) if all(IDENTIFIER.match(name) for name in unknown) else "one without a proper name"
        raise ParityError(f"{option} has options that are not supported: {shown}. Supported: {', '.join(_URL_OPTIONS)}.")
    for name, value in found.items():
        _refuse_value(name, value, option)
    return found


def _refuse_value(name: str, value: str, option: str) -> None:
    wanted = _URL_OPTIONS[name]
    if wanted is int:
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise ParityError(f"{option} has a value of {name} that is no whole number.")
    elif wanted and value not in wanted:
        raise ParityError(f"{option} has a value of {name} that libpq does not know. It is one of: {', '.join(wanted)}.")


def require_driver() -> None:
    """Raise ParityError where psycopg2 is missing."""
    if psycopg2 is None:
        raise ParityError(
            "Python's PostgreSQL driver is missing on this host. Install it: apt-get install python3-psycopg2"
        )


def connect(target: Target, database: str | None = None):
    """A connection to `target`. Raises ParityError in plain words."""
    require_driver()
    try:
        return psycopg2.connect(password=target.password, **target.parameters(database))
    except psycopg2.OperationalError as error:
        words = str(error)
        if "certificate verify failed" in words:
            words += verification_failure(target)
        raise ParityError(explain_connection(target, words)) from None


@contextmanager
def _acting_as(user: str) -> Iterator[None]:
    """Become `user` while connecting: peer authentication checks the effective user at that moment."""
    uid = os.geteuid()
    wanted = pwd.getpwnam(user).pw_uid
    if wanted == uid:
        yield
        return
    os.seteuid(wanted)
    try:
        yield
    finally:
        os.seteuid(uid)


def connect_locally(port: int, database: str = "postgres", user: str = "postgres"):
    """A superuser's connection through the socket, in autocommit.

    Raises ParityError where there is no server, no such user on the host, or the server refuses.
    """
    require_driver()
    try:
        with _acting_as(user):
            connection = psycopg2.connect(host=SOCKETS, port=port, user=user, dbname=database, connect_timeout=10)
    except (KeyError, PermissionError, psycopg2.OperationalError) as error:
        raise ParityError(
            f"No PostgreSQL answers the user {user} on {SOCKETS} port {port}: {_first_line(str(error))}"
        ) from None
    connection.autocommit = True
    return connection


def served_certificate(host: str, port: int) -> bytes | None:
    """The certificate a server shows (DER), or None where it offers no TLS. Nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return _handshake(host, port, context)


def verification_failure(target: Target) -> str:
    """Why the server's certificate is not accepted, because libpq does not say: it has expired, or its authority is another one."""
    try:
        context = ssl.create_default_context(cafile=target.options.get("sslrootcert"))
        context.check_hostname = target.options.get("sslmode") == "verify-full"
        _handshake(target.host, target.port, context)
    except ssl.SSLCertVerificationError as error:
        return f": {error.verify_message}"
    except OSError:
        pass  # Whatever it was, it is not that any more.
    return ""


def _handshake(host: str, port: int, context: ssl.SSLContext) -> bytes | None:
    with socket.create_connection((host, port), timeout=10) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103))  # PostgreSQL's SSLRequest
        if plain.recv(1) != b"S":
            return None
        with context.wrap_socket(plain, server_hostname=host) as session:
            return session.getpeercert(binary_form=True)


def verification_problem(target: Target) -> str | None:
    """Why a connection over somebody else's network is not safe, or None."""
    mode = target.options.get("sslmode", "prefer")
    if mode != "verify-full":
        return (
            f"The database URL has sslmode={mode}, so whoever sits between could be the server. Write ?sslmode=verify-full"
            "&sslrootcert=FILE, with the provider's CA bundle in FILE on the host."
        )
    if not target.options.get("sslrootcert"):
        return "The database URL has sslmode=verify-full and no sslrootcert. Name the file with the provider's CA bundle in it."
    return None


def rows(connection, query: str, values: object = None) -> list[tuple]:
    """All rows of one query. Raises ParityError with the first line of the server's message, which never has the query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []
    except psycopg2.Error as error:
        raise ParityError(f"PostgreSQL refuses: {_first_line(str(error))}") from None


def records(connection, query: str, values: object = None) -> list[dict]:
    """The same with the columns' names. Values are needed where the query has a percent sign."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return [dict(zip((column.name for column in cursor.description), row)) for row in cursor.fetchall()]
    except psycopg2.Error as error:
        raise ParityError(f"PostgreSQL refuses: {_first_line(str(error))}") from None


_CONNECTION_WORDS = (
    (r"password authentication failed", "refuses the password of {user} (or does not know that role)."
     " Compare the password in the inventory with the one the server has."),
    (r"database .* does not exist", "has no database of this name."),
    (r"no pg_hba.conf entry.*no encryption", "does not let {user} in from this host without TLS."
     " Write ?sslmode=verify-full&sslrootcert=FILE in the URL, or add this host's network to those that are allowed."),
    (r"certificate has expired|certificate is not yet valid", "shows a certificate that has expired, or is not valid yet."
     " Renew it; the role database brings a new one in with a reload."),
    (r"no pg_hba.conf entry|no encryption", "does not let {user} in from this host."
     " Add this host's network to those that are allowed."),
    (r"could not translate host name|Name or service not known|Temporary failure in name resolution",
     "cannot be found: its name does not resolve on this host."),
    (r"too many clients|remaining connection slots", "has no connection left."
     " Raise max_connections, or end idle sessions."),
    (r"certificate verify failed|root certificate file|does not match host name",
     "shows a certificate that cannot be verified. Check sslrootcert and the name in the URL."),
    (r"does not support SSL", "offers no TLS, and the URL demands it with sslmode."),
    (r"timeout expired|timed out", "does not answer within 10 s. Check the address, the network and its firewall."),
    (r"Connection refused|No such file or directory", "does not answer: nothing listens there. Is PostgreSQL running?"),
    (r"No route to host|Network is unreachable", "cannot be reached over the network from this host."),
    (r"starting up|shutting down|recovery mode", "is starting up or shutting down. Try again in a moment."),
)  # fmt: skip


def explain_connection(target: Target, words: str) -> str:
    """The meaning of a failed connection, with the server's own message where it is short."""
    for pattern, meaning in _CONNECTION_WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return f"The server of database {target.place} {meaning.format(user=target.user)}"
    return f"The server of database {target.place} cannot be used by {target.user}: {_first_line(words)}"


def _first_line(words: str) -> str:
    return words.strip().splitlines()[0] if words.strip() else "no reason given"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
