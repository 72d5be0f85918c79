# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_connections
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: How many connections to the database the processes of a stack need
description:
  - A web process of a host has some, a Celery worker one for each task that runs at one time, any other process one.
options:
  _input:
    description: Processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
  each_web:
    description: Connections of one web process.
    type: int
    default: 10
positional: each_web
"""

EXAMPLES = r"""
- name: Show how many connections the pool needs
  ansible.builtin.debug:
    msg: "{{ stack_all_processes | parity.stack.process_connections }}"
"""

RETURN = r"""
_value:
  description: The number of connections.
  type: int
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import connections


def process_connections(processes: list[dict], each_web: int = 10) -> int:
    return connections(processes, int(each_web))


class FilterModule:
    def filters(self) -> dict:
        return {"process_connections": process_connections}
