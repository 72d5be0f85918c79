# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that monitoring measures, judges and notifies. docs/checks.md says why each check matters."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ansible_collections.parity.stack.plugins.module_utils.checks.collect import Check, NothingToCheck, Seen
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client
from ansible_collections.parity.stack.plugins.module_utils.probing import prometheus

#: Alertmanager sends alerts of this name to nobody but the receiver of this check.
PROBE = "ParityProbe"
_MOST_LINES = 60


@dataclass(frozen=True)
class Monitoring:
    """Where monitoring answers, and what it has to do."""

    prometheus: str
    alertmanager: str
    jobs: list[str] = field(default_factory=list)
    dashboards: list[str] = field(default_factory=list)
    receiver_port: int = 9095
    clocks_apart: float = 1
    seconds: float = 30
    settle_seconds: float = 20


def monitoring(wanted: Monitoring) -> list[Check]:
    return [
        Check(
            "monitoring.targets",
            "Monitoring sees every instance",
            f"every target answers, of the jobs {', '.join(wanted.jobs) or 'there are'}",
            partial(_targets, wanted),
            "critical",
        ),
        Check(
            "monitoring.rules",
            "The alert rules are loaded and judged",
            "rules are there, and none has an error",
            partial(_rules, wanted),
            "critical",
        ),
        Check("monitoring.alerts", "No alert is active", "none", partial(_alerts, wanted), "minor"),
        Check(
            "monitoring.alertmanager",
            "Prometheus has an Alertmanager to notify",
            "one Alertmanager at least",
            partial(_alertmanagers, wanted),
            "critical",
        ),
        Check(
            "monitoring.receiver",
            "An alert reaches its receiver, and its end does too",
            f"both within {wanted.seconds:g} s each",
            partial(_receiver, wanted),
            "critical",
        ),
        Check("monitoring.notifications", "No notification failed", "none within the last hour", partial(_notifications, wanted)),
        Check("monitoring.dashboards", "The dashboards answer", "status 200 and a page", partial(_dashboards, wanted)),
    ]


def infrastructure(wanted: Monitoring) -> list[Check]:
    expected = f"at most {wanted.clocks_apart:g} s from this host's"
    return [Check("infrastructure.clocks", "The hosts' clocks agree", expected, partial(_clocks, wanted))]


def _clocks(wanted: Monitoring) -> Seen:
    """Compare the time that each host reported with the time of the scrape. The error is at most the scrape's duration."""
    found = _value(wanted, "node_time_seconds - timestamp(node_time_seconds)")
    if not found:
        raise ParityError("Prometheus knows no host's time. Check that it scrapes the node exporters.")
    off = sorted(((abs(float(entry["value"][1])), entry["metric"].get("instance", "")) for entry in found), reverse=True)
    lines = [f"{instance}: {seconds:.2f} s" for seconds, instance in off]
    return Seen(off[0][0] <= wanted.clocks_apart, f"at most {off[0][0]:.2f} s, of {len(off)} hosts", "\n".join(lines[:_MOST_LINES]))


def _data(answer: Answer) -> dict:
    content = answer.json()
    if answer.status != 200 or not isinstance(content, dict) or content.get("status") != "success":
        raise ParityError(f"Prometheus answered {answer}")
    return content["data"]


def _targets(wanted: Monitoring) -> Seen:
    """Wait for the next scrape or two: after a deployment, the last scrape of an instance may have come while it was down."""
    deadline = time.monotonic() + wanted.settle_seconds
    while True:
        targets = _data(Client(wanted.prometheus).send("GET", "/api/v1/targets?state=active"))["activeTargets"]
        bad = [target for target in targets if target["health"] != "up"]
        missing = sorted(set(wanted.jobs) - {target["labels"]["job"] for target in targets})
        if not (bad or missing) or time.monotonic() > deadline:
            break
        time.sleep(1)
    lines = [
        f"{target['health']}: {target['labels']['job']} {target['labels']['instance']} {target.get('lastError', '')}".strip()
        for target in sorted(targets, key=lambda target: target["health"] == "up")
    ]
    words = [f"{len(targets) - len(bad)} of {len(targets)} answer"]
    words += [f"without {target['labels']['job']} {target['labels']['instance']}" for target in bad[:3]]
    words += [f"no target of {', '.join(missing)}"] if missing else []
    return Seen(bool(targets) and not bad and not missing, "; ".join(words), "\n".join(lines[:_MOST_LINES]))


def _all_rules(wanted: Monitoring) -> list[dict]:
    groups = _data(Client(wanted.prometheus).send("GET", "/api/v1/rules"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _rules(wanted: Monitoring) -> Seen:
    rules = _all_rules(wanted)
    bad = [rule for rule in rules if rule["health"] not in ("ok", "unknown")]
    lines = [f"{rule['name']}: {rule.get('lastError') or rule['health']}" for rule in (bad or rules)]
    words = f"{len(bad)} of {len(rules)} have an error" if bad else f"{len(rules)} rules"
    return Seen(bool(rules) and not bad, words, "\n".join(lines[:_MOST_LINES]))


def _alerts(wanted: Monitoring) -> Seen:
    rules = [rule for rule in _all_rules(wanted) if rule.get("state") == "firing"]
    lines = [alert["annotations"].get("summary", rule["name"]) for rule in rules for alert in rule.get("alerts", [])]
    return Seen(not rules, ", ".join(rule["name"] for rule in rules) or "none", "\n".join(lines[:_MOST_LINES]))


def _alertmanagers(wanted: Monitoring) -> Seen:
    found = _data(Client(wanted.prometheus).send("GET", "/api/v1/alertmanagers"))
    urls = [entry["url"] for entry in found["activeAlertmanagers"]]
    return Seen(bool(urls), f"{len(urls)}", "\n".join(urls))


def _value(wanted: Monitoring, query: str) -> list[dict]:
    return _data(prometheus.query(Client(wanted.prometheus), query))["result"]


def _notifications(wanted: Monitoring) -> Seen:
    """By the counters of Prometheus (to Alertmanager) and of Alertmanager (to receivers)."""
    if not _value(wanted, "alertmanager_notifications_total"):
        raise ParityError("Prometheus knows no metrics of Alertmanager. Check that it scrapes Alertmanager.")
    failures = "sum by (integration) (increase(alertmanager_notifications_failed_total[1h]))"
    query = f"{failures} > 0 or sum(increase(prometheus_notifications_errors_total[1h])) > 0"
    failed = _value(wanted, query)
    lines = [f"{entry['metric'].get('integration', 'Prometheus to Alertmanager')}: {float(entry['value'][1]):.0f}" for entry in failed]
    return Seen(not failed, "; ".join(lines) or "none", "\n".join(lines))


def _dashboards(wanted: Monitoring) -> Seen:
    if not wanted.dashboards:
        raise NothingToCheck("the inventory names no dashboard")
    client, lines, bad = Client(wanted.prometheus), [], []
    for path in wanted.dashboards:
        answer = client.send("GET", path)
        good = answer.status == 200 and b"<html" in answer.body.lower() and b"error executing template" not in answer.body.lower()
        lines.append(f"{path}: {answer}, {len(answer.body)} bytes, {answer.seconds:.2f} s")
        bad += [] if good else [path]
    return Seen(not bad, f"not {', '.join(bad)}" if bad else f"{len(lines)} pages", "\n".join(lines))


# --- An alert of our own ----------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    arrived: queue.Queue

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        try:
            alerts = json.loads(body).get("alerts", [])
        except (ValueError, AttributeError):
            return
        for alert in alerts:
            self.arrived.put((alert.get("labels", {}).get("run"), alert.get("status")))

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def receiving(port: int) -> Iterator[queue.Queue]:
    """Take notifications on this host, as long as the block lasts: pairs of an alert's run and its status."""
    arrived: queue.Queue = queue.Queue()
    handler = type("Receiver", (_Handler,), {"arrived": arrived})
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ParityError(f"nothing can listen on port {port} of this host: {error.strerror}. Is another validation running?") from error
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield arrived
        finally:
            server.shutdown()


def _receiver(wanted: Monitoring) -> Seen:
    """Send an alert through Alertmanager's API, its routes and a webhook. It does not reach people's receivers."""
    client, run = Client(wanted.alertmanager), uuid.uuid4().hex
    status = client.send("GET", "/api/v2/status").json()
    configuration = status.get("config", {}).get("original", "") if isinstance(status, dict) else ""
    if not configuration:
        raise ParityError(f"Alertmanager does not show its configuration at {wanted.alertmanager}/api/v2/status")
    if PROBE not in configuration:
        raise ParityError(f"Alertmanager has no route for {PROBE}, so the alert would reach people. Run the playbook infrastructure first.")
    with receiving(wanted.receiver_port) as arrived:
        # The alert ends by itself, even where this run is killed.
        _send(client, run, seconds=2 * wanted.seconds + 60)
        try:
            began = time.monotonic()
            if not _await(arrived, run, "firing", wanted.seconds):
                return Seen(False, "it did not arrive", _failures(wanted))
            took = time.monotonic() - began
        finally:
            _send(client, run, seconds=0)
        began = time.monotonic()
        if not _await(arrived, run, "resolved", wanted.seconds):
            return Seen(False, f"it arrived after {took:.1f} s, its end did not", _failures(wanted))
        ended = time.monotonic() - began
    left = client.send("GET", "/api/v2/alerts?" + urllib.parse.urlencode({"filter": f'run="{run}"'})).json()
    if left:
        return Seen(False, "it is still active", json.dumps(left)[:1000])
    return Seen(True, f"after {took:.1f} s, its end after {ended:.1f} s")


def _send(client: Client, run: str, *, seconds: float) -> None:
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": PROBE, "severity": "none", "run": run},
        "annotations": {"summary": "A test of the way an alert takes. Nothing is wrong."},
        "startsAt": (now - timedelta(seconds=1)).isoformat(),
        "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
    }
    answer = client.send("POST", "/api/v2/alerts", body=json.dumps([alert]).encode(), content_type="application/json")
    if answer.status != 200:
        raise ParityError(f"Alertmanager did not take an alert: {answer} {answer.body[:200].decode(errors='replace')}")


def _await(arrived: queue.Queue, run: str, status: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            if arrived.get(timeout=left) == (run, status):
                return True
        except queue.Empty:
            return False
    return False


def _failures(wanted: Monitoring) -> str:
    metrics = Client(wanted.alertmanager).send("GET", "/metrics").body.decode(errors="replace")
    lines = [
        line for line in metrics.splitlines() if line.startswith("alertmanager_notifications_failed_total") and not line.endswith(" 0")
    ]
    return "\n".join(lines)


GROUPS: dict[str, Callable[[Monitoring], list[Check]]] = {"infrastructure": infrastructure, "monitoring": monitoring}
