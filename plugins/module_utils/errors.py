# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that Parity's pure code raises and that every module's main() turns into a failed task."""

from __future__ import annotations


class ParityError(Exception):
    """Something a person has to act on.

    The message states the rule, the value seen, the value wanted and what to do. `details` is returned beside it as
    data (a dict that can be serialised as JSON) and must not hold secrets.
    """

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details
