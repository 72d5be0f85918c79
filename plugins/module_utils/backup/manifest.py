# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps and their manifests: which of them are good, what killed runs left, and what a comparison says.

A dump is written under a name that ends in .partial. Its manifest is written when the dump has been restored and
compared, and only then the dump gets its name. So a name that ends in .dump is a backup that has been proved.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Backup, moment_of, own_files, sha256
from ansible_collections.parity.stack.plugins.module_utils.backup.scratch import Contents
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: How the name of a dump ends.
DUMP = ".dump"
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")
LABEL = re.compile(r"^[A-Za-z0-9._+-]{0,80}$")
#: The package of Debian that has a program.
PACKAGES = {"pg_dump": "postgresql-client", "pg_restore": "postgresql-client"}


def input_problems(
    *,
    directory: object,
    name: object,
    label: object,
    keep: object,
    max_age: object = 0,
    age_recipient: object = "",
    age_identity: object = "",
    copy_to: object = None,
) -> list[str]:
    """What is wrong with the inputs that do not need a server."""
    problems = []
    if not isinstance(directory, str) or not re.match(r"^/[^/]+(/[^/]+)+$", directory) or ".." in directory.split("/"):
        problems.append(
            f"backup_directory is {directory!r}. "
            "Give an absolute path with two parts or more, such as /var/backups/shop."
        )
    if not isinstance(name, str) or not NAME.match(name):
        problems.append(f"backup_name is {name!r}. Use lower-case letters, digits, - and _, 40 characters at most.")
    if not isinstance(label, str) or not LABEL.match(label):
        problems.append(
            f"backup_label is {label!r}. Use letters, digits and . _ + -, 80 characters at most, or leave it empty."
        )
    if isinstance(keep, bool) or not str(keep).isdigit() or int(str(keep)) < 1:
        problems.append(f"backup_keep is {keep!r}. Give the number of backups to keep, 1 or more.")
    if isinstance(max_age, bool) or not str(max_age).isdigit():
        problems.append(f"backup_max_age is {max_age!r}. Give a number of seconds, 0 for a new backup every time.")
    if age_recipient and not re.match(r"^age1[0-9a-z]{58}$", str(age_recipient)):
        problems.append("backup_age_recipient is no public key of age. It begins with age1; age-keygen prints it.")
    if age_identity and not re.match(r"^AGE-SECRET-KEY-1[0-9A-Z]{58}$", str(age_identity)):
        problems.append("backup_age_identity is no secret key of age. It begins with AGE-SECRET-KEY-1; age-keygen makes one.")
    if copy_to and (not isinstance(copy_to, dict) or not {"type", "path"} <= set(copy_to)):
        problems.append(
            "backup_copy has no type or no path. Give the options of a remote of rclone and the path in it, such as "
            "{type: sftp, host: backup1, user: backup, key_file: /root/.ssh/backup, path: /srv/backups/shop}."
        )
    return problems


def named(path: Path, name: str) -> Backup | None:
    """A backup known by its name only, or None where the name is that of something else."""
    finished = moment_of(path.name, name, DUMP)
    return Backup(path, {"finished": timestamp(finished)}) if finished else None


def good_backups(directory: Path, name: str) -> list[Backup]:
    """Backups whose manifest can be read and whose dump has the size it had when it was proved, oldest first."""
    result = []
    for path in own_files(directory, name, DUMP):
        manifest = read_manifest(path)
        if manifest and manifest.get("size") == path.stat().st_size:
            result.append(Backup(path, manifest))
    return result


def manifest_path(dump: Path) -> Path:
    return dump.with_name(dump.name.removesuffix(DUMP) + ".json")


def read_manifest(dump: Path) -> dict | None:
    """The manifest of a dump, or None when there is none that can be read."""
    try:
        manifest = json.loads(manifest_path(dump).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (
        manifest if isinstance(manifest, dict) and {"size", "sha256", "tables", "finished"} <= set(manifest) else None
    )


def fresh(backups: list[Backup], label: str, max_age: int, now: datetime) -> Backup | None:
    """The newest backup with this label that is not older than `max_age` seconds."""
    for backup in reversed(backups):
        if backup.label == label and 0 <= (now - backup.finished).total_seconds() <= max_age:
            return backup
    return None


def remains(directory: Path, name: str) -> list[Path]:
    """What runs that were killed have left: unproved dumps, and manifests whose dump never got its name."""
    pattern = re.compile(rf"^{re.escape(name)}-\d{{8}}T\d{{6}}Z[A-Za-z0-9._+-]*\.partial$")
    partial = sorted(path for path in directory.iterdir() if pattern.match(path.name)) if directory.is_dir() else []
    orphans = [path for path in own_files(directory, name, ".json") if not path.with_name(path.stem + DUMP).exists()]
    return partial + orphans


def differences(source: Contents, restored: Contents) -> list[str]:
    """How the restored tables differ from those that were dumped, in words."""
    one, two = source.rows, restored.rows
    result = [f"table {table} is missing" for table in sorted(one.keys() - two.keys())]
    result += [f"table {table} was not in the source" for table in sorted(two.keys() - one.keys())]
    for table in sorted(one.keys() & two.keys()):
        if one[table] != two[table]:
            result.append(f"table {table} has {two[table]} rows instead of {one[table]}")
        elif source.samples.get(table) and source.samples[table] != restored.samples.get(table):
            result.append(f"table {table} has other values in the rows that were compared")
    return result


def normal_schema(dump: str) -> str:
    """A dump of a structure without what differs from dump to dump: comments, empty lines, the guards of psql."""
    return "\n".join(line for line in dump.splitlines() if line.strip() and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog")))


def schema_differences(source: str, restored: str) -> list[str]:
    """The first lines in which two structures differ."""
    lines = list(difflib.unified_diff(source.splitlines(), restored.splitlines(), lineterm="", n=0))[3:]
    return [f"the structure differs: {' / '.join(lines[:4])}"] if lines else []


def restorable(listing: str) -> str:
    """The table of contents of a dump without what only the maker of an extension may set."""
    return "".join(f"{line}\n" for line in listing.splitlines() if not re.search(r" COMMENT - EXTENSION | ACL - SCHEMA pg_", line))


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check_whole(backup: Backup) -> None:
    """Raise ParityError where a dump is not the file that was proved."""
    size, wanted = backup.path.stat().st_size, backup.manifest["size"]
    if size != wanted:
        raise ParityError(
            f"{backup.path} has {size} bytes instead of {wanted}: it was cut off or changed. Do not use it."
        )
    if sha256(backup.path) != backup.manifest["sha256"]:
        raise ParityError(
            f"{backup.path} has another checksum than its manifest says: it was damaged or changed. Do not use it."
        )


def space_needed(database_size: int, earlier: Iterable[Backup]) -> int:
    """Bytes a dump may take: half more than the last one; without one, the size of the database."""
    sizes = [backup.manifest["size"] for backup in earlier]
    return 16 * 1024 * 1024 + (sizes[-1] * 3 // 2 if sizes else database_size)


def tool_version(words: str) -> int:
    """Major version in what `pg_dump --version` prints."""
    found = re.search(r"\(PostgreSQL\) (\d+)", words)
    if not found:
        raise ParityError(f"pg_dump does not say which version it is: {words.strip()!r}")
    return int(found[1])


_TOOL_WORDS = (
    (r"No space left on device", "the disk is full"),
    (r"permission denied for (table|sequence|schema) (\S+)", "the role may not read everything; use the owner"),
    (r"lock timeout|could not obtain lock", "a table is locked by a change of its structure; try again later"),
    (r"server version mismatch", "pg_dump is older than the server; install the server's version of postgresql-client"),
    (r"could not read from input file|unexpected end of file|could not uncompress|found unexpected block",
     "the dump is cut off or damaged"),
    (r"input file (does not appear to be|is too short)|not a valid archive", "the file is no dump"),
    (r"extension .* is not available|could not open extension control file",
     "the server lacks an extension the dump needs"),
    (r"permission denied to create extension", "an extension of the database can only be created by a superuser"),
)  # fmt: skip


def explain_tool(tool: str, words: str) -> str:
    """What a failed pg_dump or pg_restore means, with the line that says so."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    for pattern, meaning in _TOOL_WORDS:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return f"{tool} failed: {meaning} ({line})"
    return (
        f"{tool} failed: {next((line for line in lines if 'error' in line), lines[0] if lines else 'no reason given')}"
    )


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
