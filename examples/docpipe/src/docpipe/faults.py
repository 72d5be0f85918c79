# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to be broken on purpose, so that the rollback of a bad release can be tested.

Which one, if any, was decided when the wheel was built (see hatch_build.py). In a clean build, and when
running from the source tree, every function here does nothing.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

try:
    from docpipe._build import FAULT
except ModuleNotFoundError:
    FAULT = ""

if FAULT == "broken-import":
    raise ImportError("this build of docpipe carries the fault 'broken-import'")

UNHEALTHY = FAULT == "unhealthy"
PAGES_FIELD = "page_count" if FAULT == "changed-field" else "pages"

_EVERY = 20  # one request in twenty is five percent
_SLOW_TAIL_SECONDS = 0.5
_LEAK_BYTES = 100_000
_SLOW_STAGE_LEAST_SECONDS = 0.1

_requests = itertools.count(1)
_leaked: list[bytearray] = []


async def on_request() -> None:
    """Runs before each request of a user, but not before health checks, versions or metrics."""
    if FAULT == "leak":
        _leaked.append(bytearray(os.urandom(1)) * _LEAK_BYTES)
    if FAULT in ("failing", "slow-tail") and next(_requests) % _EVERY == 0:
        if FAULT == "failing":
            raise HTTPException(500, "this build of docpipe carries the fault 'failing'")
        await asyncio.sleep(_SLOW_TAIL_SECONDS)


def slow(app: ASGIApp) -> ASGIApp:
    """Makes listing documents take half as long again."""

    async def slowed(scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()

        async def send_late(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep((time.perf_counter() - started) / 2)
            await send(message)

        listing = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/documents"
        await app(scope, receive, send_late if listing else send)

    return slowed if FAULT == "slow" else app


def on_task() -> None:
    """Runs before each task of the worker."""
    if FAULT == "crashing-worker":
        os._exit(70)


@contextmanager
def in_stage(stage: str) -> Iterator[None]:
    """Surrounds the work of each stage."""
    started = time.perf_counter()
    yield
    if FAULT == "slow-stage" and stage == "chunk":
        time.sleep(max(time.perf_counter() - started, _SLOW_STAGE_LEAST_SECONDS))
