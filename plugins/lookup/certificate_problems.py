# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_problems
short_description: Why a certificate and its key on the control node cannot serve TLS
version_added: 0.1.0
description:
  - Reads a certificate with its chain and a private key, and returns a sentence for each thing that is wrong. A file is
    missing or no PEM, the certificate expired, the key belongs to another one, the chain is out of order.
  - Files encrypted with Ansible Vault are decrypted. Nothing of a key is ever part of a message.
author: The Parity authors (!UNKNOWN)
options:
  _terms:
    description: Path of the certificate, with the intermediate ones below it.
    type: list
    elements: str
    required: true
  key:
    description: Path of its private key.
    type: str
    required: true
  hosts:
    description: Names that the certificate has to be valid for.
    type: list
    elements: str
    default: []
    version_added: 0.1.0
"""

EXAMPLES = r"""
- name: Check the certificate and its key
  ansible.builtin.assert:
    that: __problems | length == 0
    fail_msg: "{{ __problems | join('\n') }}"
  vars:
    __problems: "{{ query('parity.stack.certificate_problems', '/etc/tls/api.pem', key='/etc/tls/api.key') }}"
"""

RETURN = r"""
_raw:
  description: Sentences, none when nothing is wrong.
  type: list
  elements: str
"""

from pathlib import Path

from ansible.errors import AnsibleFileNotFound
from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import certificates


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict | None = None, **kwargs: object) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        key = self.get_option("key")
        return [
            problem
            for term in terms
            for problem in certificates.problems(
                self._read(term, variables),
                self._read(key, variables),
                names=(str(term), str(key)),
                hosts=self.get_option("hosts"),
            )
        ]

    def _read(self, path: str, variables: dict | None) -> bytes | None:
        found = self.find_file_in_search_path(variables, "files", path, ignore_missing=True)
        try:
            return Path(self._loader.get_real_file(found)).read_bytes() if found else None
        except (AnsibleFileNotFound, OSError):
            return None
