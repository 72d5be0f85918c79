# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: results
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What a task has returned on each host where it succeeded
description:
  - Leaves out hosts on which the task has not run, was skipped, has failed, or could not reach the host.
extends_documentation_fragment: [parity.stack.hosts]
options:
  name:
    description: The variable that the task registered.
    type: str
    required: true
  key:
    description: The part of the result that is wanted, where not all of it is. A host whose result has no such part is left out.
    type: str
positional: name, hostvars, key
"""

EXAMPLES = r"""
- name: Show which hosts were rolled back
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | parity.stack.results('release_rolled_back', hostvars) | list }}"
"""

RETURN = r"""
_value:
  description: The results, or their parts, by host, in the order of the hosts.
  type: dict
"""


def results(hosts: list[str], name: str, hostvars: dict, key: str | None = None) -> dict:
    found = {host: hostvars[host].get(name) for host in hosts}
    good = {host: result for host, result in found.items() if isinstance(result, dict) and not _has_no_result(result)}
    return good if key is None else {host: result[key] for host, result in good.items() if key in result}


def _has_no_result(result: dict) -> bool:
    return bool(result.get("failed") or result.get("unreachable") or result.get("skipped"))


class FilterModule:
    def filters(self) -> dict:
        return {"results": results}
