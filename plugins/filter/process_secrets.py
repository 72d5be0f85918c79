# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_secrets
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The secrets of each process
description:
  - What C(stack_secrets) has for C(all), and over it what it has for the process. A process that serves files has none.
options:
  _input:
    description: Environment variables by process; C(all) stands for every process.
    type: dict
    required: true
  processes:
    description: Processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
positional: processes
"""

EXAMPLES = r"""
- name: Show how many secrets each process gets
  ansible.builtin.debug:
    msg: "{{ stack_secrets | parity.stack.process_secrets(host_processes) | dict2items | map(attribute='value') | map('length') }}"
"""

RETURN = r"""
_value:
  description: Environment variables by the name of the process.
  type: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import secrets_of


def process_secrets(secrets, processes: list[dict]) -> dict:
    return secrets_of(secrets, processes)


class FilterModule:
    def filters(self) -> dict:
        return {"process_secrets": process_secrets}
