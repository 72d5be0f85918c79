# SPDX-License-Identifier: GPL-3.0-or-later
"""The Celery application: how tasks are sent and delivered. What they do is in worker.py."""

import logging
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from docpipe.settings import Settings
from docpipe.states import Stage

log = logging.getLogger(__name__)


def create_celery(settings: Settings) -> Celery:
    """Deliver at least once, lose nothing: the state machine makes a second delivery harmless."""
    celery = Celery("docpipe", broker=settings.broker_url.get_secret_value(), set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=settings.task_queue,
        # A task is finished when its work is, not when it was received.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_soft_time_limit=settings.stage_timeout_seconds,
        task_time_limit=settings.stage_timeout_seconds + 30,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # A killed worker's tasks go to another one after this time, looked for every few seconds.
            "visibility_timeout": settings.visibility_timeout_seconds,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 2,
            "socket_timeout": 15,
            "socket_keepalive": True,
        },
        # An upload must not wait for a broker that is down; the sweep sends what could not be sent.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return celery


def task_name(stage: Stage) -> str:
    return f"docpipe.{stage.name}"


def send(celery: Celery, stage: Stage, document_id: UUID, queue: str | None = None) -> bool:
    """Ask a worker to do the stage; false if the broker is away, which leaves it to the sweep."""
    try:
        celery.send_task(task_name(stage), args=[str(document_id)], queue=queue)
    except (OperationalError, OSError) as error:
        log.warning("%s: cannot send %s (%s)", document_id, task_name(stage), type(error).__name__)
        return False
    return True


def check_broker(url: str) -> None:
    """Raise unless the broker answers. Asked directly, as Celery would first try a few times."""
    no_retries = Retry(NoBackoff(), 0)
    with Redis.from_url(url, socket_connect_timeout=1.5, socket_timeout=1.5, retry=no_retries) as client:
        client.ping()
