# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: as_owner
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The environment of an application, with the owner's login in place of the application's
description:
  - Migrations run with what the application's settings need, and connect as the owner of the schema. Wherever the application's login
    stands in its environment, as one URL of any form or in parts, the owner's takes its place.
  - Where either URL cannot be read, the environment stays as it is.
options:
  _input:
    description: Environment variables.
    type: dict
    required: true
  application_url:
    description: The URL the application connects with.
    type: str
    required: true
  owner_url:
    description: The URL of the owner.
    type: str
    required: true
positional: application_url, owner_url
"""

EXAMPLES = r"""
- name: Give migrations the owner's login
  ansible.builtin.include_role: {name: parity.stack.release, tasks_from: migrate}
  vars:
    release_migration_secrets: "{{ stack_secrets.all | parity.stack.as_owner(stack_database_url, stack_database_owner_url) }}"
"""

RETURN = r"""
_value:
  description: The environment variables.
  type: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.migrations.owner import as_owner


class FilterModule:
    def filters(self) -> dict:
        return {"as_owner": as_owner}
