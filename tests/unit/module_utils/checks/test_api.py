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
from unittest import mock

import pytest
from ansible_collections.parity.stack.plugins.module_utils import http_client, tls
from ansible_collections.parity.stack.plugins.module_utils.checks import api as api_checks
from ansible_collections.parity.stack.plugins.module_utils.checks import api_access, collect
from ansible_collections.parity.stack.plugins.module_utils.checks import documents as document_checks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.probing.pipeline import Pipeline
from checkout import ROOT

KEY = "0123456789abcdef0123456789abcdef"
FLOW = Pipeline("/documents", "/documents/{id}", "/documents/{id}", history_key="history", list_path="/documents", list_key="documents")
STATES = ["uploaded", "working", "complete"]
OPENAPI = {
    "paths": {
        "/documents": {"get": {}, "post": {"security": [{"bearer": []}]}},
        "/documents/{number}": {"get": {}, "delete": {"security": [{"bearer": []}]}},
        "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
    }
}


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Handler(http.server.BaseHTTPRequestHandler):
    """An API as it should be, but for the faults it is given."""

    faults: frozenset[str] = frozenset()
    owners: dict[str, str] = {}  # noqa: RUF012 - what the server has stored
    corrupt: set[str] = set()  # noqa: RUF012
    asked: list[float] = []  # noqa: RUF012
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
        if decoded(claims).get("aud") != "app" and "wrong_audience" not in self.faults:
            return None
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
        elif self.path == "/flood":
            self.flood()
        elif self.path.startswith("/search"):
            self.answer(200 if self.path == "/search?q=parity" and self.subject() else 422)
        elif self.path == "/openapi.json":
            self.answer(200, OPENAPI)
        elif self.path.startswith("/documents"):
            self.documents()
        else:
            self.answer(200 if "unknown" in self.faults else 404)

    def flood(self) -> None:
        """Three requests until somebody waits; the next one is told to."""
        if len(self.asked) < 3 or "rate_limit" in self.faults:
            self.asked.append(time.monotonic())
            self.answer(404)
        else:
            self.answer(429, headers={} if "retry_after" in self.faults else {"Retry-After": "1"})

    def documents(self) -> None:
        subject, identifier = self.subject(), self.path.removeprefix("/documents").strip("/")
        if subject is None or "valid_token" in self.faults:
            self.answer(401)
        elif not identifier:
            own = [{"id": identifier} for identifier, owner in self.owners.items() if owner == subject]
            self.answer(500 if "routes" in self.faults else 200, {"documents": own})
        elif self.owners.get(identifier) == subject or "other_user" in self.faults:
            failed = identifier in self.corrupt and "corrupt" not in self.faults
            state = "queued" if "document" in self.faults else "failed" if failed else "complete"
            states = ["working", "uploaded", "complete"] if "order" in self.faults else STATES
            history = [{"to": name, "at": f"2030-01-01T00:00:0{second}+00:00"} for second, name in enumerate(states)]
            self.answer(200, {"id": identifier, "state": state, "history": history})
        else:
            self.answer(404)

    def do_POST(self) -> None:
        if self.subject() is None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.answer(202 if "unguarded" in self.faults else 401)
            return
        body = self.rfile.read(int(self.headers["Content-Length"])).split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        if (not body and "empty" not in self.faults) or (body.startswith(b"just") and "not_a_pdf" not in self.faults):
            self.answer(415)
            return
        identifier = str(next(self.number))
        self.owners[identifier] = str(self.subject())
        if b"endobj" not in body or (b"/Encrypt" in body and "encrypted" not in self.faults):
            self.corrupt.add(identifier)
        self.answer(202, {"id": identifier})

    def do_DELETE(self) -> None:
        known = self.subject() is not None
        if known and "test_data" not in self.faults:
            self.owners.pop(self.path.rsplit("/", 1)[1], None)
        self.answer(204 if known else 401)

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
    handler = type("Faulty", (Handler,), {"faults": frozenset(faults), "owners": {}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        with mock.patch.object(time, "sleep", lambda _seconds: handler.asked.clear()):  # nobody has to wait for real
            yield server.server_port
        assert not handler.owners or "test_data" in faults, "a test document was left behind"
        server.shutdown()


def api(url: str, **more: object) -> api_access.Api:
    values: dict = {
        "url": url, "key": KEY, "audience": "app", "protected_path": "/documents", "flow": FLOW, "release": "v1.0.0",
        "origins": ["https://app.example"], "seconds": 0.5, "hosts": [url, url], "states": STATES, "long_pages": 3,
        "rate_limit": (3, 1.0), "rate_limit_path": "/flood", "processes": [api_access.Process("api", url, "/ready", "/version")],
    }  # fmt: skip
    return api_access.Api(**{**values, **more})


def results(url: str, **more: object) -> dict[str, dict]:
    wanted = api(url, **more)
    removed = document_checks.clear(wanted)
    found = [check for group in api_checks.GROUPS.values() for check in group(wanted)]
    found += [*api_checks.whole(wanted), document_checks.test_data(wanted, removed), *api_checks.limits(wanted)]
    return {item["id"]: item for item in collect.perform(found, host="gateway")}


NOT_RUN = {"security.audit", "pipeline.recovery"}


def test_all_is_well() -> None:
    with running() as port:
        found = results(f"http://127.0.0.1:{port}")
    assert {name: item for name, item in found.items() if item["status"] not in ("passed", "not run")} == {}
    assert {name for name, item in found.items() if item["status"] == "not run"} == NOT_RUN
    assert all(item["host"] == "gateway" and item["seconds"] >= 0 and item["expected"] for item in found.values())
    assert KEY not in json.dumps(found)


FAULTS = {
    "ready": "application.health", "version": "application.version",
    "unknown": "application.unknown", "routes": "application.routes", "no_token": "security.no_token",
    "expired": "security.expired", "wrong_key": "security.wrong_key", "alg_none": "security.alg_none",
    "valid_token": "security.valid_token", "other_user": "security.other_user", "headers": "security.headers",
    "cors_refused": "security.cors_refused", "cors_allowed": "security.cors_allowed",
    "document": "pipeline.document", "empty": "pipeline.empty", "not_a_pdf": "pipeline.not_a_pdf",
    "corrupt": "pipeline.corrupt", "encrypted": "pipeline.encrypted", "order": "pipeline.document",
    "test_data": "pipeline.test_data", "unguarded": "application.routes", "wrong_audience": "security.wrong_audience",
    "rate_limit": "security.rate_limit", "retry_after": "security.rate_limit",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str) -> None:
    with running(fault) as port:
        found = results(f"http://127.0.0.1:{port}")
    assert found[FAULTS[fault]]["status"] == "failed" and found[FAULTS[fault]]["seen"]
    # What fails besides is what cannot work either.
    unread = {"pipeline.document", "pipeline.long_document", "pipeline.corrupt", "pipeline.encrypted"}
    also = {
        "wrong_key": {"security.alg_none"},
        "version": {"application.same_release"},
        "valid_token": {"application.routes", "security.other_user", "pipeline.test_data", *unread},
        "routes": {"security.valid_token", "pipeline.test_data"},
        "document": unread,
        "corrupt": {"pipeline.encrypted"},
        # What everybody may do is not refused.
        "no_token": {"application.routes"},
        "order": {"pipeline.long_document"},
    }
    bad = {name for name, item in found.items() if item["status"] != "passed"} - NOT_RUN
    assert bad - {FAULTS[fault]} <= also.get(fault, set())


@pytest.mark.parametrize(
    ("paths", "status", "words"),
    [
        (None, "failed", "paths: not checked: the list of paths is missing or null"),
        ({"/documents": {"get": None}}, "failed", "GET /documents: not checked: its description is missing or null"),
        ({"/documents": {"get": {}}, "/x": {"$ref": "other.yaml"}}, "passed", "/x: not checked: it refers to another document"),
    ],
)
def test_what_a_contract_does_not_say_is_said(monkeypatch: pytest.MonkeyPatch, paths: object, status: str, words: str) -> None:
    monkeypatch.setitem(OPENAPI, "paths", paths)
    with running("") as port:
        found = results(f"http://127.0.0.1:{port}")["application.routes"]
    assert found["status"] == status and words in found["evidence"]


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


def served(authority: Path, least: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    context.set_ciphers(ciphers)
    context.minimum_version = least
    return context


@pytest.mark.parametrize(
    ("least", "ciphers", "wanted"),
    [
        (ssl.TLSVersion.TLSv1_2, "ECDHE:!aNULL", ("passed", "passed")),
        (ssl.TLSVersion.TLSv1, "ECDHE+AES:!aNULL:@SECLEVEL=0", ("failed", "passed")),
        (ssl.TLSVersion.TLSv1_2, "ALL:@SECLEVEL=0", ("passed", "failed")),
    ],
)
def test_tls(authority: Path, least: ssl.TLSVersion, ciphers: str, wanted: tuple[str, str]) -> None:
    with running(context=served(authority, least, ciphers)) as port:
        found = collect.perform(api_checks.security(api(f"https://127.0.0.1:{port}", ca_file=str(authority / "cert.pem"))))
    status = {item["id"]: item["status"] for item in found}
    assert (status["security.tls"], status["security.ciphers"]) == wanted


@pytest.mark.parametrize(
    ("name", "trusted", "problem"),
    [("", True, ""), ("", False, "not trusted"), ("other.example", True, "not trusted: Hostname mismatch")],
)
def test_a_certificate_is_verified(authority: Path, name: str, trusted: bool, problem: str) -> None:
    with running(context=served(authority, ssl.TLSVersion.TLSv1_2, "ECDHE")) as port:
        shown = tls.shown("127.0.0.1", port, ca_file=str(authority / "cert.pem") if trusted else None, name=name)
    assert shown.problem.startswith(problem) and (shown.days == 29 or problem)
    assert tls.authorities(str(authority / "cert.pem")) == [(29, "127.0.0.1")]


@pytest.mark.parametrize("status", [401, 404, 405, 429])
def test_an_answer_that_is_not_about_the_document_is_no_refusal_of_it(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with running() as port:
        monkeypatch.setattr(Handler, "do_POST", lambda self: (self.rfile.read(int(self.headers["Content-Length"])), self.answer(status)))
        found = results(f"http://127.0.0.1:{port}")
    bad = {f"pipeline.{name}": found[f"pipeline.{name}"]["status"] for name in ("empty", "not_a_pdf", "corrupt", "encrypted")}
    assert set(bad.values()) == {"error"}, bad


def test_a_check_that_breaks_leaves_the_others_theirs() -> None:
    def broken() -> collect.Seen:
        raise AttributeError("holds sk-secret")

    wanted = [collect.Check(f"a.{number}", "A", "", look) for number, look in enumerate([broken, lambda: collect.Seen(True, "")])]
    found = collect.perform(wanted)
    assert [item["status"] for item in found] == ["error", "passed"]
    assert "AttributeError" in found[0]["seen"] and "secret" not in json.dumps(found)


def test_a_header_that_is_a_number() -> None:
    with running() as port:
        found = results(f"http://127.0.0.1:{port}", headers={"X-XSS-Protection": 0, "X-Content-Type-Options": "nosniff"})
    assert found["security.headers"]["status"] == "failed" and found["security.headers"]["seen"] == "without X-XSS-Protection: 0"


def test_what_a_killed_run_left_is_removed() -> None:
    with running() as port:
        wanted = api(f"http://127.0.0.1:{port}")
        document_checks.pipeline.submit(wanted.user(), FLOW, document_checks.pdf.page(["left"]))
        stranger = wanted.client(wanted.token("somebody"))
        other = document_checks.pipeline.submit(stranger, FLOW, document_checks.pdf.page(["not ours"]))
        found = results(f"http://127.0.0.1:{port}")
        assert found["pipeline.test_data"]["evidence"] == "1 of an earlier run were removed at the beginning"
        assert stranger.send("GET", f"/documents/{other}").status == 200
        document_checks.pipeline.remove(stranger, FLOW, other)


def test_a_deployment_s_documents_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "deploy.lock").touch()
    with running() as port:
        wanted = api(f"http://127.0.0.1:{port}", lock_file=str(tmp_path / "deploy.lock"))
        identifier = document_checks.pipeline.submit(wanted.user(), FLOW, document_checks.pdf.page(["a canary's"]))
        assert document_checks.clear(wanted) == 0
        [found] = collect.perform([document_checks.test_data(wanted, 0)])
        assert found["status"] == "not run" and "a deployment runs" in found["seen"]
        document_checks.pipeline.remove(wanted.user(), FLOW, identifier)


def test_a_rate_limit_that_takes_too_much_to_reach_is_not_tried() -> None:
    [found] = collect.perform(api_checks.limits(api("http://127.0.0.1:1", rate_limit=(100000, 1))))
    assert found["status"] == "not run"


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("good-key", "passed", "status 200"),
        ("bad-key", "failed", "the key is not valid"),
        ("poor-key", "failed", "lacks the right"),
        ("", "not run", "no key"),
    ],
)
def test_keys_of_external_services(key: str, status: str, words: str) -> None:
    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known = {"Bearer good-key": 200, "Bearer poor-key": 403}.get(self.headers["Authorization"], 401)
            body = self.rfile.read(int(self.headers["Content-Length"])) + key.encode()
            self.send_response(known)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        service = api_access.External("Service", f"http://127.0.0.1:{server.server_port}/embed", key, "POST", body="{}")
        [_release, found] = collect.perform(api_checks.whole(api("http://127.0.0.1:1", external=[service])))
        server.shutdown()
    assert found["status"] == status and words in found["seen"]
    assert not key or key not in json.dumps(found)


def test_a_patient_client_waits_as_long_as_the_server_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, answers = [], iter([http_client.Answer(429, headers={"retry-after": "2"}), http_client.Answer(200)])
    monkeypatch.setattr(api_access.time, "sleep", waits.append)
    monkeypatch.setattr(http_client.Client, "send", lambda *_words, **_more: next(answers))
    assert api_access.Patient("http://h").send("GET", "/").status == 200
    assert waits == [2.1]


def test_a_check_that_cannot_be_made_is_no_pass() -> None:
    def broken() -> collect.Seen:
        raise ParityError("nobody is there")

    def good() -> collect.Seen:
        return collect.Seen(True, "fine")

    found = collect.perform([collect.Check("a.b", "t", "e", broken), collect.Check("a.c", "t", "e", good)])
    assert [(item["status"], item["seen"]) for item in found] == [
        ("error", "could not be checked: nobody is there"), ("passed", "fine"),
    ]  # fmt: skip


def test_every_check_has_its_page() -> None:
    """And every page its check: by what the code calls them, wherever it stands."""
    sources = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "roles" / "validation").rglob("*.yml")]
    pattern = re.compile(r"[\"'{ ]((?:infrastructure|storage|application|pipeline|security|monitoring)\.[a-z_]+)[\"',]")
    named = [path for path in sources if "check" in path.parent.name + path.name or path.suffix == ".yml"]
    known = {name for path in named for name in pattern.findall(path.read_text(encoding="utf-8"))}
    rows = re.findall(r"^\| (`[^|]+)\|", (ROOT / "docs" / "checks.md").read_text(encoding="utf-8"), re.MULTILINE)
    documented = re.findall(r"`([\w.]+)`", " ".join(rows))
    assert len(documented) == len(set(documented))
    assert known - {name for name in known if name.split(".")[1] in ("append", "time")} == set(documented)


#: What is not checked without each thing that an application may offer.
ABSENT = {
    "key": {
        "security.no_token", "security.expired", "security.wrong_key", "security.alg_none", "security.valid_token",
        "security.other_user", "security.wrong_audience",
    },
    "protected_path": {
        "security.no_token", "security.expired", "security.wrong_key", "security.alg_none", "security.valid_token",
        "security.other_user", "security.wrong_audience",
    },
    "flow": {
        "security.other_user", "pipeline.document", "pipeline.long_document", "pipeline.empty", "pipeline.not_a_pdf",
        "pipeline.corrupt", "pipeline.encrypted", "pipeline.test_data",
    },
    "openapi_path": {"application.routes"},
    "version_path": {"application.version", "application.same_release"},
    "health_path": {"application.health"},
}  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_is_not_checked_and_nothing_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "key":  # an application without tokens
        monkeypatch.setitem(OPENAPI, "paths", {"/documents": {"get": {}, "post": {}}})
    with running("no_token" if name == "key" else "") as port:
        url = f"http://127.0.0.1:{port}"
        paths = {"health_path": "/ready", "version_path": "/version"} | ({name: ""} if name in ("health_path", "version_path") else {})
        more = {"processes": [api_access.Process("api", url, **paths)]}
        more |= {"key": {"key": ""}, "flow": {"flow": None}, "protected_path": {"protected_path": ""}}.get(name, {})
        more |= {"openapi_path": "/no-contract"} if name == "openapi_path" else {}
        found = results(url, **more)
    not_run = {item for item, seen in found.items() if seen["status"] == "not run"}
    assert not_run - NOT_RUN == ABSENT[name]
    assert {item: seen["seen"] for item, seen in found.items() if seen["status"] in ("failed", "error")} == {}
    assert all(found[item]["seen"].startswith("not checked: ") for item in not_run)


def test_an_application_with_nothing_but_a_health_path() -> None:
    with running() as port:
        url = f"http://127.0.0.1:{port}"
        wanted = api_access.Api(url, processes=[api_access.Process("api", url, "/ready")])
        assert document_checks.clear(wanted) == 0
        made = [check for group in api_checks.GROUPS.values() for check in group(wanted)]
        made += [*api_checks.whole(wanted), document_checks.test_data(wanted, 0), *api_checks.limits(wanted)]
        found = {item["id"]: item["status"] for item in collect.perform(made)}
    # The contract is there: what it names without a token is checked.
    assert set(found.values()) == {"passed", "not run"}
    assert {name for name, status in found.items() if status == "passed"} >= {"application.health", "application.routes"}


def test_a_route_that_wants_a_token_is_no_failure_without_a_key() -> None:
    with running() as port:
        found = results(f"http://127.0.0.1:{port}", key="", flow=None)["application.routes"]
    assert found["status"] == "passed" and "GET /documents: 401\n" in found["evidence"]
