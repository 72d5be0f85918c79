# SPDX-License-Identifier: GPL-3.0-or-later
"""The Celery worker: one task a stage, and the sweep that picks up what got stuck.

Start it with `celery -A docpipe.worker:app worker`.
"""

import logging
import socket
import sys
import threading
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from celery import Task
from celery.signals import celeryd_init, setup_logging, worker_ready, worker_shutdown

from docpipe import documents, faults, logs, metrics
from docpipe.db import connection_arguments
from docpipe.errors import TransientError
from docpipe.pipeline import Pipeline, backoff
from docpipe.queue import create_celery, send, task_name
from docpipe.settings import load_settings
from docpipe.states import CHUNK, COMPLETE, EMBED, PARSE, Stage, stage_for

log = logging.getLogger(__name__)
settings = load_settings()
app = create_celery(settings)

_SWEEP_LOCK = 0x646F6370  # any number, as long as no other advisory lock in this database has it
_SWEEP_BATCH = 100
_stopping = threading.Event()


@cache
def pipeline() -> Pipeline:
    """Made by the first task of each child process, so that no connection is ever shared across a fork."""
    return Pipeline.from_settings(settings)


@app.task(name=task_name(PARSE), bind=True, max_retries=None)
def parse(self: Task, document_id: str) -> None:
    """Get the text of the uploaded PDF."""
    run_stage(self, PARSE, document_id)


@app.task(name=task_name(CHUNK), bind=True, max_retries=None)
def chunk(self: Task, document_id: str) -> None:
    """Cut the text into chunks."""
    run_stage(self, CHUNK, document_id)


@app.task(name=task_name(EMBED), bind=True, max_retries=None)
def embed(self: Task, document_id: str) -> None:
    """Compute a vector for each chunk."""
    run_stage(self, EMBED, document_id)


@app.task(name=task_name(COMPLETE), bind=True, max_retries=None)
def complete(self: Task, document_id: str) -> None:
    """Check that nothing is missing, and declare the document complete."""
    run_stage(self, COMPLETE, document_id)


def run_stage(task: Task, stage: Stage, document_id: str) -> None:
    """Run the stage, then hand the document on, or back to the queue for later."""
    faults.on_task()
    try:
        following = pipeline().run(stage, UUID(document_id))
    except TransientError as error:
        # How often to try is the pipeline's decision; how long to wait is made here.
        wait = backoff(task.request.retries, settings.retry_base_seconds, error.retry_after)
        log.warning("%s: %s, trying '%s' again in %.1f s", document_id, error, stage.name, wait)
        raise task.retry(countdown=wait, exc=error) from None
    if following:
        # In the queue it came from: a document handed to one particular worker stays with it.
        send(app, following, UUID(document_id), queue=(task.request.delivery_info or {}).get("routing_key"))


def sweep() -> int:
    """Send tasks for documents nobody is working on: their message was never sent, or got lost.

    The lock belongs to the transaction, so that it works through PgBouncer and ends with the worker that
    holds it.
    """
    url = settings.database_url.get_secret_value()
    with psycopg.connect(**connection_arguments(url)) as connection:
        locked = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_SWEEP_LOCK,)).fetchone()
        if locked != (True,):
            return 0
        stuck = documents.claim_stuck(connection, settings.stuck_after_seconds, _SWEEP_BATCH)
        for document_id, state in stuck:
            stage = stage_for(state)
            assert stage is not None
            log.warning("%s: stuck in state %s, sending '%s' again", document_id, state, stage.name)
            if not send(app, stage, document_id):
                connection.rollback()  # not touched, so the next sweep finds it again
                return 0
            metrics.SWEPT.labels(state).inc()
        return len(stuck)


def _sweep_forever() -> None:
    while True:
        try:
            sweep()
        except psycopg.Error as error:
            log.warning("sweep: %s", type(error).__name__)
        if _stopping.wait(settings.sweep_interval_seconds):
            return


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    logs.configure()


@celeryd_init.connect
def _refuse_to_be_unseen(**_: Any) -> None:
    """A worker whose metrics nobody could ask for does not start."""
    if settings.worker_metrics_port:
        try:
            socket.create_server((settings.worker_metrics_address, settings.worker_metrics_port)).close()
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0]
            sys.exit(f"docpipe: WORKER_METRICS_PORT: cannot listen there ({reason})")


@worker_ready.connect
def _serve_metrics(**_: Any) -> None:
    """Metrics are there once the worker takes tasks, so that asking for them tells whether it does."""
    metrics.set_build_info(settings)
    if settings.worker_metrics_port:
        metrics.serve(settings.worker_metrics_port, settings.worker_metrics_address)


@worker_ready.connect
def _start_sweeping(**_: Any) -> None:
    if settings.sweep_interval_seconds:
        threading.Thread(target=_sweep_forever, name="sweep", daemon=True).start()


@worker_shutdown.connect
def _stop_sweeping(**_: Any) -> None:
    _stopping.set()
