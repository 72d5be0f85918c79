# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of a host the stack is going to use, and which programs may have them already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: What listens on the ports of a host by its groups, beside the processes: the setting with the port, the words for it, its programs.
BY_GROUP = {
    "database": [
        ("database", "PostgreSQL", ["postgres"]),
        ("pooler", "the pooler in front of PostgreSQL", ["pgbouncer"]),
    ],
    "broker": [("broker", "the broker", ["redis-server", "beam.smp"])],
    "gateway": [
        ("gateway", "the gateway", ["haproxy"]),
        ("redirect", "the gateway's redirect to HTTPS", ["haproxy"]),
        ("gateway_metrics", "the gateway's metrics", ["haproxy"]),
    ],
    "monitoring": [
        ("prometheus", "Prometheus", ["prometheus"]),
        ("alertmanager", "Alertmanager", ["prometheus-aler", "alertmanager"]),
    ],
}
#: What the kernel calls the programs of processes. Others, of a plain command, are those of the command itself.
PROGRAMS = ["python", "python3", "uvicorn", "gunicorn", "celery"]


def expected(processes: Iterable[Mapping], groups: Iterable[str], ports: Mapping[str, object]) -> list[dict]:
    """The ports of one host, each with `port`, `service` and the `processes` that may have it.

    `processes` are those of the host, `groups` the host's, `ports` the numbers of `BY_GROUP` by their names; 0 is none.
    """
    found = [entry for process in processes if process["port"] for entry in _of_process(process)]
    for group in groups:
        found += [_entry(ports.get(name), words, programs) for name, words, programs in BY_GROUP.get(group, [])]
    # A pooler and a server at one port are one.
    return list({entry["port"]: entry for entry in reversed(found) if entry["port"]}.values())[::-1]


def _of_process(process: Mapping) -> list[dict]:
    programs = [*PROGRAMS, *([process["words"].split()[0].rpartition("/")[2]] if process["run"] == "command" else [])]
    slots = [_entry(port, f"{process['name']} in slot {slot}", programs) for slot, port in process["slot_ports"].items()]
    return [_entry(process["port"], f"the proxy of {process['name']}", ["haproxy"]), *slots]


def _entry(port: object, words: str, programs: list[str]) -> dict:
    return {"port": int(str(port or 0)), "service": words, "processes": programs}
