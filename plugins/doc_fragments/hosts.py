# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of filters that read the variables of hosts."""

    DOCUMENTATION = r"""
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
"""

    FAILURES = r"""
options:
  _input:
    description: The variables of each host, such as C(ansible_play_hosts_all | map('extract', hostvars)).
    type: list
    elements: dict
    required: true
  secrets:
    description: Secrets that are masked in the messages, in a dictionary or a list.
    type: raw
"""
