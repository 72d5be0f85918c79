# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the inventory of an application. Documented in plugins/modules/application_inventory.py."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import discover, render, written

_SPEC = {
    "application": {"type": "path", "required": True},
    "inventory": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Returns what was found, which files were written, and what is found differently now."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        try:
            return {**result, **self._write(Path(wanted["application"]).absolute(), Path(wanted["inventory"]).absolute())}
        except (ParityError, OSError) as error:
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": explain(error)}

    def _write(self, application: Path, inventory: Path) -> dict:
        found = discover.application(application)
        files = written.compare(inventory, render.files(found, inventory))
        new = [file for file in files if file.present is None]
        if not self._task.check_mode:
            written.write(files)
        shown = [{"before": "", "after": file.text, "before_header": "absent", "after_header": str(file.path)} for file in new]
        questions = found.questions + [f"{one.name}: {question}" for one in found.processes for question in one.questions]
        return {
            "changed": bool(new),
            "written": [str(file.path) for file in new],
            "kept": [str(file.path) for file in files if file.present is not None],
            "differences": [difference for file in files if (difference := file.difference())],
            "processes": [asdict(one) for one in found.processes],
            "questions": [render.say(question) for question in questions],
            "notes": [render.say(note) for note in found.notes],
            "texts": {str(file.path): file.text.splitlines() for file in new},
            **({"diff": shown} if self._task.diff else {}),
        }
