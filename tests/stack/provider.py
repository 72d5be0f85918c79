# SPDX-License-Identifier: GPL-3.0-or-later
"""provider.py PORT FAILURES: a parsing service as LlamaParse answers, which fails so often before it works."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

failures = int(sys.argv[2])


class Provider(BaseHTTPRequestHandler):
    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        global failures
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer key-of-the-test":
            self.answer(401, {})
        elif failures > 0:
            failures -= 1
            self.answer(503, {"detail": "try again"})
        else:
            self.answer(200, {"id": "job"})

    def do_GET(self) -> None:
        done = {"pages": [{"page": 1, "text": "What the provider has read."}]}
        self.answer(200, done if self.path.endswith("/result/json") else {"status": "SUCCESS"})


ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Provider).serve_forever()  # noqa: S104 - asked from another server
