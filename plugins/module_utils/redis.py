# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Redis' protocol as a look at a broker needs."""

from __future__ import annotations

import socket
import ssl
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


class Refused(ParityError):
    """The server answered with an error."""


@dataclass(frozen=True)
class Place:
    """A server as its URL describes it."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False
    ca_file: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_url(url: str, option: str = "the broker URL") -> Place:
    """Read redis://[user]:password@host:port/number, or rediss:// for TLS. Messages never quote it: it holds a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        path = parts.path.strip("/") or "0"
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not path.isdigit():
            raise ValueError
        query = dict(urllib.parse.parse_qsl(parts.query))
        return Place(
            parts.hostname,
            parts.port or 6379,
            urllib.parse.unquote(parts.username or ""),
            urllib.parse.unquote(parts.password or ""),
            int(path),
            parts.scheme == "rediss",
            query.get("ssl_ca_certs"),
        )
    except ValueError:
        raise ParityError(f"{option} cannot be read. It has to look like redis://:password@host:6379/0") from None


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
    """A connection that is logged in, or, without `password`, one that is not."""
    with socket.create_connection((place.host, place.port), timeout=seconds) as plain:
        connection = plain
        if place.tls:
            connection = ssl.create_default_context(cafile=place.ca_file).wrap_socket(plain, server_hostname=place.host)
        with connection:
            opened = Session(connection)
            if password and place.password:
                opened.ask("AUTH", *filter(None, [place.user]), place.password)
            yield opened


def information(session_: Session, section: str) -> dict[str, str]:
    """A section of what the server says of itself."""
    told = str(session_.ask("INFO", section))
    return dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
