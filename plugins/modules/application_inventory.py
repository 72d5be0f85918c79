#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: application_inventory
short_description: Writes the inventory of an application
version_added: 0.1.0
description:
  - Reads the files of an application (pyproject.toml, lock files, sources, Procfile, compose files, Dockerfile, examples of environment
    files) and writes an inventory of four small files. It runs nothing of the application; sources are parsed only.
  - Each value has a comment with where it was found. What cannot be recognised is a commented question.
  - A file that exists is never overwritten. What would be written differently now is returned as RV(differences).
  - Of files that can hold real secrets, such as C(.env), only names are read. No secret is copied from any file.
  - Runs on the control node.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes]
options:
  application:
    description: Directory of the application's sources. Links that lead out of it are not followed.
    type: path
    required: true
  inventory:
    description: Directory of the inventory.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Write the inventory of the application
  parity.stack.application_inventory:
    application: ../shop
    inventory: inventories/shop
"""

RETURN = r"""
written:
  description: Files that were written; in check mode, those that would be.
  type: list
  elements: str
  returned: success
kept:
  description: Files that were there already, and were left alone.
  type: list
  elements: str
  returned: success
differences:
  description: For each file that is there, what would be written differently now, as a unified diff.
  type: list
  elements: str
  returned: success
texts:
  description: Lines of the new files, by path.
  type: dict
  returned: success
processes:
  description: Processes that were recognised, each with C(where).
  type: list
  elements: dict
  returned: success
questions:
  description: What a person has to answer; the same questions stand as comments in the files.
  type: list
  elements: str
  returned: success
notes:
  description: What was not read or left out, and why.
  type: list
  elements: str
  returned: success
"""
