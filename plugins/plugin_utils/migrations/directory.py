# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of migrations judged on the control node, without a host and without a database."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic_runner
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, alembic_plan, django_files, django_plan, plan

#: What may lie in a directory of migrations without being one.
_NO_MIGRATION = re.compile(r"\.|README|LICENSE|__pycache__|.*\.md$")
#: Rendering connects to nothing; a URL of this form is what env.py needs.
_NO_DATABASE = "postgresql://nobody:nothing@localhost/none"
_SECONDS = 300
_SECRET = re.compile(r"(?i)passw|secret|token|credential|key$|dsn|^pwd$")


def judge_directory(
    directory: Path, *, python: str | None = None, application: Path | None = None, environment: dict[str, str] | None = None
) -> list[dict]:
    """For each file in order: `file`, `verdict`, `mark`, `statements`, `errors`, `judged_from`.

    With `python`, a Python that has Alembic and the application, revisions are rendered with what `environment` (or this process) has;
    without it, their files are read.
    """
    entries = read_directory(directory)
    if django_files.is_project(directory):
        return [_verdict(entry) for entry in django_plan.judged(entries)]
    if not alembic_files.is_project(directory):
        return [_verdict(entry) for entry in plan.judged(entries)]
    rendered = _render(directory, python, application, environment) if python else None
    return [_verdict(entry) for entry in alembic_plan.judged(entries, rendered)]


def read_directory(directory: Path) -> list[dict[str, str]]:
    """Name and text of each SQL file, or of each revision of an Alembic project.

    Raises ParityError for a directory with something else in it: nobody would know what that does.
    """
    if alembic_files.is_project(directory):
        return alembic_files.files(directory)
    if django_files.is_project(directory):
        return django_files.files(directory)
    found = plan.read_files(directory)
    other = sorted(path.name for path in directory.iterdir() if not _NO_MIGRATION.match(path.name))
    if not found and other:
        raise ParityError(
            f"{directory} has neither SQL files (<version>_<name>.sql) nor Alembic's env.py nor Django's manage.py, but "
            f"{', '.join(other[:3])}. Name the "
            "directory that has them."
        )
    return found


def _verdict(entry: dict) -> dict:
    names = ("line", "verdict", "reason", "remedy", "lock", "table", "shown")
    return {
        "file": entry["file"],
        "verdict": entry["verdict"],
        "mark": entry["marked"],
        "statements": [{name: one[name] for name in names} for one in entry["statements"]],
        "errors": entry["problems"],
        "judged_from": entry["judged_from"],
    }


def _render(directory: Path, python: str, application: Path | None, environment: dict[str, str] | None) -> dict:
    variables = dict(os.environ if environment is None else environment)
    variables.setdefault("DATABASE_URL", _NO_DATABASE)
    project = alembic_runner.Project(
        str(directory), python, url=variables["DATABASE_URL"], environment=variables, settings=alembic_files.settings(directory)
    )

    def run(words: list[str], given: dict[str, str], place: str, text: str) -> tuple[int, str, str]:
        paths = [str(one) for one in (application, application and application / "src") if one and one.is_dir()]
        given = {**given, "PYTHONPATH": os.pathsep.join([*paths, given["PYTHONPATH"]])}
        try:
            done = subprocess.run(
                words, input=text, env=given, cwd=place, capture_output=True, text=True, timeout=_SECONDS, check=False, errors="replace"
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ParityError(f"{python} cannot render the revisions: {error}") from None
        return done.returncode, done.stdout, done.stderr

    return _without_secrets(alembic_runner.describe(project, run), variables)


def _without_secrets(found: dict, variables: dict[str, str]) -> dict:
    """What Alembic says, with the environment's secrets masked in its errors: a settings class may quote what it was given."""
    secrets = [value for name, value in variables.items() if _SECRET.search(name) or "://" in value]
    mask = Mask(secrets)
    revisions = [{**one, "error": mask.data(one["error"])} if "error" in one else one for one in found.get("revisions", [])]
    said = {"error": mask.text(found["error"])} if "error" in found else {"revisions": revisions}
    return {**found, **said}
