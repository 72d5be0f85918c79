#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: schema_lint
short_description: What squawk says of SQL migrations
version_added: 0.1.0
description:
  - Reads SQL migrations with squawk, a linter that knows which changes of a schema hurt an application that is running, and
    returns what it finds. It judges nothing, and it changes nothing.
  - Runs on the control node, with the squawk beside Ansible's Python, or else the one on E(PATH).
  - Where squawk is not installed it finds nothing, and says so in a warning. C(parity.stack.schema_migrations) does not depend
    on it for what it refuses.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.nothing_to_diff, parity.stack.migrations]
options:
  migrations:
    required: true
  exclude:
    description: Rules of squawk that are not asked for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Lint the migrations with squawk
  parity.stack.schema_lint:
    migrations: "{{ bundle.migrations }}"
  register: lint
"""

RETURN = r"""
findings:
  description: What was found, each with C(file), C(line), C(rule) and C(message).
  type: list
  elements: dict
  returned: always
linter:
  description: Version of squawk; empty where it is not installed.
  type: str
  returned: always
"""
