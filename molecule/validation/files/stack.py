# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest stack that validation can look at: health, version, and documents that are complete on the second look."""

import http.server
import json

looks: dict[str, int] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.startswith("/documents/"):
            looks[self.path] = looks.get(self.path, 0) + 1
            self.answer(200, {"id": "1", "state": "complete" if looks[self.path] > 1 else "uploaded"})
        else:
            self.answer(200, {"status": "ok", "release": "v1.0.0"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        authorized = self.headers.get("Authorization", "").count(".") == 2
        self.answer(202 if authorized and b"%PDF-1.4" in body else 400, {"id": "1"})

    def do_DELETE(self) -> None:
        looks.pop(self.path, None)
        self.answer(200, {"left": len(looks)})


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
