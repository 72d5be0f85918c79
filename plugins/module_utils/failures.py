# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a module's main(): its result, or the failure that an error of its logic becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import fail_masked, mask_module


@contextmanager
def errors_as_failures(module, explain: Callable[[Exception], str] = str) -> Iterator[None]:
    """Fail the task with an error's text, masked, and with its details. Any other exception is a fault of ours and keeps its traceback.

    `explain` makes the text; `files.explain` names the file of an OSError, for modules that work with files.
    """
    try:
        yield
    except (ParityError, OSError) as error:
        fail_masked(module, explain(error), **getattr(error, "details", {}))


def answer(module, logic: Callable[[Any], dict], explain: Callable[[Exception], str] = str) -> None:
    """End a module with the result of its logic, or with its error. Its secrets are masked before anything is done."""
    mask_module(module)
    with errors_as_failures(module, explain):
        module.exit_json(**logic(module))
