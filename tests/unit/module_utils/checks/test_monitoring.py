# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of monitoring passes where all is well, and fails for the one thing it is there for."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from ansible_collections.parity.stack.plugins.module_utils.checks import collect
from ansible_collections.parity.stack.plugins.module_utils.checks import monitoring as monitoring_checks

CONFIGURATION = "route:\n  routes:\n  - receiver: parity-probe\n    matchers: [alertname = ParityProbe]\n"


class Both(http.server.BaseHTTPRequestHandler):
    """Prometheus and Alertmanager as they should be, but for a fault."""

    fault = ""
    receiver = 0
    active: list[dict] = []  # noqa: RUF012

    def answer(self, content: object, kind: str = "application/json") -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def data(self, content: object) -> None:
        self.answer({"status": "success", "data": content})

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/api/v1/targets":
            health = "down" if self.fault == "target" else "up"
            names = ["api"] if self.fault == "job" else ["api", "worker"]
            labels = [{"job": name, "instance": f"{name}:1"} for name in names]
            self.data({"activeTargets": [{"health": health, "labels": label, "lastError": "refused"} for label in labels]})
        elif parts.path == "/api/v1/rules":
            state = "firing" if self.fault == "alert" else "inactive"
            rule = {"name": "Down", "health": "err" if self.fault == "rule" else "ok", "state": state}
            rule["alerts"] = [{"annotations": {"summary": "it is down"}}]
            self.data({"groups": [] if self.fault == "no_rules" else [{"rules": [rule]}]})
        elif parts.path == "/api/v1/alertmanagers":
            self.data({"activeAlertmanagers": [] if self.fault == "nobody" else [{"url": "http://h:9093/api/v2/alerts"}]})
        elif parts.path == "/api/v1/query":
            self.query(urllib.parse.parse_qs(parts.query)["query"][0])
        elif parts.path == "/console":
            self.answer("error executing template" if self.fault == "dashboard" else "<html>all is well</html>", "text/html")
        elif parts.path == "/api/v2/status":
            self.answer({"config": {"original": "route:\n" if self.fault == "no_route" else CONFIGURATION}})
        elif parts.path == "/api/v2/alerts":
            self.answer([{"labels": {}}] if self.fault == "stays" else [])
        else:
            self.answer("")

    def query(self, query: str) -> None:
        if "node_time_seconds" in query:
            off = "-7.5" if self.fault == "clock" else "0.02"
            self.data({"result": [{"metric": {"instance": "app1:9100"}, "value": [0, off]}]})
        elif "increase" in query:
            self.data({"result": [{"metric": {"integration": "slack"}, "value": [0, "3"]}] if self.fault == "notification" else []})
        else:
            self.data({"result": [] if self.fault == "no_metrics" else [{"metric": {}, "value": [0, "1"]}]})

    def do_POST(self) -> None:
        [alert] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({})
        over = datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC)
        if self.fault == ("no_end" if over else "no_beginning"):
            return
        body = json.dumps({"alerts": [{"labels": alert["labels"], "status": "resolved" if over else "firing"}]}).encode()
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.receiver}/", data=body), timeout=5).close()

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def monitoring(fault: str) -> Iterator[monitoring_checks.Monitoring]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    handler = type("Faulty", (Both,), {"fault": fault, "receiver": port})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield monitoring_checks.Monitoring(
            url, url, ["api", "worker"], ["/console"], receiver_port=port, seconds=0.5, settle_seconds=0
        )
        server.shutdown()


def results(wanted: monitoring_checks.Monitoring) -> dict[str, dict]:
    found = [check for group in monitoring_checks.GROUPS.values() for check in group(wanted)]
    return {item["id"]: item for item in collect.perform(found, host="ops1")}


@pytest.mark.parametrize(
    ("fault", "name", "status"),
    [
        ("", "", ""),
        ("target", "monitoring.targets", "failed"),
        ("job", "monitoring.targets", "failed"),
        ("rule", "monitoring.rules", "failed"),
        ("no_rules", "monitoring.rules", "failed"),
        ("alert", "monitoring.alerts", "failed"),
        ("nobody", "monitoring.alertmanager", "failed"),
        ("no_route", "monitoring.receiver", "error"),
        ("no_beginning", "monitoring.receiver", "failed"),
        ("no_end", "monitoring.receiver", "failed"),
        ("stays", "monitoring.receiver", "failed"),
        ("notification", "monitoring.notifications", "failed"),
        ("no_metrics", "monitoring.notifications", "error"),
        ("dashboard", "monitoring.dashboards", "failed"),
        ("clock", "infrastructure.clocks", "failed"),
    ],
)
def test_each_fault_is_found(fault: str, name: str, status: str) -> None:
    with monitoring(fault) as wanted:
        found = results(wanted)
    bad = {key: item["status"] for key, item in found.items() if item["status"] != "passed"}
    assert bad == ({name: status} if name else {}), found


def test_nobody_answers() -> None:
    found = results(monitoring_checks.Monitoring("http://127.0.0.1:1", "http://127.0.0.1:1", dashboards=["/x"], settle_seconds=0))
    assert "passed" not in {item["status"] for item in found.values()}


def test_a_port_that_is_taken_is_no_pass() -> None:
    with monitoring("") as wanted, socket.create_server(("127.0.0.1", wanted.receiver_port)):
        found = results(wanted)["monitoring.receiver"]
    assert found["status"] == "error" and "Is another validation running?" in found["seen"]
