#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hammer.py URL SECONDS [COMMAND...]: ask for URL from four clients for SECONDS, and run COMMAND after a third of them.

Two clients keep their connection, two open a new one for each request. Prints as JSON how many requests were answered
with 200 and what the others got.
"""

import collections
import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

URL = urllib.parse.urlsplit(sys.argv[1])
SECONDS = float(sys.argv[2])
CONTEXT = ssl.create_default_context(cafile="/root/ca.pem")
results = collections.Counter()
lock = threading.Lock()


def ask(until, keep):
    connection = None
    while time.monotonic() < until:
        try:
            connection = connection or http.client.HTTPSConnection(URL.hostname, URL.port, context=CONTEXT, timeout=10)
            connection.request("GET", URL.path)
            answer = connection.getresponse()
            body = answer.read()
            outcome = "ok" if answer.status == 200 else f"{answer.status} {body[:80]!r}"
            if not keep or answer.will_close:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as error:
            outcome, connection = f"{type(error).__name__}: {error}", None
        with lock:
            results[outcome] += 1
        time.sleep(0.01)


deadline = time.monotonic() + SECONDS
clients = [threading.Thread(target=ask, args=(deadline, keep)) for keep in (True, True, False, False)]
for client in clients:
    client.start()
time.sleep(SECONDS / 3)
if sys.argv[3:]:
    subprocess.run(sys.argv[3:], check=True)
for client in clients:
    client.join()
ok = results.pop("ok", 0)
print(json.dumps({"ok": ok, "failed": results}))
