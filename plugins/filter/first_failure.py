# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: first_failure
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What failed first, as a text
description:
  - The first of what P(parity.stack.failed_tasks#filter) finds, for the message of a rescue. Where no host knows of a failed task, such
    as after the loss of a host, the text says that another host failed.
extends_documentation_fragment: [parity.stack.hosts.failures]
"""

EXAMPLES = r"""
- name: Report the failure
  ansible.builtin.fail:
    msg: "Nothing was restored. {{ ansible_play_hosts_all | map('extract', hostvars) | parity.stack.first_failure }}"
"""

RETURN = r"""
_value:
  description: The task, its host and its message. The line that tells the reason comes first.
  type: str
"""

from ansible_collections.parity.stack.plugins.plugin_utils.report.failures import first_failure


class FilterModule:
    def filters(self) -> dict:
        return {"first_failure": first_failure}
