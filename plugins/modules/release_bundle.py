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
  - Runs on the control node, whatever the task's host. Builds the application's wheel, downloads the wheels its lock file names
    for the exact Python of the target, and packs each into a tar file in a cache, where the next release with the same lock file
    finds it. What the cache holds is checked at every use, and packed again where it is not what the lock file names.
  - Nothing is resolved. The lock file pins every package with C(==), and has a hash for each. A file that has none of these hashes is
    refused, and so is what uv would not install on the target from exactly these wheels.
  - An application that is no wheel yet is built by pip, which may download what the project needs for building.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
requirements:
  - pip and uv beside the Python that runs Ansible
options:
  application:
    description: A wheel, a source directory, or a URL or Git reference pip can build a wheel from.
    type: str
    required: true
  lock:
    description: >-
      Requirements file that pins every dependency with C(==) and has a hash for each line, as C(pip --require-hashes) takes it. It holds
      neither the project itself nor other files, directories or addresses.
    type: path
    required: true
  migrations:
    description: Directory of SQL migrations that belong to the release.
    type: path
  wheelhouse:
    description: >-
      Directory with all wheels of the lock file that the target needs, for a control node that reaches no package index. Other wheels in
      it are left out.
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
- name: Build the release bundle for this Python
  parity.stack.release_bundle:
    application: dist/docpipe-1.4.2-py3-none-any.whl
    lock: requirements.lock
    python_version: "{{ ansible_facts.python_version }}"
    cache: .cache/bundles
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
