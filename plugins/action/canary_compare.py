# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, judges on the control node. Documented in plugins/modules/canary_compare.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils import canary, judge, probing
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.host_probe import MEASURING, Probe

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
    "queue": {"type": "str"},
    "documents": {"type": "int", "default": 0},
    "documents_seconds": {"type": "float", "default": 15},
    "inconclusive": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
    "evidence": {"type": "path"},
}

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
        probe = Probe(
            lambda arguments: self._execute_module(
                module_name="parity.stack.endpoint_samples", module_args=arguments, task_vars=task_vars or {}
            ),
            {
                **{key: wanted[key] for key in MEASURING if wanted[key] is not None},
                "places": {"old": wanted["live"], "new": wanted["new"]},
            },
            {
                "documents": wanted["documents"],
                "documents_seconds": wanted["documents_seconds"],
                "queues": {"new": wanted["queue"]} if wanted["queue"] else {},
            },
        )
        began = time.time()
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
            write_atomically(path, json.dumps({"began": began, **found}) + "\n")
        verdict = found["verdict"]
        if verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "warn":
            display.warning(found["summary"])
        failed = verdict == judge.REGRESSION or (verdict == judge.INCONCLUSIVE and wanted["inconclusive"] == "fail")
        told = {key: value for key, value in found.items() if key not in ("old", "new")}
        return {**result, **told, "changed": False, "failed": failed, "msg": found["summary"]}
