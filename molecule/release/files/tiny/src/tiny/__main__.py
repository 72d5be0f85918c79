# SPDX-License-Identifier: GPL-3.0-or-later
import http.server
import json
import os

import idna  # what the lock file names is really there


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"release": os.environ["APP_RELEASE"], "idna": idna.encode("ü").decode()}).encode()
        self.send_response(int(os.environ.get("TINY_STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
