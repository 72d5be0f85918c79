#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: python_info
short_description: Find the Python that a stack's virtual environments are made of
version_added: 0.1.0
description:
  - Takes a path as it is. Takes of a version, in this order, what is installed (the distribution's C(python3) and C(python3.N), those in
    C(/usr/local/bin), those that uv has installed for this stack), a package of the distribution, and what uv can download.
  - Changes nothing. Fails where there is none, and says of each place why.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  stack:
    description: Name of the stack. uv's interpreters are below C(/opt/NAME/python).
    type: str
    required: true
  wanted:
    description: A version such as V(3.13) or V(3.13.2), or the path of an interpreter. Empty for the host's C(python3).
    type: str
    default: ""
  downloads:
    description: What uv would install, from P(parity.stack.python_downloads#lookup).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Find the application's Python
  parity.stack.python_info:
    stack: shop
    wanted: "3.13"
  register: shop_python
"""

RETURN = r"""
python:
  description: >-
    C(source) (V(host), V(path), V(packages) or V(uv)), C(path), the full C(version), what apt (C(package)) or uv (C(download)) has to
    install first, why it is from no other place (C(others)), a C(line) for people, and the C(machine) type.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.release import interpreters


def main() -> None:
    module = AnsibleModule(argument_spec={"stack": {"type": "str", "required": True}, **interpreters.SPEC}, supports_check_mode=True)
    wanted = module.params
    with errors_as_failures(module):
        places = interpreters.Places(module.run_command, wanted["stack"])
        module.exit_json(changed=False, python=interpreters.choose(wanted["wanted"], places, wanted["downloads"]).described())


if __name__ == "__main__":
    main()
