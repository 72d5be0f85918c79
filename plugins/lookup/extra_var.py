# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: extra_var
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Read a variable as it was given for this run, not as the inventory has it
description:
  - Reads only what was given with C(-e) or by AWX (surveys, prompts). A rollback needs to know whether the operator named a
    release, although the inventory names one too.
options:
  _terms:
    description: Names of variables.
    required: true
"""

EXAMPLES = r"""
- name: Show which release was requested
  ansible.builtin.debug:
    msg: "{{ lookup('parity.stack.extra_var', 'stack_release') or 'none' }}"
"""

RETURN = r"""
_raw:
  description: One value for each name, empty where it was not given.
  type: list
  elements: raw
"""

from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        given = load_extra_vars(self._loader)
        return ["" if given.get(name) is None else given[name] for name in terms]
