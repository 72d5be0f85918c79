# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: doctor_application
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What an application offers, and what it would gain by each part that is missing
description:
  - Says of each part what a deployment does with it, or what is gained by it, with the lines that add it to an application of its
    framework. Nothing of it is needed.
options:
  _input:
    description: Processes of the whole stack, as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
  settings:
    description: What the inventory has besides, as P(parity.stack.offers#filter) takes it.
    type: dict
    required: true
  application:
    description: The application. Where it is a directory on the control node, its dependencies and sources are read.
    type: str
    default: ""
positional: settings, application
"""

EXAMPLES = r"""
- name: Show what the application would gain
  ansible.builtin.debug:
    msg: "{{ stack_processes | parity.stack.processes(groups) | parity.stack.doctor_application({}, stack_application) }}"
"""

RETURN = r"""
_value:
  description: A text of lines that are at most 72 columns wide.
  type: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils.doctor import application as doctor


def doctor_application(processes: list[dict], settings: dict, application: str = "") -> str:
    application = str(application or "")
    return doctor.page(doctor.parts(processes, settings, application), doctor.framework(application, processes))


class FilterModule:
    def filters(self) -> dict:
        return {"doctor_application": doctor_application}
