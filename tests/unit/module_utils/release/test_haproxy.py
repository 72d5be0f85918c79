# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic moves between slots in an order that loses no request."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release.haproxy import Runtime, Server

STAT = """# pxname,svname,status,scur,
front,FRONTEND,OPEN,3,
app,blue,UP,{sessions},
app,green,MAINT,,
app,BACKEND,UP,1,
live,blue,no check,0,
live,green,MAINT,0,
"""


class Proxy(socketserver.ThreadingUnixStreamServer):
    """Answers one command a connection, and remembers those that change something."""

    daemon_threads = True
    stat, sessions, answer, info = STAT, [0], "\n", "Name: HAProxy\nPid: 12\n"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.done: list[str] = []


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        command = self.rfile.readline().decode().strip()
        if command == "show stat":
            left = self.server.sessions
            text = self.server.stat.replace("{sessions}", str(left.pop(0) if len(left) > 1 else left[0]))
        elif command == "show info":
            text = self.server.info
        else:
            self.server.done.append(command.removeprefix("set server "))
            text = self.server.answer
        self.wfile.write(text.encode())


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(tmp_path / "s") as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def test_servers(proxy: Proxy, tmp_path: Path) -> None:
    assert Runtime(tmp_path / "s").servers() == [
        Server("app", "blue", "UP", 0),
        Server("app", "green", "MAINT", 0),
        Server("live", "blue", "no check", 0),
        Server("live", "green", "MAINT", 0),
    ]


@pytest.mark.parametrize(("sessions", "drained"), [([0], True), ([2, 2, 2, 1, 0], True), ([1], False)])
def test_switch(proxy: Proxy, tmp_path: Path, sessions: list[int], drained: bool) -> None:
    proxy.sessions = sessions
    assert Runtime(tmp_path / "s").switch("green", drain_seconds=0.3) is drained
    # The requests move before a server is taken out.
    assert proxy.done == ["app/green state ready", "live/green state ready", "live/blue state maint", "app/blue state maint"]


@pytest.mark.parametrize(("ends", "drained"), [(True, True), (False, False)])
def test_streams_of_the_process_before_a_reload_are_waited_for(proxy: Proxy, tmp_path: Path, ends: bool, drained: bool) -> None:
    status, children = tmp_path / "proc/12/status", tmp_path / "proc/10/task/10/children"
    for path, text in ((status, "Name:\thaproxy\nPPid:\t10\n"), (children, "11 12 ")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    if ends:
        threading.Timer(0.3, children.write_text, ["12 "]).start()
    assert Runtime(tmp_path / "s", tmp_path / "proc").switch("green", drain_seconds=5 if ends else 0.4) is drained


@pytest.mark.parametrize(("to", "stat"), [("red", STAT), ("green", "Permission denied\n")])
def test_where_nothing_could_take_the_traffic_nothing_is_drained(
    proxy: Proxy, tmp_path: Path, to: str, stat: str
) -> None:
    proxy.stat = stat
    with pytest.raises(ParityError, match=f"shows no server named '{to}'"):
        Runtime(tmp_path / "s").switch(to, drain_seconds=0)
    assert proxy.done == []


def test_a_refusal_is_an_error(proxy: Proxy, tmp_path: Path) -> None:
    proxy.answer = "No such server.\n"
    with pytest.raises(ParityError, match="refused to set app/green to ready: No such server"):
        Runtime(tmp_path / "s").switch("green", drain_seconds=0)


def test_no_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="does not answer on"):
        Runtime(tmp_path / "none").servers()


def test_a_reload_is_waited_for(proxy: Proxy, tmp_path: Path) -> None:
    runtime = Runtime(tmp_path / "s")
    assert runtime.worker() == "12"
    runtime.wait_for_another("11", seconds=0)
    with pytest.raises(ParityError, match="still runs with its former configuration"):
        runtime.wait_for_another("12", seconds=0.1)
