# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges migrations without a host and without a database. Documented in plugins/modules/schema_verdicts.py."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain, write_atomically
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import judge_env
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import verdict_text
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.directory import judge_directory

_SPEC = {
    "directory": {"type": "path"},
    "application": {"type": "path"},
    "python": {"type": "path"},
    "lock": {"type": "path"},
    "environment": {"type": "path"},
    "output": {"type": "path"},
}


class ActionModule(ActionBase):
    """Returns a verdict for each file, and says what keeps them from being deployed."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        paths = {name: Path(value).absolute() if value and "://" not in value else None for name, value in wanted.items()}
        try:
            return {**result, **self._judge(paths)}
        except (ParityError, OSError) as error:
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": explain(error)}

    def _judge(self, paths: dict[str, Path | None]) -> dict:
        verdicts = self._verdicts(paths)
        others = {
            "lock": lock_file.problems(paths["lock"]) if paths["lock"] else [],
            "environment": judge_env.verdicts(paths["environment"]) if paths["environment"] else [],
        }
        if paths["output"] and not self._task.check_mode:
            write_atomically(paths["output"], json.dumps(verdicts, indent=2, ensure_ascii=False) + "\n")
        refusal = verdict_text.refusal(verdicts, [*others["lock"], *others["environment"]])
        return {
            # A file with the answer is no change to anything.
            "changed": False,
            "verdicts": verdicts,
            "lines": verdict_text.lines(verdicts),
            "summary": verdict_text.summary(verdicts),
            "lock_problems": others["lock"],
            "environment_problems": others["environment"],
            "refusal": refusal,
        }

    def _verdicts(self, paths: dict[str, Path | None]) -> list[dict]:
        directory = paths["directory"]
        if directory is None and (paths["lock"] or paths["environment"]):
            return []
        if directory is None or not directory.is_dir():
            seen = f"{directory} is no directory" if directory else "No directory is named"
            raise ParityError(f"{seen}. Name the one that holds the migrations: -e stack_application_migrations=DIR")
        return judge_directory(directory, python=_python(paths), application=paths["application"])


def _python(paths: dict[str, Path | None]) -> str | None:
    """The Python that has the application and Alembic: the one that is named, or the application's own environment."""
    if paths["python"]:
        if not paths["python"].is_file():
            raise ParityError(f"{paths['python']} is no program. Name the Python that has the application and Alembic.")
        return str(paths["python"])
    own = paths["application"] / ".venv/bin/python" if paths["application"] else None
    found = list(own.parent.parent.glob("lib/python*/site-packages/alembic/__init__.py")) if own and own.is_file() else []
    return str(own) if found else None
