# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check passes where all is well, and fails for the one thing it is there for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import itertools
import json
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import api_checks, checks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.pipeline import Pipeline
from checkout import ROOT

KEY = "0123456789abcdef0123456789abcdef"
FLOW = Pipeline("/documents", "/documents/{id}", "/documents/{id}")
OPENAPI = {
    "paths": {
        "/documents": {"get": {}, "post": {}},
        "/documents/{id}": {"get": {}},
        "/search": {"get": {"parameters": [{"required": True}]}},
    }
}


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Handler(http.server.BaseHTTPRequestHandler):
    """An API as it should be, but for the faults it is given."""

    faults: frozenset[str] = frozenset()
    owners: dict[str, str] = {}  # noqa: RUF012 - what the server has stored
    corrupt: set[str] = set()  # noqa: RUF012
    number = itertools.count(1)

    def subject(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token.count(".") != 2:
            return "nobody" if "no_token" in self.faults else None
        head, claims, signature = token.split(".")
        wanted = hmac.new(KEY.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
        signed = base64.urlsafe_b64encode(wanted).rstrip(b"=").decode() == signature
        if decoded(head)["alg"] == "none":
            signed = "alg_none" in self.faults
        expired = decoded(claims)["exp"] < time.time() and "expired" not in self.faults
        return decoded(claims)["sub"] if (signed or "wrong_key" in self.faults) and not expired else None

    def answer(self, status: int, content: object = None, headers: dict | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        if "headers" not in self.faults:
            self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path in ("/health", "/ready"):
            self.answer(503 if self.path[1:] in self.faults else 200, {"checks": {"database": "failed"}})
        elif self.path == "/version":
            self.answer(200, {"release": "v0" if "version" in self.faults else "v1.0.0"})
        elif self.path == "/openapi.json":
            self.answer(200, OPENAPI)
        elif self.path.startswith("/documents"):
            self.documents()
        else:
            self.answer(200 if "unknown" in self.faults else 404)

    def documents(self) -> None:
        subject, identifier = self.subject(), self.path.removeprefix("/documents").strip("/")
        if subject is None or "valid_token" in self.faults:
            self.answer(401)
        elif not identifier:
            self.answer(500 if "routes" in self.faults else 200, [])
        elif self.owners.get(identifier) == subject or "other_user" in self.faults:
            failed = identifier in self.corrupt and "corrupt" not in self.faults
            state = "queued" if "document" in self.faults else "failed" if failed else "complete"
            self.answer(200, {"id": identifier, "state": state})
        else:
            self.answer(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        if (not body and "empty" not in self.faults) or (body.startswith(b"just") and "not_a_pdf" not in self.faults):
            self.answer(415)
            return
        identifier = str(next(self.number))
        self.owners[identifier] = str(self.subject())
        if b"endobj" not in body:
            self.corrupt.add(identifier)
        self.answer(202, {"id": identifier})

    def do_DELETE(self) -> None:
        self.owners.pop(self.path.rsplit("/", 1)[1], None)
        self.answer(204)

    def do_OPTIONS(self) -> None:
        origin = self.headers.get("Origin", "")
        allowed = (
            origin == "https://app.example" and "cors_allowed" not in self.faults
        ) or "cors_refused" in self.faults
        self.answer(200, None, {"Access-Control-Allow-Origin": origin} if allowed else {})

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def running(*faults: str, context: ssl.SSLContext | None = None) -> Iterator[int]:
    handler = type("Faulty", (Handler,), {"faults": frozenset(faults), "owners": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        assert not handler.owners, "a test document was left behind"
        server.shutdown()


def results(url: str, **more: object) -> dict[str, dict]:
    api = api_checks.Api(
        url=url,
        key=KEY,
        audience="",
        protected_path="/documents",
        flow=FLOW,
        release="v1.0.0",
        origins=["https://app.example"],
        seconds=0.5,
        **more,
    )
    found = [check for group in api_checks.GROUPS.values() for check in group(api)]
    return {item["id"]: item for item in checks.perform(found, host="gateway")}


def test_all_is_well() -> None:
    with running() as port:
        found = results(f"http://127.0.0.1:{port}")
    assert {item["status"] for item in found.values()} == {"passed"}, found
    assert all(item["host"] == "gateway" and item["seconds"] >= 0 and item["expected"] for item in found.values())
    assert KEY not in json.dumps(found)


FAULTS = {
    "health": "application.health", "ready": "application.ready", "version": "application.version",
    "unknown": "application.unknown", "routes": "application.routes", "no_token": "security.no_token",
    "expired": "security.expired", "wrong_key": "security.wrong_key", "alg_none": "security.alg_none",
    "valid_token": "security.valid_token", "other_user": "security.other_user", "headers": "security.headers",
    "cors_refused": "security.cors_refused", "cors_allowed": "security.cors_allowed",
    "document": "pipeline.document", "empty": "pipeline.empty", "not_a_pdf": "pipeline.not_a_pdf",
    "corrupt": "pipeline.corrupt",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str) -> None:
    with running(fault) as port:
        found = results(f"http://127.0.0.1:{port}")
    assert found[FAULTS[fault]]["status"] == "failed" and found[FAULTS[fault]]["seen"]
    # What fails besides is what cannot work either.
    unread = {"pipeline.document", "pipeline.corrupt"}
    also = {
        "wrong_key": {"security.alg_none"},
        "valid_token": {"application.routes", "security.other_user", *unread},
        "routes": {"security.valid_token"},
        "document": unread,
    }
    bad = {name for name, item in found.items() if item["status"] != "passed"}
    assert bad - {FAULTS[fault]} <= also.get(fault, set())


def test_nobody_answers() -> None:
    found = results("http://127.0.0.1:1")
    assert "passed" not in {item["status"] for item in found.values()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"]
    words += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
    ]
    subprocess.run(words, check=True, capture_output=True)
    return folder


def served(authority: Path, least: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = least
    return context


@pytest.mark.parametrize(
    ("least", "days", "trusted", "wanted"),
    [
        (ssl.TLSVersion.TLSv1_2, 14, True, ("passed", "passed")),
        (ssl.TLSVersion.TLSv1, 14, True, ("failed", "passed")),
        (ssl.TLSVersion.TLSv1_2, 60, True, ("passed", "failed")),
        (ssl.TLSVersion.TLSv1_2, 14, False, ("passed", "failed")),
    ],
)
def test_tls(authority: Path, least: ssl.TLSVersion, days: int, trusted: bool, wanted: tuple[str, str]) -> None:
    with running(context=served(authority, least)) as port:
        ca_file = str(authority / "cert.pem") if trusted else None
        found = results(f"https://127.0.0.1:{port}", ca_file=ca_file, certificate_days=days)
    assert (found["security.tls"]["status"], found["security.certificate"]["status"]) == wanted, found["security.tls"]


def test_a_check_that_cannot_be_made_is_no_pass() -> None:
    def broken() -> checks.Seen:
        raise ParityError("nobody is there")

    def good() -> checks.Seen:
        return checks.Seen(True, "fine")

    found = checks.perform([checks.Check("a.b", "t", "e", broken), checks.Check("a.c", "t", "e", good)])
    assert [(item["status"], item["seen"]) for item in found] == [
        ("error", "could not be checked: nobody is there"), ("passed", "fine"),
    ]  # fmt: skip


def test_every_check_has_its_page() -> None:
    api = api_checks.Api("https://h", KEY, "", "/", FLOW, origins=["https://a"])
    known = {check.id for group in api_checks.GROUPS.values() for check in group(api)}
    documented = set(
        re.findall(r"^\| `([\w.]+)`", (ROOT / "docs" / "checks.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert known <= documented, f"docs/checks.md says nothing of {sorted(known - documented)}"
