#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_extensions
short_description: Create extensions in a database, on an own server or a managed one
version_added: 0.1.0
description:
  - Creates extensions that are missing. On an own server as superuser through its socket; on a managed server as the role of
    I(database_url), which does not have to be superuser.
  - With I(database_url) it first checks the connection. It refuses the port of a transaction pooler, and a connection that does not
    verify the server.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.postgresql.port]
requirements:
  - python3-psycopg2
options:
  extensions:
    description: The extensions.
    type: list
    elements: str
    required: true
  schema:
    description: >-
      Schema of new extensions; the module makes it where it is missing. By default the extension's own, or C(public). Hosted Supabase
      needs V(extensions).
    type: str
    default: ""
  database:
    description: Name of the database on this host's server.
    type: str
  database_url:
    description: Connection to a managed database, direct or through a session pooler.
    type: str
  verified:
    description: Whether I(database_url) has to verify the server (C(sslmode=verify-full) and C(sslrootcert)).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Create extensions in the managed database
  parity.stack.postgresql_extensions:
    database_url: "{{ owner_url }}"
    extensions: [vector, pgcrypto]
    schema: extensions

- name: Create extensions on the local server
  parity.stack.postgresql_extensions:
    database: shop
    extensions: [pgaudit, pg_stat_statements]
"""

RETURN = r"""
created:
  description: Extensions that were created, or would be.
  type: list
  elements: str
  returned: always
superuser:
  description: Whether the role is a superuser.
  type: bool
  returned: when the database answers
server_version:
  description: The server's major version.
  type: int
  returned: when the database answers
"""

import re
from contextlib import closing

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

OLDEST = 14
NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")


def converge(module: AnsibleModule) -> dict:
    wanted = module.params["extensions"]
    odd = [name for name in wanted if not NAME.match(name)]
    if odd:
        raise ParityError(f"{', '.join(map(repr, odd))} cannot be an extension. Write its name, such as pgcrypto.")
    try:
        connection = _connect(module)
    except ParityError:
        if module.check_mode and (not module.params["database_url"] or postgresql.psycopg2 is None):
            return _result(wanted, {})  # The server, or the database, comes with the real run.
        raise
    with closing(connection):
        connection.autocommit = True
        return _converge(module, connection, wanted)


def _connect(module: AnsibleModule):
    url = module.params["database_url"]
    if not url:
        return postgresql.connect_locally(module.params["port"], module.params["database"])
    target = postgresql.parse_url(url, "database_url")
    mask_module(module, target.password)
    problem = postgresql.verification_problem(target) if module.params["verified"] else None
    if problem:
        raise ParityError(problem)
    return postgresql.connect(target)


def _converge(module: AnsibleModule, connection, wanted: list[str]) -> dict:
    superuser = postgresql.rows(connection, "select rolsuper from pg_roles where rolname = current_user")[0][0]
    facts = {"superuser": superuser, "server_version": connection.server_version // 10000}
    if facts["server_version"] < OLDEST:
        raise ParityError(f"The server is PostgreSQL {facts['server_version']}, wanted is {OLDEST} or newer. Upgrade it.")
    present = {name for (name,) in postgresql.rows(connection, "select extname from pg_extension")}
    missing = [name for name in wanted if name not in present]
    offered = {name for (name,) in postgresql.rows(connection, "select name from pg_available_extensions")}
    unknown = [name for name in missing if name not in offered]
    # On this host the packages come before; a dry run has only announced them.
    if unknown and not (module.check_mode and not module.params["database_url"]):
        raise ParityError(
            f"The server does not offer the extension {', '.join(unknown)}. "
            + ("Enable it at the provider, or take it out of the list." if module.params["database_url"] else "Install its package.")
        )
    if not module.check_mode:
        _create(connection, missing, module.params["schema"])
    return _result(missing, facts)


def _create(connection, missing: list[str], schema: str) -> None:
    if missing and schema:
        exists = postgresql.rows(connection, "select 1 from pg_namespace where nspname = %s", (schema,))
        if not exists:
            postgresql.rows(connection, f'create schema "{schema}"')
    # pgaudit and others need a schema of their own; they are not moved.
    own = dict(postgresql.rows(connection, "select name, schema from pg_available_extension_versions where schema is not null"))
    for name in missing:
        where = f' schema "{schema}"' if schema and name not in own else ""
        try:
            postgresql.rows(connection, f'create extension "{name}"{where}')
        except ParityError as error:
            raise ParityError(
                f"The extension {name} cannot be created by this role: {error} Enable it at the provider, or have a superuser create it."
            ) from None


def _result(missing: list[str], facts: dict) -> dict:
    return {
        "changed": bool(missing),
        "created": missing,
        "diff": {"before": "", "after": "".join(f"extension {name}\n" for name in missing)},
        **facts,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **postgresql.PORT,
            "extensions": {"type": "list", "elements": "str", "required": True},
            "schema": {"type": "str", "default": ""},
            "database": {"type": "str"},
            "database_url": {"type": "str", "no_log": True},
            "verified": {"type": "bool", "default": True},
        },
        required_one_of=[("database", "database_url")],
        mutually_exclusive=[("database", "database_url")],
        supports_check_mode=True,
    )
    answer(module, converge)


if __name__ == "__main__":
    main()
