# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, judges on the control node. Documented in plugins/modules/production_compare.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils import baselines, canary, judge, probing
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.host_probe import MEASURING, Probe

_SPEC = {
    "url": {"type": "str", "required": True},
    "baseline": {"type": "path", "required": True},
    "endpoints": {"type": "list", "elements": "dict", "required": True},
    "environment": {"type": "str", "choices": ["same", "cross"], "default": "cross"},
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
    "documents": {"type": "int", "default": 0},
    "documents_seconds": {"type": "float", "default": 15},
    "inconclusive": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
    "evidence": {"type": "path"},
}

display = Display()


class ActionModule(ActionBase):
    """Compares what is live on one host with a baseline."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        if self._task.check_mode:
            words = "not probed in a dry-run: the new release is not live"
            return {**result, "changed": False, "verdict": "not run", "summary": words, "msg": words}
        began = time.time()
        try:
            found = self._compare(wanted, task_vars or {})
        except ParityError as error:
            return {**result, **error.details, "failed": True, "msg": str(error)}
        if wanted["evidence"]:
            path = Path(self._loader.path_dwim(wanted["evidence"]))
            write_atomically(path, json.dumps({"began": began, **found}) + "\n")
        verdict = found["verdict"]
        if verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "warn":
            display.warning(found["summary"])
        failed = verdict == judge.REGRESSION or (verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "fail")
        told = {key: value for key, value in found.items() if key != "new"}
        return {**result, **told, "changed": False, "failed": failed, "msg": found["summary"]}

    def _compare(self, wanted: dict, task_vars: dict) -> dict:
        # A baseline that cannot be read is said before anything is measured.
        baseline = baselines.read(Path(self._loader.path_dwim(wanted["baseline"])))
        probe = Probe(
            lambda arguments: self._execute_module(
                module_name="parity.stack.endpoint_samples", module_args=arguments, task_vars=task_vars
            ),
            {
                **{key: wanted[key] for key in MEASURING if wanted[key] is not None},
                "places": {"new": wanted["url"]},
                "calibrate": True,
            },
            {"documents": wanted["documents"], "documents_seconds": wanted["documents_seconds"]},
        )
        try:
            return canary.against(
                baseline,
                probe.measure,
                environment=wanted["environment"],
                masks=probing.masks_of(wanted["endpoints"]),
                tolerance=wanted["tolerance"],
                most=wanted["most"],
                told=display.v,
                warn=display.warning,
            )
        finally:
            probe.leave()
