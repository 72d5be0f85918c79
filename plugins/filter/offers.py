# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: offers
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What an application offers, and what is not checked without it
description:
  - Says of each thing that an application may offer what a deployment does with it, or what is not checked, and what to add. Nothing
    of it is needed.
extends_documentation_fragment: [parity.stack.web_processes.named]
options:
  settings:
    description: >-
      C(pipeline) and C(endpoints) as the inventory has them, and whether there is a C(token), C(storage), C(database), C(broker),
      C(gateway), C(migrations), C(baseline) and C(monitoring).
    type: dict
    required: true
positional: settings
"""

EXAMPLES = r"""
- name: Show what is not checked
  ansible.builtin.debug:
    msg: "{{ stack_all_processes | parity.stack.offers({'endpoints': stack_endpoints | default([])}) | map(attribute='line') }}"
"""

RETURN = r"""
_value:
  description: One entry each, with C(name), C(offered) and C(line).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import contract


def offers(processes: list[dict], settings: dict) -> list[dict]:
    return contract.offered(processes, settings)


class FilterModule:
    def filters(self) -> dict:
        return {"offers": offers}
