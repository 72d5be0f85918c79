# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module in the background of its host, and shows how far it is while it works."""

from __future__ import annotations

import base64
import os
import time

from ansible.plugins.action import ActionBase

#: A backup that takes longer than a day is not waited for.
LONGEST = 24 * 3600
LONG_WORK = ("present", "verified", "restored", "copied")


class ActionModule(ActionBase):
    """The module says how far it is in a file beside the backups; a module itself says nothing before its end."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        if self._task.check_mode or self._task.async_val or arguments.get("state", "present") not in LONG_WORK:
            return {**result, **self._execute_module(module_args=arguments, task_vars=task_vars)}
        file = f"{str(arguments.get('directory', '')).rstrip('/')}/.{arguments.get('name', '')}.progress"
        self._task.async_val = LONGEST
        # The module and its arguments, secrets among them, stay in this directory until the wrapper gets to it, seconds after
        # the end of the work. They go with the work itself.
        folder = self._make_tmp_path()
        try:
            arguments["progress_file"] = file
            job = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0
        try:
            return {**result, **self._wait(job, file, task_vars)}
        finally:
            self._remove_tmp_path(folder, force=True)

    def _wait(self, job: dict, file: str, task_vars: dict | None) -> dict:
        if "ansible_job_id" not in job:
            return job  # it did not even start
        asked = {"jid": job["ansible_job_id"], "_async_dir": os.path.dirname(job["results_file"])}
        shown, pause = 0, 0.3
        while True:
            done = self._execute_module(module_name="ansible.legacy.async_status", module_args=asked, task_vars=task_vars)
            shown = self._show(file, shown, task_vars) if pause > 0.5 else shown
            if done.get("finished"):
                break
            time.sleep(pause)
            pause = min(pause * 1.6, 10)
        self._execute_module(
            module_name="ansible.legacy.async_status", module_args={**asked, "mode": "cleanup"}, task_vars=task_vars
        )
        if "cmd" in done:  # The wrapper's words, not the module's, which did not get to its end.
            done["msg"] = "The work was killed on its host before its end. What it left counts as no backup; the next run removes it."
        return {key: value for key, value in done.items() if key not in ("ansible_job_id", "started", "finished", "results_file", "cmd")}

    def _show(self, file: str, shown: int, task_vars: dict | None) -> int:
        read = self._execute_module(module_name="ansible.legacy.slurp", module_args={"src": file}, task_vars=task_vars)
        lines = base64.b64decode(read.get("content", "")).decode("utf-8", "replace").splitlines()
        host = (task_vars or {}).get("inventory_hostname", "")
        for line in lines[shown:]:
            self._display.display(f"    {host}: {line}")
        return max(shown, len(lines))
