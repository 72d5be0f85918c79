# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Where a service answers on each of some hosts
description:
  - Turns names of inventory hosts into their addresses on the private network. A host's address is its variable
    C(stack_address), or its name where it has none.
extends_documentation_fragment: [parity.stack.hosts]
options:
  port:
    description: Port of the service, or several.
    type: raw
    required: true
positional: hostvars, port
"""

EXAMPLES = r"""
- name: Show the API's endpoints
  ansible.builtin.debug:
    msg: "{{ groups.api | parity.stack.endpoints(hostvars, 8000) }}"
"""

RETURN = r"""
_value:
  description: One entry for each host with C(name), C(address) and C(port).
  type: list
  elements: dict
"""


def endpoints(hosts: list[str], hostvars, port: int | str | list) -> list[dict]:
    ports = port if isinstance(port, list) else [port]
    return [
        {"name": host, "address": hostvars[host].get("stack_address", host), "port": int(number)}
        for host in hosts
        for number in ports
    ]


class FilterModule:
    def filters(self) -> dict:
        return {"endpoints": endpoints}
