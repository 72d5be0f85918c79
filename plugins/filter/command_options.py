# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: command_options
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Options as a program takes them on its command line
description:
  - Writes C(--name=value) for each option that has a value, in the given order. An empty text is a value, C(null) is none.
options:
  _input:
    description: Values by the names of the options.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the options of Prometheus
  ansible.builtin.debug:
    msg: "{{ {'web.route-prefix': '/', 'web.external-url': none} | parity.stack.command_options }}"
"""

RETURN = r"""
_value:
  description: The words of the command line.
  type: list
  elements: str
"""


def command_options(options: dict) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


class FilterModule:
    def filters(self) -> dict:
        return {"command_options": command_options}
