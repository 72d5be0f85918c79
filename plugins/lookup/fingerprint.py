# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: fingerprint
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: One digest of everything that decides what a deployment makes of a host
description:
  - Covers every input of the named roles (their C(meta/argument_specs.yml) and C(defaults/main.yml)) and the named variables, each
    with the value it has now (secrets too), the groups of the inventory, the sources of the release, and the roles, plugins and
    playbooks of this collection.
  - The same digest as last time means that this run asks for nothing that the last one did not ask for.
    M(parity.stack.deployment_run) keeps it when a run finishes.
options:
  roles:
    description: Roles of this collection that configure this host.
    type: list
    elements: str
    default: []
  inputs:
    description: Names of further variables that decide what the host becomes.
    type: list
    elements: str
    default: []
  application:
    description: The directory, file, URL or Git reference the release is built from.
    type: str
    required: true
  release:
    description: The release's name, which takes the place of C({release}) in O(application). The default is C(stack_release).
    type: str
    default: ""
  lock:
    description: The lock file of the release, or C({application}/PATH).
    type: str
    required: true
  migrations:
    description: The directory of its migrations.
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Show the fingerprint of the inputs
  ansible.builtin.debug:
    msg: >-
      {{ lookup('parity.stack.fingerprint', roles=['api'], inputs=['release_services'], application=stack_application,
                lock=stack_application_lock, migrations=stack_application_migrations) }}
"""

RETURN = r"""
_raw:
  description: >-
    SHA-256, hexadecimal. Empty where a variable has no value, where a source is missing, or where nothing tells what a URL leads to now, so
    that it equals nothing.
  type: list
  elements: str
"""

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import fetching, sources
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.pack import Source
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import fingerprint

ROOT = Path(__file__).resolve().parents[2]


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        names, defaults = {"inventory_hostname", "groups", *self.get_option("inputs")}, {}
        for role in self.get_option("roles"):
            names |= fingerprint.inputs_of(self._read(role, "meta/argument_specs.yml"), defaulted := self._read(role, "defaults/main.yml"))
            defaults |= defaulted | self._read(role, "vars/main.yml")
        try:
            source = self._source(self.get_option("release") or variables.get("stack_release"))
            templar = self._templar.copy_with_new_env(available_variables={**defaults, **variables})
            values = {name: templar.template(templar.available_variables[name]) for name in names}
        except (AnsibleError, ParityError, KeyError):
            return [""]  # the task that needs what is missing names it
        return [fingerprint.of(values, [source.sha256], fingerprint.of_code(ROOT))]

    def _source(self, release: object) -> Source:
        """The source of the release. Raises ParityError where it is not there, or nothing tells it from another one."""
        application, lock, migrations = map(self.get_option, ("application", "lock", "migrations"))
        application = application if "://" in application else self._loader.path_dwim(application)
        given = sources.read(application, str(self._templar.template(release) or ""))
        identity = "" if given.is_local else given.identity
        if given.kind == "git" and not identity:
            commit = fetching.commit_of(given, commands.run)
            identity = given.of_commit(commit) if commit else ""
        if not given.is_local and not identity:
            raise ParityError(f"nothing tells what {given.shown} leads to now.")
        place = given.address if given.is_local else ""
        inside = lock.startswith(sources.INSIDE)
        in_commit = inside and given.kind == "git"  # which says what lock file it is
        path = None if in_commit else sources.lock_of(lock if inside else self._loader.path_dwim(lock), Path(given.address))
        source = Source(place, path, Path(migrations) if migrations else None, identity=identity + lock * in_commit)
        source.check()
        return source

    def _read(self, role: str, name: str) -> dict:
        path = ROOT / "roles" / role / name
        return self._loader.load_from_file(str(path), trusted_as_template=True) or {} if path.is_file() else {}
