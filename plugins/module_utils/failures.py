# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a module's main() when its logic raises an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import fail_masked


@contextmanager
def errors_as_failures(module, explain: Callable[[Exception], str] = str) -> Iterator[None]:
    """Fail the task with an error's text, masked, and with its details. Any other exception is a fault of ours and keeps its traceback.

    `explain` makes the text; `files.explain` names the file of an OSError, for modules that work with files.
    """
    try:
        yield
    except (ParityError, OSError) as error:
        fail_masked(module, explain(error), **getattr(error, "details", {}))
