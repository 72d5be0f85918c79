# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, judges on the control node. Documented in plugins/modules/canary_compare.py."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils import canary, judge, probing
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically

_SPEC = {
    "live": {"type": "str", "required": True},
    "new": {"type": "str", "required": True},
    "endpoints": {"type": "list", "elements": "dict", "required": True},
    "rate": {"type": "float", "default": 80},
    "most": {"type": "int", "default": 200},
    "tolerance": {"type": "float", "default": 0},
    "timeout": {"type": "float", "default": 10},
    "jwt_key": {"type": "str", "no_log": True},
    "subject": {"type": "str", "default": "parity-probe"},
    "audience": {"type": "str"},
    "metrics_path": {"type": "str", "default": "/metrics"},
    "pipeline": {"type": "dict"},
    "seconds": {"type": "float", "default": 60},
    "inconclusive": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
    "evidence": {"type": "path"},
}
_MEASURING = ("endpoints", "rate", "timeout", "jwt_key", "subject", "audience", "metrics_path", "pipeline", "seconds")

display = Display()


class ActionModule(ActionBase):
    """Compares two slots of one host."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        if self._task.check_mode:
            words = "not probed in a dry-run: the new release does not run"
            return {**result, "changed": False, "verdict": "not run", "summary": words, "msg": words}
        probe = _Probe(self, wanted, task_vars or {})
        try:
            found = canary.run(
                probe.measure,
                masks=probing.masks_of(wanted["endpoints"]),
                tolerance=wanted["tolerance"],
                most=wanted["most"],
                told=display.v,
            )
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}
        finally:
            probe.leave()
        if wanted["evidence"]:
            path = Path(self._loader.path_dwim(wanted["evidence"]))
            write_atomically(path, json.dumps({"live": wanted["live"], "candidate": wanted["new"], **found}) + "\n")
        verdict = found["verdict"]
        if verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "warn":
            display.warning(found["summary"])
        failed = verdict == judge.REGRESSION or (verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "fail")
        told = {key: value for key, value in found.items() if key not in ("old", "new")}
        return {**result, **told, "changed": False, "failed": failed, "msg": found["summary"]}


class _Probe:
    """Calls the measuring module on the host, with one test document for all its calls."""

    def __init__(self, action: ActionModule, wanted: dict, task_vars: dict) -> None:
        self.action = action
        self.task_vars = task_vars
        self.arguments = {key: wanted[key] for key in _MEASURING if wanted[key] is not None}
        self.arguments["places"] = {"old": wanted["live"], "new": wanted["new"]}
        self.document: str | None = None

    def measure(self, passes: int) -> dict[str, dict]:
        answer = self._call(passes=passes, document_state="present")
        self.document = answer.get("document") or self.document
        return answer["measurements"]

    def leave(self) -> None:
        if self.document:
            self._call(document_state="absent")

    def _call(self, **more: object) -> dict:
        arguments = {**self.arguments, **more, **({"document": self.document} if self.document else {})}
        answer = self.action._execute_module(
            module_name="parity.stack.endpoint_samples", module_args=arguments, task_vars=self.task_vars
        )
        if answer.get("failed") or "measurements" not in answer:
            raise ParityError(
                f"the releases could not be probed: {answer.get('msg') or 'the measuring module gave no answer'}"
            )
        return answer
