# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: host_failures
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The complaints of many hosts as one list
description:
  - Puts the name of the host in front of each of its complaints, which a module has returned as C(failures).
  - Complains first of each host in O(wanted) that is not in O(hosts).
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  name:
    description: Name of the variable that the module's result was registered in.
    type: str
    required: true
  wanted:
    description: Names of the hosts that should be in O(hosts), in this order. A host that is not could not be reached.
    type: list
    elements: str
    default: []
positional: hosts, name
"""

EXAMPLES = r"""
- name: Show the failures of every host
  ansible.builtin.debug:
    msg: "{{ hostvars | parity.stack.host_failures(ansible_play_hosts, 'checks', wanted=ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: One string for each complaint, C(HOST) and the complaint.
  type: list
  elements: str
"""


def host_failures(hostvars, hosts: list[str], name: str, wanted: list[str] | None = None) -> list[str]:
    lost = [host for host in dict.fromkeys(wanted or []) if host not in hosts]
    unreachable = [f"{host}: cannot be reached. Check its address, the key and the user." for host in lost]
    return unreachable + [f"{host}: {words}" for host in hosts for words in hostvars[host].get(name, {}).get("failures", [])]


class FilterModule:
    def filters(self) -> dict:
        return {"host_failures": host_failures}
