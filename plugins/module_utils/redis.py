# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Redis' protocol that the checks of a broker need."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from ansible_collections.parity.stack.plugins.module_utils import urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


class Refused(ParityError):
    """The server answered with an error."""


#: How many databases a broker has by default.
DATABASES = 16
_SHAPE = "redis://:password@host:6379/0"
_VERIFIES = {"CERT_REQUIRED": True, "required": True, "CERT_OPTIONAL": True, "optional": True, "CERT_NONE": False, "none": False}
#: Options of Celery and kombu for rediss://.
_OPTIONS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")


@dataclass(frozen=True)
class Place:
    """A server as its URL describes it. `options` are those of TLS, as Celery writes them."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext:
        """How the connection is secured: verified, where the URL does not say otherwise."""
        context = ssl.create_default_context(cafile=self.options.get("ssl_ca_certs"))
        verified = _VERIFIES[self.options.get("ssl_cert_reqs", "required")]
        context.check_hostname = verified and self.options.get("ssl_check_hostname", "true") != "false"
        context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
        if "ssl_certfile" in self.options:
            context.load_cert_chain(self.options["ssl_certfile"], self.options.get("ssl_keyfile"))
        return context


def parse_url(url: object, option: str = "the broker URL", *, databases: int | None = DATABASES) -> Place:
    """Read redis://[user]:password@host:port/number, or rediss:// for TLS. Messages never quote it: it holds a password.

    `databases` is how many the server has; None where the server checks the number itself.
    """
    parts = urls.split(url, option, _SHAPE)
    if parts.scheme not in ("redis", "rediss"):
        raise ParityError(f"{option} cannot be read: it has to start with redis:// or rediss://, like {_SHAPE}")
    if ";" in str(url):
        raise ParityError(f"{option} cannot be read: Celery reads a ; as the end of one URL and the beginning of another. Write %3B.")
    if parts.password == "" or (parts.user and parts.password is None):
        raise ParityError(f"{option} names no password after its user. It has to look like {_SHAPE}")
    options = _options(parts, option)
    return Place(
        parts.host.lower(),
        parts.port or 6379,
        parts.user or "",
        parts.password or "",
        _database(parts, option, databases),
        parts.scheme == "rediss",
        options,
    )


def _database(parts: urls.Parts, option: str, databases: int | None) -> int:
    text = parts.path.removeprefix("/") or "0"
    if parts.fragment or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ParityError(f"{option} cannot be read: after its host stands the number of a database, as in {_SHAPE}")
    if databases is not None and int(text) >= databases:
        raise ParityError(f"{option} names the database {int(text)}. The broker has {databases}, numbered from 0 to {databases - 1}.")
    return int(text)


def _options(parts: urls.Parts, option: str) -> dict[str, str]:
    if parts.options and parts.scheme == "redis":
        raise ParityError(f"{option} has options. Only rediss:// has some: {', '.join(_OPTIONS)}.")
    if not set(parts.options) <= set(_OPTIONS):
        raise ParityError(f"{option} has an option that is not supported. Supported: {', '.join(_OPTIONS)}.")
    if parts.options.get("ssl_cert_reqs", "required") not in _VERIFIES:
        raise ParityError(f"{option} has a value of ssl_cert_reqs that Celery does not know. It is one of: {', '.join(_VERIFIES)}.")
    if parts.options.get("ssl_check_hostname", "true") not in ("true", "false"):
        raise ParityError(f"{option} has a value of ssl_check_hostname that is neither true nor false.")
    return parts.options


class Session:
    """Commands and their answers over one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers: BinaryIO = connection.makefile("rb")

    def ask(self, *words: str) -> object:
        """The answer to one command: text, a number, a list, or None. Raises Refused with the server's words."""
        parts = [word.encode() for word in words]
        self._connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self._answer()

    def _answer(self) -> object:
        line = self._answers.readline(1 << 16)
        if not line.endswith(b"\r\n"):
            raise ParityError("the broker closed the connection")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Refused(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._answers.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._answer() for _dummy in range(int(rest))]
        raise ParityError("what answers is no Redis")


@contextmanager
def session(place: Place, *, password: bool = True, seconds: float = 5) -> Iterator[Session]:
    """A connection that is logged in; without `password`, one that is not."""
    with socket.create_connection((place.host, place.port), timeout=seconds) as plain:
        connection = plain
        if place.tls:
            connection = place.context().wrap_socket(plain, server_hostname=place.host)
        with connection:
            opened = Session(connection)
            if password and place.password:
                opened.ask("AUTH", *filter(None, [place.user]), place.password)
            yield opened


def information(session_: Session, section: str) -> dict[str, str]:
    """A section of the server's INFO."""
    told = str(session_.ask("INFO", section))
    return dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
