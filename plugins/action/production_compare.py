# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, judges on the control node. Documented in plugins/modules/production_compare.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines, until_decided
from ansible_collections.parity.stack.plugins.plugin_utils.comparison.actions import COMPARING, ComparingAction


class ActionModule(ComparingAction):
    """Compares what is live on one host with a baseline."""

    SPEC: ClassVar[dict] = {
        **COMPARING,
        "url": {"type": "str", "required": True},
        "baseline": {"type": "path", "required": True},
        "environment": {"type": "str", "choices": ["same", "cross"], "default": "cross"},
    }
    NOT_PROBED = "the new release is not live"
    SIDES = ("new",)

    def measured(self, wanted: dict) -> dict:
        return {"places": {"new": wanted["url"]}, "calibrate": True}

    def decided(self, wanted: dict, measure: Callable[[int], dict], **looked: object) -> dict:
        # A baseline that cannot be read is said before anything is measured.
        baseline = baselines.read(Path(self._loader.path_dwim(wanted["baseline"])))
        return until_decided.against(baseline, measure, environment=wanted["environment"], **looked)
