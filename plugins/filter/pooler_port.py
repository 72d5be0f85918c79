# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: pooler_port
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The port of the pooler that the URL of an application leads through
description:
  - An application whose URL names another port than the owner's works through a pooler there.
  - 0 where both are the same, and where the application's URL cannot be read.
options:
  _input:
    description: The URL that the application connects with.
    type: str
    required: true
  owner_url:
    description: The URL of the owner of the schema.
    type: str
    required: true
positional: owner_url
"""

EXAMPLES = r"""
- name: Show whether there is a pooler
  ansible.builtin.debug:
    msg: "{{ stack_database_url | parity.stack.pooler_port(stack_database_owner_url) }}"
"""

RETURN = r"""
_value:
  description: The port, or 0 for none.
  type: int
"""

from ansible_collections.parity.stack.plugins.filter.connection_parts import connection_parts


def pooler_port(application_url: str, owner_url: str) -> int:
    port = connection_parts(application_url)["port"]
    return 0 if port == connection_parts(owner_url)["port"] else port


class FilterModule:
    def filters(self) -> dict:
        return {"pooler_port": pooler_port}
