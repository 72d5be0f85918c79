# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: stack_status
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Report in words what is live on each host, and what is wrong with it
description:
  - Joins the RV(parity.stack.release#module:status) that M(parity.stack.release) returned on several hosts.
options:
  _input:
    description: The status of each host, by its name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the status of the stack
  ansible.builtin.debug:
    msg: "{{ {'app1': release_status.status} | parity.stack.stack_status }}"
"""

RETURN = r"""
_value:
  description:
    - C(lines) to show, C(problems) that need a person, and C(release), the one that is live everywhere, or none.
  type: dict
"""


from ansible_collections.parity.stack.plugins.plugin_utils.report import headline, timeline


def stack_status(statuses: dict) -> dict:
    serving = {host: status for host, status in statuses.items() if status["live_slot"]}
    live = sorted({status["live_release"] or "nothing" for status in serving.values()})
    lines = [line for host, status in statuses.items() for line in _lines(host, status)]
    problems = [problem for host, status in statuses.items() for problem in _problems(host, status)]
    if len(live) > 1:
        problems.append(f"hosts do not agree on the release: {', '.join(live)}. Deploy one of them everywhere, or roll back.")
    return {"lines": lines, "problems": problems, "release": live[0] if len(live) == 1 else None}


def _lines(host: str, status: dict) -> list[str]:
    last, lock = status.get("last") or {}, status.get("lock")
    if not status["live_slot"] and not last and not lock:
        return [f"{host}: no release was ever live here"]
    words = f"live {status['live_release'] or 'nothing'}"
    words += f" in slot {status['live_slot']}, {'healthy' if status['healthy'] else 'NOT RUNNING'}" if status["live_slot"] else ""
    lines = [f"{host}: {words}"] if status["live_slot"] else []
    if last:
        lines.append(f"{host}: last {_entry(last)}")
    lines += [f"{host}: {words}" for words in _staying(status)]
    lines += [
        f"{host}: the release command `{entry['command']}` of {entry['release']} began at {entry['at']} and has no end: it runs now, or "
        "was interrupted and runs again with the next deployment of that release"
        for entry in status.get("interrupted_commands") or []
    ]
    if lock:
        job = f", AWX job {lock['job']}" if lock.get("job") else ""
        lines.append(
            f"{host}: lock held by {lock.get('operator')} since {lock.get('since')} (run {lock.get('run')}{job}, expires "
            f"{lock.get('expires')})"
        )
    return lines


def _staying(status: dict) -> list[str]:
    """The migrations that unfinished runs left applied, and whether the live release passed its check with them."""
    lines = []
    for one in status.get("staying") or []:
        of_what = f"run {one['run']} ({one['release'] or 'unknown'})"
        lines.append(f"migrations of {of_what} stay applied: {', '.join(one['migrations'])}. The schema is not rolled back.")
    if lines and not _broken(status):
        check = status.get("checked") or {"result": "not checked"}
        lines.append(timeline.check_words(check.get("live") or status["live_release"] or "nothing", check, ["them"]))
    return lines


def _broken(status: dict) -> bool:
    return (status.get("checked") or {}).get("result") == "failed"


def _entry(entry: dict) -> str:
    words = [entry.get("phase", "unknown"), entry.get("release") or "", "at", entry.get("at", "unknown"), "by"]
    words += [entry.get("operator", "unknown"), f"(run {entry.get('run')})"]
    reason = f": {headline.headline_of(str(entry['reason']))}" if entry.get("reason") else ""
    return " ".join(word for word in words if word) + reason


def _problems(host: str, status: dict) -> list[str]:
    problems = []
    if status["live_slot"] and not status["healthy"]:
        problems.append(f"{host}: not every service of slot {status['live_slot']} runs")
    if _broken(status):
        staying = [file for one in status.get("staying") or [] for file in one["migrations"]]
        problems.append(f"{host}: {timeline.check_words(status['checked'].get('live') or 'nothing', status['checked'], staying)}")
    if status["unfinished"]:
        begun = status["unfinished"]
        problems.append(
            f"{host}: run {begun.get('run')} ({begun.get('release') or 'configuration'}) has not ended. If it is not running any "
            "more, the playbook recover rolls it back."
        )
    return problems


class FilterModule:
    def filters(self) -> dict:
        return {"stack_status": stack_status}
