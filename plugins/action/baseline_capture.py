# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, keeps the baseline on the control node. Documented in plugins/modules/baseline_capture.py."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines
from ansible_collections.parity.stack.plugins.plugin_utils.comparison.actions import MEASURING, measured_options

_SPEC = {
    **MEASURING,
    "path": {"type": "path", "required": True},
    "url": {"type": "str", "required": True},
    "units": {"type": "list", "elements": "str", "default": []},
    "requests": {"type": "list", "elements": "dict", "required": True},
    "release": {"type": "str", "required": True},
    "environment_name": {"type": "str", "required": True},
    "runs": {"type": "int", "default": 5},
    "probes": {"type": "int", "default": 200},
    "documents": {"type": "int", "default": 30},
}
_READY_ATTEMPTS, _READY_PAUSE = 120, 0.5

display = Display()


class ActionModule(ActionBase):
    """Captures the baseline of one host's API."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        path = Path(self._loader.path_dwim(wanted["path"]))
        if self._task.check_mode:
            return {**result, "changed": True, "path": str(path), "msg": f"a baseline would be captured into {path}"}
        began = time.monotonic()
        try:
            measured = baselines.combined(self._measure(wanted, task_vars or {}))
            sick = baselines.sickness(measured)
            if sick:
                raise ParityError(
                    "this environment is in no state to be a baseline, and nothing was written:\n"
                    + "\n".join(f"- {words}" for words in sick)
                )
            weak = self._write(path, wanted, measured)
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}
        for words in weak:
            display.warning(f"baseline: {words}")
        seconds = round(time.monotonic() - began, 1)
        return {**result, "changed": True, "path": str(path), "weaknesses": weak, "seconds": seconds}

    def _measure(self, wanted: dict, task_vars: dict) -> list[dict]:
        found, times = [], []
        self._wait_ready(wanted, task_vars)
        for number in range(1, wanted["runs"] + 1):
            left = _left(times, wanted, number)
            display.display(f"baseline: run {number} of {wanted['runs']}, {left}")
            began = time.monotonic()
            found.append(self._run_once(wanted, number, task_vars))
            times.append(time.monotonic() - began)
        for _again in range(wanted["runs"] // 2 + 1):
            number = baselines.disturbed(found)
            if number is None:
                break
            left = _left(times, wanted, wanted["runs"])
            display.display(f"baseline: something else slowed run {number + 1} down; it is measured again, {left}")
            found[number] = self._run_once(wanted, number + 1, task_vars)
        return found

    def _run_once(self, wanted: dict, number: int, task_vars: dict) -> dict:
        for unit in wanted["units"]:
            self._call("ansible.builtin.systemd_service", {"name": unit, "state": "restarted"}, task_vars)
        self._wait_ready(wanted, task_vars)
        arguments = {
            **measured_options(wanted),
            "places": {"new": wanted["url"]},
            "passes": wanted["probes"],
            "documents": _part(wanted["documents"], wanted["runs"], number),
            "calibrate": True,
        }
        return self._call("parity.stack.endpoint_samples", arguments, task_vars)["measurements"]["new"]

    def _wait_ready(self, wanted: dict, task_vars: dict) -> None:
        arguments = {"requests": wanted["requests"], "attempts": _READY_ATTEMPTS, "pause": _READY_PAUSE}
        self._call("parity.stack.http_probe", arguments, task_vars)

    def _call(self, name: str, arguments: dict, task_vars: dict) -> dict:
        answer = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
        if answer.get("failed"):
            raise ParityError(f"no baseline was captured: {answer.get('msg') or name + ' failed'}")
        return answer

    def _write(self, path: Path, wanted: dict, measured: dict) -> list[str]:
        head = {
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "release": wanted["release"],
            "environment": wanted["environment_name"],
        }
        data = {"format": baselines.FORMAT, "version": baselines.VERSION, "captured": head, **measured}
        baselines.write(path, data)
        return baselines.weaknesses(data)


def _part(whole: int, parts: int, number: int) -> int:
    """Of `whole` things shared among `parts`, how many the part with this number (from 1) gets."""
    return whole // parts + (1 if number <= whole % parts else 0)


def _left(times: list[float], wanted: dict, number: int) -> str:
    """The time left, as text: estimated from the runs so far, or from the options before the first run ends."""
    if times:
        seconds = sum(times) / len(times) * (wanted["runs"] - number + 1)
    else:
        seconds = (
            wanted["runs"] * (5 + wanted["probes"] * len(wanted["endpoints"]) / wanted["rate"]) + wanted["documents"]
        )
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
