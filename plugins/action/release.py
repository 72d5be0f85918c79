# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings what a release is made of to the host, and runs the module there. Documented in plugins/modules/release.py."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_list
from ansible.plugins.action import ActionBase

#: Which option names which of the files that RV(missing) speaks of.
_FILES = {"application": "artifact", "wheels": "wheels"}


class ActionModule(ActionBase):
    """The module of the same name, with files of the control node."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("state") == "staged" and not self._task.check_mode:
            try:
                arguments |= self._bring(arguments)
            except AnsibleError as error:
                return {**result, "failed": True, "msg": f"the release could not be brought to this host: {error}"}
        return {
            **result,
            **self._execute_module(
                module_name="parity.stack.release", module_args=arguments, task_vars=task_vars or {}
            ),
        }

    def _bring(self, arguments: dict) -> dict:
        """Options with paths on the host instead of those on the control node. The files go with the task's own directory."""
        missing = check_type_list(arguments.get("missing", list(_FILES)) or [])
        wanted = [name for name in missing if arguments.get(_FILES.get(name))]
        if not wanted:
            return {}
        folder = self._make_tmp_path()
        brought = {}
        for name in wanted:
            local = self._loader.get_real_file(self._loader.path_dwim(arguments[_FILES[name]]), decrypt=False)
            brought[_FILES[name]] = self._transfer_file(local, self._connection._shell.join_path(folder, Path(local).name))
        return brought
