#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""application.py PORT...: an API, a worker and a database with metrics, whose requests all fail once /break was asked."""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTED = time.monotonic()
TEMPLATE = """\
http_requests_total{{status="200"}} {ok}
http_requests_total{{status="503"}} {failed}
http_request_duration_seconds_bucket{{le="0.1"}} {ok}
http_request_duration_seconds_bucket{{le="1"}} {all}
http_request_duration_seconds_bucket{{le="+Inf"}} {all}
documents_total{{state="complete"}} {ok}
documents_total{{state="failed"}} 0
pg_up 1
database_connections 12
database_connections_limit 97
database_lock_wait_seconds 0
database_transaction_seconds 1.5
database_size_bytes 8388608
database_replica 0
database_receiving 0
database_replay_lag_seconds 0
database_follower_connected{{follower="data2"}} 1
database_statement_calls_total{{statement="77",role="app"}} {ok}
database_statement_seconds_total{{statement="77",role="app"}} {ok}
"""


class Application(BaseHTTPRequestHandler):
    broken = float("inf")

    def do_GET(self):
        now = time.monotonic()
        if self.path == "/break":
            Application.broken = now
        ok = int(10 * (min(now, Application.broken) - STARTED))
        failed = int(10 * max(0, now - Application.broken))
        content = TEMPLATE.format(ok=ok, failed=failed, all=ok + failed).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


for port in sys.argv[1:]:
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", int(port)), Application).serve_forever).start()
