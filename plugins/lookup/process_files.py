# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_files
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Files that each process of a host has, from templates
description:
  - Renders templates once for each process. In a template C(process) is the process.
options:
  _terms:
    description: Processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
  files:
    description: The template of each file, by the file's path. C({name}) in a path stands for the name of the process.
    type: dict
    required: true
  template_vars:
    description: More variables for the templates.
    type: dict
    default: {}
  validate:
    description: Command that ends with 0 for a good file, as M(parity.stack.config_files) takes it.
    type: str
"""

EXAMPLES = r"""
- name: Write the units of all processes in one call
  parity.stack.config_files:
    files: "{{ query('parity.stack.process_files', host_processes, files={'/etc/systemd/system/shop-{name}@.service': 'unit.j2'}) }}"
"""

RETURN = r"""
_raw:
  description: The files, each with C(path) and C(content), and with C(validate) where that is given.
  type: list
  elements: dict
"""

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        processes = terms[0] if len(terms) == 1 and isinstance(terms[0], list) else terms
        template = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        more = {"validate": self.get_option("validate")} if self.get_option("validate") else {}
        return [
            {
                **more,
                "path": path.replace("{name}", process["name"]),
                "content": template.run([name], variables, template_vars={**self.get_option("template_vars"), "process": process})[0],
            }
            for process in processes
            for path, name in self.get_option("files").items()
        ]
