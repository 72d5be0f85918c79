# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures on the host, judges on the control node. Documented in plugins/modules/canary_compare.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import until_decided
from ansible_collections.parity.stack.plugins.plugin_utils.comparison.actions import COMPARING, ComparingAction


class ActionModule(ComparingAction):
    """Compares two slots of one host."""

    SPEC: ClassVar[dict] = {
        **COMPARING,
        "live": {"type": "str", "required": True},
        "new": {"type": "str", "required": True},
        "queue": {"type": "str"},
        "processes": {"type": "list", "elements": "dict", "default": []},
    }
    NOT_PROBED = "the new release does not run"
    SIDES = ("old", "new")

    def measured(self, wanted: dict) -> dict:
        queues = {"new": wanted["queue"]} if wanted["queue"] else {}
        return {"places": {"old": wanted["live"], "new": wanted["new"]}, "queues": queues, "processes": wanted["processes"]}

    def decided(self, wanted: dict, measure: Callable[[int], dict], **looked: object) -> dict:
        return until_decided.run(measure, **looked)
