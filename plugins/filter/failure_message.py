# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: failure_message
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Write the last message of a failed deployment
description:
  - The first line says what happened to the release, the second line what failed first. Where the release that is live again does
    not work with the schema as it is now, this is worse than both and comes before them.
  - Names the migrations that stay applied, the live release, and the hosts that do not answer.
options:
  _input:
    description:
      - C(release), C(run) and C(coordinator) (a host).
      - C(hosts), all hosts of the play, and C(rollbacks), by host what M(parity.stack.deployment_run) returned when it rolled back.
      - C(begun) and C(finished), whether the run began, and whether the coordinator has finished it.
      - C(failures), what failed first, as P(parity.stack.failed_tasks#filter) finds it, C(broken), what failed in the check of the
        release that is live again, and C(stuck), what failed while the run was rolled back.
      - C(checked), whether the release that is live again was checked.
      - C(journal), entries of the run in the coordinator's journal. None where it cannot be read.
    type: dict
    required: true
  host:
    description: The host that shows the message.
    type: str
    required: true
  secrets:
    description: Secrets that must not be in the message, in a dictionary or a list.
    type: raw
positional: host
"""

EXAMPLES = r"""
- name: Report the failure and the live release
  ansible.builtin.fail:
    msg: "{{ what_is_known | parity.stack.failure_message(inventory_hostname, secrets=stack_secrets) }}"
"""

RETURN = r"""
_value:
  description: The message, a few lines.
  type: str
"""

from ansible_collections.parity.stack.plugins.module_utils.masking import Mask
from ansible_collections.parity.stack.plugins.plugin_utils.report import timeline


def failure_message(known: dict, host: str, secrets: object = None) -> str:
    lines = [
        *_broken(known),
        _outcome(known),
        *_failures(known["failures"], "Failed here", "Another host failed."),
        *(_failures(known["stuck"], "The rollback failed here", "") if known["stuck"] else []),
        *_schema(known),
        *_away(known),
        *_live(known, host),
        *(["Correct this and run the playbook recover."] if known["stuck"] else []),
    ]
    return Mask(secrets or []).text("\n".join(line for line in lines if line))


def _outcome(known: dict) -> str:
    release = f"Release {known['release']}"
    rollbacks = known["rollbacks"].values()
    if _forward(known):
        return f"{release} is live, and what came after has failed."
    if known["stuck"]:
        return f"{release} failed, and was not rolled back everywhere."
    if any(rollback.get("rolled_back") for rollback in rollbacks):
        return f"{release} was rolled back."
    if known["begun"] and not known["rollbacks"]:
        return f"{release} was not rolled back, because stack_auto_rollback is off. The playbook status says what is live."
    return f"{release} was not deployed, and nothing was rolled back."


def _forward(known: dict) -> bool:
    return known["finished"] or any(one.get("forward") for one in known["rollbacks"].values())


def _failures(failures: list[dict], words: str, otherwise: str) -> list[str]:
    """The first failure with its message; of those on other hosts that differ, the task."""
    if not failures:
        return [otherwise]
    first = failures[0]
    more = [f"{words}: {each['task']} ({each['host']})." for each in failures[1:] if each["task"] != first["task"]]
    return [f"{words}: {first['task']} ({first['host']}).", first["message"].strip(), *more]


def _rolled_back(known: dict) -> bool:
    ended = [one for one in known["rollbacks"].values() if one.get("rolled_back")]
    return not known["stuck"] and any(not one.get("forward") for one in ended)


def _stays(known: dict) -> dict:
    entries = known["journal"] or []
    found = timeline.stays(entries, known["run"]) if known["run"] else {"migrations": [], "commands": []}
    result = "failed" if known["broken"] else "passed" if known["checked"] else "not checked"
    reason = "; ".join(f"{each['task']} ({each['host']}): {each['message']}" for each in known["broken"][:1])
    return {**found, "check": {"result": result, "reason": reason}}


def _broken(known: dict) -> list[str]:
    if not known["broken"] or not _rolled_back(known):
        return []
    stays = _stays(known)
    return [timeline.check_words(_before(known), stays["check"], stays["migrations"])]


def _before(known: dict) -> str:
    live = [rollback["status"]["live_release"] for rollback in known["rollbacks"].values() if rollback["status"].get("live_release")]
    return live[0] if live else "no release"


def _schema(known: dict) -> list[str]:
    """Which migrations stay, whether what is live works with them, and which release commands ran."""
    if not known["begun"] or _forward(known):
        return []
    if known["journal"] is None:
        return [f"It cannot be judged which migrations of this run stay applied: the journal of {known['coordinator']} cannot be read."]
    stays = _stays(known)
    looked = _rolled_back(known) and _before(known) != "no release" and not known["broken"] and (known["checked"] or stays["migrations"])
    check = [timeline.check_words(_before(known), stays["check"], stays["migrations"])] if looked else []
    return [timeline.staying_words(stays["migrations"]), timeline.commands_words(stays["commands"]), *check]


def _away(known: dict) -> list[str]:
    """The hosts that the rollback did not reach, where it reached others."""
    away = [host for host in known["hosts"] if host not in known["rollbacks"]] if known["rollbacks"] else []
    return [f"Not reached any more: {', '.join(away)}. Run the playbook recover once they are back."] if away and not known["stuck"] else []


def _live(known: dict, host: str) -> list[str]:
    status = (known["rollbacks"].get(host) or {}).get("status") or {}
    if not status.get("live_slot") and not known["stuck"]:
        return []
    slot = f" (slot {status['live_slot']})" if status.get("live_slot") else ""
    return [f"Live on this host now: {status.get('live_release') or 'unknown'}{slot}."]


class FilterModule:
    def filters(self) -> dict:
        return {"failure_message": failure_message}
