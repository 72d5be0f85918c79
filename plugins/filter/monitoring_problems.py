# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_problems
short_description: Which rules the inputs of the monitoring role break
version_added: 0.1.0
description:
  - Returns a sentence for each rule that goes beyond a type. Targets as host:port, durations, jobs and receivers with
    names of their own, routes to receivers that exist.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.problems]
"""

EXAMPLES = r"""
- name: Check the monitoring inputs
  ansible.builtin.assert:
    that: __monitoring_inputs | parity.stack.monitoring_problems | length == 0
"""

RETURN = r"""
_value:
  description: Sentences, none when nothing is wrong.
  type: list
  elements: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import monitoring


class FilterModule:
    def filters(self) -> dict:
        return {"monitoring_problems": monitoring.problems}
