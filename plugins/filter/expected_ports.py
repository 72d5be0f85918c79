# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: expected_ports
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Which ports of a host the stack is going to use
description:
  - Says for each port of a host what will listen there, and which programs may already, for C(preflight_ports) of the role
    P(parity.stack.preflight#role).
options:
  _input:
    description: The processes of the host, as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
  groups:
    description: The groups of the host.
    type: list
    elements: str
    required: true
  ports:
    description: >-
      Ports by what listens there, C(database), C(pooler), C(broker), C(gateway), C(redirect), C(gateway_metrics), C(prometheus) and
      C(alertmanager). 0 is none.
    type: dict
    required: true
positional: groups, ports
"""

EXAMPLES = r"""
- name: Show the ports of this host
  ansible.builtin.debug:
    msg: "{{ host_processes | parity.stack.expected_ports(group_names, {'database': 5432}) }}"
"""

RETURN = r"""
_value:
  description: Each port with C(port), C(service) and C(processes).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs.ports import expected


class FilterModule:
    def filters(self) -> dict:
        return {"expected_ports": expected}
