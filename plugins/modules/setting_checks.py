#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: setting_checks
short_description: Check an environment's settings against rules, and report all that break one
version_added: 0.1.0
description:
  - Runs on the control node before anything changes. Checks every setting and the inventory's groups, and returns every complaint
    as a sentence with the rule, the value seen and the remedy.
  - A release's source and its lock file are read as they are when the release is packed. With a setting of the rule V(release), the
    server of a URL or of a Git repository has to have it.
  - Reads URLs with the same parsers that read them later. No secret may be a placeholder such as CHANGE-ME, or a value of the example
    file.
  - Never fails by itself, so that its complaints can be reported together with those of the hosts.
requirements:
  - python-dotenv on the control node
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.nothing_to_diff]
options:
  settings:
    description: Settings whose values may be shown.
    type: list
    elements: dict
    default: []
    suboptions: &suboptions
      name:
        description: Name of the variable.
        type: str
        required: true
      value:
        description: Its value, of whatever type it has.
        type: raw
      rule:
        description:
          - The rule it has to keep. V(pooled_database_url) is a database URL that may lead through a transaction pooler, and
            V(optional) a secret that may be empty.
          - V(broker_url) is the URL of Redis, of RabbitMQ (C(amqp://), C(amqps://)) or of Redis behind Sentinel (C(sentinel://)).
        type: str
        choices:
          [required, release, name, application, lock_file, directory, file, url, database_url, pooled_database_url, broker_url,
           signing_key, optional, port, python]
        default: required
      required:
        description: Whether a value has to be there. Without, an empty one is fine, and any other has to keep the rule.
        type: bool
        default: true
      hint:
        description: What to do where the rule itself does not say it.
        type: str
        default: ""
  secrets:
    description: Settings whose values are never shown.
    type: list
    elements: dict
    default: []
    suboptions: *suboptions
  service_secrets:
    description: The secrets of services, by service and by name of the variable. Their values are never shown.
    type: dict
    default: {}
  commands:
    description:
      - Build commands and release commands as an inventory has them, by the names of its settings, V(stack_build_commands),
        V(stack_release_commands) and V(stack_release_command).
    type: dict
    default: {}
  lock_without_hashes:
    description: Whether a lock file may be without hashes.
    type: bool
    default: false
  broker_databases:
    description: How many databases Redis has, where the broker is one. A URL names them by number.
    type: int
    default: 16
  processes:
    description: C(stack_processes) of the inventory. Not checked when not given.
    type: raw
  groups:
    description: The inventory's groups with their hosts.
    type: dict
    default: {}
  required_groups:
    description: Groups that need at least one host.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the settings
  parity.stack.setting_checks:
    settings:
      - {name: stack_release, value: "{{ stack_release | default(none) }}", rule: release}
    groups: "{{ groups }}"
    required_groups: [api, worker]
  run_once: true
"""

RETURN = r"""
failures:
  description: One sentence for each broken rule.
  type: list
  elements: str
  returned: always
requires_python:
  description: What the application says of its Python, such as V(>=3.13). Empty where it says nothing, or is not on the control node.
  type: str
  returned: always
"""
