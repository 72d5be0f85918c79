# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of the actions that compare: the host measures; the control node judges, keeps and reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.probing import pipeline, samples
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import judge

#: Options that the measuring module gets as they are. Documented in plugins/doc_fragments/probing.py.
MEASURING = {
    **samples.SPEC,
    **pipeline.TESTER,
    "endpoints": {"type": "list", "elements": "dict", "required": True},
    "pipeline": {"type": "dict"},
}
COMPARING = {
    **MEASURING,
    "most": {"type": "int", "default": 200},
    "tolerance": {"type": "float", "default": 0},
    "documents": {"type": "int", "default": 0},
    "documents_seconds": {"type": "float", "default": 15},
    "inconclusive": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
    "evidence": {"type": "path"},
}

display = Display()


def measured_options(wanted: dict) -> dict:
    """The options of an action that belong to the measuring module."""
    return {key: wanted[key] for key in MEASURING if wanted[key] not in (None, {})}


class Probe:
    """Calls the measuring module several times with one test document, which is removed at the end.

    `call` runs parity.stack.endpoint_samples with the arguments it is given, `first` are arguments of its first call alone.
    """

    def __init__(self, call: Callable[[dict], dict], arguments: dict, first: dict) -> None:
        self.call = call
        self.arguments = arguments
        self.first = first
        self.document: str | None = None
        #: Documents that the application did not remove.
        self.left: list[str] = []

    def measure(self, passes: int) -> dict[str, dict]:
        answer = self._ask(passes=passes, document_state="present", **self.first)
        self.first = {}
        self.document = answer.get("document") or self.document
        return answer["measurements"]

    def leave(self) -> None:
        if self.document:
            self._ask(document_state="absent")

    def _ask(self, **more: object) -> dict:
        answer = self.call({**self.arguments, **more, **({"document": self.document} if self.document else {})})
        if answer.get("failed") or "measurements" not in answer:
            raise ParityError(
                f"the API could not be probed: {answer.get('msg') or 'the measuring module gave no answer'}"
            )
        self.left += answer.get("left") or []
        return answer


class ComparingAction(ActionBase):
    """Compares what answers on a host. Its subclasses define what it compares, with what, and in how many looks."""

    _supports_check_mode = True
    SPEC: ClassVar[dict]
    NOT_PROBED: str
    #: Measurements, which go into the evidence and are too long for the result.
    SIDES: tuple[str, ...]

    def measured(self, wanted: dict) -> dict:
        """The arguments of the measuring module that it does not share with the action."""
        raise NotImplementedError

    def decided(self, wanted: dict, measure: Callable[[int], dict], **looked: object) -> dict:
        """The answer of until_decided.run or until_decided.against, called with `measure` and `looked`."""
        raise NotImplementedError

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(self.SPEC)[1]
        if self._task.check_mode:
            words = f"not probed in a dry run: {self.NOT_PROBED}"
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
        told = {key: value for key, value in found.items() if key not in self.SIDES}
        return {**result, **told, "changed": False, "failed": failed, "msg": found["summary"]}

    def _compare(self, wanted: dict, task_vars: dict) -> dict:
        def call(arguments: dict) -> dict:
            return self._execute_module(
                module_name="parity.stack.endpoint_samples", module_args=arguments, task_vars=task_vars
            )

        first = {key: wanted[key] for key in ("documents", "documents_seconds")}
        probe = Probe(call, {**measured_options(wanted), **self.measured(wanted)}, first)
        try:
            return self.decided(
                wanted,
                probe.measure,
                masks=samples.masks_of(wanted["endpoints"]),
                tolerance=wanted["tolerance"],
                most=wanted["most"],
                told=display.v,
                warn=display.warning,
            )
        finally:
            probe.leave()
            if probe.left:
                display.warning(f"these test documents were not removed, because DELETE fails: {', '.join(probe.left)}")
