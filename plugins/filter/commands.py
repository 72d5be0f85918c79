# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: commands
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The build commands or release commands of an application, complete
description:
  - Completes C(stack_build_commands) or C(stack_release_commands) of an inventory. docs/commands.md says what can be written there.
  - Fails with every problem, one a line.
options:
  _input:
    description: The commands, each a list of words or a dictionary. May be empty.
    type: raw
    required: true
  kind:
    description: Which commands these are, V(build) or V(release).
    type: str
    required: true
    choices: [build, release]
  single:
    description: The words of C(stack_release_command), where the inventory has only one release command.
    type: raw
positional: kind, single
"""

EXAMPLES = r"""
- name: Show what builds a release
  ansible.builtin.debug:
    msg: "{{ [['python', '-m', 'django', 'collectstatic', '--noinput']] | parity.stack.commands('build') }}"
"""

RETURN = r"""
_value:
  description:
    - The commands with C(command), C(environment) and C(seconds), and release commands with C(when) and C(as_owner).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import commands as inputs


def commands(given: object, kind: str, single: object = None) -> list[dict]:
    try:
        return inputs.build(given) if kind == "build" else inputs.release(given, single)
    except ParityError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict:
        return {"commands": commands}
