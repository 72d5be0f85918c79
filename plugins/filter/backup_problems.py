# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inputs of the role backup, all of it at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_problems
short_description: What is wrong with the inputs of the role backup
version_added: 0.1.0
description:
  - Returns one sentence for each input that cannot be used, before anything is changed on a host. Never quotes the URL.
author: The Parity authors (!UNKNOWN)
positional: _input
extends_documentation_fragment: [parity.stack.problems.short_names]
"""

EXAMPLES = r"""
problems: "{{ {'directory': backup_directory, 'keep': backup_keep} | parity.stack.backup_problems }}"
"""

RETURN = r"""
_value:
  description: Sentences, none when the inputs can be used.
  type: list
  elements: str
"""

from ansible_collections.parity.stack.plugins.module_utils.backup import manifest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql


def backup_problems(inputs: dict) -> list[str]:
    problems = []
    try:
        postgresql.parse_url(inputs.get("database_url"), "backup_database_url")
    except ParityError as error:
        problems.append(str(error))
    names = ("directory", "name", "label", "keep", "max_age", "age_recipient", "age_identity", "copy_to")
    others = {name: inputs.get(name) for name in names}
    return problems + manifest.input_problems(**others)


class FilterModule:
    """Ansible finds the filter by this class."""

    def filters(self) -> dict:
        return {"backup_problems": backup_problems}
