# SPDX-License-Identifier: GPL-3.0-or-later
"""What all clients of external providers have in common: time limits, and telling failures apart."""

from typing import Any

import httpx

from docpipe import metrics
from docpipe.errors import PermanentError, TransientError

_TIMEOUT = httpx.Timeout(60, connect=5)
_WORTH_A_RETRY = {408, 409, 425, 429}


class ProviderClient:
    """An HTTP client for one provider."""

    def __init__(self, provider: str, base_url: str, api_key: str) -> None:
        self.provider = provider
        self._http = httpx.Client(
            base_url=base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=_TIMEOUT
        )

    def call(self, operation: str, method: str, path: str, **arguments: Any) -> Any:
        """The provider's answer, parsed. Errors name provider and status, never what was sent or received."""
        with metrics.external_call(self.provider, operation):
            try:
                response = self._http.request(method, path, **arguments)
            except httpx.TransportError as error:
                raise TransientError(f"{self.provider} is not reachable ({type(error).__name__})") from None
            status = response.status_code
            if status in _WORTH_A_RETRY or status >= 500:
                raise TransientError(f"{self.provider} answered {status}", _retry_after(response))
            if not response.is_success:
                raise PermanentError(f"{self.provider} answered {status}")
            try:
                return response.json()
            except ValueError:
                raise TransientError(f"{self.provider} did not answer with JSON") from None


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None
