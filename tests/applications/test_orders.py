# SPDX-License-Identifier: GPL-3.0-or-later
"""An API, two kinds of workers and a beat on RabbitMQ; the API is on one host, everything else of the application on the other.

The playbook init writes the inventory. The tests tell one story, in order, and run in `make prove`.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

import pytest
from application_servers import Servers, Users

pytestmark = pytest.mark.full
WORKERS = {
    "worker": {"run": "celery", "application": "orders.tasks:app", "queues": ["default"]},
    "mail": {"run": "celery", "application": "orders.tasks:app", "queues": ["mail"]},
    "beat": {"run": "celery-beat", "application": "orders.tasks:app"},
}
PROCESSES = {"api": {"run": "uvicorn", "application": "orders.api:app", "health": "/health"}, **WORKERS}


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers("orders", ("one", "two"), tmp_path_factory.mktemp("orders"))
    try:
        servers.start()
        servers.init(
            {"database": ["one"], "broker": ["one"], "api": ["one"], "gateway": ["one"], "worker": ["two"]},
            stack_public_url="https://one:8443",
            stack_private_networks=[f"{servers.address('one')}/32", f"{servers.address('two')}/32"],
            stack_processes=PROCESSES,
        )
        one = servers.address("one")
        servers.set_secrets(
            DATABASE_URL=f"postgresql://orders_app:{{password}}@{one}:5432/orders",
            DATABASE_OWNER_URL=f"postgresql://orders_owner:{{password}}@{one}:5432/orders",
            BROKER_URL=f"amqp://orders:{{password}}@{one}:5672/orders",
        )
        yield servers
    finally:
        servers.remove()


def steps_done(orders: Servers, taken: list[int]) -> dict[str, int]:
    """How often each step ran, over all orders taken, once nothing is left to do."""
    deadline = time.monotonic() + 60
    wanted = {"handled": len(taken), "mailed": len(taken)}
    found: dict[str, int] = {}
    while found != wanted and time.monotonic() < deadline:
        time.sleep(1)
        rows = orders.sql(f"SELECT step, count(*) FROM steps WHERE order_id IN ({','.join(map(str, taken))}) GROUP BY step")
        found = {step: int(count) for step, count in (row.split("|") for row in rows)}
    return found


def works(orders: Servers, release: str) -> None:
    assert [orders.live(host) for host in ("one", "two")] == [release, release]
    assert [len(orders.units(host)) for host in ("one", "two")] == [1, 3]
    assert orders.get("/health")[0] == 200


def test_init_and_the_first_release(orders: Servers) -> None:
    assert orders.deploy("v1", "--check").code == 0
    run = orders.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    works(orders, "v1")
    # The application says which of its settings loses a task when a worker is killed.
    assert "task_reject_on_worker_lost is None, wanted True" in run.words
    again = orders.deploy("v1")
    assert again.code == 0 and set(again.changed.values()) == {0}, again.output[-6000:]


@pytest.mark.parametrize(("release", "changes", "good"), [("v2", "second", True), ("v3", "second+broken_import", False)])
def test_each_order_is_handled_once_while_releases_come_and_fail(orders: Servers, release: str, changes: str, good: bool) -> None:
    began = orders.sql("SELECT now()")[0]
    with Users(orders, "POST", "/orders", {"item": "x"}, wanted=202).asking() as customers:
        run = orders.deploy(release, "--tags", "applications", changes=changes)
    assert (run.code == 0) is good, run.output[-6000:]
    works(orders, "v2")
    taken = [json.loads(text)["id"] for text in customers.answers]
    assert not customers.failures and len(taken) > 20, customers.failures
    assert steps_done(orders, taken) == {"handled": len(taken), "mailed": len(taken)}
    # Two beats at one time would send two ticks within one interval of two seconds.
    ticks = [float(at) for at in orders.sql(f"SELECT extract(epoch FROM at) FROM ticks WHERE at > '{began}' ORDER BY at")]
    assert len(ticks) > 5 and min(later - earlier for earlier, later in itertools.pairwise(ticks)) > 1, ticks


def test_a_process_may_end_with_a_release_and_a_rollback_starts_it_again(orders: Servers) -> None:
    without = {name: process for name, process in PROCESSES.items() if name != "mail"}
    without["worker"] = {**without["worker"], "queues": ["default", "mail"]}
    run = orders.deploy("v4", "--tags", "applications", changes="second", stack_processes=without)
    assert run.code == 0, run.output[-6000:]
    assert len(orders.units("two")) == 2
    run = orders.play("rollback.yml", stack_release="v2", stack_processes=without)
    assert run.code == 0, run.output[-6000:]
    works(orders, "v2")
    # Everything is fine but what this inventory leaves open: its database has no certificate, and passwords cross the network in clear.
    run = orders.play("validate.yml", stack_release="v2")
    report = json.loads((orders.folder / "reports" / "validation.json").read_text(encoding="utf-8"))
    failed = {check["id"] for check in report["checks"] if check["outcome"] == "failed"}
    assert run.code != 0 and failed == {"security.database_tls"}, run.output[-6000:]
