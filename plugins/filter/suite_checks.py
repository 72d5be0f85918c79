# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: suite_checks
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Collect the results of a validation's checks from all hosts
description:
  - Collects the checks that hosts have registered. A host that was lost on the way (unreachable, or its task failed) counts as a
    check with an error, so that nobody takes its silence for a pass.
extends_documentation_fragment: [parity.stack.hosts]
options:
  _input:
    description: Names of all hosts that the validation should check.
  present:
    description: Names of the hosts that are still there.
    type: list
    elements: str
    required: true
  names:
    description: Names of the variables that tasks registered, each with C(checks).
    type: list
    elements: str
    required: true
positional: hostvars, present, names
"""

EXAMPLES = r"""
- name: Show the results of all hosts
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | parity.stack.suite_checks(hostvars, ansible_play_hosts, ['__validation_server']) }}"
"""

RETURN = r"""
_value:
  description: One entry a check, as P(parity.stack.validation_report#module) takes them.
  type: list
  elements: dict
"""

import json


def suite_checks(hosts: list[str], hostvars, present: list[str], names: list[str]) -> list[dict]:
    found: list[dict] = []
    seen = set()
    for host in hosts:
        told = [hostvars[host].get(name) or {} for name in names]
        for check in (check for result in told for check in result.get("checks", [])):
            # Every host has what a task with run_once has registered.
            same = json.dumps(check, sort_keys=True, default=str)
            if same not in seen:
                seen.add(same)
                found.append(check)
        if host not in present:
            words = [str(result["msg"]) for result in told if result.get("failed") and result.get("msg")]
            found.append(
                {
                    "id": "infrastructure.host",
                    "group": "infrastructure",
                    "title": "The host can be checked",
                    "severity": "critical",
                    "expected": "it answers until the end",
                    "seen": "it was lost on the way",
                    "evidence": "\n".join(words) or "It was unreachable; the output of the run has the reason.",
                    "status": "error",
                    "host": host,
                    "seconds": 0.0,
                }
            )
    return found


class FilterModule:
    def filters(self) -> dict:
        return {"suite_checks": suite_checks}
