# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a release's own Alembic in the release's own environment: read its project, and apply one revision at a time."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic, alembic_driver, django_driver, pending, runner
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import Migration
from ansible_collections.parity.stack.plugins.module_utils.postgresql.client import Target, rows

#: Runs words with variables, a working directory and a text on standard input: (return code, standard output, standard error).
Command = Callable[[list[str], dict[str, str], str, str], "tuple[int, str, str]"]

_LOCKED = ("55P03", "40P01")  # lock_not_available, deadlock_detected


@dataclass(frozen=True)
class Table:
    """Where Alembic keeps the versions that are applied, as env.py configures it."""

    name: str = "alembic_version"
    schema: str = ""

    @property
    def quoted(self) -> str:
        parts = [part for part in (self.schema, self.name) if part]
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@dataclass(frozen=True)
class Project:
    """Where a project with migrations is on this host, the Python that has its tool, and the settings for it.

    `environment` is what the release's services get; the owner's URL is in `variable` too. `tool` is alembic or django. The migrations of
    Django are in the applications themselves, so that its project is the release.
    """

    directory: str
    python: str
    user: str = ""
    url: str = field(default="", repr=False)
    variable: str = "DATABASE_URL"
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    settings: dict[str, str] = field(default_factory=dict)
    tool: str = "alembic"

    @property
    def there(self) -> bool:
        """Whether the release is staged on this host."""
        own = Path(self.directory, "env.py").is_file() if self.tool == "alembic" else (self.release / "app").is_dir()
        return bool(self.python) and own and Path(self.python).exists()

    @property
    def release(self) -> Path:
        return Path(self.directory).parent


def ask(project: Project, command: Command, *, apply: str | None = None, limits: dict[str, str] | None = None) -> dict:
    """The answer of the tool's driver program. Raises ParityError where it cannot run at all."""
    driver = alembic_driver if project.tool == "alembic" else django_driver
    request = {
        "directory": project.directory, "settings": project.settings, "variable": project.variable, "apply": apply, "limits": limits,
    }  # fmt: skip
    words = [project.python, "-"]
    if project.user:
        words = ["runuser", "-u", project.user, "--", *words]
    place = project.release if project.tool == "alembic" else project.release / "app"
    code, out, err = command(words, _variables(project, request, driver.REQUEST), str(place), inspect.getsource(driver))
    lines = [line for line in out.splitlines() if line.startswith(driver.MARK)]
    if not lines:
        said = (err.strip() or out.strip()).splitlines()
        last = said[-1] if said else "it says nothing"
        raise ParityError(
            f"{project.python} cannot run {project.tool.title()} for {project.directory} (exit code {code}): {last}. "
            f"Is {project.tool} among the release's packages?"
        )
    return json.loads(lines[-1].removeprefix(driver.MARK))


def describe(project: Project, command: Command) -> dict:
    """Revisions with their SQL, heads, and the table of versions; or `error`, a sentence, where env.py cannot render anything."""
    found = ask(project, command)
    return {"error": alembic.words(found["error"])} if "error" in found else found


def read_state(connection, revisions: list[Migration], table: Table) -> runner.State:
    """The versions in Alembic's table, with our checksums; `fresh` where the role has no tables."""
    current = []
    if runner.exists(connection, table.quoted):
        current = [version for (version,) in rows(connection, f"select version_num from {table.quoted}")]  # noqa: S608 - quoted
    return runner.State(alembic.history(revisions, current, runner.records(connection)), not current and runner.without_tables(connection))


class AlembicRunner:
    """Applies one revision after the other."""

    def __init__(
        self,
        target: Target,
        guard: runner.Guard,
        limits: runner.Limits,
        project: Project,
        command: Command,
        local: list[Migration],
        table: Table,
    ) -> None:
        self.target = target
        self.guard = guard
        self.limits = limits
        self.project = project
        self.command = command
        self.local = local
        self.table = table

    def apply(self, revision: Migration) -> int:
        """Run one revision and record its checksum. Returns how many attempts it took."""
        self.guard.check()
        for attempt in range(1, self.limits.lock_retries + 2):
            answer = ask(self.project, self.command, apply=revision.version, limits=self._limits(revision))
            error = answer.get("error")
            if error is None:
                self._record(revision)
                return attempt
            if not _is_locked(error):
                raise ParityError(self._explain(revision, error), file=revision.file, server=error["server"])
            if attempt <= self.limits.lock_retries:
                time.sleep(pending.seconds_to_wait(attempt))
        raise ParityError(
            f"{revision.file} did not get its lock in {attempt} attempts of {self.limits.lock_timeout} each. End what holds it, or "
            "migrate at a quieter time.",
            file=revision.file,
        )

    def _explain(self, revision: Migration, error: dict) -> str:
        return alembic.explain(revision, error)

    def _limits(self, revision: Migration) -> dict[str, str]:
        limit = revision.statement_timeout or self.limits.statement_timeout
        return {"lock_timeout": self.limits.lock_timeout.replace(" ", ""), "statement_timeout": limit.replace(" ", "")}

    def _record(self, revision: Migration) -> None:
        with closing(runner.open_session(self.target, "parity migrations: checksum")) as connection:
            state = read_state(connection, self.local, self.table)
            if revision.version not in state.history:
                raise ParityError(
                    f"Alembic has applied {revision.version}, and {self.table.quoted} in {self.target.place} does not say so. Does env.py "
                    f"connect to another database? It gets the URL as {self.project.variable} and as sqlalchemy.url."
                )
            runner.record_checksum(connection, revision)


def _variables(project: Project, request: dict, name: str) -> dict[str, str]:
    """The environment of the program: that of the services, the owner's URL, the application's own code, and the request.

    PGOPTIONS limit what env.py itself executes, where its driver uses libpq.
    """
    options = " ".join(f"-c {name}={value}" for name, value in (request["limits"] or {}).items())
    release = project.release
    paths = [str(path) for path in (release / "app", release) if path.is_dir()]
    return {
        **project.environment, project.variable: _with_driver(project), "PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1",
        name: json.dumps(request), **({"PGOPTIONS": options} if options else {}),
    }  # fmt: skip


def _with_driver(project: Project) -> str:
    """The owner's URL with the driver of the application's own, such as postgresql+asyncpg, where the owner's names none.

    env.py of an application with an asynchronous driver takes no other.
    """
    scheme, separator, rest = project.url.partition("://")
    own, found, _rest = str(project.environment.get(project.variable, "")).partition("://")
    plain = scheme in ("postgresql", "postgres") and found and own.startswith("postgres")
    return f"{own}{separator}{rest}" if plain else project.url


def _is_locked(error: dict) -> bool:
    return error["server"].get("code") in _LOCKED or "LockNotAvailable" in error["kind"] or "lock timeout" in error["words"]
