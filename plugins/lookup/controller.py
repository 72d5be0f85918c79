# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: controller
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Return who runs this playbook, and in which process
description:
  - Returns the user, the control node and the process of this C(ansible-playbook), and all processes of the control node.
  - The deployment lock holds this, so that a later run on the same control node knows whether the holder has ended.
options:
  _terms:
    description: Nothing is looked up by name.
"""

EXAMPLES = r"""
- name: Show who deploys
  ansible.builtin.debug:
    msg: "{{ lookup('parity.stack.controller').user }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary with C(user), C(machine) (the boot and process namespace of the control node), C(process) (the number and
      start time of this C(ansible-playbook)) and C(processes) (the same of every process there).
  type: list
  elements: dict
"""

import multiprocessing
import os

from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.plugin_utils import controller


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        # Tasks are templated in workers that end with the task; the process that counts is the one that forked them.
        parent = multiprocessing.parent_process()
        pid = parent.pid if parent else os.getpid()
        return [
            {
                "user": controller.user(),
                "machine": controller.machine(),
                "process": controller.name_of(pid),
                "processes": controller.running(),
            }
        ]
