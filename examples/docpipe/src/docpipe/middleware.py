# SPDX-License-Identifier: GPL-3.0-or-later
"""Around every request: an id, a duration, a log line without query string, a limit on its size."""

import logging
import re
import time
import uuid

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from docpipe import metrics

log = logging.getLogger("docpipe.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_QUIET = {"/health", "/ready", "/metrics"}
# Boundaries and headers of a multipart body, on top of the file itself.
_MULTIPART_OVERHEAD = 16 * 1024


class Observe:
    """Gives each request an id (the caller's, if it sent one), and counts and logs how it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - started, request_id)

    @staticmethod
    def _note(scope: Scope, status: int, seconds: float, request_id: str) -> None:
        # The template, not the path: a metric for each document would be one too many.
        route = getattr(scope.get("route"), "path", "(none)")
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        metrics.HTTP_REQUESTS.labels(method, route, status).inc()
        metrics.HTTP_DURATION.labels(method, route).observe(seconds)
        if route not in _QUIET:
            log.info("%s %s %s %.1f ms, request %s", method, route, status, seconds * 1000, request_id)


class LimitBody:
    """Refuses bodies larger than an upload may be, before or while they arrive."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app = app
        self._limit = max_upload_bytes + _MULTIPART_OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            if _declared_length(scope) > self._limit:
                raise too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise too_large()
            return message

        await self._app(scope, receive_limited if scope["type"] == "http" else receive, send)


def too_large() -> HTTPException:
    return HTTPException(413, "the file is too large")


def _declared_length(scope: Scope) -> int:
    value = _header(scope, b"content-length")
    return int(value) if value.isdigit() else 0


def _request_id(scope: Scope) -> str:
    value = _header(scope, b"x-request-id")
    return value if _REQUEST_ID.fullmatch(value) else uuid.uuid4().hex


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
