# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges migrations on the control node, and hands the host the judged plan. Documented in plugins/modules/schema_migrations.py."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.migrations import pending
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import (
    alembic_files,
    alembic_plan,
    django_files,
    django_plan,
    plan,
    sql_judge,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.directory import read_directory


class ActionModule(ActionBase):
    """The module of the same name, with what the readers of the control node say of the files."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        try:
            return {**result, **self._migrate(dict(self._task.args), task_vars or {})}
        except (ParityError, OSError) as error:
            if self._task.args.get("state") == "checked":
                problems = getattr(error, "details", {}).get("problems", [explain(error)])
                return {**result, "changed": False, "asked": False, "problems": problems}
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": explain(error)}

    def _migrate(self, arguments: dict, task_vars: dict) -> dict:
        directory = arguments.pop("directory", None)
        path = Path(self._loader.path_dwim(directory)) if directory else None
        if path is not None and not path.is_dir():
            if arguments.get("state") == "checked":  # the rule of the setting itself has said so
                return {"changed": False, "asked": False, "problems": []}
            raise ParityError(f"{path} is no directory on the control node. Correct stack_application_migrations.")
        entries = arguments.pop("migrations", None) or []
        known = arguments.pop("plan", None) or []
        if path is not None:
            entries = read_directory(path)
        if path is not None and django_files.is_project(path):
            judged = self._django(arguments, entries, known, task_vars)
        elif any(entry["file"].endswith(".py") for entry in entries):
            judged = self._revisions(arguments, path, entries, known, task_vars)
        else:
            judged = plan.judged(entries)
        return self._ask({**arguments, "judged": judged}, judged, task_vars)

    def _revisions(self, arguments: dict, path: Path | None, entries: list, known: list, task_vars: dict) -> list[dict]:
        """Revisions of Alembic: judged by what Alembic renders where the release is on the host, else by what their files show."""
        project = dict(arguments.get("alembic") or {})
        if path is not None:
            project = project or {"directory": str(path), "python": ""}  # nobody runs it there: only its settings are known
            project |= {"settings": alembic_files.settings(path), "version_table": alembic_plan.version_table(path)}
            arguments["alembic"] = project
        rendered = None
        if project.get("python") and not known:
            answer = self._module({**arguments, "state": "rendered"}, task_vars)
            if answer.get("failed"):
                raise ParityError(answer["msg"])
            rendered = answer["alembic"]
        if rendered and "error" not in rendered:
            project["version_table"] = [rendered["version_table"], rendered["version_table_schema"] or ""]
        elif known:
            project["version_table"] = known[0]["version_table"]
        table = project.get("version_table", ["alembic_version", ""])
        return [{**one, "version_table": table} for one in alembic_plan.judged(entries, rendered, known)]

    def _django(self, arguments: dict, entries: list, known: list, task_vars: dict) -> list[dict]:
        """Migrations of Django: judged by what Django renders where the release is on the host, else they cannot be judged yet."""
        # Where the release is on the host, preflight does not say: nobody runs it there.
        project = {**(arguments.get("alembic") or {"directory": "/", "python": ""}), "tool": "django", "version_table": django_plan.TABLE}
        arguments["alembic"] = project
        rendered = None
        if project["python"] and not known:
            answer = self._module({**arguments, "state": "rendered"}, task_vars)
            if answer.get("failed"):
                raise ParityError(answer["msg"])
            rendered = answer["alembic"]
        if rendered and "error" in rendered:
            raise ParityError(
                f"Django cannot read the project's migrations: {rendered['error']}. It gets the environment of the release's first "
                "service, as the owner; what else its settings need goes into release_migration_environment."
            )
        return [{**one, "version_table": django_plan.TABLE} for one in django_plan.judged(entries, rendered, known)]

    def _ask(self, arguments: dict, judged: list[dict], task_vars: dict) -> dict:
        """The module's answer. What another tool applied is compared with the files before anything is applied."""
        applies = arguments.get("state", "applied") == "applied" and not arguments.get("file")
        recorded = any(entry["statements"] and entry["file"].endswith(".sql") for entry in judged)  # as another tool may have done
        if applies and recorded and not self._task.check_mode:
            looked = self._module({**arguments, "state": "planned"}, task_vars)
            if looked.get("failed"):
                return looked
            self._refuse_edited(looked, arguments, judged)
        answer = self._module(arguments, task_vars)
        if arguments.get("state") == "checked":
            answer["problems"] = [*answer.get("problems", []), *self._edited(answer, arguments, judged)]
        elif not answer.get("failed"):
            self._refuse_edited(answer, arguments, judged)
        return answer

    def _module(self, arguments: dict, task_vars: dict) -> dict:
        return self._execute_module(module_name="parity.stack.schema_migrations", module_args=arguments, task_vars=task_vars)

    def _refuse_edited(self, answer: dict, arguments: dict, judged: list[dict]) -> None:
        problems = self._edited(answer, arguments, judged)
        if problems:
            raise ParityError(" | ".join(problems), problems=problems)

    def _edited(self, answer: dict, arguments: dict, judged: list[dict]) -> list[str]:
        """Files that are not what another tool recorded when it applied them."""
        texts = {entry["version"]: entry["text"] for entry in judged}
        found = [
            one
            for one in answer.get("unverified", [])
            if one["version"] not in (arguments.get("accept_edited") or [])
            and not sql_judge.same(";\n".join(one["statements"]), texts[one["version"]])
        ]
        return [pending.edited_after([one["file"] for one in found], [one["version"] for one in found])] if found else []
