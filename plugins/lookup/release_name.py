# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: release_name
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The name of a release, where C(git) stands for what Git calls the application's checkout
description:
  - Returns every name as it is, of whatever type it has, except V(git). That one becomes what C(git describe --tags --always --dirty)
    says of the application's directory.
options:
  _terms:
    description: The name of the release, or V(git).
    required: true
  application:
    description: The application. For V(git) it is a directory in a checkout.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the name of the release
  ansible.builtin.debug:
    msg: "{{ lookup('parity.stack.release_name', stack_release, application=stack_application) }}"
"""

RETURN = r"""
_raw:
  description: The name.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import release_names


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        application = self.get_option("application")
        application = application if not application or "://" in application else self._loader.path_dwim(application)
        try:
            return [release_names.of(term, application, commands.run) for term in terms]
        except ParityError as error:
            raise AnsibleError(f"the name of the release {error}.") from error
