# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: secret
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: A secret from the environment of the control node, or from a .env file
description:
  - Looks in the environment first, which is how AWX injects credentials, then in the file.
  - A secret that is in neither is empty. C(parity.stack.preflight) reports everything that is missing at once.
  - The file is read by python-dotenv, with references such as C(${NAME}) and C(${NAME:-default}) expanded as docker compose does it.
    What cannot be read or expanded is an error with file and line, and never a part of a value.
requirements:
  - python-dotenv on the control node
options:
  _terms:
    description: Names of environment variables.
    required: true
  file:
    description: The file, usually C(.env.production). It does not have to exist.
    type: path
"""

EXAMPLES = r"""
- name: Show the length of the secret
  ansible.builtin.debug:
    msg: "{{ lookup('parity.stack.secret', 'DATABASE_URL', file='.env.production') | length }}"
"""

RETURN = r"""
_raw:
  description: One value for each name, empty where there is none.
  type: list
  elements: str
"""

import os
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import dotenv


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        values = self._file_values(self.get_option("file"))
        return [os.environ.get(name) or values.get(name, "") for name in terms]

    def _file_values(self, name: str | None) -> dict[str, str]:
        path = Path(name) if name else None
        if path is None or not path.exists():
            return {}
        try:
            return dotenv.read(path)
        except ParityError as error:
            raise AnsibleError(str(error)) from error
