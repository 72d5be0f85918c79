# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules the monitoring inputs follow, and jobs in the form Prometheus wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ADDRESS = re.compile(r"[A-Za-z0-9_.:\[\]-]+")
_DURATION = re.compile(r"([0-9]+(ms|s|m|h|d|w|y))+")
_URL = re.compile(r"(https?://[^\s\"'\\$]+)?")
_JOB = re.compile(r"[A-Za-z0-9_-]+")
_TARGET = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OWN_JOBS = ("prometheus", "alertmanager")
_METRICS = (
    "requests_total",
    "requests_failed_total",
    "request_duration_seconds",
    "documents_finished_total",
    "documents_failed_total",
    "certificate_expiry_seconds",
)


def problems(inputs: dict) -> list[str]:
    """A sentence for every rule the monitoring inputs (name: value) break. Never quotes a secret."""
    return [
        *_matches(inputs, _ADDRESS, "an address", "monitoring_listen_address"),
        *_matches(inputs, _DURATION, "a duration such as 15d", "monitoring_retention", "monitoring_scrape_interval"),
        *_matches(
            inputs, _URL, "an http or https URL", "monitoring_external_url", "monitoring_alertmanager_external_url"
        ),
        *_ports(inputs),
        *_jobs(inputs["monitoring_jobs"]),
        *_metrics(inputs["monitoring_metrics"]),
        *_rules(inputs["monitoring_extra_rules"]),
        *_receivers(inputs["monitoring_receivers"], inputs["monitoring_route"]),
        *(
            f"monitoring_secrets: {name!r} cannot be the name of a file. Use letters, digits and _ . -"
            for name in inputs["monitoring_secrets"]
            if not _FILE.fullmatch(str(name))
        ),
    ]


def scrape_configs(jobs: list[dict]) -> list[dict]:
    """Jobs (name, targets, ...) as Prometheus' scrape_configs."""
    return [_scrape_config(job) for job in jobs]


def _scrape_config(job: dict) -> dict:
    static = {"targets": list(job["targets"])}
    if job.get("labels"):
        static["labels"] = {name: str(value) for name, value in job["labels"].items()}
    config = {"job_name": job["name"]}
    for ours, theirs in (("interval", "scrape_interval"), ("metrics_path", "metrics_path"), ("scheme", "scheme")):
        if job.get(ours):
            config[theirs] = job[ours]
    tls = {}
    if job.get("ca"):
        tls["ca_file"] = f"/etc/prometheus/ca-{job['name']}.pem"
    if job.get("server_name"):
        tls["server_name"] = job["server_name"]
    if tls:
        config["tls_config"] = tls
    return {**config, "static_configs": [static]}


def _matches(inputs: dict, rule: re.Pattern, wanted: str, *names: str) -> Iterator[str]:
    for name in names:
        if not rule.fullmatch(str(inputs[name])):
            yield f"{name}: {inputs[name]!r} was given; wanted is {wanted}."


def _ports(inputs: dict) -> Iterator[str]:
    names = ("monitoring_port", "monitoring_alertmanager_port")
    probe = inputs.get("monitoring_probe_port", 0)
    if not 0 <= int(probe) <= 65535 or (int(probe) and int(probe) in [int(inputs[name]) for name in names]):
        yield f"monitoring_probe_port: {probe} was given; wanted is a TCP port of its own between 1 and 65535, or 0 for none."
    for name in names:
        if not 1 <= int(inputs[name]) <= 65535:
            yield f"{name}: {inputs[name]} was given; wanted is a TCP port between 1 and 65535."
    if int(inputs[names[0]]) == int(inputs[names[1]]):
        yield f"{names[0]} and {names[1]} are both {inputs[names[0]]}. Give each its own."


def _jobs(jobs: list[dict]) -> Iterator[str]:
    seen = set()
    for job in jobs:
        name = str(job["name"])
        if name in _OWN_JOBS:
            yield f"monitoring_jobs: {name} is always there by itself. Leave it out, or give the job another name."
        elif not _JOB.fullmatch(name):
            yield f"monitoring_jobs: the name {name!r} is none; wanted are letters, digits, _ and -"
        if name in seen:
            yield f"monitoring_jobs: two jobs are called {name}. Give each its own name, or list all targets in one."
        seen.add(name)
        if not job["targets"]:
            yield f"monitoring_jobs: {name} has no targets. Name at least one (host:port), or leave the job out."
        for target in job["targets"]:
            if not _TARGET.fullmatch(str(target)):
                yield (
                    f"monitoring_jobs: {name} has the target {target!r}; wanted is host:port. "
                    "The path belongs in metrics_path, the scheme in scheme."
                )
        if job.get("interval") and not _DURATION.fullmatch(str(job["interval"])):
            yield f"monitoring_jobs: {name} has the interval {job['interval']!r}; wanted is a duration such as 15s."


def _metrics(metrics: dict) -> Iterator[str]:
    for name in metrics:
        if name not in _METRICS:
            yield f"monitoring_metrics: {name!r} is not used by any rule. Known are {', '.join(_METRICS)}."
    if bool(metrics.get("documents_failed_total")) != bool(metrics.get("documents_finished_total")):
        yield "monitoring_metrics: of documents_failed_total and documents_finished_total only one is given. Give both."


def _rules(rules: list[dict]) -> Iterator[str]:
    for number, rule in enumerate(rules, start=1):
        if ("alert" in rule) == ("record" in rule) or not rule.get("expr"):
            yield f"monitoring_extra_rules: rule {number} needs an expr and either alert or record, its name."


def _receivers(receivers: list[dict], route: dict) -> Iterator[str]:
    names = [str(receiver.get("name", "")) for receiver in receivers]
    if not names:
        yield "monitoring_receivers is empty: Alertmanager needs one. Without the input alerts stay in Alertmanager."
    if "" in names:
        yield f"monitoring_receivers: receiver {names.index('') + 1} has no name."
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"monitoring_receivers: two receivers are called {name!r}. Give each its own name."
    for wanted in _route_receivers(route):
        if wanted not in names:
            yield f"monitoring_route: the receiver {wanted!r} does not exist. There are {', '.join(names) or 'none'}."


def _route_receivers(route: dict) -> Iterator[str]:
    if route.get("receiver"):
        yield str(route["receiver"])
    for below in route.get("routes", []):
        yield from _route_receivers(below)
