# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: own_address
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Where a host reaches a service of its own, from the address that the service listens on
description:
  - An address that stands for all of a host's addresses is none to connect to. It becomes loopback; every other one stays.
options:
  _input:
    description: The address that the service listens on.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where Prometheus answers on its own host
  ansible.builtin.debug:
    msg: "http://{{ '0.0.0.0' | parity.stack.own_address }}:9090"
"""

RETURN = r"""
_value:
  description: The address, as it stands in a URL.
  type: str
"""

_LOOPBACK = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 (read, not bound)


def own_address(listen: str) -> str:
    address = str(listen).strip().removeprefix("[").removesuffix("]")
    return _LOOPBACK.get(address) or (f"[{address}]" if ":" in address else address)


class FilterModule:
    def filters(self) -> dict:
        return {"own_address": own_address}
