# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite on a deployed stack: it passes, and names what is broken on purpose."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf
from servers import NAME, ROOT, Run, assert_keeps_secrets, live_slot, on, play, python_on, token, values, version

pytestmark = pytest.mark.usefixtures("deployed_stack")

REPORT = ROOT / "reports/validation.json"
PRIVATE_QUEUE = "validation-test"


def validate(tags: str, **given: object) -> tuple[Run, dict]:
    """A run of the suite and its report."""
    REPORT.unlink(missing_ok=True)
    run = play("playbooks/validate.yml", "--tags", tags, *values(stack_release=version("app1"), **given))
    assert_keeps_secrets(run.output + REPORT.read_text(encoding="utf-8"))
    assert run.changed, run.output[-4000:]
    return run, json.loads(REPORT.read_text(encoding="utf-8"))


def seen(report: dict) -> set[tuple[str, str, str]]:
    return {(check["id"], check["host"], check["status"]) for check in report["checks"] if check["outcome"] in ("failed", "warning")}


def test_a_deployed_stack_passes():
    """With its backup, with processes of a worker killed on purpose, and with a document that a killed run has left."""
    upload_as("parity-probe", "validation-test-nobody-reads-this")
    limits = {"load_per_core": 1000, "database_round_trip_ms": 2000, "broker_round_trip_ms": 2000, "database_write_ms": 20000}
    run, report = validate(
        "all", validation_kill_worker=True, validation_pipeline_seconds=120, validation_limits={**limits, "backup_hours": 24}
    )
    # An alert of what the tests before did may still be active; that is a warning.
    assert seen(report) <= {("monitoring.alerts", "ops1", "failed"), ("monitoring.notifications", "ops1", "failed")}, run.output[-6000:]
    by_name = {check["id"]: check for check in report["checks"]}
    assert {check["group"] for check in report["checks"]} >= {"infrastructure", "application", "pipeline", "security", "monitoring"}
    assert by_name["monitoring.backup"]["status"] == "passed"
    assert by_name["pipeline.recovery"]["status"] == "passed", by_name["pipeline.recovery"]
    assert by_name["pipeline.test_data"]["evidence"].startswith("1 of an earlier run")
    assert by_name["security.rate_limit"]["status"] == "passed", by_name["security.rate_limit"]
    # Without keys nobody is asked, and that is no pass.
    assert by_name["application.external"]["status"] == "not run"


def test_what_is_broken_is_named():
    """Many things at once, one report."""
    key = (ROOT / ".cache" / NAME / "secrets/jwt").read_text(encoding="utf-8").split()[0]
    environment = f"/etc/docpipe/{live_slot('app2')}/api.env"
    with contextlib.ExitStack() as broken:
        broken.enter_context(stopped("edge1", "prometheus-node-exporter"))
        broken.enter_context(unit("app1", "open-port", "python3 -m http.server 7777 --bind 0.0.0.0"))
        on("app2", "chmod", "o+r", environment)
        broken.callback(on, "app2", "chmod", "o-r", environment)
        on("app2", "sh", "-c", "cat | systemd-cat -t careless", text=f"the key is {key}\n")
        broken.callback(on, "app2", "sh", "-c", "journalctl --rotate; journalctl --vacuum-time=1s")
        run, report = validate("infrastructure,security,monitoring", validation_limits={"load_per_core": 1000, "certificate_days": 100000})
    assert run.code != 0
    found = seen(report)
    for wanted in (
        ("infrastructure.listening", "app1", "failed"),
        ("infrastructure.network", "ops1", "failed"),
        ("infrastructure.certificate", "app1", "failed"),
        ("security.files", "app2", "failed"),
        ("security.logs", "app2", "failed"),
        ("monitoring.targets", "ops1", "failed"),
    ):
        assert wanted in found, run.output[-6000:]
    assert not [check for check in report["checks"] if check["group"] in ("application", "pipeline")]
    by_name = {(check["id"], check["host"]): check for check in report["checks"]}
    assert "7777" in by_name["infrastructure.listening", "app1"]["seen"]
    assert environment in by_name["security.files", "app2"]["evidence"]
    assert by_name["security.logs", "app2"]["evidence"].endswith("JWT_SECRET_KEY")
    assert "edge1:9100" in by_name["monitoring.targets", "ops1"]["seen"]


def test_a_provider_that_fails_twice_and_then_works_costs_no_document():
    """A worker of its own, told to parse at a provider that is a stub, takes documents from a queue of its own."""
    stub = (Path(__file__).parent / "provider.py").read_text(encoding="utf-8")
    on("ops1", "sh", "-c", "cat > /run/provider.py", text=stub)
    with unit("ops1", "provider", "python3 /run/provider.py 7780 2"), private_worker("http://ops1:7780"):
        document = upload_as("retry-tester", PRIVATE_QUEUE)
        answer = wait_for(document, "retry-tester")
    states = [step["to"] for step in answer["transitions"]]
    assert states == ["uploaded", "parsing", "parsed", "chunking", "chunked", "embedding", "embedded", "complete"]
    assert {step["to"]: step["attempt"] for step in answer["transitions"]}["parsed"] == 3, answer


@contextlib.contextmanager
def stopped(host: str, name: str) -> Iterator[None]:
    """A unit that does not run, until Prometheus has noticed and for as long as the block lasts."""
    on(host, "systemctl", "stop", name)
    try:
        query = "up{instance=~'" + host + ".*',job='node'}==0"
        program = (
            "import json, sys, urllib.parse as p, urllib.request as r\n"
            "url = 'http://ops1:9090/api/v1/query?' + p.urlencode({'query': sys.argv[1]})\n"
            "print(len(json.load(r.urlopen(url))['data']['result']))"
        )
        deadline = time.monotonic() + 45
        while python_on("ops1", program, query).strip() != "1":
            assert time.monotonic() < deadline, "Prometheus has not noticed"
            time.sleep(1)
        yield
    finally:
        on(host, "systemctl", "start", name)


@contextlib.contextmanager
def unit(host: str, name: str, command: str, *properties: str) -> Iterator[None]:
    """A process on a server for as long as the block lasts."""
    on(host, "systemd-run", f"--unit={name}", "--collect", *properties, "sh", "-c", f"exec {command}")
    try:
        yield
    finally:
        subprocess.run(["docker", "exec", f"{NAME}-{host}", "systemctl", "stop", name], capture_output=True, timeout=60, check=False)


@contextlib.contextmanager
def private_worker(provider: str) -> Iterator[None]:
    """The live release's worker once more, on app1, with the provider's URL and a queue of its own."""
    slot = live_slot("app1")
    folder = f"/opt/docpipe/slots/{slot}"
    settings = {
        "PYTHONPATH": f"{folder}/app", "PARSER": "llamaparse", "LLAMAPARSE_API_KEY": "key-of-the-test", "LLAMAPARSE_BASE_URL": provider,
        "RETRY_BASE_SECONDS": "0.2", "SWEEP_INTERVAL_SECONDS": "0", "WORKER_METRICS_PORT": "9199",
    }  # fmt: skip
    on("app1", "sh", "-c", "cat > /run/private-worker.env", text="".join(f"{name}={value}\n" for name, value in settings.items()))
    files = [f"--property=EnvironmentFile=/etc/docpipe/{slot}/worker.env", "--property=EnvironmentFile=/run/private-worker.env"]
    user = ["--property=User=docpipe", f"--property=WorkingDirectory={folder}"]
    celery = f"{folder}/venv/bin/python -m celery --app docpipe.worker:app worker --hostname private@app1 --concurrency 1"
    with unit("app1", "private-worker", f"{celery} --queues {PRIVATE_QUEUE}", *files, *user):
        yield


def asked(method: str, path: str, subject: str, queue: str = "", body: str = "") -> dict:
    """An answer of the API, asked on its own server."""
    claims = {"queue": queue} if queue else {}
    program = (
        "import sys, urllib.request as r\n"
        "method, url, body = sys.argv[1:4]\n"
        "token = open('/run/token').read()\n"
        "head = {'Authorization': 'Bearer ' + token}\n"
        "if body:\n"
        "    head['Content-Type'] = 'multipart/form-data; boundary=border'\n"
        "request = r.Request(url, data=open(body, 'rb').read() if body else None, headers=head, method=method)\n"
        "print(r.urlopen(request, timeout=30).read().decode())"
    )
    on("app1", "sh", "-c", "umask 077; cat > /run/token", text=token(subject, **claims))
    return json.loads(python_on("app1", program, method, f"http://127.0.0.1:8000{path}", body) or "{}")


def upload_as(subject: str, queue: str) -> str:
    head = '--border\r\nContent-Disposition: form-data; name="file"; filename="x.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    form = head + pdf.page(["A page for a provider."]).decode("ascii") + "\r\n--border--\r\n"
    on("app1", "sh", "-c", "cat > /run/form", text=form)
    return asked("POST", "/documents", subject, queue, "/run/form")["id"]


def wait_for(document: str, subject: str) -> dict:
    deadline = time.monotonic() + 120
    while True:
        answer = asked("GET", f"/documents/{document}", subject)
        if answer["state"] in ("complete", "failed") or time.monotonic() > deadline:
            return answer
        time.sleep(1)
