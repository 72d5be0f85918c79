# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: gateway_problems
short_description: Which rules the inputs of the gateway role break
version_added: 0.1.0
description:
  - Returns a sentence for each rule that goes beyond a type. Origins as browsers send them, networks, ports that
    differ, hosts with names of their own.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.problems]
"""

EXAMPLES = r"""
- name: Check the gateway inputs
  ansible.builtin.assert:
    that: __gateway_inputs | parity.stack.gateway_problems | length == 0
"""

RETURN = r"""
_value:
  description: Sentences, none when nothing is wrong.
  type: list
  elements: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import gateway


class FilterModule:
    def filters(self) -> dict:
        return {"gateway_problems": gateway.problems}
