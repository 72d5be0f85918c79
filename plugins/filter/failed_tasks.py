# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: failed_tasks
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What failed, on which host, and with which words
description:
  - Reads what a rescue knows of its failure (C(ansible_failed_task) and C(ansible_failed_result)) from the variables of hosts.
  - Of a loop it takes the message of the first item that failed. Where a line further down tells the reason, such as the last line of
    a traceback, the message begins with it.
extends_documentation_fragment: [parity.stack.hosts.failures]
"""

EXAMPLES = r"""
- name: Show what failed
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | map('extract', hostvars) | parity.stack.failed_tasks }}"
"""

RETURN = r"""
_value:
  description: One entry for each host on which a task failed, with C(host), C(task) and C(message). The first failure in time comes first,
    as far as results tell it, and what only follows from another host's failure last.
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.report.failures import failed_tasks


class FilterModule:
    def filters(self) -> dict:
        return {"failed_tasks": failed_tasks}
