#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: journal_entries
short_description: Read what a host's journal says of a run
version_added: 0.1.0
description:
  - Reads C(/var/lib/STACK/journal.jsonl), which M(parity.stack.release) writes. Changes nothing; in check mode it does the same.
  - A host without a journal has no entries.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  run:
    description: The run whose entries are wanted.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read the run's entries on this host
  parity.stack.journal_entries:
    stack: docpipe
    run: "{{ run_id }}"
"""

RETURN = r"""
entries:
  description: The entries of the run, oldest first, each with C(at), C(phase), and what belongs to it.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.release import journal
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout


def main() -> None:
    module = AnsibleModule(
        argument_spec={"stack": {"type": "str", "required": True}, "run": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        entries = journal.of_run(Layout(module.params["stack"]).journal, module.params["run"])
    except (ParityError, OSError) as error:
        module.fail_json(msg=f"the journal cannot be read: {explain(error)}")
    module.exit_json(changed=False, entries=entries)


if __name__ == "__main__":
    main()
