# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of migrations judged on the control node, without a host and without a database."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import alembic_runner
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, alembic_plan, plan

#: Rendering connects to nothing; a URL of this form is what env.py needs.
_NO_DATABASE = "postgresql://nobody:nothing@localhost/none"
_SECONDS = 300


def judge_directory(
    directory: Path, *, python: str | None = None, application: Path | None = None, environment: dict[str, str] | None = None
) -> list[dict]:
    """For each file in order: `file`, `verdict`, `mark`, `statements`, `errors`, `judged_from`.

    With `python`, a Python that has Alembic and the application, revisions are rendered with what `environment` (or this process) has;
    without it, their files are read.
    """
    if not alembic_files.is_project(directory):
        return [_verdict(entry) for entry in plan.judged(plan.read_files(directory))]
    rendered = _render(directory, python, application, environment) if python else None
    return [_verdict(entry) for entry in alembic_plan.judged(alembic_files.files(directory), rendered)]


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

    return alembic_runner.describe(project, run)
