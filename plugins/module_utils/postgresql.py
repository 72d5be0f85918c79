# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part that talks to PostgreSQL shares: names, URLs, connections, and a server's words made plain."""

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
from urllib.parse import parse_qsl, unquote

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import psycopg2
    import psycopg2.extensions
except ImportError:  # Installed on the target by the role; a dry-run comes before that.
    psycopg2 = None

IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")
RESERVED = ("postgres", "public", "template0", "template1", "none", "all", "replication", "sameuser", "samerole")
SOCKETS = "/var/run/postgresql"
TRANSACTION_POOLER = 6543

_URL = re.compile(
    r"""^(?P<scheme>[a-z0-9+]+)://
        (?:(?P<user>[^:@/?\#\[\]\s]*)(?::(?P<password>[^@/?\#\[\]\s]*))?@)?
        (?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])
        (?::(?P<port>[0-9]{1,5}))?
        /(?P<database>[^/?\#\s]+)
        (?:\?(?P<query>[^\#\s]*))?$""",
    re.VERBOSE,
)
_URL_OPTIONS = (
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "sslsni", "channel_binding",
    "connect_timeout", "application_name", "target_session_attrs", "gssencmode",
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
)  # fmt: skip
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


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
    """A database as its URL describes it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    options: dict[str, str] = field(default_factory=dict)

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
    """Read postgresql://user:password@host:port/database?sslmode=...

    `pooled` admits the port of a transaction pooler, for those who need nothing of a session.

    Messages never quote the URL: with a password that is not percent-encoded, any part of it may be the password.
    """
    shape = "postgresql://user:password@host:5432/database?sslmode=require"
    if not isinstance(url, str) or not url:
        raise ParityError(f"{option} is empty. It has to look like {shape}")
    found = _URL.match(url)
    if not found:
        raise ParityError(
            f"{option} cannot be read. It has to look like {shape}; characters other than letters, digits and -._~ "
            "in the password are percent-encoded (/ is %2F, @ is %40, # is %23)."
        )
    if found["scheme"] not in ("postgresql", "postgres"):
        raise ParityError(
            f"{option} starts with {found['scheme']}://. It has to start with postgresql://, without the "
            "name of a driver."
        )
    if any(_BAD_PERCENT.search(found[part] or "") for part in ("user", "password", "database")):
        raise ParityError(
            f"{option} has a % that is not followed by two hexadecimal digits. A % itself is written %25."
        )
    if not found["user"] or not found["password"]:
        raise ParityError(f"{option} names no user or no password. It has to look like {shape}")
    port = int(found["port"] or 5432)
    if not 1 <= port <= 65535:
        raise ParityError(f"{option} has the port {port}. A port is between 1 and 65535.")
    if port == TRANSACTION_POOLER and not pooled:
        raise ParityError(
            f"{option} has the port {port}, which is a transaction pooler: snapshots and locks of a session do not "
            "work through it. Use the direct connection or the session pooler, on port 5432."
        )
    options = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    unknown = sorted(set(options) - set(_URL_OPTIONS))
    if unknown:
        raise ParityError(
            f"{option} has options that are not supported: {', '.join(unknown)}. Supported: {', '.join(_URL_OPTIONS)}."
        )
    return Target(
        host=found["host"].strip("[]"),
        port=port,
        user=unquote(found["user"]),
        password=unquote(found["password"]),
        database=unquote(found["database"]),
        options=options,
    )


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
    """Peer authentication looks at the effective user at the moment of connecting."""
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
    """Why the server's certificate is not accepted, which libpq does not tell: it has expired, its authority is another one."""
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
    """Why a connection over a network that is not ours would not be safe, or None."""
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
    """All rows of one query. Raises ParityError with the first line of the server's words, which never has it."""
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
    """What a failed connection means, with the server's own words where they are short."""
    for pattern, meaning in _CONNECTION_WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return f"The server of database {target.place} {meaning.format(user=target.user)}"
    return f"The server of database {target.place} cannot be used by {target.user}: {_first_line(words)}"


def _first_line(words: str) -> str:
    return words.strip().splitlines()[0] if words.strip() else "no reason given"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
