# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: services
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Processes as the modules of a release take them
description:
  - Turns what P(parity.stack.processes#filter) returns into the services of O(parity.stack.release#module:context.services), for one
    host.
options:
  _input:
    description: Processes. Those that run on other hosts are left out.
    type: list
    elements: dict
    required: true
  stack:
    description: Name of the stack, part of every unit name.
    type: str
    required: true
  host:
    description: The name of the host in the inventory, part of the name of a Celery worker.
    type: str
    required: true
  environment:
    description: Variables that every process gets, but one that serves files. Those of the process itself are stronger.
    type: dict
    default: {}
positional: stack, host, environment
"""

EXAMPLES = r"""
- name: Show the units of a host
  ansible.builtin.debug:
    msg: "{{ host_processes | parity.stack.services('shop', inventory_hostname) | map(attribute='unit') }}"
"""

RETURN = r"""
_value:
  description: One service for each process.
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs.processes import service


def services(processes: list[dict], stack: str, host: str, environment: dict | None = None) -> list[dict]:
    found = (service(process, stack, host) for process in processes if host in process.get("hosts", [host]))
    return [each if each["directory"] else {**each, "environment": {**(environment or {}), **each["environment"]}} for each in found]


class FilterModule:
    def filters(self) -> dict:
        return {"services": services}
