# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests a probe makes: no proxies, an authority of its own, and an answer for everything that can go wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What came back: `status` is 0 and `error` says why when nothing did; `seconds` is the whole request."""

    status: int
    body: bytes = b""
    seconds: float = 0.0
    error: str = ""

    def json(self) -> object:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"status {self.status}" if self.status else f"no answer ({self.error})"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes the token to no other place."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request and urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            request.remove_header("Authorization")
        return request


class Client:
    """Sends requests to one place, trusting the system's authorities or the one given."""

    def __init__(self, base: str = "", *, ca_file: str | None = None, token: str = "", timeout: float = 10) -> None:
        self.base = base.rstrip("/")
        self.token = token
        self.timeout = timeout
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            _Redirects(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
        )

    def send(self, method: str, url: str, *, body: bytes | None = None, content_type: str = "") -> Answer:
        started = time.monotonic()
        try:
            with self._open(method, url, body, content_type) as answer:
                return Answer(answer.status, answer.read(_MOST_BYTES), time.monotonic() - started)
        except (OSError, ValueError, http.client.HTTPException) as error:
            words = str(getattr(error, "reason", error)) or type(error).__name__
            return Answer(0, b"", time.monotonic() - started, words)

    def _open(self, method: str, url: str, body: bytes | None, content_type: str):
        request = urllib.request.Request(self.base + url, data=body, method=method)  # noqa: S310
        if content_type:
            request.add_header("Content-Type", content_type)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            return self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            return error


def multipart(field: str, name: str, content: bytes, content_type: str) -> tuple[bytes, str]:
    """A file as a form: (body, content type)."""
    boundary = uuid.uuid4().hex
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def jwt(key: str, claims: dict[str, object]) -> str:
    """A JSON Web Token signed with HS256."""
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(key.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _base64url(signature)])


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
