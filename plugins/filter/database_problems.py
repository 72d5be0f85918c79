# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inputs of the role database, all of it at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_problems
short_description: What is wrong with the inputs of the role database
version_added: 0.1.0
description:
  - Returns one sentence for each input that cannot be used, before anything is changed on a host.
  - Never quotes a password.
author: The Parity authors (!UNKNOWN)
positional: _input
extends_documentation_fragment: [parity.stack.problems.short_names]
"""

EXAMPLES = r"""
problems: "{{ {'name': database_name, 'port': database_port} | parity.stack.database_problems }}"
"""

RETURN = r"""
_value:
  description: Sentences, none when the inputs can be used.
  type: list
  elements: str
"""

import re

from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings

_ADDRESS = re.compile(r"^(\*|[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$")
_EXTENSION = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
_TABLE = re.compile(r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")
_MEMORY = re.compile(r"^\d+\s*(kB|MB|GB|TB)$")


def database_problems(inputs: dict) -> list[str]:
    problems = [
        postgresql.name_problem(f"database_{part}", inputs.get(part)) for part in ("name", "owner", "application_user")
    ]
    if inputs.get("owner") == inputs.get("application_user"):
        problems.append(
            f"database_owner and database_application_user are both {inputs.get('owner')!r}. They have to differ: the "
            "application must not own what it works with."
        )
    for part in ("owner_password", "application_password"):
        problems.append(_password_problem(f"database_{part}", inputs.get(part)))
    problems += _reader_problems(inputs)
    problems += _server_problems(inputs)
    port = inputs.get("port")
    if isinstance(port, bool) or not str(port).isdigit() or not 1024 <= int(str(port)) <= 65535:
        problems.append(f"database_port is {port!r}. Give a number between 1024 and 65535.")
    for address in inputs.get("listen_addresses") or []:
        if not isinstance(address, str) or not _ADDRESS.match(address):
            problems.append(
                f"database_listen_addresses has {address!r}. "
                "Give addresses or host names of this host, without a network's length."
            )
    networks = inputs.get("allowed_networks") or []
    problems += [settings.network_problem("database_allowed_networks", value) for value in networks]
    memory = inputs.get("memory")
    if memory and not _MEMORY.match(str(memory)):
        problems.append(f"database_memory is {memory!r}. Write a number and its unit, such as 512MB or 4GB.")
    problems += settings.setting_problems(inputs.get("settings"))
    return [problem for problem in problems if problem]


def _reader_problems(inputs: dict) -> list[str | None]:
    """Roles that only read are wanted where they have a name."""
    problems: list[str | None] = []
    for kind, reader in (inputs.get("readers") or {}).items():
        if not reader["user"]:
            continue
        problems.append(postgresql.name_problem(f"database_{kind}_user", reader["user"]))
        problems.append(_password_problem(f"database_{kind}_password", reader["password"]))
        if reader["user"] in (inputs.get("owner"), inputs.get("application_user")):
            problems.append(f"database_{kind}_user is {reader['user']!r}, which has another task already. Give it a name of its own.")
    return problems


def _server_problems(inputs: dict) -> list[str | None]:
    problems: list[str | None] = []
    if bool(inputs.get("certificate")) != bool(inputs.get("certificate_key")):
        problems.append("database_certificate and database_certificate_key go together. Give both files, or neither.")
    pooler, size = int(inputs.get("pooler_port") or 0), int(inputs.get("pooler_size") or 0)
    connections = (inputs.get("settings") or {}).get("max_connections", 100) if isinstance(inputs.get("settings"), dict) else 100
    if pooler and pooler == int(inputs.get("port") or 5432):
        problems.append(f"database_pooler_port is {pooler}, the server's own port. Give it another one, such as 6432.")
    if pooler and str(connections).isdigit() and not 1 <= size <= int(connections) - 10:
        problems.append(
            f"database_pooler_size is {size}, and the server has {connections} connections. Leave ten for migrations, backups and "
            "monitoring: make the pool smaller, or max_connections in database_settings larger."
        )
    for name in inputs.get("extensions") or []:
        if not isinstance(name, str) or not _EXTENSION.match(name):
            problems.append(f"database_extensions has {name!r}, which cannot be an extension. Write its name, such as pgcrypto.")
    for name in inputs.get("audit_tables") or []:
        if not isinstance(name, str) or not _TABLE.match(name):
            problems.append(f"database_audit_tables has {name!r}. Write schema.table in lower-case letters, such as public.orders.")
    if inputs.get("audit_tables") and "pgaudit" not in (inputs.get("extensions") or []):
        problems.append("database_audit_tables names tables, and database_extensions has no pgaudit, which logs them. Add it.")
    return problems + settings.setting_problems(inputs.get("application_settings") or {}, "database_application_settings")


def _password_problem(option: str, value: object) -> str | None:
    if value is None or value == "":
        return f"{option} is empty. Give a password, from a vault or the environment of the control node."
    if not isinstance(value, str):
        return f"{option} is read as a {type(value).__name__}. Put it in quotes so that it stays text."
    if any(ord(character) < 32 for character in value):
        return f"{option} holds a line break or another control character. Remove it."
    return None


class FilterModule:
    """Ansible finds the filter by this class."""

    def filters(self) -> dict:
        return {"database_problems": database_problems}
