# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AMQP 0-9-1 that the checks of a broker need: log in, open a virtual host, ask and be answered."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ansible_collections.parity.stack.plugins.module_utils.brokers import Broker
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

Method = tuple[int, int]
_START, _START_OK, _TUNE, _TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
_OPEN, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)
_CHANNEL_OPEN, _CHANNEL_OPEN_OK, _CHANNEL_CLOSE = (20, 10), (20, 11), (20, 40)
_METHOD, _HEARTBEAT, _END = 1, 8, 0xCE
_LONGEST = 1 << 20


class Refused(ParityError):
    """The server closed the connection, and said why."""


class Session:
    """One connection. Nothing is declared, sent or taken."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers: BinaryIO = connection.makefile("rb")
        self._channels = 0
        self.version = ""

    def login(self, user: str, password: str) -> None:
        """Raises Refused where the server does not take the password."""
        self._connection.sendall(b"AMQP\x00\x00\x09\x01")
        self.version = _version(self._answer(_START))
        # With this capability a refused login is answered; without it the connection ends without a word.
        capability = _short("capabilities") + b"F" + _long(_short("authentication_failure_close") + b"t\x01")
        table = _short("product") + b"S" + _long(b"parity") + capability
        self._send(0, _START_OK, _long(table) + _short("PLAIN") + _long(f"\0{user}\0{password}".encode()) + _short("en_US"))
        channels, longest, _heartbeat = struct.unpack("!HIH", self._answer(_TUNE)[:8])
        self._send(0, _TUNE_OK, struct.pack("!HIH", channels, longest, 0))

    def open(self, virtual_host: str) -> None:
        """Raises Refused where it is not there, or not this user's."""
        self._send(0, _OPEN, _short(virtual_host) + _short("") + b"\0")
        self._answer(_OPEN_OK)

    def round_trip(self) -> None:
        """Open one more channel, which the server answers."""
        self._channels += 1
        self._send(self._channels, _CHANNEL_OPEN, _short(""))
        self._answer(_CHANNEL_OPEN_OK)

    def close(self) -> None:
        """End as the protocol wants it, so that the server logs no broken connection."""
        with contextlib.suppress(ParityError, OSError):
            self._send(0, _CLOSE, struct.pack("!H", 200) + _short("") + struct.pack("!HH", 0, 0))
            self._answer(_CLOSE_OK)

    def _send(self, channel: int, method: Method, arguments: bytes) -> None:
        payload = struct.pack("!HH", *method) + arguments
        self._connection.sendall(struct.pack("!BHI", _METHOD, channel, len(payload)) + payload + bytes([_END]))

    def _answer(self, wanted: Method) -> bytes:
        """The arguments of the method the server answers with."""
        kind, payload = _METHOD + 1, b""
        while kind != _METHOD:
            kind, payload = self._frame()
            if kind not in (_METHOD, _HEARTBEAT):
                raise ParityError("what answers is no AMQP broker")
        if len(payload) < 4:
            raise ParityError("what answers is no AMQP broker")
        method, arguments = struct.unpack("!HH", payload[:4]), payload[4:]
        if method in (_CLOSE, _CHANNEL_CLOSE):
            raise Refused(_reason(arguments))
        if method != wanted:
            raise ParityError(f"the broker answers with the method {method[0]}.{method[1]} where {wanted[0]}.{wanted[1]} was wanted")
        return arguments

    def _frame(self) -> tuple[int, bytes]:
        head = self._answers.read(7)
        if head[:4] == b"AMQP":
            raise ParityError("the broker speaks another version of AMQP than 0-9-1")
        if len(head) < 7:
            raise ParityError("the broker closed the connection")
        kind, _channel, size = struct.unpack("!BHI", head)
        rest = self._answers.read(size + 1) if size <= _LONGEST else b""
        if len(rest) != size + 1 or rest[-1] != _END:
            raise ParityError("what answers is no AMQP broker")
        return kind, rest[:-1]


def _short(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ParityError("a name of more than 255 bytes does not fit into AMQP")
    return bytes([len(raw)]) + raw


def _long(raw: bytes) -> bytes:
    return struct.pack("!I", len(raw)) + raw


def _reason(arguments: bytes) -> str:
    """Code and words of a Close."""
    if len(arguments) < 3:
        raise ParityError("what answers is no AMQP broker")
    return f"{int.from_bytes(arguments[:2], 'big')} {arguments[3 : 3 + arguments[2]].decode(errors='replace')}"


def _version(start: bytes) -> str:
    """What the server says of itself, among other properties."""
    return " ".join(filter(None, (_property(start, name) for name in (b"product", b"version")))) or "unknown"


def _property(table: bytes, name: bytes) -> str:
    """The text of one entry: a length and its name, S, a length and the text."""
    _before, found, rest = table.partition(bytes([len(name)]) + name + b"S")
    return rest[4 : 4 + int.from_bytes(rest[:4], "big")][:40].decode("ascii", "replace") if found else ""


@contextmanager
def connected(broker: Broker, *, seconds: float = 5) -> Iterator[Session]:
    """A connection on which nobody has logged in yet."""
    with socket.create_connection((broker.host, broker.port), timeout=seconds) as plain:
        connection = ssl.create_default_context().wrap_socket(plain, server_hostname=broker.host) if broker.tls else plain
        with connection:
            session_ = Session(connection)
            yield session_
            session_.close()


@contextmanager
def session(broker: Broker, *, seconds: float = 5) -> Iterator[Session]:
    """A connection that is logged in, with the broker's virtual host open."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(connected(broker, seconds=seconds))
        opened.login(broker.user, broker.password)
        opened.open(str(broker.database))
        yield opened


def login_refused(broker: Broker, user: str, password: str) -> str:
    """Why the server does not take a user's password; empty where it does. Raises ParityError where it refuses for another reason."""
    with connected(broker) as session_:
        try:
            session_.login(user, password)
        except Refused as refusal:
            if str(refusal).startswith("403 "):
                return str(refusal)
            raise
    return ""
