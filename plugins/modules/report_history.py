#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: report_history
short_description: Keep a report among those of the last runs, and list them
version_added: 0.1.0
description:
  - Writes the files of a report into a directory, removes reports that are too many, and writes C(index.html), which lists the rest.
  - The directory holds nothing else, and can be served as it is.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  directory:
    description: Where reports are kept. Made when it is not there.
    type: path
    required: true
  name:
    description: Name of the report. Reports are listed, and removed, in the order of their names.
    type: str
    required: true
  files:
    description: The report as M(parity.stack.validation_report) writes it, content by extension; C(html) and C(json) are needed.
    type: dict
    required: true
  keep:
    description: How many reports are kept.
    type: int
    default: 50
"""

EXAMPLES = r"""
- name: Store the report on this host
  parity.stack.report_history:
    directory: /var/lib/parity/reports/shop
    name: 20260131T120000Z-1a2b3c
    files:
      html: "{{ lookup('ansible.builtin.file', 'reports/deployment.html') }}"
      json: "{{ lookup('ansible.builtin.file', 'reports/deployment.json') }}"
"""

RETURN = r"""
removed:
  description: Names of the reports that were removed.
  type: list
  elements: str
  returned: when not in check mode
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.report import history as report_history


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "keep": {"type": "int", "default": 50},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    missing = {"html", "json"} - set(wanted["files"])
    if missing:
        module.fail_json(msg=f"files has no {' and no '.join(sorted(missing))}; a report needs both")
    if module.check_mode:
        module.exit_json(changed=True)
    with errors_as_failures(module, explain):
        removed = report_history.keep(Path(wanted["directory"]), wanted["name"], wanted["files"], wanted["keep"])
    module.exit_json(changed=True, removed=removed)


if __name__ == "__main__":
    main()
