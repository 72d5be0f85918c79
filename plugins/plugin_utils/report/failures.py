# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rescue knows of its failure, from the variables of hosts."""

from __future__ import annotations

from ansible_collections.parity.stack.plugins.module_utils.masking import Mask
from ansible_collections.parity.stack.plugins.plugin_utils.report import headline


def failed_tasks(variables, secrets: object = None) -> list[dict]:
    """An entry (host, task, message) for each host on which a task failed, the first one first."""
    mask, found = Mask(secrets or []), []
    for host in variables:
        task, result = host.get("ansible_failed_task"), host.get("ansible_failed_result") or {}
        if task:
            message = mask.text(headline.message_of(result))
            entry = {"host": host["inventory_hostname"], "task": str(task.get("name") or ""), "message": message}
            found.append((headline.vague(message.split("\n")[0]), str(result.get("end") or ""), entry))
    # What only follows from another host's failure comes last; commands tell when they ended.
    timed = all(end for _vague, end, _entry in found)
    return [entry for _vague, _end, entry in sorted(found, key=lambda each: (each[0], each[1] if timed else ""))]


def first_failure(variables, secrets: object = None) -> str:
    """The first of the failures: its task and host, then its message with the headline first."""
    for failure in failed_tasks(variables, secrets):
        return f"{failure['task'] or 'a task without a name'} ({failure['host']}): {failure['message'].strip() or 'it gives no reason.'}"
    return "Another host failed."
