# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`alembic upgrade` under the migrators' lock, one revision at a time, with the limits of every migration."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import alembic, migrations, migrator
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import Migration
from ansible_collections.parity.stack.plugins.module_utils.postgresql import Target, rows

#: Runs words with variables and a working directory; returns (return code, standard output, standard error).
Command = Callable[[list[str], dict[str, str], str], "tuple[int, str, str]"]


@dataclass(frozen=True)
class Project:
    """Where an Alembic project is on this host: the directory with env.py, the Python that has alembic, who runs it."""

    directory: str
    python: str
    user: str = ""
    url: str = ""
    variable: str = "DATABASE_URL"


def read_state(connection, revisions: list[Migration]) -> migrator.State:
    """What Alembic's table and our checksums say; `fresh` where the role has no tables."""
    sums, current = {}, []
    if migrator.exists(connection, "supabase_migrations.parity_checksums"):
        sums = dict(rows(connection, "select version, sha256 from supabase_migrations.parity_checksums"))
    if migrator.exists(connection, "alembic_version"):
        current = [version for (version,) in rows(connection, "select version_num from alembic_version")]
    return migrator.State(alembic.history(revisions, current, sums), not current and migrator.without_tables(connection))


class AlembicRunner:
    """Applies one revision after the other."""

    def __init__(self, target: Target, guard: migrator.Guard, limits: migrator.Limits, project: Project, command: Command) -> None:
        self.target = target
        self.guard = guard
        self.limits = limits
        self.project = project
        self.command = command

    def apply(self, revision: Migration) -> int:
        """Run one revision and record its checksum. Returns how many attempts it took."""
        self.guard.check()
        for attempt in range(1, self.limits.lock_retries + 2):
            code, output = self._upgrade(revision)
            if code == 0:
                self._record(revision)
                return attempt
            if not re.search(r"LockNotAvailable|canceling statement due to lock timeout|DeadlockDetected|deadlock detected", output):
                raise ParityError(alembic.explain(revision, output), file=revision.file)
            if attempt <= self.limits.lock_retries:
                time.sleep(migrations.seconds_to_wait(attempt))
        raise ParityError(
            f"{revision.file} did not get its lock in {attempt} attempts of {self.limits.lock_timeout} each. End what holds it, or "
            "migrate at a quieter time.",
            file=revision.file,
        )

    def _upgrade(self, revision: Migration) -> tuple[int, str]:
        limit = revision.statement_timeout or self.limits.statement_timeout
        options = " ".join(
            f"-c {name}={value.replace(' ', '')}"
            for name, value in (("lock_timeout", self.limits.lock_timeout), ("statement_timeout", limit))
        )
        with self._configuration() as path:
            words = [self.project.python, "-m", "alembic", "-c", path, "upgrade", revision.version]
            if self.project.user:
                words = ["runuser", "-u", self.project.user, "--", *words]
            variables = {self.project.variable: self.project.url, "PGOPTIONS": options, "PYTHONDONTWRITEBYTECODE": "1"}
            code, out, err = self.command(words, variables, self.project.directory)
            return code, out + err

    @contextmanager
    def _configuration(self) -> Iterator[str]:
        """A configuration file that only who runs Alembic can read, because it names the URL."""
        folder = Path(tempfile.mkdtemp(prefix="parity-alembic-"))
        try:
            path = folder / "alembic.ini"
            text = alembic.CONFIGURATION.format(place=self.project.directory, url=self.project.url.replace("%", "%%"))
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
            if self.project.user:
                owner = pwd.getpwnam(self.project.user)
                for item in (path, folder):
                    os.chown(item, owner.pw_uid, owner.pw_gid)
            yield str(path)
        finally:
            shutil.rmtree(folder)

    def _record(self, revision: Migration) -> None:
        with closing(migrator.open_session(self.target, "parity migrations: checksum")) as connection:
            current = [version for (version,) in rows(connection, "select version_num from alembic_version")]
            if revision.version not in current:
                raise ParityError(
                    f"alembic upgrade {revision.version} ended well, and alembic_version says {', '.join(current) or 'nothing'}. Does "
                    f"env.py connect to another database? It is handed the URL as {self.project.variable} and as sqlalchemy.url."
                )
            migrator.record_checksum(connection, revision)
