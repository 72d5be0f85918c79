#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: setting_checks
short_description: Hold an environment's settings against rules, and report all that break one
version_added: 0.1.0
description:
  - Runs on the control node before anything is changed. Looks at every setting and at the inventory's groups, and returns every
    complaint as a sentence that says what is wrong, what was seen and what to do.
  - Never fails by itself, so that its complaints can be reported together with those of the hosts.
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  settings:
    description: Settings whose values may be shown.
    type: list
    elements: dict
    default: []
    suboptions: &suboptions
      name:
        description: Name of the variable.
        type: str
        required: true
      value:
        description: Its value, of whatever type it has.
        type: raw
      rule:
        description: The rule it has to keep.
        type: str
        choices:
          [required, release, name, application, lock_file, directory, file, url, database_url, broker_url, signing_key,
           port]
        default: required
      hint:
        description: What to do where the rule itself does not say it.
        type: str
        default: ""
  secrets:
    description: Settings whose values are never shown.
    type: list
    elements: dict
    default: []
    suboptions: *suboptions
  groups:
    description: The inventory's groups with their hosts.
    type: dict
    default: {}
  required_groups:
    description: Groups that need at least one host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Settings are complete
  parity.stack.setting_checks:
    settings:
      - {name: stack_release, value: "{{ stack_release | default(none) }}", rule: release}
    groups: "{{ groups }}"
    required_groups: [api, worker]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
failures:
  description: One sentence for each broken rule.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import settings
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module

SETTING_SPEC = {
    "name": {"type": "str", "required": True},
    "value": {"type": "raw"},
    "rule": {"type": "str", "choices": list(settings.RULES), "default": "required"},
    "hint": {"type": "str", "default": ""},
}
SECRET_SPEC = {**SETTING_SPEC, "value": {"type": "raw", "no_log": True}}


def check(params: dict) -> list[str]:
    found = [
        settings.complaint(entry["name"], entry["value"], entry["rule"], hint=entry["hint"], secret=secret)
        for secret, entries in ((False, params["settings"]), (True, params["secrets"]))
        for entry in entries
    ]
    return [words for words in found if words] + settings.group_complaints(params["groups"], params["required_groups"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "list", "elements": "dict", "default": [], "options": SETTING_SPEC},
            "secrets": {"type": "list", "elements": "dict", "default": [], "options": SECRET_SPEC, "no_log": False},
            "groups": {"type": "dict", "default": {}},
            "required_groups": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    mask_module(module)
    module.exit_json(changed=False, failures=check(module.params))


if __name__ == "__main__":
    main()
