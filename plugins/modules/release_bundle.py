#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_bundle
short_description: Pack an application and its dependencies so that a host can install them without a network
version_added: 0.1.0
description:
  - Runs on the control node. Builds the application's wheel, downloads the wheels its lock file names for the exact Python of
    the target, and packs each into a tar file in a cache, where the next release with the same lock file finds it.
author: The Parity authors (!UNKNOWN)
requirements:
  - pip and uv beside the Python that runs the module
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  application:
    description: A wheel, a source directory, or a URL or Git reference pip can build a wheel from.
    type: str
    required: true
  lock:
    description: Requirements file that pins every dependency with hashes.
    type: path
    required: true
  migrations:
    description: Directory of SQL migrations that belong to the release.
    type: path
  wheelhouse:
    description: Directory with all wheels of the lock file, for a control node that reaches no package index.
    type: path
  python_version:
    description: Full version of the target's Python, for example V(3.11.2).
    type: str
    required: true
  machine:
    description: The target's machine type, for example V(x86_64).
    type: str
    default: x86_64
  cache:
    description: Directory of the tar files on the control node.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: The release is packed for this host's Python
  parity.stack.release_bundle:
    application: dist/docpipe-1.4.2-py3-none-any.whl
    lock: requirements.lock
    python_version: "{{ ansible_facts.python_version }}"
    cache: .cache/bundles
  delegate_to: localhost
"""

RETURN = r"""
application:
  description: Tar file with the application's wheel, lock file and migrations.
  type: str
  returned: always
sha256:
  description: Digest of what the application was built from.
  type: str
  returned: always
wheels:
  description: Tar file with the dependencies' wheels.
  type: str
  returned: always
venv_key:
  description: Name of the virtual environment they make on the target.
  type: str
  returned: always
migrations:
  description: The migrations, each with C(file) and C(sql), as M(parity.stack.schema_migrations) takes them.
  type: list
  elements: dict
  returned: always
built:
  description: Which of the two were built by this call, or would be in check mode.
  type: list
  elements: str
  returned: always
"""

import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import bundle
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def pack(module: AnsibleModule) -> dict:
    wanted = module.params
    source = bundle.Source(
        wanted["application"], Path(wanted["lock"]), Path(wanted["migrations"]) if wanted["migrations"] else None
    )
    source.check()
    key = bundle.venv_key(source.lock, wanted["python_version"], wanted["machine"])
    cache = Path(wanted["cache"])
    application, wheels = cache / f"application-{source.sha256[:16]}.tar", cache / f"wheels-{key}.tar"
    missing = [path for path in (application, wheels) if not path.exists()]
    if missing and not module.check_mode:
        cache.mkdir(parents=True, exist_ok=True)
        build(module, source, missing, application=application, wheels=wheels)
    return {
        # A cache on the control node is no change to any host.
        "changed": False,
        "application": str(application),
        "sha256": source.sha256,
        "wheels": str(wheels),
        "venv_key": key,
        "migrations": bundle.read_migrations(source.migrations),
        "built": [path.name for path in missing],
    }


def build(
    module: AnsibleModule, source: bundle.Source, missing: list[Path], *, application: Path, wheels: Path
) -> None:
    wanted = module.params
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if application in missing:
        bundle.build_application(module.run_command, pip, source, application)
    if wheels not in missing:
        return
    if wanted["wheelhouse"]:
        bundle.pack_wheelhouse(Path(wanted["wheelhouse"]), source.lock, wheels)
        return
    uv = str(Path(sys.executable).parent / "uv")
    version, machine = wanted["python_version"], wanted["machine"]
    bundle.build_wheels(module.run_command, pip, uv, source.lock, version, machine, wheels)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "application": {"type": "str", "required": True},
            "lock": {"type": "path", "required": True},
            "migrations": {"type": "path"},
            "wheelhouse": {"type": "path"},
            "python_version": {"type": "str", "required": True},
            "machine": {"type": "str", "default": "x86_64"},
            "cache": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**pack(module))
    except ParityError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
