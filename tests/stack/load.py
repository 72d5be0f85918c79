# SPDX-License-Identifier: GPL-3.0-or-later
"""load.py RATE STOP_FILE: requests to the gateway at a steady rate until the file appears; prints what came of them as JSON.

Runs on a server of the test, with the system's Python and nothing else. Half of the requests use connections that stay
open, half a new one each. A request that finds its kept connection closed by the server before it was sent is sent once
more on a new one, as every HTTP client does; anything else that is not answered 200 has failed.
"""

from __future__ import annotations

import http.client
import json
import queue
import ssl
import sys
import threading
import time
from pathlib import Path

RATE, STOP = float(sys.argv[1]), Path(sys.argv[2])
MOST_SECONDS = 1800
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE

work: queue.Queue = queue.Queue()
failed: list[str] = []
releases: dict[str, int] = {}
seconds: list[float] = []
lock = threading.Lock()


def connect() -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("edge1", 8443, timeout=15, context=CONTEXT)


def ask(connection: http.client.HTTPSConnection) -> tuple[int, bytes]:
    connection.request("GET", "/version")
    answer = connection.getresponse()
    return answer.status, answer.read()


def send(keep: bool, kept: list) -> None:
    started = time.monotonic()
    try:
        if keep and kept:
            try:
                status, body = ask(kept[0])
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.CannotSendRequest):
                kept[0].close()
                kept[0] = connect()
                status, body = ask(kept[0])
        else:
            connection = connect()
            status, body = ask(connection)
            if keep:
                kept.append(connection)
            else:
                connection.close()
    except Exception as error:
        kept.clear()
        with lock:
            failed.append(f"{time.strftime('%H:%M:%S')} {'kept' if keep else 'new'}: {type(error).__name__} {error}")
        return
    with lock:
        seconds.append(time.monotonic() - started)
        if status == 200:
            release = json.loads(body)["release"]
            releases[release] = releases.get(release, 0) + 1
        else:
            failed.append(f"{time.strftime('%H:%M:%S')} {'kept' if keep else 'new'}: {status} {body[:80]!r}")


def worker(keep: bool) -> None:
    kept: list = []
    while work.get():
        send(keep, kept)


def main() -> None:
    threads = [threading.Thread(target=worker, args=(number % 2 == 0,)) for number in range(32)]
    for thread in threads:
        thread.start()
    started, sent = time.monotonic(), 0
    while not STOP.exists() and time.monotonic() - started < MOST_SECONDS:
        work.put(True)
        sent += 1
        time.sleep(max(0.0, started + sent / RATE - time.monotonic()))
    for _thread in threads:
        work.put(False)
    for thread in threads:
        thread.join()
    seconds.sort()
    print(json.dumps({
        "sent": sent, "seconds": round(time.monotonic() - started, 1), "failed": failed, "releases": releases,
        "median": round(seconds[len(seconds) // 2], 4) if seconds else None, "slowest": round(seconds[-1], 3) if seconds else None,
    }))  # fmt: skip


main()
