# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: targets
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Endpoints in the form ADDRESS:PORT
description:
  - Turns what P(parity.stack.endpoints#filter) returns into the text that Prometheus and others take.
options:
  _input:
    description: Endpoints with C(address) and C(port).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the targets of Prometheus
  ansible.builtin.debug:
    msg: "{{ groups.api | parity.stack.endpoints(hostvars, 8000) | parity.stack.targets }}"
"""

RETURN = r"""
_value:
  description: One string for each endpoint.
  type: list
  elements: str
"""


def targets(endpoints: list[dict]) -> list[str]:
    return [f"{endpoint['address']}:{endpoint['port']}" for endpoint in endpoints]


class FilterModule:
    def filters(self) -> dict:
        return {"targets": targets}
