# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: processes
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The processes of an application, with everything that an inventory leaves out
description:
  - Completes C(stack_processes) of an inventory. docs/processes.md says what can be written there, and what is taken otherwise.
  - Fails with every problem, one a line.
options:
  _input:
    description: The processes by name, each with I(run) and what that needs.
    type: dict
    required: true
  groups:
    description: The groups of the inventory with their hosts.
    type: dict
    required: true
  strict:
    description: Whether problems fail. Otherwise what cannot work has no processes, for a list that says the problems beside others.
    type: bool
    default: true
positional: groups
"""

EXAMPLES = r"""
- name: Show where each process runs
  ansible.builtin.debug:
    msg: "{{ stack_processes | parity.stack.processes(groups) | items2dict(key_name='name', value_name='hosts') }}"
"""

RETURN = r"""
_value:
  description: >-
    The processes in the order of the inventory, each with C(name), C(run), C(application), C(words), C(web), C(path), C(hosts),
    C(singleton), C(port) (0 for none), C(slot_ports), C(port_variable), C(health_path), C(version_path), C(metrics_path), C(queues),
    C(directory), C(concurrency), C(environment), C(start_seconds) and C(stop_seconds).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import expand


def processes(given, groups, strict: bool = True) -> list[dict]:
    try:
        return expand(given, groups)
    except ParityError as error:
        if not strict:
            return []
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict:
        return {"processes": processes}
