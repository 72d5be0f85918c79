# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: python_problems
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Where the Python of hosts is none that an application takes
description:
  - Holds C(requires-python) of an application against the full version of the Python that each host has for it.
options:
  _input:
    description: Results of M(parity.stack.host_checks), by host. Hosts without C(python) count for nothing.
    type: dict
    required: true
  required:
    description: What the application says, such as V(>=3.13). Empty where it says nothing.
    type: str
    required: true
positional: required
"""

EXAMPLES = r"""
- name: Show what keeps the application from running
  ansible.builtin.debug:
    msg: "{{ {'app1': {'python': {'version': '3.11.2'}}} | parity.stack.python_problems('>=3.13') }}"
"""

RETURN = r"""
_value:
  description: One sentence for each version that does not satisfy it.
  type: list
  elements: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils.bundle import python_versions


def python_problems(checked: dict, required: str) -> list[str]:
    pythons = {host: (one.get("python") or {}).get("version", "") for host, one in checked.items()}
    return python_versions.problems(required, {host: version for host, version in pythons.items() if version})


class FilterModule:
    def filters(self) -> dict:
        return {"python_problems": python_problems}
