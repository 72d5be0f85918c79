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
  - An application that is no wheel yet is built by pip, which may download what the project needs for building. A directory without a
    project that can be built (no C(pyproject.toml) with C([build-system]), no C(setup.py)) is packed as it is, and so is a project
    whose wheel would lack one of O(modules).
  - Packs in check mode, too. The cache is on no host, and a dry run says what cannot be packed.
  - Of a directory, C(tests), C(__pycache__), C(node_modules), virtual environments, files whose name starts with a dot, and C(*.env)
    files go neither into the artifact nor into the build.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
requirements:
  - pip and uv beside the Python that runs Ansible
options:
  application:
    description: >-
      A directory, a wheel, an sdist (C(.tar.gz)), a URL of one of these files (with C(#sha256=...) it is held against that), or
      C(git+https://HOST/PATH@{release}), C(git+ssh://...), C(git+file:///...), each with C(#subdirectory=...) where the application is
      not at the top.
    type: str
    required: true
  release:
    description: The release's name, which takes the place of C({release}) in O(application). A tag comes before a branch of the same name.
    type: str
    default: ""
  lock:
    description: >-
      C(uv.lock), C(pylock.toml), C(poetry.lock) (where poetry has its export plug-in), or a requirements file. It pins every dependency
      with C(==) and has a hash for each. C({application}/PATH) is one in the application's directory or repository. The
      entry of the project itself is left out; other directories and addresses are refused.
    type: path
    required: true
  lock_without_hashes:
    description: >-
      Take a lock file without hashes. The hashes are those that the index has when the release is packed, so what is installed is not
      proved to be what was locked; RV(remarks) says so.
    type: bool
    default: false
  migrations:
    description: Directory of SQL migrations that belong to the release.
    type: path
  modules:
    description: Modules that processes run, such as V(shop.main). Those that a directory has at its top have to be in its artifact.
    type: list
    elements: str
    default: []
  wheelhouse:
    description: >-
      Directory with wheels of the lock file that the target needs, such as one that was built from source. What it has not is
      downloaded; one that has all of them needs no package index. Other wheels in it are left out.
    type: path
  python_version:
    description: Full version of the target's Python, for example V(3.11.2).
    type: str
    required: true
  machine:
    description: The target's machine type, for example V(x86_64).
    type: str
    default: x86_64
  python:
    description: Which Python the inventory asks for. Another one makes another release. Empty for each host's own.
    type: str
    default: ""
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
  description: Tar file with the application's wheel (or its files), lock file, migrations and RV(description) (C(source.json)).
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
  description: Which of the two were built by this call.
  type: list
  elements: str
  returned: always
description:
  description: >-
    What the application is: C(kind) (V(directory), V(wheel), V(sdist), V(url) or V(git)), C(commit) of a Git repository, C(lock_hashes).
  type: dict
  returned: always
lock_hashes:
  description: Whether the lock file itself had a hash for each package.
  type: bool
  returned: always
remarks:
  description: What a report of the deployment has to say of this bundle.
  type: list
  elements: str
  returned: always
"""
