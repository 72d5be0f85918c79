# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journals of a run's hosts tell: who deployed what, when each step was done, and what came of it."""

from __future__ import annotations

from datetime import datetime

#: What each phase of the journal is called in a timeline; one that ends on one host after the other stands once for each.
_PHASES = {
    "begun": "what is live is kept, the run begins",
    "staged": "staged on every host",
    "started": "started beside the live release",
    "promoted": "live",
    "finished": "finished",
    "reverted": "taken back",
}
_EACH_HOST = ("promoted",)
#: In a whole deployment the gateway's and the monitoring's run begins before the infrastructure converges, the hosts' after it.
_INFRASTRUCTURE, _INFRASTRUCTURE_SECONDS = "the infrastructure is as it should be", 10

LIVE, TAKEN_BACK, UNFINISHED = "live", "taken back", "unfinished"


def seconds_of(entry: dict) -> float:
    return datetime.fromisoformat(entry["at"]).timestamp()


def facts(entries: list[dict]) -> dict:
    """What a report's head says: at, by, before, seconds, and the outcome."""
    ordered = sorted(entries, key=seconds_of)
    began, ended = ordered[0], ordered[-1]
    before = next((entry["live_release"] for entry in ordered if entry.get("live_release")), None)
    phases = {entry["phase"] for entry in entries}
    outcome = LIVE if "finished" in phases else TAKEN_BACK if "reverted" in phases else UNFINISHED
    return {
        "run": began.get("run", ""),
        "at": datetime.fromisoformat(began["at"]).strftime("%Y-%m-%d %H:%M UTC"),
        "by": began.get("operator") or "",
        "before": before or "nothing",
        "seconds": seconds_of(ended) - seconds_of(began),
        "outcome": outcome,
    }


def timeline(entries: list[dict], comparisons: list[dict]) -> list[dict]:
    """Steps with what, start, seconds and status. The journal knows when a step ended; it began when the one before had."""
    ends: dict[str, tuple[float, str]] = {}
    first = min(map(seconds_of, entries), default=0.0)
    for entry in entries:
        words = _PHASES.get(entry["phase"])
        if words is None:
            continue
        key = f"{words} on {entry.get('host')}" if entry["phase"] in _EACH_HOST else words
        if entry["phase"] == "begun" and seconds_of(entry) > first + _INFRASTRUCTURE_SECONDS:
            key = _INFRASTRUCTURE
        at = max(seconds_of(entry), ends.get(key, (0.0, ""))[0])
        ends[key] = (at, "warning" if entry["phase"] == "reverted" else "passed")
    measured = [
        {
            "what": item["title"],
            "start": item["began"],
            "seconds": item.get("seconds") or 0.0,
            "status": {"regression": "failed", "inconclusive": "warning"}.get(item["verdict"], "passed"),
        }
        for item in comparisons
        if item.get("began")
    ]
    steps: list[dict] = []
    reached = first
    pending = sorted(measured, key=lambda step: step["start"])
    for words, (at, status) in sorted(ends.items(), key=lambda item: item[1][0]):
        while pending and pending[0]["start"] + pending[0]["seconds"] <= at + 1:  # the journal's times are whole seconds
            steps.append(pending.pop(0))
            reached = max(reached, steps[-1]["start"] + steps[-1]["seconds"])
        start = min(reached, at)
        steps.append({"what": words, "start": start, "seconds": at - start, "status": status})
        reached = max(reached, at)
    return [*steps, *pending]
