#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: schema_migrations
short_description: Apply SQL migrations kept in Supabase's layout
version_added: 0.1.0
description:
  - Compares migration files with the history table C(supabase_migrations.schema_migrations) and applies what is missing, each
    file in a transaction of its own together with its history row, under a session advisory lock.
  - In check mode it returns the plan. A database or driver that is not there yet counts as a database without history.
author: The Parity authors (!UNKNOWN)
requirements:
  - psycopg2 (C(python3-psycopg2)) on the host that runs the module
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  database_url:
    description: >-
      Connection of the schema's owner, direct or through a session pooler. Not through a transaction pooler, where advisory
      locks do not hold.
    type: str
    required: true
  migrations:
    description: The files, each with C(file) (its name, VERSION_NAME.sql) and C(sql) (its text).
    type: list
    elements: dict
    required: true
    suboptions:
      file:
        description: Name of the file.
        type: str
        required: true
      sql:
        description: Text of the file.
        type: str
        required: true
  lock_timeout:
    description: How long a statement waits for a lock before the migration fails, in PostgreSQL's notation.
    type: str
    default: 5s
"""

EXAMPLES = r"""
- name: The schema is what the release expects
  parity.stack.schema_migrations:
    database_url: "{{ owner_url }}"
    migrations: "{{ bundle.migrations }}"
"""

RETURN = r"""
pending:
  description: Files that were applied, or would be in check mode, in order.
  type: list
  elements: str
  returned: always
  sample: [20260102030405_documents.sql]
applied:
  description: Versions in the history table before this call.
  type: list
  elements: str
  returned: always
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.parity.stack.plugins.module_utils import migrations
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import psycopg2
except ImportError:
    psycopg2 = None


def migrate(module: AnsibleModule) -> dict:
    local = migrations.parse(module.params["migrations"])
    with contextlib.ExitStack() as stack:
        connection = connect(module, stack)
        applied = history(connection) if connection else []
        todo = migrations.pending(local, applied)
        if connection and todo and not module.check_mode:
            todo = apply(connection, local, module.params["lock_timeout"])
    names = [migration.file for migration in todo]
    return {
        "changed": bool(todo),
        "pending": names,
        "applied": applied,
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in names), "after_header": "migrations to apply"},
    }


def connect(module: AnsibleModule, stack: contextlib.ExitStack):
    """A connection in autocommit, or None in a dry-run before the database exists."""
    if psycopg2 is None:
        if module.check_mode:
            return None
        raise ParityError(missing_required_lib("psycopg2"))
    try:
        connection = psycopg2.connect(module.params["database_url"], connect_timeout=10, application_name="parity migrations")
    except psycopg2.Error as error:
        if module.check_mode:
            module.warn("the database cannot be asked yet, so every migration is predicted to run")
            return None
        raise ParityError(f"the database cannot be reached to migrate it: {str(error).strip()}") from error
    stack.callback(connection.close)
    connection.autocommit = True
    return connection


def history(connection) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('supabase_migrations.schema_migrations')")
        if cursor.fetchone()[0] is None:
            return []
        cursor.execute("select version from supabase_migrations.schema_migrations order by version")
        return [row[0] for row in cursor.fetchall()]


def apply(connection, local: list[migrations.Migration], lock_timeout: str) -> list[migrations.Migration]:
    """Apply what is pending once the lock is ours; another migrator may have been quicker."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (migrations.ADVISORY_LOCK,))
        cursor.execute("set lock_timeout = %s", (lock_timeout,))
        cursor.execute(migrations.HISTORY)
        todo = migrations.pending(local, history(connection))
        for migration in todo:
            apply_one(connection, cursor, migration)
        cursor.execute("select pg_advisory_unlock(%s)", (migrations.ADVISORY_LOCK,))
    return todo


def apply_one(connection, cursor, migration: migrations.Migration) -> None:
    connection.autocommit = False
    try:
        cursor.execute(migration.sql)
        cursor.execute(
            "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
            (migration.version, [migration.sql], migration.name),
        )
        connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        raise ParityError(
            f"{migration.file} failed and left nothing behind: {str(error).strip()}. The migrations before it stay applied."
        ) from error
    finally:
        connection.autocommit = True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "database_url": {"type": "str", "required": True, "no_log": True},
            "migrations": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"file": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}},
            },
            "lock_timeout": {"type": "str", "default": "5s"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**migrate(module))
    except ParityError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
