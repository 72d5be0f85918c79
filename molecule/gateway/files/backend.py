#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small API: backend.py PORT. It tells what reached it, and drops every request to /drop."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # an answer is one write: killed, it has answered or it has not
    dropped = 0

    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.answer({"port": PORT, "path": self.path, "dropped": Api.dropped, "headers": headers})

    def do_POST(self):
        received = len(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.path == "/drop":
            Api.dropped += 1
            self.close_connection = True
            return
        self.answer({"port": PORT, "received": received})

    def answer(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("access-control-allow-origin", "*")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


PORT = int(sys.argv[1])
ThreadingHTTPServer(("127.0.0.1", PORT), Api).serve_forever()
