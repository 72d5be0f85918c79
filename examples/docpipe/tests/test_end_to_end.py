# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API, a real worker, a real database and a real broker."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from make_pdf import SAMPLE
from support import (
    Environment,
    PretendedProvider,
    Process,
    bearer,
    corrupt_pdf,
    document,
    encrypted_pdf,
    eventually,
    finished,
    free_port,
    pdf,
    running_api,
    running_worker,
    submit,
    textless_pdf,
)

PATH = ["uploaded", "parsing", "parsed", "chunking", "chunked", "embedding", "embedded", "complete"]


def states(document: dict) -> list[str]:
    return [transition["to"] for transition in document["transitions"]]


def test_a_document_goes_all_the_way(api: httpx.Client, worker: Process) -> None:
    document = finished(api, "ann", submit(api, "ann", SAMPLE.read_bytes()))
    assert document["state"] == "complete"
    assert document["reason"] is None
    assert document["pages"] == 2
    assert states(document) == PATH
    assert [t["from"] for t in document["transitions"]] == [None, *PATH[:-1]]
    assert {t["attempt"] for t in document["transitions"]} == {1}
    assert {t["release"] for t in document["transitions"]} == {"v-test"}
    times = [t["at"] for t in document["transitions"]]
    assert times == sorted(times)

    chunks = api.get(f"/documents/{document['id']}/chunks", headers=bearer("ann")).json()["chunks"]
    assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
    assert {chunk["page"] for chunk in chunks} == {1, 2}
    assert all(chunk["embedded"] for chunk in chunks)

    query = {"q": "the deployment rolls itself back", "limit": 3}
    hits = api.get("/search", params=query, headers=bearer("ann")).json()["hits"]
    assert len(hits) == 3
    assert hits[0]["page"] == 2
    assert "rolls itself back" in " ".join(hit["text"] for hit in hits)
    assert hits[0]["similarity"] >= hits[1]["similarity"] >= hits[2]["similarity"] > 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (corrupt_pdf(), "the PDF is corrupt"),
        (encrypted_pdf(), "the PDF is encrypted"),
        (textless_pdf(), "the PDF contains no text"),
    ],
)
def test_what_nobody_can_read_fails_at_once(
    api: httpx.Client, worker: Process, content: bytes, reason: str
) -> None:
    document = finished(api, "ann", submit(api, "ann", content))
    assert document["state"] == "failed"
    assert document["reason"].startswith(reason)
    assert states(document) == ["uploaded", "parsing", "failed"]
    assert document["transitions"][-1]["attempt"] == 1


def test_a_missing_file_fails(api: httpx.Client, environment: Environment, logs: Path, queue: str) -> None:
    document_id = submit(api, "ann", pdf(), queue=queue)
    [path] = Path(environment["STORAGE_PATH"]).rglob(f"{document_id}.pdf")
    path.unlink()
    with running_worker({**environment, "TASK_QUEUE": queue}, logs):
        assert finished(api, "ann", document_id)["reason"] == "the uploaded file is missing"


def test_providers_that_fail_twice(
    api: httpx.Client, environment: Environment, logs: Path, queue: str, provider: PretendedProvider
) -> None:
    """Both external clients, against a server that answers 503 and 429 before it works."""
    port = free_port()
    settings = {
        "TASK_QUEUE": queue,
        "PARSER": "llamaparse",
        "LLAMAPARSE_API_KEY": "llama-key",
        "LLAMAPARSE_BASE_URL": provider.url,
        "EMBEDDER": "openai",
        "OPENAI_API_KEY": "openai-key",
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "WORKER_METRICS_PORT": str(port),
        "WORKER_METRICS_ADDRESS": "127.0.0.1",
    }
    with running_worker({**environment, **settings}, logs) as worker:
        provider.failures = [503, 429]
        document_id = submit(api, "ann", pdf(), queue=queue)
        document = finished(api, "ann", document_id)
        assert document["state"] == "complete"
        assert {t["to"]: t["attempt"] for t in document["transitions"]}["parsed"] == 3
        assert provider.requests.count("/api/parsing/upload") == 3
        assert provider.keys == {"Bearer llama-key", "Bearer openai-key"}

        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        failed_calls = 'operation="upload",outcome="transient_error",provider="llamaparse"'
        assert f"docpipe_external_calls_total{{{failed_calls}}} 2.0" in metrics
        assert 'docpipe_external_cost_usd_total{provider="openai"} 2' in metrics
        assert 'docpipe_external_cost_usd_total{provider="llamaparse"} 0.003' in metrics
        assert 'docpipe_document_transitions_total{from_state="embedded",to_state="complete"} 1.0' in metrics
        assert 'docpipe_stage_duration_seconds_count{outcome="ok",stage="parse"} 1.0' in metrics
        assert 'docpipe_build_info{release="v-test",slot="blue",version="1.0.0"} 1.0' in metrics

        # A probe's documents are worked on like any other, and are no business.
        probe = finished(api, "parity-probe", submit(api, "parity-probe", pdf(), queue=queue))
        assert probe["state"] == "complete"
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'docpipe_document_transitions_total{from_state="embedded",to_state="complete"} 1.0' in metrics
        assert 'docpipe_stage_duration_seconds_count{outcome="ok",stage="parse"} 2.0' in metrics

        provider.failures = [401]
        refused = finished(api, "ann", submit(api, "ann", pdf(), queue=queue))
        assert refused["reason"] == "llamaparse answered 401"

        provider.failures = [500] * 6
        hopeless = finished(api, "ann", submit(api, "ann", pdf(), queue=queue))
        assert hopeless["reason"] == "gave up after 6 attempts at 'parse': llamaparse answered 500"
    for secret in ("llama-key", "openai-key", "must not show up", environment["DATABASE_URL"]):
        assert secret not in worker.output()


def held_back(environment: Environment, queue: str, provider: PretendedProvider) -> Environment:
    """The configuration of a worker whose parse stage takes as long as the test wants."""
    provider.open.clear()
    return {
        **environment,
        "TASK_QUEUE": queue,
        "PARSER": "llamaparse",
        "LLAMAPARSE_API_KEY": "k",
        "LLAMAPARSE_BASE_URL": provider.url,
        "SWEEP_INTERVAL_SECONDS": "0",
    }


def test_killed_task_process(
    api: httpx.Client, environment: Environment, logs: Path, queue: str, provider: PretendedProvider
) -> None:
    """The process of a task dies in the middle of a stage: the task is delivered again."""
    with running_worker(held_back(environment, queue, provider), logs) as worker:
        document_id = submit(api, "ann", pdf(), queue=queue)
        eventually(lambda: provider.requests)
        assert document(api, "ann", document_id)["state"] == "parsing"
        [child] = worker.children()
        os.kill(child, signal.SIGKILL)
        provider.open.set()
        survivor = finished(api, "ann", document_id)
    assert states(survivor) == PATH
    assert survivor["transitions"][2]["attempt"] == 2


def test_killed_worker(
    api: httpx.Client, environment: Environment, logs: Path, queue: str, provider: PretendedProvider
) -> None:
    """The whole worker dies in the middle of a stage: the broker gives the task to the next one."""
    settings = {
        **held_back(environment, queue, provider),
        "STAGE_TIMEOUT_SECONDS": "2",
        "VISIBILITY_TIMEOUT_SECONDS": "3",
    }
    with running_worker(settings, logs) as worker:
        document_id = submit(api, "ann", pdf(), queue=queue)
        eventually(lambda: provider.requests)
        worker.kill()
    assert document(api, "ann", document_id)["state"] == "parsing"
    provider.open.set()
    with running_worker(settings, logs):
        survivor = finished(api, "ann", document_id, seconds=30)
    assert states(survivor) == PATH
    assert survivor["transitions"][2]["attempt"] == 2


def test_a_document_stays_in_its_queue(
    api: httpx.Client, environment: Environment, logs: Path, queue: str, provider: PretendedProvider
) -> None:
    """Also when it is tried again, and when the worker's own queue is another, which nobody reads here."""
    settings = {**held_back(environment, queue, provider), "TASK_QUEUE": f"{queue}-unread"}
    provider.open.set()
    provider.failures = [503]
    with running_worker(settings, logs, "-Q", queue):
        assert states(finished(api, "ann", submit(api, "ann", pdf(), queue=queue))) == PATH


def test_stage_that_takes_too_long(
    api: httpx.Client, environment: Environment, logs: Path, queue: str, provider: PretendedProvider
) -> None:
    settings = {**held_back(environment, queue, provider), "STAGE_TIMEOUT_SECONDS": "1", "MAX_ATTEMPTS": "2"}
    with running_worker(settings, logs):
        slow = finished(api, "ann", submit(api, "ann", pdf(), queue=queue))
    assert slow["reason"] == "gave up after 2 attempts at 'parse': the stage took too long"


def test_broker_away_during_upload(environment: Environment, logs: Path, queue: str) -> None:
    """Nothing is lost when a task cannot be sent: the sweep of a worker sends it later."""
    away = {**environment, "BROKER_URL": f"redis://:broker-password@127.0.0.1:{free_port()}/0"}
    with running_api(away, logs) as (api, process):
        started = time.monotonic()
        document_id = submit(api, "ann", pdf())
        assert time.monotonic() - started < 3
        ready = api.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["broker"].startswith("failed")
        assert ready.json()["checks"]["database"] == "ok"
        time.sleep(0.5)
        sweeping = {
            **environment,
            "TASK_QUEUE": queue,
            "STUCK_AFTER_SECONDS": "0.5",
            "SWEEP_INTERVAL_SECONDS": "0.5",
        }
        with running_worker(sweeping, logs) as worker:
            assert states(finished(api, "ann", document_id)) == PATH
        assert f"{document_id}: stuck in state uploaded" in worker.output()
        assert "broker-password" not in process.output() + ready.text


def test_worker_answers_ping_and_stops_when_told(environment: Environment, logs: Path, queue: str) -> None:
    with running_worker({**environment, "TASK_QUEUE": queue}, logs) as worker:
        ping = subprocess.run(
            [sys.executable, "-m", "celery", "-A", "docpipe.worker:app", "inspect", "ping", "--timeout", "3"],
            env={"PATH": os.environ["PATH"], **environment},
            cwd=logs,
            capture_output=True,
            text=True,
        )
        assert "pong" in ping.stdout, ping.stdout + ping.stderr
        worker.popen.send_signal(signal.SIGTERM)
        assert worker.popen.wait(15) == 0


def test_sweep_is_done_by_one_worker_at_a_time(
    database_url: str, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    from docpipe import worker

    monkeypatch.setattr(worker.settings, "stuck_after_seconds", 0.001)
    with psycopg.connect(database_url) as other:
        other.execute("DELETE FROM documents")
        other.execute(
            "INSERT INTO documents (owner, filename, content_type, size_bytes, sha256, object_key, state)"
            " VALUES ('bob', 'f', 'application/pdf', 1, '', 'owners/x/y.pdf', 'uploaded')"
        )
        other.commit()
        time.sleep(0.01)
        other.execute("SELECT pg_advisory_xact_lock(%s)", (worker._SWEEP_LOCK,))
        assert worker.sweep() == 0
        other.rollback()
        assert worker.sweep() == 1
        other.execute("DELETE FROM documents")
