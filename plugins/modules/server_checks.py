#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_checks
short_description: Check a server of the stack, and its way to the other servers
version_added: 0.1.0
description:
  - Makes many checks in one call and returns what each has seen. It does not fail when a check fails, so that all of them reach a
    report. A check that cannot be made is an error, never a pass.
  - Makes only the checks whose options are given. Writes nothing but a temporary table, and rolls it back. In check mode it checks
    nothing.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.checks]
options:
  groups:
    description: Which checks to make.
    type: list
    elements: str
    choices: [infrastructure, application, security, monitoring]
    default: [infrastructure, application, security, monitoring]
  limits:
    description:
      - The limits, with their defaults. They are C(disk_used_percent) (90), C(memory_used_percent) (95), C(load_per_core) (4),
        C(file_handles_percent) (80), C(clock_seconds) (30), C(database_round_trip_ms) (20), C(database_write_ms) (500),
        C(database_connections_percent) (80), C(broker_round_trip_ms) (20), C(certificate_days) (14) and C(backup_hours) (26; 0 where
        no backup is expected).
    type: dict
    default: {}
  time:
    description: The control node's time in seconds since the epoch. The clock is not checked when not given.
    type: float
  open_ports:
    description: TCP ports at which something may listen to the network. Not checked when not given.
    type: list
    elements: int
  reachable:
    description: Places this host has to reach, each with C(name), C(address) and C(port).
    type: list
    elements: dict
    default: []
  closed:
    description: Places this host must not reach, each with C(name), C(address) and C(port).
    type: list
    elements: dict
    default: []
  database_url:
    description: C(postgresql://user:password@host:port/database) as the application uses it.
    type: str
    default: ''
  owner_url:
    description: The database with the role that owns the database, which may make a temporary table.
    type: str
    default: ''
  database_tls:
    description: Whether the database has to refuse a connection without TLS.
    type: bool
    default: true
  broker_url:
    description:
      - C(redis://:password@host:port/0) or C(amqp://user:password@host:port/vhost) as the application uses it, with C(rediss) or
        C(amqps) for TLS. Of Redis behind Sentinel (C(sentinel://)) nothing is checked.
    type: str
    default: ''
  certificates:
    description:
      - Servers whose certificates to verify, each with C(name), C(address), C(port), and optionally C(server_name) (the name it has to
        be for), C(ca_file) (PEM on this host) and C(postgresql) (whether TLS begins the way PostgreSQL does it).
    type: list
    elements: dict
    default: []
  authorities:
    description: Files with authorities (PEM) that this host trusts.
    type: list
    elements: path
    default: []
  private_files:
    description: Files and directories that hold secrets, with wildcards.
    type: list
    elements: path
    default: []
  secrets:
    description: Values to search for in logs and process lists, by name. Of a URL, only the password.
    type: dict
    default: {}
  units:
    description: Units whose journals to search, with wildcards. The whole journal when empty.
    type: list
    elements: str
    default: []
  log_files:
    description: Log files to search, with wildcards.
    type: list
    elements: path
    default: []
  log_hours:
    description: How far back the journal is searched.
    type: float
    default: 24
  backups:
    description: Where backups of the database are kept on this host. Not checked when not given.
    type: dict
    suboptions:
      directory:
        description: Their directory.
        type: path
        required: true
      name:
        description: First part of their names.
        type: str
        required: true
  worker:
    description: The Celery workers of this host; the module compares the tasks they know. Not checked when not given.
    type: dict
    suboptions:
      stack:
        description: Name of the stack.
        type: str
        required: true
      user:
        description: User the workers run as.
        type: str
        required: true
      inspect:
        description:
          - By process, the command below the release's virtual environment that prints, as JSON, the tasks its worker knows. C({slot})
            stands for the live slot.
        type: dict
        required: true
      tasks:
        description: Tasks they have to know together.
        type: list
        elements: str
        default: []
"""

EXAMPLES = r"""
- name: Check the server and its neighbours
  parity.stack.server_checks:
    host: "{{ inventory_hostname }}"
    time: "{{ now(utc=true).timestamp() }}"
    open_ports: [22, 8000]
    database_url: "{{ stack_database_url }}"
    limits: {disk_used_percent: 80}
  register: checked
"""

RETURN = r"""
checks:
  description: One entry a check, as M(parity.stack.api_checks) returns it.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import collect
from ansible_collections.parity.stack.plugins.module_utils.checks import server as server_checks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer


def make(wanted: dict) -> list[dict]:
    unknown = sorted(set(wanted["limits"]) - set(server_checks.LIMITS))
    if unknown:
        raise ParityError(f"limits has {', '.join(unknown)}; known are {', '.join(server_checks.LIMITS)}")
    same = ("time", "open_ports", "reachable", "closed", "database_url", "database_tls", "broker_url", "certificates", "authorities")
    same += ("private_files", "secrets", "units", "log_files", "log_hours")
    try:
        limits = {**server_checks.LIMITS, **{name: float(value) for name, value in wanted["limits"].items()}}
    except (TypeError, ValueError):
        raise ParityError(f"limits has to hold numbers, it is {wanted['limits']}") from None
    server = server_checks.Server(
        limits=limits,
        database_owner_url=wanted["owner_url"],
        **{name: wanted[name] for name in same},
        **{f"backup_{name}": value for name, value in (wanted["backups"] or {}).items()},
        **{f"worker_{name}": value for name, value in (wanted["worker"] or {}).items()},
    )
    found = [check for group in wanted["groups"] for check in server_checks.GROUPS[group](server)]
    return collect.perform(found, host=wanted["host"])


def main() -> None:
    groups = ["infrastructure", "application", "security", "monitoring"]
    module = AnsibleModule(
        argument_spec={
            **collect.SPEC,
            "groups": {"type": "list", "elements": "str", "choices": groups, "default": groups},
            "limits": {"type": "dict", "default": {}},
            "time": {"type": "float"},
            "open_ports": {"type": "list", "elements": "int"},
            "reachable": {"type": "list", "elements": "dict", "default": []},
            "closed": {"type": "list", "elements": "dict", "default": []},
            "database_url": {"type": "str", "default": "", "no_log": True},
            "owner_url": {"type": "str", "default": "", "no_log": True},
            "database_tls": {"type": "bool", "default": True},
            "broker_url": {"type": "str", "default": "", "no_log": True},
            "certificates": {"type": "list", "elements": "dict", "default": []},
            "authorities": {"type": "list", "elements": "path", "default": []},
            "private_files": {"type": "list", "elements": "path", "default": []},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "units": {"type": "list", "elements": "str", "default": []},
            "log_files": {"type": "list", "elements": "path", "default": []},
            "log_hours": {"type": "float", "default": 24},
            "backups": {
                "type": "dict",
                "options": {"directory": {"type": "path", "required": True}, "name": {"type": "str", "required": True}},
            },
            "worker": {
                "type": "dict",
                "options": {
                    "stack": {"type": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "inspect": {"type": "dict", "required": True},
                    "tasks": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    answer(module, collect.logic(make))


if __name__ == "__main__":
    main()
