#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: database_backup
short_description: Dumps of a PostgreSQL database that have been restored before they count
version_added: 0.1.0
description:
  - Dumps a database with C(pg_dump) in its custom format, restores the dump into a scratch database on the same
    server, compares its structure, numbers of rows and checksums of samples with those of the snapshot that was dumped,
    encrypts it where a key of age is given, and only then gives the dump its name and a manifest.
  - A large database is dumped and restored by several processes; its dump is a tar file of C(pg_dump)'s directory format.
  - A run that is killed leaves no file that looks like a backup; the next run removes what it left, scratch
    databases too.
  - The scratch database is made by the URL's role where it may create databases. Otherwise the superuser makes it
    through the server's socket, which takes running on the server's host; the restore itself is always done by the
    URL's role, so that nothing in a dump runs as superuser.
  - Runs in the background of its host, so that how far it is can be shown while it works.
  - The password is handed to the tools in their environment, never on a command line.
requirements:
  - python3-psycopg2
  - postgresql-client
  - age, where backups are encrypted
  - rclone, where they are copied
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes]
options:
  state:
    description:
      - V(present) makes a backup, V(verified) verifies one again, V(pruned) removes those that retention does not keep.
      - V(copied) makes an off-site copy of every good backup.
      - V(restored) restores one beside the database, verifies it, and then changes the names. The database of before stays,
        closed to connections, as C(DATABASE_before_TIME).
    type: str
    choices: [present, verified, restored, pruned, copied]
    default: present
  database_url:
    description:
      - C(postgresql://user:password@host:port/database?sslmode=...), a direct connection of the database's owner.
        The password is percent-encoded. Needed unless I(state=pruned).
    type: str
  directory:
    description: Directory of the backups. It has to exist.
    type: path
    required: true
  name:
    description: First part of the files' names.
    type: str
    required: true
  label:
    description: What the backup was made for, such as the release that follows.
    type: str
    default: ""
  keep:
    description: How many of the last good backups stay. The newest good one always does.
    type: int
    default: 7
  keep_daily:
    description: Of how many days the newest good backup stays, beside the last ones.
    type: int
    default: 0
  keep_weekly:
    description: Of how many weeks the newest good backup stays.
    type: int
    default: 0
  keep_monthly:
    description: Of how many months the newest good backup stays.
    type: int
    default: 0
  parallel_above:
    description: Size of the database in bytes from which it is dumped and restored by several processes at once.
    type: int
    default: 10737418240
  jobs:
    description: How many processes these are.
    type: int
    default: 2
  age_recipient:
    description: Public key of age (C(age1...)) to encrypt to. The dump is proved before it is encrypted.
    type: str
    default: ""
  age_identity:
    description:
      - Secret key of age (C(AGE-SECRET-KEY-1...)). Encrypts where there is no I(age_recipient), and is needed to verify and restore
        what is encrypted. It is handed to age on its standard input and written nowhere.
    type: str
    default: ""
  exclude_schemas:
    description: >-
      Schemas that are left out, such as those of a provider that its role may not read. C(*) stands for anything.
    type: list
    elements: str
    default: []
  progress_file:
    description: File that shows how far the work is. The action plugin of this name sets it, and shows its content meanwhile.
    type: path
  copy_to:
    description:
      - Where the off-site copies go, as the options of a remote of rclone (C(type) and what it needs) and C(path), the directory or
        bucket in it. rclone gets them in its environment. Only retention removes an off-site copy, not the loss of its backup here.
    type: dict
    default: {}
  confirm:
    description: Name of the database, to confirm I(state=restored).
    type: str
    default: ""
  announced:
    description:
      - How many new backups a dry run has already announced, for I(state=pruned). In check mode they count as if they existed.
    type: int
    default: 0
  max_age:
    description: A good backup with the same label that is not older than this (in seconds) is used instead of a new one.
    type: int
    default: 0
  verify:
    description:
      - V(restore) restores the dump and compares. V(readable) only reads its table of contents, for servers where no
        scratch database can be made.
    type: str
    choices: [restore, readable]
    default: restore
  file:
    description: Backup to verify or restore, its path or its name in I(directory). The newest one when not given.
    type: str
  required:
    description:
      - Whether a database that does not answer is an error where it was never backed up. A playbook that runs before
        the first deployment of the database sets it to false. Where there is a backup already it always is an error.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Back up the database
  parity.stack.database_backup:
    database_url: "{{ backup_database_url }}"
    directory: /var/backups/docpipe
    name: docpipe
    label: v1.4.2

- name: Remove old database backups
  parity.stack.database_backup:
    state: pruned
    directory: /var/backups/docpipe
    name: docpipe
    keep: 7
"""

RETURN = r"""
file:
  description: The backup that was made, found or verified; empty where there is none.
  type: str
  returned: when state is present or verified
manifest:
  description: What its manifest says. Tables and their rows, sizes, checksum, versions, times, how it was verified.
  type: dict
  returned: when there is a backup
kept:
  description: Name under which the database of before is kept.
  type: str
  returned: when state is restored, outside of check mode
removed:
  description: Files that were removed, or would be.
  type: list
  elements: str
  returned: always
reason:
  description: What was done, or why nothing was done, in a sentence.
  type: str
  returned: always
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.backup import database
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module


class ModuleHost:
    """The host as a module sees it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.check_mode = module.check_mode
        self.progress_file = Path(module.params["progress_file"]) if module.params["progress_file"] else None
        if self.progress_file:
            self.progress_file.unlink(missing_ok=True)  # of the run before

    def find(self, tool: str) -> str | None:
        return self.module.get_bin_path(tool)

    def run(self, words: list[str], variables: dict[str, str], stdin: str | None = None) -> tuple[int, str, str]:
        return self.module.run_command(words, environ_update=variables, data=stdin, binary_data=True)

    def hide(self, secret: str) -> None:
        if secret:
            mask_module(self.module, secret)

    def progress(self, words: str) -> None:
        # To the journal of the host, and to a file that the action plugin reads while the module works.
        self.module.log(words)
        if self.progress_file and self.progress_file.parent.is_dir():
            with open(os.open(self.progress_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
                stream.write(f"{words}\n")


def main() -> None:
    text = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(database.ACTIONS), "default": "present"},
            "database_url": {"type": "str", "no_log": True},
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "label": text,
            "keep": {"type": "int", "default": 7},
            "keep_daily": {"type": "int", "default": 0},
            "keep_weekly": {"type": "int", "default": 0},
            "keep_monthly": {"type": "int", "default": 0},
            "announced": {"type": "int", "default": 0},
            "max_age": {"type": "int", "default": 0},
            "verify": {"type": "str", "choices": ["restore", "readable"], "default": "restore"},
            "file": {"type": "str"},
            "required": {"type": "bool", "default": True},
            "parallel_above": {"type": "int", "default": 10737418240},
            "jobs": {"type": "int", "default": 2},
            "age_recipient": text,
            "age_identity": {"type": "str", "default": "", "no_log": True},
            "confirm": text,
            "exclude_schemas": {"type": "list", "elements": "str", "default": []},
            "progress_file": {"type": "path"},
            "copy_to": {"type": "dict", "default": {}},
        },
        required_if=[("state", state, ["database_url"]) for state in ("present", "verified", "restored")],
        supports_check_mode=True,
    )
    mask_module(module)
    params = dict(module.params)
    state = params.pop("state")
    params.pop("progress_file")
    host = ModuleHost(module)
    wanted = database.Wanted(**{name: value for name, value in params.items() if value is not None})
    with errors_as_failures(module):
        module.exit_json(**database.perform(host, state, wanted))


if __name__ == "__main__":
    main()
