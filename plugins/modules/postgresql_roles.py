#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_roles
short_description: Create login roles, and never send their passwords to the server
version_added: 0.1.0
description:
  - Creates login roles without further attributes (no superuser, no creation of roles or databases, no replication),
    and keeps their passwords.
  - Compares a password with the server's SCRAM verifier, and computes a new verifier on this host where they differ. So no password
    gets into a server's log, its statistics of statements or its list of activity. A module that sends
    C(ALTER ROLE ... PASSWORD) in clear may leave it there.
  - In check mode it also returns what is missing, so that the next tasks know which objects they can read already.
requirements:
  - python3-psycopg2
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.postgresql.port]
options:
  roles:
    description: The roles.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
      replication:
        description: Whether a replica may follow the server with it.
        type: bool
        default: false
      settings:
        description: Settings at the beginning of its sessions, such as C(statement_timeout). Its other settings stay.
        type: dict
        default: {}
      member_of:
        description: Roles whose rights it gets, such as C(pg_monitor). Its other memberships stay.
        type: list
        elements: str
        default: []
  database:
    description: The database whose existence is reported.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Create the login roles
  parity.stack.postgresql_roles:
    database: docpipe
    roles:
      - {name: docpipe_owner, password: "{{ database_owner_password }}"}
      - {name: docpipe, password: "{{ database_application_password }}"}
"""

RETURN = r"""
roles:
  description: >-
    What was done for each role, or would be. One of unchanged, created, password and attributes, which are also its settings and
    memberships.
  type: dict
  returned: always
  sample: {docpipe_owner: unchanged, docpipe: password}
missing:
  description: What did not exist before this task, in words.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import scram
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings as server_settings

ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
#: Keeps even the verifiers out of the server's log and statistics, whatever the server logs.
QUIET = (
    "set log_statement = 'none'",
    "set log_min_duration_statement = -1",
    "set log_min_error_statement = 'panic'",
    "set pgaudit.log = 'none'",
    "set pg_stat_statements.track_utility = off",
)
ROLE = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "replication": {"type": "bool", "default": False},
    "settings": {"type": "dict", "default": {}},
    "member_of": {"type": "list", "elements": "str", "default": []},
}


def decide(role: dict, current: tuple | None) -> str:
    """What a role needs: `current` is (can log in, plain attributes, replicates, verifier, settings, memberships), or None."""
    if current is None:
        return "created"
    login, plain, replicates, verifier, settings, memberships = current
    if not scram.matches(role["password"], verifier):
        return "password"
    has = dict(line.split("=", 1) for line in settings or ())
    fits = all(has.get(name) == server_settings.as_text(value) for name, value in role["settings"].items())
    plain = plain and replicates == role["replication"]
    return "unchanged" if login and plain and fits and set(role["member_of"]) <= set(memberships or ()) else "attributes"


def converge(module: AnsibleModule) -> dict:
    wanted = {role["name"]: role for role in module.params["roles"]}
    database = module.params["database"]
    try:
        connection = postgresql.connect_locally(module.params["port"])
    except ParityError:
        if not module.check_mode:
            raise
        needs = dict.fromkeys(wanted, "created")
        return _result(
            needs,
            [f"a server on port {module.params['port']}", *(f"role {name}" for name in wanted), f"database {database}"],
        )
    found = {
        name: facts
        for name, *facts in postgresql.rows(
            connection,
            "select rolname, rolcanlogin, "
            "not (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls), rolreplication, rolpassword, "
            "(select setconfig from pg_db_role_setting where setrole = a.oid and setdatabase = 0), "
            "array(select pg_get_userbyid(roleid)::text from pg_auth_members where member = a.oid) "
            "from pg_authid a where rolname = any(%s)",
            (list(wanted),),
        )
    }
    needs = {name: decide(role, found.get(name)) for name, role in wanted.items()}
    missing = [f"role {name}" for name in wanted if name not in found]
    if not postgresql.rows(connection, "select 1 from pg_database where datname = %s", (database,)):
        missing.append(f"database {database}")
    if not module.check_mode:
        _apply(connection, wanted, needs)
    connection.close()
    return _result(needs, missing)


def _apply(connection, wanted: dict[str, dict], needs: dict[str, str]) -> None:
    for statement in QUIET:
        postgresql.rows(connection, statement)
    for name, need in needs.items():
        if need == "unchanged":
            continue
        verb = "create" if need == "created" else "alter"
        quoted = '"' + name.replace('"', '""') + '"'
        verifier = scram.verifier(wanted[name]["password"])
        with_password = "" if need == "attributes" else f" password '{verifier}'"
        replication = "REPLICATION" if wanted[name]["replication"] else "NOREPLICATION"
        postgresql.rows(connection, f"{verb} role {quoted} {ATTRIBUTES} {replication}{with_password}")
        for setting, value in wanted[name]["settings"].items():
            literal = server_settings.as_text(value).replace("'", "''")
            postgresql.rows(connection, f"alter role {quoted} set {setting} = '{literal}'")
        for group in wanted[name]["member_of"]:
            postgresql.rows(connection, f"grant \"{group}\" to {quoted}")


def _result(needs: dict[str, str], missing: list[str]) -> dict:
    changes = {name: need for name, need in needs.items() if need != "unchanged"}
    return {
        "changed": bool(changes),
        "roles": needs,
        "missing": missing,
        "diff": {
            "before": "".join(f"role {name}\n" for name in needs if f"role {name}" not in missing),
            "after": "".join(f"role {name}{f': {changes[name]}' if name in changes else ''}\n" for name in needs),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **postgresql.PORT,
            "roles": {"type": "list", "elements": "dict", "required": True, "options": ROLE},
            "database": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    answer(module, converge)


if __name__ == "__main__":
    main()
