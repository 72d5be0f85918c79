# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: python_downloads
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Which builds of a Python version uv would install
description:
  - Asks the uv of the control node, without a network. The hosts have the same uv.
options:
  _terms:
    description: A version such as V(3.13). Of a path and of empty text there is none.
    required: true
"""

EXAMPLES = r"""
- name: Show what uv would install
  ansible.builtin.debug:
    msg: "{{ lookup('parity.stack.python_downloads', '3.13') }}"
"""

RETURN = r"""
_raw:
  description: C(version) and C(url) by type of machine, such as C(x86_64). Empty where uv knows none.
  type: list
  elements: dict
"""

from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import python_versions


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [python_versions.downloads(str(term), commands.run, commands.beside_python("uv") or "uv") for term in terms]
