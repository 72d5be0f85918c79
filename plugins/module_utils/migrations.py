# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL migrations in Supabase's layout: files `<version>_<name>.sql`, applied ones in supabase_migrations."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

_FILE = re.compile(r"([0-9]+)_(.*)\.sql")

#: Any number will do as long as every migrator of a database takes the same; this is "parity" in ASCII.
ADVISORY_LOCK = 0x706172697479

HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key, statements text[], name text
)"""


@dataclass(frozen=True)
class Migration:
    """One file: `version` is compared as text, as Supabase does."""

    version: str
    name: str
    sql: str

    @property
    def file(self) -> str:
        return f"{self.version}_{self.name}.sql"


def parse(files: list[dict[str, str]]) -> list[Migration]:
    """Migrations from `[{"file": ..., "sql": ...}]`, in order. Raises ParityError for odd names and double versions."""
    result = []
    for entry in files:
        match = _FILE.fullmatch(entry["file"])
        if not match:
            raise ParityError(
                f"{entry['file']!r} is not the name of a migration; wanted is <version>_<name>.sql with digits for the "
                "version, for example 20260102030405_documents.sql"
            )
        result.append(Migration(match[1], match[2], entry["sql"]))
    result.sort(key=lambda migration: migration.version)
    for one, two in itertools.pairwise(result):
        if one.version == two.version:
            raise ParityError(
                f"{one.file} and {two.file} have the same version. Give the later one a version of its own."
            )
    return result


def pending(local: list[Migration], applied: list[str]) -> list[Migration]:
    """The migrations to run, in order. Raises ParityError where history and files have drifted apart."""
    missing = sorted(set(applied) - {migration.version for migration in local})
    if missing:
        raise ParityError(
            f"the database has migrations that this release does not: {', '.join(missing)}. Deploy a release that has "
            "their files, or, if they were undone by hand, delete their rows from supabase_migrations.schema_migrations."
        )
    todo = [migration for migration in local if migration.version not in applied]
    late = [migration.file for migration in todo if applied and migration.version < max(applied)]
    if late:
        raise ParityError(
            f"{', '.join(late)} would run after a later one ({max(applied)}) that is already applied. "
            "Rename it to a version above that."
        )
    return todo
