# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the journals of a run's hosts: who deployed what, the time of each step, the outcome, and what stays."""

from __future__ import annotations

from datetime import datetime

from ansible_collections.parity.stack.plugins.module_utils.release import journal
from ansible_collections.parity.stack.plugins.plugin_utils.report import headline

#: The name of each phase in a timeline. A phase that ends on one host after the other stands there once for each host.
_PHASES = {
    "begun": "the live configuration is kept, the run begins",
    "staged": "staged on every host",
    "started": "started beside the live release",
    "promoted": "live",
    "finished": "finished",
    journal.ROLLED_BACK: "rolled back",
    "migrated": "the schema is migrated",
    journal.COMMAND_FINISHED: "the release commands have run",
    "checked": "the live release is checked",
}
_EACH_HOST = ("promoted",)
#: In a whole deployment the gateway's and the monitoring's run begins before the infrastructure converges, the hosts' after it.
_INFRASTRUCTURE, _INFRASTRUCTURE_SECONDS = "the infrastructure is as it should be", 10

LIVE, ROLLED_BACK, UNFINISHED = "live", "rolled back", "unfinished"


def seconds_of(entry: dict) -> float:
    return datetime.fromisoformat(entry["at"]).timestamp()


def facts(entries: list[dict]) -> dict:
    """The facts in a report's head: at, by, before, seconds, and the outcome."""
    ordered = sorted(entries, key=seconds_of)
    began, ended = ordered[0], ordered[-1]
    before = next((entry["live_release"] for entry in ordered if entry.get("live_release")), None)
    phases = {entry["phase"] for entry in entries}
    outcome = LIVE if "finished" in phases else ROLLED_BACK if journal.ROLLED_BACK in phases else UNFINISHED
    return {
        "run": began.get("run", ""),
        "at": datetime.fromisoformat(began["at"]).strftime("%Y-%m-%d %H:%M UTC"),
        "by": began.get("operator") or "",
        "before": before or "nothing",
        "seconds": seconds_of(ended) - seconds_of(began),
        "outcome": outcome,
        **({} if outcome == LIVE else stays(ordered, began.get("run", ""))),
    }


def stays(entries: list[dict], run: str) -> dict:
    """What an unfinished run leaves: `migrations` that stay applied, release `commands` that ran, and `check`, that of the live release.

    `check` has `result` (passed, failed, or not checked), and where the check was made `live` and `reason`.
    """
    checked = journal.last_check([entry for entry in entries if entry.get("run") == run]) or {}
    check = {"result": "not checked", **{key: checked[key] for key in ("result", "live", "reason") if checked.get(key)}}
    return {"migrations": journal.applied_migrations(entries, run), "commands": journal.commands_of(entries, run), "check": check}


def staying_words(migrations: list[str]) -> str:
    """Which migrations stay, as one line; empty where none does."""
    named = ", ".join(migrations)
    return f"These migrations of this run stay applied: {named}. The schema is not rolled back." if migrations else ""


def commands_words(commands: list[str]) -> str:
    """Which release commands ran, as one line; empty where none did."""
    named = ", ".join(f"`{command}`" for command in commands)
    return f"These release commands of this run have run, and nothing undoes them: {named}." if commands else ""


def check_words(live: str, check: dict, migrations: list[str]) -> str:
    """Whether the release that is live again passed its check, and with which migrations; for `check` see `stays`."""
    with_them = " with them" if migrations else ""
    if check["result"] == "passed":
        return f"{live} is live again and was seen working{with_them}."
    if check["result"] == "failed":
        with_what = " with the migrations that stay" if migrations else ""
        return f"{live} is live again and does NOT work{with_what}: {headline.headline_of(check.get('reason') or 'no reason was noted')}"
    return f"{live} is live again. It was not checked whether it works{with_them}."


def timeline(entries: list[dict], comparisons: list[dict]) -> list[dict]:
    """Steps with what, start, seconds and status. The journal has the end of each step; a step begins when the previous one ends."""
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
        bad = "warning" if entry["phase"] == journal.ROLLED_BACK else "failed" if entry.get("result") == "failed" else ""
        ends[key] = (at, bad or "passed")
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
