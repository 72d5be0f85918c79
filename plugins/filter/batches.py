# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: batches
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The first host alone, then the others in batches
description:
  - Splits hosts for a rolling deployment. The first batch is the first host, so that a release has to prove itself on one host
    before the others get it.
options:
  _input:
    description: Names of hosts, in the order they are deployed.
    type: list
    elements: str
    required: true
  size:
    description:
      - How many hosts a batch has after the first, as a number from 1 or as a percentage of all hosts. A percentage is rounded
        up. The strings of AWX surveys are fine.
    type: raw
    required: true
positional: size
"""

EXAMPLES = r"""
- name: Show the batches of hosts
  ansible.builtin.debug:
    msg: "{{ ['app1', 'app2', 'app3'] | parity.stack.batches('50%') }}"  # [[app1], [app2, app3]]
"""

RETURN = r"""
_value:
  description: The batches, each a list of hosts.
  type: list
  elements: list
"""

import re

from ansible.errors import AnsibleFilterError


def batches(hosts: list[str], size) -> list[list[str]]:
    count = _count(size, len(hosts))
    rest = list(hosts[1:])
    return [list(hosts[:1]), *(rest[start : start + count] for start in range(0, len(rest), count))] if hosts else []


def _count(size, hosts: int) -> int:
    match = re.fullmatch(r"\s*([0-9]+)\s*(%?)\s*", str(size), re.ASCII) if not isinstance(size, bool) else None
    number = int(match[1]) if match else 0
    if number < 1 or (match and match[2] and number > 100):
        raise AnsibleFilterError(
            f"a batch is a number of hosts from 1, or a percentage from 1% to 100%, for example 2 or 25%; stack_batch is {size!r}"
        )
    return max(1, -(-hosts * number // 100)) if match and match[2] else number


class FilterModule:
    def filters(self) -> dict:
        return {"batches": batches}
