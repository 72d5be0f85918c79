#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_report
short_description: Report the state of the inside of a database
version_added: 0.1.0
description:
  - Reports size, connections and replicas; the oldest transaction and the longest wait for a lock; unused indexes, foreign keys
    without an index, tables with dead rows or empty space, sequences near their end, and slow statements.
  - Only reads, in read-only transactions, as a role that reads statistics (C(pg_monitor)). It ends a query that takes longer than ten
    seconds or would wait for a lock, and names it in the report.
  - A database that does not answer is no failure; the report has a sentence about it.
  - Reports empty space where the database has the extension C(pgstattuple), and statements where it has C(pg_stat_statements).
requirements:
  - python3-psycopg2
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.postgresql.port]
options:
  database:
    description: Name of the database on this host. The module reads it through the server's socket.
    type: str
    default: ""
  user:
    description: Role to connect as. Without it, and without I(database_url), the module reads nothing.
    type: str
    default: ""
  password:
    description: Its password.
    type: str
    default: ""
  database_url:
    description: A connection to a database elsewhere instead, C(postgresql://user:password@host:port/database?sslmode=...).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Report the state of the database
  parity.stack.postgresql_report:
    database: docpipe
    user: docpipe_monitor
    password: "{{ database_monitoring_password }}"
"""

RETURN = r"""
answers:
  description: Whether the database answered.
  type: bool
  returned: always
lines:
  description: One sentence each. The state of the server, then what needs repair.
  type: list
  elements: str
  returned: always
facts:
  description: What was found, by kind.
  type: dict
  returned: when the database answers
"""

from contextlib import closing

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import report as database_report


def target_of(params: dict) -> postgresql.Target:
    if params["database_url"]:
        return postgresql.parse_url(params["database_url"], "database_url")
    return postgresql.Target(postgresql.SOCKETS, params["port"], params["user"], params["password"], params["database"])


def report(params: dict) -> dict:
    target = target_of(params)
    with closing(postgresql.connect(target)) as connection:
        connection.set_session(readonly=True)
        known = {name for (name,) in postgresql.rows(connection, "select extname from pg_extension")}
        queries = {**database_report.QUERIES, **dict(query for name, query in database_report.EXTRA.items() if name in known)}
        facts = {}
        for kind, query in queries.items():
            try:
                facts[kind] = _ask(connection, query)
            except ParityError as error:
                if kind == "server":
                    raise
                facts.setdefault("missed", []).append({"kind": kind, "reason": str(error)})
    return {"answers": True, "facts": facts, "lines": database_report.lines(target.database, facts)}


def _ask(connection, query: str) -> list[dict]:
    """Run a query in a transaction of its own, for at most ten seconds, and without waiting for a lock."""
    connection.rollback()
    postgresql.rows(connection, "set local statement_timeout = '10s'; set local lock_timeout = '1s'")
    return postgresql.records(connection, query, database_report.LIMITS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **postgresql.PORT,
            "database": {"type": "str", "default": ""},
            "user": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "database_url": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    mask_module(module)
    if not (module.params["user"] or module.params["database_url"]):
        words = "the database is not checked, because no role may read its statistics: set database_monitoring_user and its password"
        module.exit_json(changed=False, answers=False, lines=[words])
    try:
        result = report(module.params)
    except ParityError as error:
        result = {"answers": False, "lines": [f"the database is not checked: {error}"]}
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
