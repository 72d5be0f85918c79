#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""receiver.py PORT: takes notifications as Slack would, and tells with GET which it got."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECEIVED = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        RECEIVED.append({"path": self.path, "body": json.loads(self.rfile.read(int(self.headers["content-length"])))})
        self.answer(b"ok", "text/plain")

    def do_GET(self):
        self.answer(json.dumps(RECEIVED).encode(), "application/json")

    def answer(self, content, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
