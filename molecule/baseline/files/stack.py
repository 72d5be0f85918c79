# SPDX-License-Identifier: GPL-3.0-or-later
"""A small API with documents: stack.py PORT [extra=SECONDS] [field=NAME] [broken=yes]. Documents are shared by all of them."""

import http.server
import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

PORT, OPTIONS = int(sys.argv[1]), dict(word.split("=") for word in sys.argv[2:])
SHARED = Path("/run/small-documents")
STARTED = time.time()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        time.sleep(0.003 + random.uniform(0, 0.001) + float(OPTIONS.get("extra", 0)) * (self.path == "/documents"))  # noqa: S311
        if OPTIONS.get("broken") and self.path == "/documents":
            self.answer(500, {})
        elif self.path == "/documents":
            self.answer(200, [path.name for path in SHARED.iterdir()])
        elif self.path.startswith("/documents/"):
            found = SHARED / self.path.rsplit("/", 1)[1]
            self.answer(200, json.loads(found.read_text())) if found.exists() else self.answer(404, {})
        elif self.path == "/metrics":
            memory = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
            body = f"process_resident_memory_bytes {memory}\nprocess_cpu_seconds_total {time.process_time()}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        else:
            self.answer(200, {"status": "ok", "release": "v1.0.0", "started": STARTED})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        identifier, now = f"d{random.randrange(10**9)}", datetime.now(UTC).isoformat()  # noqa: S311
        content = {
            "id": identifier,
            OPTIONS.get("field", "pages"): 1,
            "state": "complete",
            "history": [{"to": "uploaded", "at": now}, {"to": "complete", "at": datetime.now(UTC).isoformat()}],
        }
        (SHARED / identifier).write_text(json.dumps(content))
        self.answer(202, {"id": identifier})

    def do_DELETE(self) -> None:
        (SHARED / self.path.rsplit("/", 1)[1]).unlink(missing_ok=True)
        self.answer(200, {})

    def log_message(self, *_words: object) -> None:
        pass


SHARED.mkdir(exist_ok=True)
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
