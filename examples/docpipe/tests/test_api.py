# SPDX-License-Identifier: GPL-3.0-or-later
"""The API over HTTP, against its real dependencies."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from make_pdf import SAMPLE
from support import Environment, Process, bearer, finished, free_port, pdf, running_api, submit

PDF = "application/pdf"


def upload(api: httpx.Client, content: bytes, content_type: str = PDF, name: str = "a.pdf") -> httpx.Response:
    return api.post("/documents", files={"file": (name, content, content_type)}, headers=bearer("ann"))


def stored_files(environment: Environment) -> set[str]:
    return {path.name for path in Path(environment["STORAGE_PATH"]).rglob("*") if path.is_file()}


def test_health_version_and_metrics(api: httpx.Client) -> None:
    assert api.get("/health").json() == {"status": "ok"}
    assert api.get("/version").json() == {
        "name": "docpipe",
        "version": "1.0.0",
        "release": "v-test",
        "slot": "blue",
    }
    api.get(f"/documents/{'0' * 8}-0000-0000-0000-{'0' * 12}", headers=bearer("ann"))
    api.get("/no/such/path")
    metrics = api.get("/metrics").text
    assert 'docpipe_build_info{release="v-test",slot="blue",version="1.0.0"} 1.0' in metrics
    assert re.search(r'_requests_total{method="GET",route="/documents/{document_id}",status="404"}', metrics)
    assert re.search(r'_requests_total{method="GET",route="\(none\)",status="404"}', metrics)
    assert 'docpipe_http_request_duration_seconds_bucket{le="0.05",method="GET",route="/health"}' in metrics
    assert "process_resident_memory_bytes" in metrics


def test_ready(api: httpx.Client) -> None:
    answer = api.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "broker": "ok", "storage": "ok"},
    }


def test_everything_away(environment: Environment, logs: Path, tmp_path: Path) -> None:
    """Alive but not ready; and neither answers nor log tell a secret."""
    away = {
        **environment,
        "DATABASE_URL": f"postgresql://app:db-password@127.0.0.1:{free_port()}/x",
        "BROKER_URL": f"redis://:broker-password@127.0.0.1:{free_port()}/0",
        "STORAGE_PATH": str(tmp_path / "missing"),
    }
    with running_api(away, logs) as (api, process):
        assert api.get("/health").status_code == 200
        ready = api.get("/ready")
        assert ready.status_code == 503
        assert ready.elapsed.total_seconds() < 3
        assert set(ready.json()["checks"]) == {"database", "broker", "storage"}
        assert "ok" not in ready.json()["checks"].values()
        listing = api.get("/documents", headers=bearer("ann"))
        assert listing.status_code == 503
        assert listing.json() == {"detail": "the database does not answer, try again later"}
        assert "password" not in ready.text + listing.text + process.output()


def test_several_processes_answer_metrics_together(environment: Environment, tmp_path: Path) -> None:
    with running_api({**environment, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}, tmp_path) as (api, _):
        api.get("/health")
        metrics = api.get("/metrics").text
    assert 'docpipe_http_requests_total{method="GET",route="/health",status="200"} 1.0' in metrics
    assert 'docpipe_build_info{release="v-test",slot="blue",version="1.0.0"} 1.0' in metrics
    assert "process_resident_memory_bytes" in metrics


@pytest.mark.parametrize(
    ("content", "content_type", "status", "detail"),
    [
        (b"", PDF, 400, "the file is empty"),
        (b"not a pdf", PDF, 415, "the file is not a PDF"),
        (pdf(), "text/plain", 415, "only application/pdf is accepted"),
        (b"%PDF-" + b"x" * 100_000, PDF, 413, "the file is too large"),
        (b"%PDF-" + b"x" * 1_000_000, PDF, 413, "the file is too large"),
    ],
)
def test_refused_uploads(
    api: httpx.Client,
    environment: Environment,
    content: bytes,
    content_type: str,
    status: int,
    detail: str,
) -> None:
    before = stored_files(environment)
    answer = upload(api, content, content_type)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert stored_files(environment) == before


def test_too_large_without_announcing_it(api: httpx.Client) -> None:
    """A body sent in pieces has no length the API could look at beforehand."""

    def pieces() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
        yield b"Content-Type: application/pdf\r\n\r\n%PDF-"
        for _ in range(200):
            yield b"x" * 10_000

    headers = {**bearer("ann"), "Content-Type": "multipart/form-data; boundary=b"}
    answer = api.post("/documents", content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()) == (413, {"detail": "the file is too large"})


def test_accepted_upload(api: httpx.Client, worker: Process) -> None:
    content = SAMPLE.read_bytes()
    answer = upload(api, content, name="../Grüße.pdf")
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == f"/documents/{body['id']}"
    assert body["state"] == "uploaded"
    assert body["filename"] == "Grüße.pdf"
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    finished(api, "ann", body["id"])

    downloaded = api.get(f"/documents/{body['id']}/content", headers=bearer("ann"))
    assert downloaded.content == content
    assert downloaded.headers["content-type"] == PDF
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf"

    listed = api.get("/documents", params={"limit": 1}, headers=bearer("ann")).json()["documents"]
    assert [document["id"] for document in listed] == [body["id"]]


def test_no_token_no_answer(api: httpx.Client) -> None:
    for method, path in [
        ("GET", "/documents"),
        ("GET", "/search?q=x"),
        ("GET", "/export"),
        ("DELETE", "/account"),
    ]:
        answer = api.request(method, path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {"detail": "send a token: Authorization: Bearer ..."}
    expired = api.get("/documents", headers=bearer("ann", exp=1))
    assert (expired.status_code, expired.json()) == (401, {"detail": "the token has expired"})


def test_errors_are_plain_sentences(api: httpx.Client) -> None:
    answer = api.get("/search", params={"limit": 99}, headers=bearer("ann"))
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": "query.q: Field required; query.limit: Input should be less than or equal to 50"
    }


def test_other_peoples_documents_do_not_exist(api: httpx.Client, worker: Process) -> None:
    document_id = submit(api, "ann", pdf("the secret of ann"))
    finished(api, "ann", document_id)
    for path in ("", "/chunks", "/content", "/url"):
        answer = api.get(f"/documents/{document_id}{path}", headers=bearer("eve"))
        assert (answer.status_code, answer.json()) == (404, {"detail": "no such document"})
    assert api.delete(f"/documents/{document_id}", headers=bearer("eve")).status_code == 404
    assert api.get("/documents", headers=bearer("eve")).json() == {"documents": []}
    assert api.get("/search", params={"q": "secret"}, headers=bearer("eve")).json()["hits"] == []
    assert api.get("/search", params={"q": "secret"}, headers=bearer("ann")).json()["hits"] != []
    assert api.get(f"/documents/{document_id}", headers=bearer("ann")).status_code == 200


def test_signed_url(api: httpx.Client) -> None:
    document_id = submit(api, "ann", pdf())
    answer = api.get(f"/documents/{document_id}/url", headers=bearer("ann")).json()
    assert answer["expires_in"] == 900
    assert api.get(answer["url"]).content == pdf()
    forged = api.get(answer["url"].replace("signature=", "signature=0"))
    assert (forged.status_code, forged.json()) == (403, {"detail": "the link is not valid, or has expired"})
    path = urlsplit(answer["url"]).path
    assert api.get(path).status_code == 422


def test_delete(api: httpx.Client, worker: Process, environment: Environment, database_url: str) -> None:
    document_id = submit(api, "ann", pdf())
    finished(api, "ann", document_id)
    assert f"{document_id}.pdf" in stored_files(environment)
    assert api.delete(f"/documents/{document_id}", headers=bearer("ann")).status_code == 204
    assert api.get(f"/documents/{document_id}", headers=bearer("ann")).status_code == 404
    assert api.delete(f"/documents/{document_id}", headers=bearer("ann")).status_code == 404
    assert f"{document_id}.pdf" not in stored_files(environment)
    with psycopg.connect(database_url) as connection:
        for table in ("transitions", "pages", "chunks"):
            query = f"SELECT count(*) FROM {table} WHERE document_id = %s"
            assert connection.execute(query, (document_id,)).fetchone() == (0,)


def test_export_and_erasure(
    api: httpx.Client, worker: Process, environment: Environment, database_url: str
) -> None:
    kept = submit(api, "bob", pdf("of bob"))
    ids = [submit(api, "dora", pdf("a page of dora")) for _ in range(2)]
    for document_id in ids:
        finished(api, "dora", document_id)
    export = api.get("/export", headers={**bearer("dora"), "X-Request-ID": "request-7"}).json()
    assert export["subject"] == "dora"
    assert {document["id"] for document in export["documents"]} == set(ids)
    assert export["documents"][0]["chunks"][0]["text"] == "a page of dora"
    assert export["documents"][0]["transitions"][-1]["to"] == "complete"
    assert [entry["action"] for entry in export["audit"]] == ["upload", "upload", "export"]
    assert export["audit"][-1]["request_id"] == "request-7"

    # A file whose row got lost must go too.
    [prefix] = {path.parent for path in Path(environment["STORAGE_PATH"]).rglob(f"{ids[0]}.pdf")}
    (prefix / "left-behind.pdf").write_bytes(b"")
    assert api.delete("/account", headers=bearer("dora")).json() == {"documents": 2, "objects": 3}
    assert api.get("/documents", headers=bearer("dora")).json() == {"documents": []}
    assert list(prefix.iterdir()) == []
    assert api.get(f"/documents/{kept}/content", headers=bearer("bob")).status_code == 200
    with psycopg.connect(database_url) as connection:
        entries = connection.execute(
            "SELECT action FROM audit_log WHERE actor = 'dora' ORDER BY id"
        ).fetchall()
        assert [action for (action,) in entries] == ["upload", "upload", "export", "erase"]


def test_audit(api: httpx.Client, database_url: str) -> None:
    document_id = submit(api, "carl", pdf())
    for path in ("/content", "/chunks", "/url", ""):
        api.get(f"/documents/{document_id}{path}", headers=bearer("carl"))
    api.get("/search", params={"q": "x"}, headers=bearer("carl"))
    api.delete(f"/documents/{document_id}", headers={**bearer("carl"), "X-Request-ID": "bad id"})
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT action, document_id::text, request_id FROM audit_log WHERE actor = 'carl' ORDER BY id"
        ).fetchall()
    assert [row[0] for row in rows] == ["upload", "read", "read", "read", "search", "delete"]
    assert [row[1] for row in rows] == [*[document_id] * 4, None, document_id]
    assert all(re.fullmatch("[0-9a-f]{32}", row[2]) for row in rows)


def test_request_id_comes_back(api: httpx.Client) -> None:
    assert api.get("/health", headers={"X-Request-ID": "my-id"}).headers["x-request-id"] == "my-id"


def test_log_without_secrets(environment: Environment, logs: Path) -> None:
    with running_api(environment, logs) as (api, process):
        api.get("/search", params={"q": "private-question"}, headers=bearer("ann"))
        document_id = submit(api, "ann", pdf())
        url = api.get(f"/documents/{document_id}/url", headers=bearer("ann")).json()["url"]
        api.get(url)
    log = process.output()
    assert "GET /search 200" in log
    assert "GET /objects/{key:path} 200" in log
    for secret in ("private-question", "signature", "Bearer", environment["JWT_SECRET_KEY"]):
        assert secret not in log
