# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests a probe makes: no proxies, an authority of its own, and an answer for everything that can go wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

#: The options of modules that send requests. Documented in plugins/doc_fragments/http_client.py.
SPEC = {"ca_file": {"type": "path"}}
TIMEOUT = {"timeout": {"type": "float", "default": 10}}
_MOST_BYTES = 1 << 20
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What came back: `status` is 0 and `error` says why when nothing did; `seconds` is the whole request."""

    status: int
    body: bytes = b""
    seconds: float = 0.0
    error: str = ""
    #: Names in lower case.
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> object:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
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


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Hands a redirect out as the answer it is."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None


class Client:
    """Sends requests to one place, trusting the system's authorities or the one given.

    With `redirects` off, a redirect is an answer like any other.
    """

    def __init__(
        self,
        base: str = "",
        *,
        ca_file: str | None = None,
        token: str = "",
        timeout: float = 10,
        redirects: bool = True,
    ) -> None:
        self.base = base.rstrip("/")
        self.token = token
        self.timeout = timeout
        handlers = [urllib.request.ProxyHandler({}), _Redirects() if redirects else _NoRedirects()]
        if ca_file or not self.base.startswith("http://"):  # reading all authorities of the system takes longer than a request
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
        self._opener = urllib.request.build_opener(*handlers)

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | BinaryIO | None = None,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        into: BinaryIO | None = None,
        base: str | None = None,
    ) -> Answer:
        """One request, to another place than the client's where `base` names it.

        A body to send may be an open file (with Content-Length in `headers`).

        The body of a good answer goes `into` a file where one is given, whatever its size; otherwise it is kept, at most 1 MiB.
        """
        started = time.monotonic()
        try:
            with self._open(method, (self.base if base is None else base.rstrip("/")) + url, body, content_type, headers or {}) as answer:
                names = {name.lower(): value for name, value in answer.headers.items()}
                if into is not None and answer.status < 300:
                    content = b""
                    shutil.copyfileobj(answer, into, _BLOCK)
                    if answer.length:  # copyfileobj takes a connection that broke for the end
                        raise http.client.IncompleteRead(b"", answer.length)
                else:
                    content = self._read(answer, started)
                return Answer(answer.status, content, time.monotonic() - started, headers=names)
        except (ValueError, http.client.InvalidURL):  # their words quote the header or the URL, with what is secret in them
            words = "it cannot be sent: its URL or one of its headers holds what may not stand there, such as a line break"
            return Answer(0, b"", time.monotonic() - started, words)
        except (OSError, http.client.HTTPException) as error:
            words = str(getattr(error, "reason", error)) or type(error).__name__
            return Answer(0, b"", time.monotonic() - started, words)

    def _read(self, answer, started: float) -> bytes:
        """The body. The socket's timeout is one for each packet: a server that drips must not hold us for ever."""
        content = b""
        while len(content) < _MOST_BYTES and (block := answer.read1(_MOST_BYTES - len(content))):
            content += block
            if time.monotonic() - started > self.timeout:
                raise TimeoutError("timed out while the answer was still coming in")
        if len(content) < _MOST_BYTES and answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        return content

    def _open(self, method: str, url: str, body, content_type: str, headers: Mapping[str, str]):
        request = urllib.request.Request(url, data=body, method=method)  # noqa: S310
        for name, value in headers.items():
            request.add_header(name, value)
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


def unsigned_jwt(claims: dict[str, object]) -> str:
    """A token that claims to need no signature: what no API may accept."""
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*parts, ""])


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
