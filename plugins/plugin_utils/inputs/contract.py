# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application offers besides the health paths of its web processes, what a deployment does with it, and what is not checked
without it. Nothing here is needed to deploy, to roll back or to recover.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """One thing an application may offer. `missing` is what is not checked without it, `remedy` what to add, and for what."""

    name: str
    does: str
    missing: str
    remedy: str


OFFERS = (
    Offer(
        "version",
        "each host has to answer with the release",
        "whether {lacking} itself tells the release; the slot that is live tells it instead",
        "add version (a path that answers JSON with the key release) to the process to compare both",
    ),
    Offer(
        "metrics",
        "its memory and processor time are compared with the baseline's",
        "memory and processor time of {lacking} against the baseline; against the live release they are",
        "add metrics (a path of Prometheus metrics) to the process to compare them",
    ),
    Offer(
        "pipeline",
        "a document is sent through the new release and through the gateway",
        "work that goes through more than one process",
        "add stack_pipeline to send a document through the application",
    ),
    Offer(
        "token",
        "requests are sent as a signed-in test user, and bad tokens have to be refused",
        "paths that want a token, and that bad tokens are refused",
        "add stack_jwt_secret_key to ask them as a test user",
    ),
    Offer(
        "endpoints",
        "their answers, latency and errors are compared between releases",
        "answers, latency and errors of any path but the health paths",
        "add stack_endpoints to compare more paths between releases",
    ),
    Offer(
        "queue",
        "the worker of a new release gets a document of its own before it is promoted",
        "the worker of a new release with work of its own before it is promoted",
        "add queue_claim to stack_pipeline, and stack_jwt_secret_key, to send it a document",
    ),
    Offer(
        "storage",
        "its buckets and their objects are checked",
        "buckets and their objects",
        "add a host to the group storage to have them made and checked",
    ),
    Offer(
        "database",
        "round trips, connections and certificates of the database are checked",
        "the database",
        "add stack_database_url to check it",
    ),
    Offer(
        "broker",
        "round trips and persistence of the broker are checked",
        "the broker",
        "add stack_broker_url to check it",
    ),
    Offer(
        "gateway",
        "requests are sent to it as users send them, and its certificate and limits are checked",
        "what users get from a gateway: its certificate, its limits, the paths it leads to",
        "add a host to the group gateway to have one in front of web processes",
    ),
    Offer(
        "migrations",
        "each migration is judged, and additive ones run before the release does",
        "the schema of the database",
        "add stack_application_migrations to have migrations judged and applied",
    ),
    Offer(
        "baseline",
        "production is compared with it after the promotion",
        "production against a baseline",
        "run the playbook baseline where all is well, and name its file in stack_baseline, to compare with it",
    ),
    Offer(
        "monitoring",
        "errors that users see after the promotion are compared with those before",
        "errors that users see after the promotion",
        "add a host to the group monitoring to count them",
    ),
)


def offered(processes: list[dict], settings: dict) -> list[dict]:
    """Each thing of OFFERS with `name`, whether it is `offered`, and `line`, a sentence for people.

    `processes` are those of the whole stack. `settings` has pipeline and endpoints as the inventory does, and whether there is a
    token, storage, database, broker, migrations, baseline or monitoring. A path that only some processes have is offered, and the
    others are named as not checked.
    """
    lacking = {key: _lacking(processes, f"{key}_path") for key in ("version", "metrics")}
    found = []
    for offer in OFFERS:
        without = lacking.get(offer.name)
        there = bool(without is not None and len(without) < len(_web(processes))) if offer.name in lacking else _there(offer.name, settings)
        found.append({"name": offer.name, "offered": there, "line": _line(offer, there, without or [])})
    return found


def not_checked(offers: list[dict]) -> list[str]:
    """The lines of what is not checked."""
    return [offer["line"] for offer in offers if "not checked: " in offer["line"]]


def _web(processes: list[dict]) -> list[dict]:
    return [process for process in processes if process.get("web")]


def _lacking(processes: list[dict], key: str) -> list[str]:
    return [process["name"] for process in _web(processes) if not process.get(key)]


def _there(name: str, settings: dict) -> bool:
    pipeline = settings.get("pipeline") or {}
    if name == "queue":
        return bool(pipeline.get("queue_claim") and settings.get("token"))
    return bool(settings.get(name))


def _line(offer: Offer, there: bool, lacking: list[str]) -> str:
    missing = f"not checked: {offer.missing.format(lacking=', '.join(lacking) or 'any process')}; {offer.remedy}."
    if not there:
        return missing
    return f"{offer.name}: {offer.does}.{f' But {missing}' if lacking else ''}"
