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
    server, compares tables and numbers of rows with those of the snapshot that was dumped, and only then gives the
    dump its name and a manifest.
  - A run that is killed leaves no file that looks like a backup; the next run removes what it left, scratch
    databases too.
  - The scratch database is made by the URL's role where it may create databases. Otherwise the superuser makes it
    through the server's socket, which takes running on the server's host; the restore itself is always done by the
    URL's role, so that nothing in a dump runs as superuser.
  - The password is handed to the tools in their environment, never on a command line.
requirements:
  - python3-psycopg2
  - postgresql-client
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  state:
    description:
      - V(present) makes a backup, V(verified) proves one again, V(pruned) removes those beyond I(keep).
    type: str
    choices: [present, verified, pruned]
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
    description: How many good backups stay. The newest good one always does.
    type: int
    default: 7
  announced:
    description:
      - Backups that a dry-run has announced before, with I(state=pruned). They count as if they were there in check
        mode.
    type: int
    default: 0
  max_age:
    description: A good backup with the same label that is not older (in seconds) is taken instead of a new one.
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
    description: Backup to verify with I(state=verified). The newest one when not given.
    type: path
  required:
    description:
      - Whether a database that does not answer is an error where it was never backed up. A playbook that runs before
        the first deployment of the database sets it to false. Where there is a backup already it always is an error.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: The database is backed up
  parity.stack.database_backup:
    database_url: "{{ backup_database_url }}"
    directory: /var/backups/docpipe
    name: docpipe
    label: v1.4.2

- name: Old backups are removed
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
removed:
  description: Files that were removed, or would be.
  type: list
  elements: str
  returned: always
reason:
  description: What was done, or why nothing was, in a sentence.
  type: str
  returned: always
"""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import backups, postgresql, scratch
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import sync_directory, write_atomically


class Work:
    """One call of the module: its inputs, the database and the tools."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.directory = Path(module.params["directory"])
        self.name = module.params["name"]
        self.good = backups.good_backups(self.directory, self.name)

    def target(self) -> postgresql.Target:
        target = postgresql.parse_url(self.params["database_url"], "database_url")
        # The URL as a whole is masked by its option; the password may stand alone in somebody's message.
        self.module.no_log_values.add(target.password)
        return target

    def tool(self, target: postgresql.Target, words: list[str]) -> str:
        """Run pg_dump or pg_restore. Raises ParityError with the meaning of its words."""
        path = self.module.get_bin_path(words[0])
        if path is None:
            raise ParityError(
                f"{words[0]} is not installed on this host. Install it: apt-get install postgresql-client"
            )
        secret = {"PGPASSWORD": target.password, "LC_ALL": "C.UTF-8"}
        code, out, err = self.module.run_command([path, *words[1:]], environ_update=secret)
        if code != 0:
            raise ParityError(backups.explain_tool(words[0], err or out))
        return out


def present(work: Work) -> dict:
    target, params = work.target(), work.params
    if work.module.check_mode and postgresql.psycopg2 is None:
        return _predict_blind(work, target)
    try:
        control = postgresql.connect(target)
    except ParityError as error:
        if _nothing_to_back_up(work, target):
            return {"changed": False, "file": "", "reason": f"Nothing to back up yet: {error}"}
        raise
    with closing(control), _only_one(work):
        control.autocommit = True
        _refuse_older_tools(work, target, control)
        found = backups.fresh(work.good, params["label"], params["max_age"], _now())
        if found:
            return {
                "changed": False,
                "file": str(found.path),
                "manifest": found.manifest,
                "reason": "The last backup is fresh",
            }
        remains = backups.remains(work.directory, work.name)
        _refuse_full_disk(work, control)
        if work.module.check_mode:
            return _announce(work, target, remains)
        scratch.take_lock(control, target)
        for path in remains:
            path.unlink(missing_ok=True)
        dump, manifest = _dump(work, target, control)
        return {
            "changed": True,
            "file": str(dump),
            "manifest": manifest,
            "removed": [str(path) for path in remains],
            "reason": f"{target.place} is backed up: {len(manifest['tables'])} tables, {manifest['rows']} rows",
            "diff": {"before": "", "after": f"{dump}\n"},
        }


def _dump(work: Work, target: postgresql.Target, control) -> tuple[Path, dict]:
    """Dump, prove, and only then give the dump its name."""
    params, started = work.params, _now()
    dump = work.directory / backups.file_name(work.name, params["label"], started)
    partial = dump.with_name(dump.name + ".partial")
    try:
        with closing(postgresql.connect(target)) as snapshot:
            identifier = scratch.export_snapshot(snapshot)
            tables = scratch.count_rows(snapshot)
            words = [
                "pg_dump",
                "--format=custom",
                "--no-password",
                "--lock-wait-timeout=30s",
                f"--snapshot={identifier}",
            ]
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            work.tool(target, [*words, f"--file={partial}", f"--dbname={target.conninfo()}"])
        _sync(partial)
        verified = _prove(work, target, control, partial, tables)
        manifest = {
            "format": 1,
            "name": work.name,
            "label": params["label"],
            "file": dump.name,
            "size": partial.stat().st_size,
            "sha256": backups.sha256(partial),
            "database": target.database,
            "server": f"{target.host}:{target.port}",
            "server_version": postgresql.rows(control, "show server_version")[0][0],
            "pg_dump": work.tool(target, ["pg_dump", "--version"]).strip(),
            "started": backups.timestamp(started),
            "finished": backups.timestamp(_now()),
            "verified": verified,
            "rows": sum(tables.values()),
            "tables": tables,
        }
        write_atomically(
            backups.manifest_path(dump), json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", mode=0o600
        )
        os.rename(partial, dump)
        sync_directory(work.directory)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return dump, manifest


def _prove(work: Work, target: postgresql.Target, control, dump: Path, tables: dict[str, int]) -> str:
    """Raise ParityError where the dump does not give back what was dumped. Returns how that was proved."""
    work.tool(target, ["pg_restore", "--list", str(dump)])
    if work.params["verify"] == "readable":
        return "readable"
    with scratch.database(control, target) as name:
        options = ["--exit-on-error", "--no-password", "--no-owner", "--no-privileges", "--no-comments"]
        options += ["--no-publications", "--no-subscriptions", "--no-security-labels"]
        work.tool(target, ["pg_restore", *options, f"--dbname={target.conninfo(name)}", str(dump)])
        with closing(postgresql.connect(target, name)) as restored:
            found = backups.differences(tables, scratch.count_rows(restored))
    if found:
        raise ParityError(
            f"The dump does not give back what was dumped: {'; '.join(found)}. It was not kept.", differences=found
        )
    return "restore"


def verified(work: Work) -> dict:
    target = work.target()
    if work.module.check_mode and (postgresql.psycopg2 is None or not work.good):
        return {
            "changed": False,
            "file": "",
            "reason": "There is no backup yet; a real run verifies the one made before it",
        }
    backup = _chosen(work)
    backups.check_whole(backup)
    result = {"changed": False, "file": str(backup.path), "manifest": backup.manifest}
    if work.module.check_mode:
        return {**result, "reason": f"{backup.path} is whole; a real run also restores it into a scratch database"}
    with closing(postgresql.connect(target)) as control:
        control.autocommit = True
        scratch.take_lock(control, target)
        _prove(work, target, control, backup.path, backup.manifest["tables"])
    return {**result, "reason": f"{backup.path} is whole and gives back what was dumped"}


def _chosen(work: Work) -> backups.Backup:
    named = work.params["file"]
    if named:
        manifest = backups.read_manifest(Path(named))
        if manifest is None or not Path(named).is_file():
            raise ParityError(
                f"{named} is not a backup: the dump or its manifest beside it is missing or cannot be read."
            )
        return backups.Backup(Path(named), manifest)
    # Not only the good ones: a damaged newest backup has to be found, not passed over.
    dumps = backups.own_files(work.directory, work.name, ".dump")
    manifest = backups.read_manifest(dumps[-1]) if dumps else None
    if manifest is None:
        what = (
            f"the manifest of {dumps[-1]} cannot be read" if dumps else f"no backup of {work.name} in {work.directory}"
        )
        raise ParityError(f"There is nothing to verify: {what}. Make one: the entry point create of the role backup.")
    return backups.Backup(dumps[-1], manifest)


def pruned(work: Work) -> dict:
    with _only_one(work):
        paths = backups.remains(work.directory, work.name)
        announced = work.params["announced"] if work.module.check_mode else 0
        for backup in backups.superfluous(work.good, work.params["keep"], announced):
            paths += [backup.path, backups.manifest_path(backup.path)]
        if not work.module.check_mode:
            for path in paths:
                path.unlink(missing_ok=True)
    names = [str(path) for path in paths]
    kept = len(work.good) + announced - sum(name.endswith(".dump") for name in names)
    return {
        "changed": bool(names),
        "removed": names,
        "reason": f"{kept} good backups stay",
        "diff": {"before": "".join(f"{name}\n" for name in names), "after": ""},
    }


def _refuse_older_tools(work: Work, target: postgresql.Target, control) -> None:
    if work.module.check_mode and work.module.get_bin_path("pg_dump") is None:
        return  # Installed before it is needed.
    ours = backups.tool_version(work.tool(target, ["pg_dump", "--version"]))
    server = control.server_version // 10000
    if ours < server:
        raise ParityError(
            f"pg_dump on this host is version {ours}, the server is {server}: it cannot be dumped with an older "
            f"version. Install postgresql-client-{server}, or run the backup on a host that has it."
        )


def _refuse_full_disk(work: Work, control) -> None:
    if not work.directory.is_dir():
        return  # Made by the role before; absent in a dry-run of the first run.
    size = postgresql.rows(control, "select pg_database_size(current_database())")[0][0]
    needed, free = backups.space_needed(size, work.good), shutil.disk_usage(work.directory).free
    if free < needed:
        raise ParityError(
            f"{work.directory} has {free // 2**20} MiB free, and the backup may take {needed // 2**20} MiB. "
            "Make room, or set backup_directory to a larger disk."
        )


def _nothing_to_back_up(work: Work, target: postgresql.Target) -> bool:
    """Whether the database was never deployed, as far as can be told without reaching it."""
    if work.params["required"] or backups.own_files(work.directory, work.name, ".dump"):
        return False
    try:
        with closing(postgresql.connect_locally(target.port)) as connection:
            query = "select 1 from pg_database where datname = %s"
            return not postgresql.rows(connection, query, (target.database,))
    except ParityError:
        return not _answers(target)


def _answers(target: postgresql.Target) -> bool:
    try:
        socket.create_connection((target.host, target.port), timeout=5).close()
    except OSError:
        return False
    return True


def _predict_blind(work: Work, target: postgresql.Target) -> dict:
    """Before the driver is installed the server itself cannot be asked."""
    if not _answers(target):
        if _nothing_to_back_up(work, target):
            return {"changed": False, "file": "", "reason": f"Nothing to back up yet: {target.place} does not answer"}
        raise ParityError(f"The server of database {target.place} does not answer. Is PostgreSQL running?")
    return _announce(work, target, [])


def _announce(work: Work, target: postgresql.Target, remains: list[Path]) -> dict:
    dump = work.directory / backups.file_name(work.name, work.params["label"], _now())
    return {
        "changed": True,
        "file": "",
        "removed": [str(path) for path in remains],
        "reason": f"{target.place} would be dumped into {work.directory} and proved by restoring it",
        "diff": {"before": "", "after": f"{dump} (with the time of the run)\n"},
    }


@contextmanager
def _only_one(work: Work) -> Iterator[None]:
    """One run at a time in a directory; the lock ends with the process, however it ends."""
    if work.module.check_mode:
        yield
        return
    if not work.directory.is_dir():
        raise ParityError(f"{work.directory} does not exist. The role backup makes it; apply its entry point create.")
    descriptor = os.open(work.directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ParityError(
            f"Another backup is being made in {work.directory}. Wait for it to end and try again."
        ) from None
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "verified", "pruned"], "default": "present"},
            "database_url": {"type": "str", "no_log": True},
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "label": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 7},
            "announced": {"type": "int", "default": 0},
            "max_age": {"type": "int", "default": 0},
            "verify": {"type": "str", "choices": ["restore", "readable"], "default": "restore"},
            "file": {"type": "path"},
            "required": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["database_url"]), ("state", "verified", ["database_url"])],
        supports_check_mode=True,
    )
    inputs = {name: module.params[name] for name in ("directory", "name", "label", "keep", "max_age")}
    actions = {"present": present, "verified": verified, "pruned": pruned}
    try:
        problems = backups.input_problems(**inputs)
        if problems:
            raise ParityError(" | ".join(problems))
        module.exit_json(**{"removed": [], **actions[module.params["state"]](Work(module))})
    except ParityError as error:
        module.fail_json(msg=str(error), **error.details)


if __name__ == "__main__":
    main()
