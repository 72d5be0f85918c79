# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API: the few commands that move traffic between slots without losing a request."""

from __future__ import annotations

import csv
import io
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


@dataclass(frozen=True)
class Server:
    """A server line of a backend, as `show stat` reports it."""

    backend: str
    name: str
    status: str
    sessions: int


class Runtime:
    """A running HAProxy behind its admin socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def servers(self) -> list[Server]:
        """Every server of every backend."""
        rows = csv.DictReader(io.StringIO(self._ask("show stat").lstrip("# ")))
        return [
            Server(row["pxname"], row["svname"], row["status"], int(row["scur"] or 0))
            for row in rows
            if row["svname"] not in ("FRONTEND", "BACKEND")
        ]

    def set_state(self, server: Server, state: str) -> None:
        """Set a server to ready, drain or maint."""
        answer = self._ask(f"set server {server.backend}/{server.name} state {state}")
        if answer.strip():
            raise ParityError(f"HAProxy refused to set {server.backend}/{server.name} to {state}: {answer.strip()}")

    def switch(self, to: str, *, drain_seconds: float) -> bool:
        """Send all new requests to the servers named `to`, and drain the others.

        Returns whether they finished in time.
        """
        ready = [server for server in self.servers() if server.name == to]
        if not ready:
            raise ParityError(
                f"HAProxy on {self.path} shows no server named {to!r}, so no traffic was moved. Check its "
                "configuration, and that its socket has the level admin."
            )
        for server in ready:
            self.set_state(server, "ready")
        for server in self.servers():
            if server.name != to:
                self.set_state(server, "drain")
        drained = self._wait_idle(to, time.monotonic() + drain_seconds)
        for server in self.servers():
            if server.name != to:
                self.set_state(server, "maint")
        return drained

    def _wait_idle(self, to: str, deadline: float) -> bool:
        while any(server.sessions for server in self.servers() if server.name != to):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(10)
                connection.connect(str(self.path))
                connection.sendall(command.encode() + b"\n")
                chunks = []
                while chunk := connection.recv(65536):
                    chunks.append(chunk)
        except OSError as error:
            raise ParityError(f"HAProxy does not answer on {self.path}: {error}. Is its unit running?") from error
        return b"".join(chunks).decode()
