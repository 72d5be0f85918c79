# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of probes have an answer, whatever happens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import io
import json
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.parity.stack.plugins.module_utils import http_client as probes


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/garbage":
            self.wfile.write(b"no HTTP at all\r\n\r\n")
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/seen")
            self.end_headers()
            return
        if self.path in ("/drip", "/cut", "/large"):
            self.send_response(200)
            self.send_header("Content-Length", "3000000")
            self.end_headers()
            block = b"x" * (3_000_000 if self.path == "/large" else 10)
            for _block in range({"/drip": 100, "/cut": 2, "/large": 1}[self.path]):
                try:
                    self.wfile.write(block)
                except OSError:
                    return
                time.sleep(0 if self.path == "/large" else 0.02)
            return
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("X-Seen", self.headers.get("X-Given", ""))
        self.end_headers()
        length = int(self.headers.get("Content-Length") or 0)
        seen = {"token": self.headers.get("Authorization"), "body": self.rfile.read(length).decode()}
        self.wfile.write(json.dumps(seen).encode())

    do_POST = do_GET

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("method", "path", "status", "token"),
    [
        ("GET", "/seen", 200, "Bearer t"),
        ("POST", "/seen", 200, "Bearer t"),
        ("GET", "/busy", 503, "Bearer t"),
        ("GET", "/elsewhere", 200, None),  # the token stays with the host it was meant for
    ],
)
def test_an_answer(base: str, method: str, path: str, status: int, token: str | None) -> None:
    body = b"hello" if method == "POST" else None
    answer = probes.Client(base + "/", token="t").send(method, path, body=body)
    assert (answer.status, str(answer), answer.error) == (status, f"status {status}", "")
    assert answer.json() == {"token": token, "body": "hello" if body else ""}


@pytest.mark.parametrize("url", ["{base}/garbage", "http://127.0.0.1:1/", "{base}/a b", "nonsense", "http://h:x/"])
def test_no_answer(base: str, url: str) -> None:
    answer = probes.Client().send("GET", url.format(base=base))
    assert answer.status == 0 and answer.error and str(answer) == f"no answer ({answer.error})"
    assert answer.json() is None


@pytest.mark.parametrize("given", [{"token": "sk-secret\n"}, {"headers": {"X-Key": "sk-secret\nmore"}}, {"url": "/\nsk-secret"}])
def test_what_cannot_be_sent_is_not_quoted(base: str, given: dict) -> None:
    """A key with a line break is a key all the same."""
    answer = probes.Client(base, token=given.get("token", "")).send("GET", given.get("url", "/seen"), headers=given.get("headers"))
    assert answer.status == 0 and "such as a line break" in answer.error and "secret" not in str(answer)


def test_json_that_is_too_deep_is_none() -> None:
    assert probes.Answer(200, b"[" * 100_000).json() is None


def test_a_redirect_that_is_not_followed(base: str) -> None:
    answer = probes.Client(base, redirects=False).send("GET", "/elsewhere")
    assert answer.status == 302 and answer.headers["location"].endswith("/seen")


def test_headers_and_an_open_file(base: str) -> None:
    given = {"X-Given": "yes", "Content-Length": "5"}
    answer = probes.Client(base).send("POST", "/seen", body=io.BytesIO(b"hello"), headers=given)
    assert answer.headers["x-seen"] == "yes" and answer.json()["body"] == "hello"


@pytest.mark.parametrize(("path", "words"), [("/drip", "still coming in"), ("/cut", "IncompleteRead")])
def test_an_answer_that_does_not_come_whole(base: str, path: str, words: str) -> None:
    answer = probes.Client(base, timeout=0.3).send("GET", path)
    assert answer.status == 0 and words in answer.error


def test_a_large_answer_goes_into_a_file(base: str) -> None:
    file = io.BytesIO()
    answer = probes.Client(base).send("GET", "/large", into=file)
    assert (answer.status, answer.body, len(file.getvalue())) == (200, b"", 3_000_000)
    assert len(probes.Client(base).send("GET", "/large").body) == 1 << 20
    assert "IncompleteRead" in probes.Client(base).send("GET", "/cut", into=file).error
    # What went wrong is no content.
    file = io.BytesIO()
    assert probes.Client(base).send("GET", "/busy", into=file).body and not file.getvalue()


def test_multipart() -> None:
    body, content_type = probes.multipart("file", "a.pdf", b"%PDF", "application/pdf")
    boundary = content_type.removeprefix("multipart/form-data; boundary=").encode()
    assert body.startswith(b"--" + boundary + b"\r\n") and body.endswith(b"\r\n%PDF\r\n--" + boundary + b"--\r\n")
    assert b'name="file"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n' in body


def test_jwt() -> None:
    head, claims, signature = probes.jwt("key", {"sub": "probe"}).split(".")
    parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    assert parts == [{"alg": "HS256", "typ": "JWT"}, {"sub": "probe"}]
    expected = hmac.new(b"key", f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "==") == expected and "=" not in signature
