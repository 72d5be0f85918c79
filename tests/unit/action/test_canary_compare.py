# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison as a playbook runs it: two services on this machine, measured by the module and judged by the action."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines
from checkout import ROOT

KEY = "not-to-be-shown-anywhere"
PIPELINE = {"submit_path": "/documents", "state_path": "/documents/{id}", "delete_path": "/documents/{id}"}


class Service(http.server.ThreadingHTTPServer):
    """Takes documents, and answers a list of them and each of them."""

    def __init__(self, documents: dict, *, extra: float = 0.0, field: str = "pages") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.documents, self.extra, self.field, self.requests = documents, extra, field, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Service

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.server.requests += 1
        known = [{"id": key, self.server.field: 1, "state": "complete"} for key in self.server.documents]
        if self.path == "/documents":
            time.sleep(0.004 + self.server.extra)
            self.answer(200, {"documents": known, "at": time.time()})
        elif self.path.startswith("/documents/"):
            found = [item for item in known if item["id"] == self.path.split("/")[-1]]
            self.answer(200 if found else 404, found[0] if found else {})
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        identifier = f"d{len(self.server.documents) + 1}"
        self.server.documents[identifier] = True
        self.answer(202, {"id": identifier})

    def do_DELETE(self) -> None:
        self.server.documents.pop(self.path.split("/")[-1], None)
        self.answer(204, None)

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def running(documents: dict, **more: object) -> Iterator[Service]:
    with Service(documents, **more) as service:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield service
        service.shutdown()


def compare(live: Service, new: Service, tmp_path: Path, *options: str, **more: object) -> tuple[int, dict, str]:
    return ask("canary_compare", tmp_path, *options, live=live.url, new=new.url, **more)


def ask(module: str, tmp_path: Path, *options: str, **more: object) -> tuple[int, dict, str]:
    arguments = {
        "endpoints": [{"path": "/documents"}, {"path": "/documents/{id}", "name": "one document"}],
        "jwt_key": KEY,
        "rate": 500,
        "metrics_path": "",
        "pipeline": PIPELINE,
        "evidence": str(tmp_path / "canary.json"),
        **more,
    }
    arguments = {name: value for name, value in arguments.items() if value is not None}
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path),
    }
    words = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", f"parity.stack.{module}"]
    words += ["-e", f"ansible_python_interpreter={sys.executable}", "-a", json.dumps(arguments), *options]
    path = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        [str(path), *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    text = done.stdout[done.stdout.index("=> {") + 3 :] if "=> {" in done.stdout else "{}"
    return done.returncode, json.JSONDecoder().raw_decode(text)[0], done.stdout + done.stderr


def test_identical_releases(tmp_path: Path) -> None:
    documents: dict = {}
    with running(documents) as live, running(documents) as new:
        code, result, said = compare(live, new, tmp_path)
        assert code == 0 and result["verdict"] in ("pass", "inconclusive") and not result["changed"], said
        assert not documents, "the test document was left behind"
        # One after the other, to both alike.
        assert abs(live.requests - new.requests) <= 5 and new.requests <= 400
    evidence = json.loads((tmp_path / "canary.json").read_text())
    assert len(evidence["old"]["endpoints"]["one document"]["runs"][0]) == result["looks"][-1]["probes"]
    assert KEY not in said and KEY not in json.dumps(evidence)


@pytest.mark.parametrize(
    ("fault", "words"), [({"extra": 0.012}, "GET /documents"), ({"field": "page_count"}, "page_count is new")]
)
def test_a_worse_release(tmp_path: Path, fault: dict, words: str) -> None:
    documents: dict = {}
    with running(documents) as live, running(documents, **fault) as new:
        code, result, said = compare(live, new, tmp_path)
    assert code != 0 and result["verdict"] == "regression" and words in result["msg"], said
    assert not documents and (tmp_path / "canary.json").exists()


def test_nothing_is_sent_in_a_dry_run(tmp_path: Path) -> None:
    with running({}) as live, running({}) as new:
        code, result, _said = compare(live, new, tmp_path, "--check")
        assert code == 0 and result["verdict"] == "not run" and live.requests == new.requests == 0


def test_what_cannot_be_probed_is_said(tmp_path: Path) -> None:
    with running({}) as live:
        code, result, _said = compare(live, live, tmp_path, pipeline=None)
    assert code != 0 and "pipeline has to describe how to make a test document" in result["msg"]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a service was like, measured as the canary's live side."""
    folder = tmp_path_factory.mktemp("baseline")
    with running({}) as live, running({}) as new:
        _code, _result, said = compare(live, new, folder)
    measured = json.loads((folder / "canary.json").read_text())["old"]
    head = {"at": "2026-01-31T12:00:00Z", "release": "v1", "environment": "test"}
    baselines.write(folder / "b.json", {"format": baselines.FORMAT, "version": baselines.VERSION, "captured": head, **measured})
    assert (folder / "b.json").exists(), said
    return folder / "b.json"


@pytest.mark.parametrize(
    ("fault", "verdicts", "words"), [({}, ("pass", "inconclusive"), ""), ({"field": "page_count"}, ("regression",), "page_count is new")]
)
def test_what_is_live_against_a_baseline(tmp_path: Path, baseline: Path, fault: dict, verdicts: tuple, words: str) -> None:
    documents: dict = {}
    with running(documents, **fault) as service:
        code, result, said = ask("production_compare", tmp_path, url=service.url, baseline=str(baseline), documents=4)
        assert result["verdict"] in verdicts and words in result["msg"] and (code == 0) == (not fault), said
        assert not documents and service.requests < 450, "the test documents are removed, and the load is bounded"
        evidence = json.loads((tmp_path / "canary.json").read_text())
        assert len(evidence["new"]["stages"]["in all"]["runs"][0]) == 4 and evidence["new"]["calibration"]["seconds"] > 0


def test_a_baseline_that_is_none_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("{}")
    with running({}) as service:
        code, result, _said = ask("production_compare", tmp_path, url=service.url, baseline=str(tmp_path / "b.json"))
        assert code != 0 and "cannot be used" in result["msg"] and service.requests == 0


#: What answers with nothing but a health path: no key, no pipeline, no endpoints, no metrics.
BARE = [{"path": "/healthz", "masks": ["@"]}]


def health(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Let services answer at /healthz alone, and refuse whoever brings a token."""

    def get(self: Handler) -> None:
        refused = self.path != "/healthz" or self.headers.get("Authorization")
        time.sleep(0.004 + self.server.extra)
        self.answer(404 if refused else 200, answer(self.server))

    monkeypatch.setattr(Handler, "do_GET", get)


def test_a_health_path_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What it tells differs from release to release, even in its kind.
    health(monkeypatch, lambda server: {"release": server.field} if server.field == "pages" else "ok")
    with running({}) as live, running({}, field="sheets") as new:
        status, found, words = compare(live, new, tmp_path, jwt_key="", pipeline={}, endpoints=BARE, documents=0)
    assert (status, found["verdict"]) == (0, "pass"), words
    assert set(found["metrics"]) == {"GET /healthz", "errors", "slow requests", "contract"}


def test_a_slow_health_path_is_a_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health(monkeypatch, lambda _server: {})
    with running({}) as live, running({}, extra=0.01) as new:
        status, found, words = compare(live, new, tmp_path, jwt_key="", pipeline={}, endpoints=BARE)
    assert (status != 0, found["verdict"]) == (True, "regression"), words


def test_another_process_is_measured_at_its_own_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health(monkeypatch, lambda _server: {})
    with running({}) as live, running({}) as new, running({}) as other_live, running({}, extra=0.01) as other_new:
        places = {"old": other_live.url, "new": other_new.url}
        endpoints = [*BARE, {**BARE[0], "name": "admin: health", "places": places}]
        status, found, words = compare(live, new, tmp_path, jwt_key="", pipeline={}, endpoints=endpoints)
    assert (status != 0, found["metrics"]["admin: health"]["verdict"]) == (True, "regression"), words


def test_a_baseline_of_a_health_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health(monkeypatch, lambda server: {"release": server.field})
    bare = {"jwt_key": None, "pipeline": None, "endpoints": BARE}
    place = str(tmp_path / "baseline.json")
    with running({}) as live, running({}, field="sheets") as new, running({}, extra=0.01) as slow:
        wanted = {"path": place, "url": live.url, "release": "v1", "environment_name": "test", "runs": 2, "probes": 75, "documents": 0}
        requests = [{"name": "The API is healthy", "url": f"{live.url}/healthz"}]
        status, found, words = ask("baseline_capture", tmp_path, **bare, **wanted, evidence=None, requests=requests)
        assert status == 0 and found["changed"], words
        good = ask("production_compare", tmp_path, **bare, url=new.url, baseline=place, environment="same")
        bad = ask("production_compare", tmp_path, **bare, url=slow.url, baseline=place, environment="same")
    assert good[1]["verdict"] in ("pass", "inconclusive") and bad[1]["verdict"] == "regression", (good[2], bad[2])


def test_no_baseline_of_what_is_not_healthy(tmp_path: Path) -> None:
    wanted = {"path": str(tmp_path / "b.json"), "release": "v1", "environment_name": "test", "runs": 1, "evidence": None, "endpoints": BARE}
    requests = [{"name": "The API is healthy", "method": "PUT", "url": "http://127.0.0.1:1/healthz"}]
    status, found, words = ask("baseline_capture", tmp_path, url="http://127.0.0.1:1", requests=requests, **wanted)
    assert status != 0 and "no baseline was captured" in found["msg"] and not (tmp_path / "b.json").exists(), words
