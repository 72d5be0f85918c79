# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report on the control node. Documented in plugins/modules/validation_report.py."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask
from ansible_collections.parity.stack.plugins.plugin_utils.report import files as report_files
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome

_SPEC = {
    "directory": {"type": "path", "required": True},
    "name": {"type": "str", "default": "report"},
    "head": {"type": "dict", "default": {}},
    "checks": {"type": "list", "elements": "dict", "default": []},
    "comparisons": {"type": "list", "elements": "dict", "default": []},
    "baseline": {"type": "path"},
    "journal": {"type": "list", "elements": "dict", "default": []},
    "failures": {"type": "list", "elements": "dict", "default": []},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "not_checked": {"type": "list", "elements": "str", "default": []},
    "timeline": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(ActionBase):
    """Writes a report of checks and comparisons."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        mask = Mask(wanted.pop("secrets"))
        found = [self._found(comparison, "evidence") for comparison in wanted["comparisons"]]
        wanted = self._found({**wanted, "comparisons": found}, "baseline", "directory")
        try:
            report = mask.data(report_files.build(wanted))
            changed, files = report_files.write(Path(wanted["directory"]), wanted["name"], report, self._task.check_mode)
        except (ParityError, OSError) as error:
            return {**result, "failed": True, "msg": mask.text(explain(error))}
        words = {"verdict": report["verdict"], "headline": report["headline"], "summary": outcome.text(report)}
        return {**result, "changed": changed, "files": files, **words}

    def _found(self, given: dict, *names: str) -> dict:
        """`given` with its paths as Ansible means them: beside the playbook."""
        return {**given, **{name: self._loader.path_dwim(given[name]) for name in names if given.get(name)}}
