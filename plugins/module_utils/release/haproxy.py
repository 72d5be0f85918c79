# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime API: the few commands that move traffic between slots without losing a request."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: A backend that serves nobody; which of its servers is up says where the requests of every frontend go.
SELECTOR = "live"


@dataclass(frozen=True)
class Server:
    """A server line of a backend, as `show stat` reports it."""

    backend: str
    name: str
    status: str
    sessions: int


class Runtime:
    """A running HAProxy behind its admin socket."""

    def __init__(self, path: Path, proc: Path = Path("/proc")) -> None:
        self.path = path
        self.proc = proc

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
        """Send all new requests to the servers named `to`, and wait until the others have answered theirs.

        Returns whether they finished in time. The backend `live` alone decides where a request goes, so that none meets a server that
        has just been taken out.
        """
        servers = self.servers()
        if not any(server.name == to for server in servers):
            raise ParityError(
                f"HAProxy on {self.path} shows no server named {to!r}, so no traffic was moved. Check its "
                "configuration, and that its socket has the level admin."
            )
        selectors = [server for server in servers if server.backend == SELECTOR]
        slots = [server for server in servers if server.backend != SELECTOR]
        for server in [*slots, *selectors]:
            if server.name == to:
                self.set_state(server, "ready")
        for server in selectors:
            if server.name != to:
                self.set_state(server, "maint")
        drained = self._wait_idle(to, time.monotonic() + drain_seconds)
        for server in slots:
            if server.name != to:
                self.set_state(server, "maint")
        return drained

    def worker(self) -> str:
        """The process that serves now. A reload starts another."""
        found = re.search(r"(?m)^Pid: (\d+)", self._ask("show info"))
        return found[1] if found else ""

    def wait_for_another(self, worker: str, seconds: float = 10) -> None:
        """Wait until a reload has taken effect: another process than `worker` serves."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(ParityError):  # the socket changes hands
                if self.worker() != worker:
                    return
            if time.monotonic() > deadline:
                raise ParityError(f"HAProxy on {self.path} still runs with its former configuration {seconds:.0f} s after its reload.")
            time.sleep(0.05)

    def _wait_idle(self, to: str, deadline: float) -> bool:
        while any(server.sessions for server in self.servers() if server.name != to) or self._earlier_workers():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _earlier_workers(self) -> list[str]:
        """Processes from before a reload. They live as long as their requests and streams, and nobody counts those."""
        worker = self.worker()
        try:
            parent = re.search(r"(?m)^PPid:\s+(\d+)", (self.proc / worker / "status").read_text(encoding="utf-8"))
            family = self.proc / parent[1] / "task" / parent[1] / "children" if parent and parent[1] != "1" else None
            return [child for child in family.read_text(encoding="utf-8").split() if child != worker] if family else []
        except OSError:  # it has ended since, or this kernel does not list them
            return []

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
