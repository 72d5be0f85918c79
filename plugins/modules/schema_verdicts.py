#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: schema_verdicts
short_description: Judge what migrations do to the running release
version_added: 0.1.0
description:
  - Reads a directory of SQL migrations, or an Alembic project, and judges for each file and each statement whether it is additive,
    destructive, or cannot be judged. Names the lock that it takes, and what to write instead.
  - Needs no host and no database. It runs on the control node, reads SQL with PostgreSQL's own parser (C(pglast)), and changes
    nothing. A team runs it on each pull request.
  - Never fails because of a verdict, so that a playbook can show all verdicts before it fails with RV(refusal).
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.nothing_to_diff]
options:
  directory:
    description:
      - The directory with SQL files, or the one with Alembic's C(env.py). A relative path begins at the caller's working directory.
      - It may be left out with O(lock) or O(environment).
    type: path
  application:
    description:
      - The application's source directory. Where it has an environment with Alembic in C(.venv), that one renders the revisions.
    type: path
  python:
    description:
      - A Python that has the application and Alembic. With it, the module judges the SQL of C(alembic upgrade --sql). Without it, it
        reads the files of the revisions, and what is no literal cannot be judged.
    type: path
  lock:
    description: A lock file to check, too.
    type: path
  environment:
    description: A file of C(NAME=value) lines to check, too. Its values are never shown.
    type: path
  output:
    description: The file that gets RV(verdicts) as JSON. Not written in check mode.
    type: path
"""

EXAMPLES = r"""
- name: Judge the migrations
  parity.stack.schema_verdicts:
    directory: migrations
    output: verdicts.json
  register: judged

- name: Refuse unmarked destructive migrations
  ansible.builtin.assert:
    that: judged.refusal == ''
    fail_msg: "{{ judged.refusal }}"
"""

RETURN = r"""
verdicts:
  description: >-
    For each file C(file), C(verdict) (V(additive), V(destructive) or V(unknown)), C(mark) (whether the file says of itself that it
    is destructive), C(statements) (each with C(line), C(verdict), C(reason), C(remedy) and C(lock)), C(errors) (why it cannot run as it is
    written), and C(judged_from) (which reader answered).
  type: list
  elements: dict
  returned: always
lines:
  description: The verdicts as lines of at most 80 columns.
  type: list
  elements: str
  returned: always
summary:
  description: One sentence that counts the verdicts.
  type: str
  returned: always
lock_problems:
  description: What is wrong with the lock file.
  type: list
  elements: str
  returned: always
environment_problems:
  description: What is wrong with the environment file, by names only.
  type: list
  elements: str
  returned: always
refusal:
  description: Why this cannot be deployed as it is, and what to do; empty where it can.
  type: str
  returned: always
"""
