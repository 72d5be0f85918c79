# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_units
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The systemd units of processes in both slots of a host
description:
  - Makes the option O(parity.stack.canary_compare#module:processes) from the processes of a host. A process that exists once in the
    stack is left out, because it does not run in the canary.
options:
  _input:
    description: Processes of the host, each with C(name), C(web), C(port), C(health_path) and C(singleton).
    type: list
    elements: dict
    required: true
  stack:
    description: Name of the stack, part of every unit name.
    type: str
    required: true
  slot:
    description: The slot of the new release, V(blue) or V(green). Nothing is returned for any other value.
    type: str
    required: true
positional: stack, slot
"""

EXAMPLES = r"""
- name: Show which units are compared
  ansible.builtin.debug:
    msg: "{{ host_processes | parity.stack.process_units('shop', release_started.slot) }}"
"""

RETURN = r"""
_value:
  description: For each process its C(name), C(asked) (whether it answers requests), and C(units) in the slots C(old) and C(new).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import probed


class FilterModule:
    def filters(self) -> dict:
        return {"process_units": probed.units}
