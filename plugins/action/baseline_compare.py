# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges on the control node what was measured before. Documented in plugins/modules/baseline_compare.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.probing import samples
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines, judge

_SPEC = {
    "baseline": {"type": "path"},
    "measured": {"type": "dict"},
    "endpoints": {"type": "list", "elements": "dict", "default": []},
    "tolerance": {"type": "float", "default": 0},
    "metrics": {"type": "list", "elements": "dict"},
    "environment": {"type": "str", "choices": ["same", "cross"], "default": "same"},
    "calibration": {"type": "dict", "default": {}},
    "looks": {"type": "int", "default": 1},
    "look": {"type": "int"},
    "inconclusive": {"type": "str", "choices": ["warn", "fail", "accept"], "default": "warn"},
    "evidence": {"type": "path"},
    "fail_on_regression": {"type": "bool", "default": True},
}

display = Display()


class ActionModule(ActionBase):
    """Holds a measurement against a baseline file, or judges metrics as they are."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(
            _SPEC,
            required_together=[("baseline", "measured")],
            required_one_of=[("baseline", "metrics")],
            mutually_exclusive=[("baseline", "metrics")],
        )[1]
        try:
            found = self._compare(wanted)
            if wanted["evidence"] and not self._task.check_mode:
                self._keep(wanted, found)
        except (ParityError, OSError) as error:
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": str(error)}
        verdict, policy = found["verdict"], wanted["inconclusive"]
        if verdict == judge.INCONCLUSIVE and policy == "warn":
            display.warning(found["summary"])
        regressed = verdict == judge.REGRESSION and wanted["fail_on_regression"]
        failed = regressed or (verdict == judge.INCONCLUSIVE and policy == "fail")
        return {**result, **found, "changed": False, **({"failed": True, "msg": found["summary"]} if failed else {})}

    def _compare(self, wanted: dict) -> dict:
        """The judge's verdict with its summary and the differences between responses; ParityError where nothing can be compared."""
        case = self._case(wanted)
        case["options"].update(looks=wanted["looks"], look=wanted["look"] or wanted["looks"])
        found = judge.judge(case)
        contract = [metric for metric in case["metrics"] if metric["kind"] == "functional"]
        different = [item for metric in contract for item in (metric.get("candidate") or {}).get("differences") or []]
        return {**found, "summary": judge.summary(found), "differences": different}

    def _case(self, wanted: dict) -> dict:
        if wanted["metrics"]:
            options = {"environment": wanted["environment"], "calibration": wanted["calibration"]}
            return {"options": options, "metrics": wanted["metrics"]}
        problems = list(baselines.measurement_problems(wanted["measured"]))
        if problems:
            raise ParityError("the measurement cannot be compared:\n" + "\n".join(f"- {words}" for words in problems))
        return baselines.case(
            baselines.read(Path(self._loader.path_dwim(wanted["baseline"]))),
            wanted["measured"],
            environment=wanted["environment"],
            masks=samples.masks_of(wanted["endpoints"]),
            tolerance=wanted["tolerance"],
            warn=display.warning,
        )

    def _keep(self, wanted: dict, found: dict) -> None:
        accepted = found["verdict"] == judge.INCONCLUSIVE and wanted["inconclusive"] == "accept"
        measured = {"new": wanted["measured"]} if wanted["measured"] else {}
        evidence = {"began": time.time(), "accepted": accepted, **found, **measured}
        write_atomically(Path(self._loader.path_dwim(wanted["evidence"])), json.dumps(evidence) + "\n")
