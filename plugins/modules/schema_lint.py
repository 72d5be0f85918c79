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
  - Where squawk is not installed it finds nothing, and says so in a warning. C(parity.stack.schema_migrations) does not depend
    on it for what it refuses.
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: N/A
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  migrations:
    description: The files, each with C(file) (its name) and C(sql) (its text).
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
  exclude:
    description: Rules of squawk that are not asked for.
    type: list
    elements: str
    default: []
  search:
    description: Directories in which squawk is looked for before those of E(PATH), such as that of a virtual environment.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: The migrations are read by squawk
  parity.stack.schema_lint:
    migrations: "{{ bundle.migrations }}"
    search: ["{{ ansible_playbook_python | dirname }}"]
  delegate_to: localhost
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

import json
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: What the migrator sees to for every file: it sets both timeouts, and runs each file in a transaction.
ALWAYS_EXCLUDED = ("require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts", "require-timeout-settings")
MISSING = (
    "squawk is not installed on the control node, so the migrations were not read by it. What they destroy and which locks they "
    "take is checked all the same. To have its advice too: pip install squawk-cli (requirements.txt has it pinned)."
)


def lint(module: AnsibleModule) -> dict:
    squawk = module.get_bin_path("squawk", opt_dirs=module.params["search"])
    if squawk is None:
        module.warn(MISSING)
        return {"changed": False, "findings": [], "linter": ""}
    version = module.run_command([squawk, "--version"], check_rc=True)[1]
    with tempfile.TemporaryDirectory() as folder:
        for migration in module.params["migrations"]:
            if not migration["file"].endswith(".sql"):
                continue  # revisions of Alembic are Python
            (Path(folder) / Path(migration["file"]).name).write_text(migration["sql"], encoding="utf-8")
        findings = _findings(module, squawk, sorted(Path(folder).iterdir()))
    return {"changed": False, "findings": findings, "linter": version.strip()}


def _findings(module: AnsibleModule, squawk: str, paths: list[Path]) -> list[dict]:
    if not paths:
        return []
    excluded = ",".join([*ALWAYS_EXCLUDED, *module.params["exclude"]])
    words = [squawk, "--reporter", "Json", "--assume-in-transaction", f"--exclude={excluded}", *map(str, paths)]
    code, out, err = module.run_command(words)  # its exit code only says whether it found anything
    try:
        found = json.loads(out or "[]")
    except ValueError:
        raise ParityError(f"squawk did not answer with findings (exit code {code}): {(err or out).strip()[:400]}") from None
    return [
        {"file": Path(one["file"]).name, "line": one["line"] + 1, "rule": one["rule_name"], "message": one["message"]}
        for one in found
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "migrations": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"file": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}},
            },
            "exclude": {"type": "list", "elements": "str", "default": []},
            "search": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**lint(module))
    except ParityError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
