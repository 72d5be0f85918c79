# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measuring module on a host, asked several times with one test document, which is removed at the end."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Options that the comparing modules hand on to the measuring one as they are.
MEASURING = ("endpoints", "rate", "timeout", "jwt_key", "subject", "audience", "metrics_path", "pipeline", "seconds")


class Probe:
    """Calls parity.stack.endpoint_samples on the host. `first` are arguments of the first call alone."""

    def __init__(self, call: Callable[[dict], dict], arguments: dict, first: dict | None = None) -> None:
        self.call = call
        self.arguments = arguments
        self.first = first or {}
        self.document: str | None = None

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
        return answer
