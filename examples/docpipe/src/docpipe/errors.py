# SPDX-License-Identifier: GPL-3.0-or-later
"""The two kinds of failure a stage tells apart. Users see the messages: no secrets, no content."""


class PermanentError(Exception):
    """Trying again cannot help; the message becomes the document's reason for having failed."""


class TransientError(Exception):
    """Trying again may help; `retry_after` is the wait the other side asked for, in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
