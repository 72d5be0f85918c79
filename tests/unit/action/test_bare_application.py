# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The validating steps of deploy, rollback and recover as Ansible runs them, for an application with nothing but a health path."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from checkout import ROOT

RELEASE = {"release_lock": {"run": "r1"}, "release_staged": {"needed": True}, "release_rolled_back": {"status": {"live_release": "v1.0.0"}}}
CANARY = yaml.safe_load((ROOT / "playbooks/tasks/verify_canary.yml").read_text(encoding="utf-8"))
LIVE = yaml.safe_load((ROOT / "playbooks/tasks/verify_live.yml").read_text(encoding="utf-8"))
ROLLED_BACK = yaml.safe_load((ROOT / "playbooks/tasks/check_rollback.yml").read_text(encoding="utf-8"))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers at /healthz, and as the host's proxy for the gateway; and nobody who brings a token."""

    status = 200

    def do_GET(self) -> None:
        good = self.path in ("/healthz", "/parity/health") and not self.headers.get("Authorization")
        self.send_response(self.status if good else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def running(status: int = 200) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Handler,), {"status": status})) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


def play(folder: Path, tasks: list[dict], live: int, new: int, **more: object) -> str:
    """The output of the tasks, which a failed task ends."""
    processes = {
        "api": {"run": "uvicorn", "application": "bare:app", "health": "/healthz", "port": live},
        "worker": {"run": "celery", "application": "bare:tasks"},
    }
    variables = {
        **RELEASE,
        "stack_name": "bare",
        "stack_environment": "test",
        "stack_release": "v1.0.0",
        "stack_public_url": f"http://127.0.0.1:{live}",
        "stack_processes": processes,
        "release_started": {"ports": {"api": new}, "live_ports": {"api": live}, "slot": "green"},
        "report_directory": str(folder),
        "baseline_most": 25,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        **more,
    }
    files = [str(ROOT / f"playbooks/vars/{name}.yml") for name in ("processes", "monitoring")]
    whole = {"hosts": "api", "gather_facts": False, "vars_files": files, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([whole]), encoding="utf-8")
    (folder / "hosts").write_text("[api]\napp1\n", encoding="utf-8")
    (folder / "group_vars").mkdir()
    (folder / "group_vars/all.yml").write_text(json.dumps(variables), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(folder),
        "ANSIBLE_REMOTE_TEMP": str(folder),
    }
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts"), str(folder / "play.yml")]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    return f"{done.stdout}{done.stderr}\nrc={done.returncode}"


def steps() -> list[dict]:
    """Without the tasks of the role release, which need a release."""
    checked = [task for task in ROLLED_BACK[0]["block"] if task["ansible.builtin.include_role"]["name"] == "parity.stack.validation"]
    return [*CANARY[1:], *LIVE[:1], *checked]


def test_a_health_path_is_enough(tmp_path: Path) -> None:
    with running() as live, running() as new:
        out = play(tmp_path, steps(), live, new)
    assert out.endswith("rc=0") and "ndefined" not in out, out
    assert "failed=0" in out and "not checked: the database; add stack_database_url to check it." in " ".join(out.split())
    found = json.loads((tmp_path / "canary.json").read_text(encoding="utf-8"))
    assert found["verdict"] in ("pass", "inconclusive") and "GET /healthz" in found["metrics"]


@pytest.mark.parametrize(
    ("status_live", "status_new", "words"),
    [(200, 503, "requests failed"), (503, 200, "api is healthy: http://127.0.0.1:")],
)
def test_a_health_path_that_does_not_answer_is_a_failure(tmp_path: Path, status_live: int, status_new: int, words: str) -> None:
    tasks = CANARY[1:] if status_new == 503 else LIVE[:1]
    with running(status_live) as live, running(status_new) as new:
        out = play(tmp_path, tasks, live, new)
    assert out.endswith("rc=2") and words in " ".join(out.split()), out
