# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus can ask. With PROMETHEUS_MULTIPROC_DIR set, an answer covers all processes."""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Tasks run in child processes of the worker, so its metrics always need a directory where the processes meet.
# It has to be known before prometheus_client is imported.
if os.environ.get("WORKER_METRICS_PORT") and not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    _scratch = tempfile.mkdtemp(prefix="docpipe-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _scratch
    atexit.register(shutil.rmtree, _scratch, ignore_errors=True)

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
    start_http_server,
)

from docpipe import __version__
from docpipe.errors import PermanentError
from docpipe.settings import Settings
from docpipe.states import State

CONTENT_TYPE = CONTENT_TYPE_LATEST

_BUILD_INFO = Gauge(
    "docpipe_build_info", "Which release this is.", ["version", "release", "slot"], multiprocess_mode="max"
)
HTTP_REQUESTS = Counter("docpipe_http_requests_total", "Requests answered.", ["method", "route", "status"])
HTTP_DURATION = Histogram(
    "docpipe_http_request_duration_seconds",
    "Time until the answer was complete.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
_TRANSITIONS = Counter(
    "docpipe_document_transitions_total", "Documents that changed state.", ["from_state", "to_state"]
)
_STAGE_DURATION = Histogram(
    "docpipe_stage_duration_seconds",
    "Time a stage worked on a document, by how it ended.",
    ["stage", "outcome"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)
STAGE_RETRIES = Counter("docpipe_stage_retries_total", "Attempts at a stage to be tried again.", ["stage"])
SWEPT = Counter("docpipe_documents_swept_total", "Stuck documents handed to the queue again.", ["state"])
_EXTERNAL_CALLS = Counter(
    "docpipe_external_calls_total", "Calls to providers.", ["provider", "operation", "outcome"]
)
_EXTERNAL_DURATION = Histogram(
    "docpipe_external_call_duration_seconds",
    "Time providers took to answer.",
    ["provider", "operation"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
EXTERNAL_COST = Counter(
    "docpipe_external_cost_usd_total", "Estimated cost of calls to providers.", ["provider"]
)


def set_build_info(settings: Settings) -> None:
    _BUILD_INFO.labels(__version__, settings.app_release, settings.app_slot or "").set(1)


def count_transition(before: State | None, after: State) -> None:
    _TRANSITIONS.labels(before or "", after).inc()


@contextmanager
def stage_timer(stage: str) -> Iterator[None]:
    """Measure one attempt at a stage."""
    with _measured(lambda outcome, seconds: _STAGE_DURATION.labels(stage, outcome).observe(seconds)):
        yield


@contextmanager
def external_call(provider: str, operation: str) -> Iterator[None]:
    """Measure one call to a provider."""

    def record(outcome: str, seconds: float) -> None:
        _EXTERNAL_CALLS.labels(provider, operation, outcome).inc()
        _EXTERNAL_DURATION.labels(provider, operation).observe(seconds)

    with _measured(record):
        yield


@contextmanager
def _measured(record: Callable[[str, float], None]) -> Iterator[None]:
    started = time.perf_counter()
    outcome = "permanent_error"
    try:
        yield
        outcome = "ok"
    except PermanentError:
        raise
    except Exception:
        outcome = "transient_error"
        raise
    finally:
        record(outcome, time.perf_counter() - started)


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(_registry())


def serve(port: int, address: str) -> None:
    """Answer Prometheus from a thread, for a process that has no web server."""
    start_http_server(port, address, _registry())


def _registry() -> CollectorRegistry:
    """What to answer from: this process alone, or all that share PROMETHEUS_MULTIPROC_DIR."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    combined = CollectorRegistry()
    multiprocess.MultiProcessCollector(combined)
    ProcessCollector(registry=combined)
    return combined
