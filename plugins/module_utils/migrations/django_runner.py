# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a release's own Django in the release's own environment: apply one migration at a time."""

from __future__ import annotations

from contextlib import closing

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic, alembic_runner, django, runner
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import Migration
from ansible_collections.parity.stack.plugins.module_utils.postgresql.client import rows


def read_state(connection, local: list[Migration]) -> runner.State:
    """The migrations that Django has recorded, with our checksums; `fresh` where the role has no tables."""
    recorded = []
    if runner.exists(connection, "django_migrations"):
        recorded = [version for (version,) in rows(connection, "select app || '.' || name from django_migrations")]
    return runner.State(django.history(local, recorded, runner.records(connection)), not recorded and runner.without_tables(connection))


class DjangoRunner(alembic_runner.AlembicRunner):
    """Applies one migration after the other, through `migrate` of the release's own Django."""

    def _explain(self, revision: Migration, error: dict) -> str:
        said = alembic.explain(revision, error, "Django")
        if revision.transactional:
            return said
        return said.replace("and left nothing behind", "and is not atomic: a part of it may stay")

    def _limits(self, revision: Migration) -> dict[str, str]:
        # What runs CONCURRENTLY waits for others by the same means a lock_timeout ends, and blocks nobody meanwhile.
        return {**super()._limits(revision), **({} if revision.transactional else {"lock_timeout": "0"})}

    def _record(self, revision: Migration) -> None:
        with closing(runner.open_session(self.target, "parity migrations: checksum")) as connection:
            if revision.version not in read_state(connection, self.local).history:
                raise ParityError(
                    f"Django has applied {revision.version}, and django_migrations in {self.target.place} does not say so. Do the settings "
                    f"connect to another database? They get the URL as {self.project.variable}."
                )
            runner.record_checksum(connection, revision)
