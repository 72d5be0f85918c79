# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: fingerprint
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Compute one digest of everything that decides the result of a deployment on a host
description:
  - Covers the variables of the host whose names begin with one of the terms, with the values they have now (secrets too), the
    groups of the inventory, the sources of the release, and the roles, plugins and playbooks of this collection.
  - The same digest as last time means that the inputs are the same as last time. M(parity.stack.release) keeps the digest when a
    run finishes.
options:
  _terms:
    description: How the names of the variables begin.
    required: true
  except:
    description: Names of variables that change how a run works, and not its result.
    type: list
    elements: str
    default: []
  application:
    description: The wheel, the directory or the URL the release is built from.
    type: str
    required: true
  lock:
    description: The lock file of the release.
    type: path
    required: true
  migrations:
    description: The directory of its migrations.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show the fingerprint of the inputs
  ansible.builtin.debug:
    msg: >-
      {{ lookup('parity.stack.fingerprint', 'stack_', 'api_', except=['stack_batch'], application=stack_application,
                lock=stack_application_lock, migrations=stack_application_migrations) }}
"""

RETURN = r"""
_raw:
  description: SHA-256, hexadecimal. Empty where a variable has no value or a source is missing, so that it equals nothing.
  type: list
  elements: str
"""

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.pack import Source
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import fingerprint


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        source = Source(self.get_option("application"), Path(self.get_option("lock")), Path(self.get_option("migrations")))
        left_out = set(self.get_option("except"))
        names = [name for name in variables if name.startswith(tuple(terms)) and name not in left_out]
        try:
            source.check()
            values = {name: self._templar.template(variables[name]) for name in ["inventory_hostname", "groups", *names]}
        except (AnsibleError, ParityError):
            return [""]  # whoever needs what is missing says so, in better words
        code = fingerprint.of_code(Path(__file__).resolve().parents[2])
        return [fingerprint.of(values, [source.sha256], code)]
