# SPDX-License-Identifier: GPL-3.0-or-later
"""streams.py URL AUTHORITY STOP_FILE: server-sent events and a websocket of four seconds, one after the other, until the file appears.

Runs with the Python of the application, whose websockets library is a client, too. Prints what came of them as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path

from websockets.asyncio.client import connect

URL, CONTEXT, STOP = sys.argv[1], ssl.create_default_context(cafile=sys.argv[2]), Path(sys.argv[3])
EVENTS = 20  # five a second
DEADLINE = time.monotonic() + 900

whole: list[str] = []
broken: list[str] = []


def events() -> None:
    with urllib.request.urlopen(f"{URL}/ticks?count={EVENTS}", timeout=30, context=CONTEXT) as answer:  # noqa: S310
        found = answer.read().decode()
    if found.count("data:") != EVENTS:
        raise OSError(f"the stream ended after {found.count('data:')} events")


async def websocket() -> None:
    async with connect(URL.replace("https:", "wss:") + "/echo", ssl=CONTEXT) as opened:
        for number in range(EVENTS):
            await opened.send(str(number))
            if await opened.recv() != str(number):
                raise OSError(f"the answer to {number} is another")
            await asyncio.sleep(0.2)


async def repeat(name: str, one: object) -> None:
    while not STOP.exists() and time.monotonic() < DEADLINE:
        try:
            await one()
            whole.append(name)
        except Exception as error:  # whatever ends a stream early counts
            broken.append(f"{time.strftime('%H:%M:%S')} {name}: {type(error).__name__} {error}")


async def main() -> None:
    await asyncio.gather(repeat("events", lambda: asyncio.to_thread(events)), repeat("websocket", websocket))


asyncio.run(main())
print(json.dumps({"whole": whole, "broken": broken}))
