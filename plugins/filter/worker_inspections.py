# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: worker_inspections
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: How to ask the Celery workers of a host which tasks they know
description:
  - One command for each Celery process, below the release's virtual environment. C({slot}) in it stands for the live slot.
options:
  _input:
    description: Processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
  host:
    description: The name of the host in the inventory, part of the name of a Celery worker.
    type: str
    required: true
positional: host
"""

EXAMPLES = r"""
- name: Show the commands that reach the workers
  ansible.builtin.debug:
    msg: "{{ host_processes | parity.stack.worker_inspections(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The words of the command, by process.
  type: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import inspections


class FilterModule:
    def filters(self) -> dict:
        return {"worker_inspections": inspections}
