#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_commands
short_description: Run the commands of a release once for the whole stack
version_added: 0.1.0
description:
  - Runs commands such as C(python -m shop.initial_data) on the coordinator, as the application's user, in the release's virtual
    environment and directory, with the environment of the host's first service.
  - The journal notes each command before it runs and after. A command that ended well for this release does not run again, in whatever
    run. One that began and has no end was interrupted; a warning names it, and it runs again, so it has to bear that.
  - Belongs to a run that M(parity.stack.deployment_run) has begun and not ended.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.release]
options:
  release:
    description: Name of the release that is staged on this host.
    type: str
    required: true
  sha256:
    description: SHA-256 of the application, hexadecimal. Another artifact under the same name runs its commands anew.
    type: str
    required: true
  when:
    description: Whether this is before or after the switch to the release. Other commands of O(commands) wait.
    type: str
    choices: [before, after]
    required: true
  commands:
    description: The commands, as P(parity.stack.commands#filter) returns them.
    type: list
    elements: dict
    default: []
    suboptions:
      command:
        description: The words of the command. C({build}) stands for the directory that the build commands of the release wrote.
        type: list
        elements: str
        required: true
      environment:
        description: Settings for this command alone, over those of the service. No secrets; they are shown.
        type: dict
        default: {}
      seconds:
        description: How long the command may take.
        type: int
        default: 900
      when:
        description: Whether it runs before or after the switch to the release.
        type: str
        choices: [before, after]
        default: before
      as_owner:
        description: Whether it gets the database's owner in place of the application's login, from O(owner).
        type: bool
        default: false
  owner:
    description: What commands with I(as_owner) get in place of the service's environment and secrets.
    type: dict
    suboptions:
      environment:
        description: Settings.
        type: dict
        default: {}
      secrets:
        description: Variables whose values are never shown.
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Run the release commands before the switch
  parity.stack.release_commands:
    context: "{{ release_context }}"
    secrets: "{{ release_secrets }}"
    release: v1.4.2
    sha256: "{{ release_bundle.sha256 }}"
    when: before
    commands: "{{ [['python', '-m', 'shop.initial_data']] | parity.stack.commands('release') }}"
"""

RETURN = r"""
ran:
  description: The commands that ran, or would run.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.release import commands, context
from ansible_collections.parity.stack.plugins.module_utils.release.commands import Command
from ansible_collections.parity.stack.plugins.module_utils.release.once import ReleaseCommands, Variables
from ansible_collections.parity.stack.plugins.module_utils.release.slots import program_variables

OPTIONS = {
    **commands.OPTIONS,
    "when": {"type": "str", "choices": [commands.BEFORE, commands.AFTER], "default": commands.BEFORE},
    "as_owner": {"type": "bool", "default": False},
}


def run_commands(module: AnsibleModule) -> dict:
    wanted = module.params
    run = context.run_of(wanted, module.run_command)
    chosen = [Command(**entry) for entry in wanted["commands"] if entry["when"] == wanted["when"]]
    owner = wanted["owner"] or {"environment": {}, "secrets": {}}
    owned = Variables(owner["environment"], owner["secrets"])
    own = Variables(*program_variables(run.host.services))
    work = ReleaseCommands(run, wanted["release"], wanted["sha256"], application=own, owner=owned)
    due = [command.shown for command in work.due(chosen)]
    if module.check_mode or not due:
        return {"changed": bool(due), "ran": due}
    with context.changing(run, predicted=False):
        ran = work.apply(chosen, told=module.warn)
    return {"changed": bool(ran), "ran": ran}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **context.SPEC,
            "release": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "when": {"type": "str", "choices": [commands.BEFORE, commands.AFTER], "required": True},
            "commands": {"type": "list", "elements": "dict", "default": [], "options": OPTIONS},
            "owner": {
                "type": "dict",
                "options": {"environment": {"type": "dict", "default": {}}, "secrets": {"type": "dict", "default": {}, "no_log": True}},
            },
        },
        supports_check_mode=True,
    )
    mask_module(module)
    with errors_as_failures(module, explain):
        module.exit_json(**run_commands(module))


if __name__ == "__main__":
    main()
