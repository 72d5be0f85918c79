# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes and a pretended provider, for the tests."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
from make_pdf import make_pdf
from pypdf import PdfWriter

ROOT = Path(__file__).parent.parent
SECRET = "a signing key for tests, as long as the longest hash could ask for, which is 64 bytes"
Environment = dict[str, str]


def token(subject: str, **claims: Any) -> str:
    """A token as the deployment would issue it; claims may be replaced, or left out with None."""
    payload = {"sub": subject, "aud": "docpipe", "exp": int(time.time()) + 600, **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, SECRET, "HS256")


def bearer(subject: str, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(subject, **claims)}"}


def pdf(text: str = "hello pipeline") -> bytes:
    return make_pdf([[text]])


def corrupt_pdf() -> bytes:
    """Begins like a PDF; the rest is noise."""
    return b"%PDF-1.4\n" + bytes(range(256)) * 8


def encrypted_pdf() -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(pdf()))
    writer.encrypt("secret", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def textless_pdf() -> bytes:
    return make_pdf([[]])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer, or a failure when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


@dataclass
class Process:
    """A started program, its process group and its log."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> list[int]:
        listing = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [int(pid) for pid in listing.split()]

    def kill(self) -> None:
        """As a power cut would: the process and all its children, at once."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(10)


@contextmanager
def _running(arguments: list[str], environment: Environment, log: Path) -> Iterator[Process]:
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={"PATH": os.environ["PATH"], **environment},
            cwd=log.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(popen, log)
    try:
        yield process
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def running_api(environment: Environment, directory: Path) -> Iterator[tuple[httpx.Client, Process]]:
    """A real uvicorn, and a client for it."""
    port = free_port()
    arguments = ["uvicorn", "docpipe.api:app", "--host", "127.0.0.1", "--port", str(port)]
    with (
        _running(arguments, environment, directory / f"api-{port}.log") as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):

        def answers() -> bool:
            assert process.popen.poll() is None, process.output()
            try:
                return bool(client.get("/version").status_code)
            except httpx.TransportError:
                return False

        eventually(answers)
        yield client, process


@contextmanager
def running_worker(environment: Environment, directory: Path, *options: str) -> Iterator[Process]:
    """A real Celery worker."""
    name = f"test-{free_port()}"
    arguments = ["celery", "-A", "docpipe.worker:app", "worker", "--concurrency=1", "-n", f"{name}@%h"]
    arguments += ["--without-mingle", "--without-gossip", *options]
    with _running(arguments, environment, directory / f"{name}.log") as process:

        def ready() -> bool:
            assert process.popen.poll() is None, process.output()
            return " ready." in process.output()

        eventually(ready)
        yield process


def submit(client: httpx.Client, subject: str, content: bytes, **claims: Any) -> str:
    files = {"file": ("test.pdf", content, "application/pdf")}
    response = client.post("/documents", files=files, headers=bearer(subject, **claims))
    assert response.status_code == 202, response.text
    document_id: str = response.json()["id"]
    return document_id


def document(client: httpx.Client, subject: str, document_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/documents/{document_id}", headers=bearer(subject)).json()
    return answer


def finished(client: httpx.Client, subject: str, document_id: str, seconds: float = 30) -> dict[str, Any]:
    """The document, once it is complete or failed."""

    def final() -> dict[str, Any] | None:
        seen = document(client, subject, document_id)
        return seen if seen["state"] in ("complete", "failed") else None

    answer: dict[str, Any] = eventually(final, seconds)
    return answer


@dataclass
class PretendedProvider:
    """LlamaParse and OpenAI on one local port: fails as often as told, and can be held back."""

    url: str = ""
    failures: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    open: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        self.requests.append(path)
        self.open.wait(60)
        if self.failures:
            return self.failures.pop(0), {"error": "this text must not show up anywhere"}
        if path == "/api/parsing/upload":
            return 200, {"id": "job-1", "status": "PENDING"}
        if path == "/api/parsing/job/job-1":
            return 200, {"id": "job-1", "status": "SUCCESS"}
        if path == "/api/parsing/job/job-1/result/json":
            return 200, {"pages": [{"page": 1, "text": "read by the pretended provider"}]}
        if path == "/v1/embeddings":
            request = json.loads(body)
            vectors = [[float(len(text)), *[0.5] * (request["dimensions"] - 1)] for text in request["input"]]
            data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
            # In no particular order, as the API allows.
            return 200, {"data": data[::-1], "usage": {"total_tokens": 1000}}
        return 404, {}


@contextmanager
def pretended_provider() -> Iterator[PretendedProvider]:
    provider = PretendedProvider()
    provider.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            provider.keys.add(self.headers.get("Authorization", ""))
            status, answer = provider.answer(self.path, body)
            content = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                pass  # the caller was killed while it waited

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        provider.open.set()
        server.shutdown()
        server.server_close()
