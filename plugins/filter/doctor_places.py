# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_places
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Whether the control node has its tools, and what keeps hosts from taking part
description:
  - Reads the versions of the tools that a deployment uses on the control node, and puts them into one list with what hosts lack. Each
    entry says how to repair it.
options:
  _input:
    description: Results of M(parity.stack.host_checks) by host, or of the attempt to reach it. Empty where no host was checked.
    type: dict
    required: true
  ansible_version:
    description: The version of ansible-core.
    type: str
    required: true
positional: ansible_version
"""

EXAMPLES = r"""
- name: Show what to repair
  ansible.builtin.debug:
    msg: "{{ {'app1': checked} | parity.stack.doctor_places(ansible_version.full) }}"
"""

RETURN = r"""
_value:
  description: A text of lines that are at most 72 columns wide.
  type: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.doctor import places


def doctor_places(results: dict, ansible_version: str) -> str:
    return places.page(places.tools(ansible_version, commands.run, commands.beside_python), places.hosts(results))


class FilterModule:
    def filters(self) -> dict:
        return {"doctor_places": doctor_places}
