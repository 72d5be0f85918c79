# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: routes
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Which hosts answer which domains and paths, for the gateway
description:
  - Turns processes into the routes of the role P(parity.stack.gateway#role), those that say more first. The gateway takes the first
    that fits.
extends_documentation_fragment: [parity.stack.hosts]
options:
  _input:
    description: Web processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
positional: hostvars
"""

EXAMPLES = r"""
- name: Show who answers what
  ansible.builtin.debug:
    msg: "{{ web_processes | parity.stack.routes(hostvars) }}"
"""

RETURN = r"""
_value:
  description: One route for each process with C(name), C(domain), C(path) and C(backends).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.filter.endpoints import endpoints


def routes(processes: list[dict], hostvars) -> list[dict]:
    found = [
        {
            "name": process["name"],
            "domain": process["domain"],
            "path": process["path"],
            "backends": endpoints(process["hosts"], hostvars, process["port"]),
        }
        for process in processes
    ]
    return sorted(found, key=lambda route: (not route["domain"], -len(route["path"])))


class FilterModule:
    def filters(self) -> dict:
        return {"routes": routes}
