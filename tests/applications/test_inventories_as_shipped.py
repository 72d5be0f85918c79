# SPDX-License-Identifier: GPL-3.0-or-later
"""Each inventory that Parity ships is deployed as it stands there, to servers at its own addresses, reached by SSH with sudo.

Only what its user has to fill in is written over, and that is counted. The tests tell one story for each inventory, in order: the one
of the README's section "Production". `make prove` runs them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Run, Users
from running_playbooks import table, wheel_with
from shipped_servers import ShippedServers

pytestmark = pytest.mark.full

#: How many settings have to be filled in, beside the address of each host: certificates with their keys, the authority, the secrets.
FILLED = {"single": 4, "staging": 6, "production": 6}
#: A machine that runs all servers at one time is slower than the servers would be.
LIMITS = {"load_per_core": 1000, "database_round_trip_ms": 2000, "broker_round_trip_ms": 2000, "database_write_ms": 20000}
BUSY = {"validation_limits": LIMITS, "validation_pipeline_seconds": 120}
SMALL = {"baseline_runs": 2, "baseline_probes": 20, "baseline_documents": 4}
KEPT = "a file of a user"
ENDING = "systemctl list-units --plain --no-legend --state=deactivating 'docpipe-*'"
rows: list[list[object]] = []


@pytest.fixture(scope="module", params=["single", "production", "staging"])
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedServers]:
    servers = ShippedServers("docpipe", (), tmp_path_factory.mktemp(request.param), request.param)
    try:
        servers.start()
        yield servers
    finally:
        servers.remove()


@pytest.fixture(autouse=True)
def timed(shipped: ShippedServers, request: pytest.FixtureRequest) -> Iterator[None]:
    started = time.monotonic()
    yield
    rows.append([shipped.environment_name, request.node.originalname, f"{time.monotonic() - started:.0f} s"])
    table("inventories as shipped: what was done, one after the other", ["inventory", "test", "took"], rows)


def good(run: Run, shipped: ShippedServers) -> Run:
    assert run.code == 0, run.output[-8000:]
    assert not [secret for secret in shipped.secret_values() if secret in run.output]
    return run


def assert_live(shipped: ShippedServers, release: str) -> None:
    """One release on all hosts, each process in one slot, and users get answers."""
    hosts = shipped.group("api")
    assert [shipped.live(host) for host in hosts] == [release] * len(hosts)
    for host in hosts:
        shipped.on(host, "sh", "-c", f"for i in $(seq 100); do {ENDING} | grep -q docpipe || exit 0; sleep .5; done; exit 1")
        assert len(shipped.units(host)) == 2, shipped.units(host)
    assert shipped.get("/ready")[0] == 200


def test_only_what_a_user_has_to_fill_in_differs(shipped: ShippedServers) -> None:
    filled = shipped.overrides
    table(f"overrides of {shipped.environment_name}: what was written over", ["host", "name", "value"], filled)
    assert len([name for host, name, _value in filled if host == "all"]) == FILLED[shipped.environment_name]
    assert [host for host, name, _value in filled if name == "ansible_host"] == list(shipped.hosts)


def test_preflight_finds_nothing_missing(shipped: ShippedServers) -> None:
    run = good(shipped.play("preflight.yml", stack_release="v1.0.0"), shipped)
    assert not any(run.changed.values())


def test_a_dry_run_of_untouched_hosts_changes_nothing(shipped: ShippedServers) -> None:
    run = good(shipped.deploy("v1.0.0", "--check", "--diff"), shipped)
    assert all(run.changed[host] for host in shipped.hosts), run.changed
    for host in shipped.hosts:
        assert shipped.on(host, "sh", "-c", "ls -d /opt/docpipe /etc/docpipe 2>/dev/null || true") == ""


def test_the_first_deployment_and_one_that_changes_nothing(shipped: ShippedServers) -> None:
    run = good(shipped.deploy("v1.0.0"), shipped)
    assert all(run.changed[host] for host in shipped.hosts), run.changed
    assert_live(shipped, "v1.0.0")
    again = good(shipped.deploy("v1.0.0"), shipped)
    assert set(again.changed.values()) == {0}, again.output[-8000:]


def test_monitoring_sees_every_part(shipped: ShippedServers) -> None:
    """At the address that the inventory gives it, and every process of the application has its alert."""
    jobs = {"api", "worker", "gateway", "node", "database"}
    address = shipped.shipped["_meta"]["hostvars"][shipped.group("monitoring")[0]]["stack_address"]
    deadline = time.monotonic() + 60
    while True:
        targets = prometheus(shipped, address, "targets")["activeTargets"]
        down = [target["scrapeUrl"] for target in targets if target["health"] != "up"]
        if not down or time.monotonic() > deadline:
            break
        time.sleep(2)
    assert not down and {target["labels"]["job"] for target in targets} >= jobs, targets
    assert len([target for target in targets if target["labels"]["job"] == "node"]) == len(shipped.hosts)
    rules = [rule for group in prometheus(shipped, address, "rules")["groups"] for rule in group["rules"]]
    assert [rule["query"] for rule in rules if rule["name"] == "WorkerDown"] == ['sum by (job) (up{job=~"worker"}) == 0']


def prometheus(shipped: ShippedServers, address: str, what: str) -> dict:
    program = f"import urllib.request as r; print(r.urlopen('http://{address}:9090/api/v1/{what}').read().decode())"
    return json.loads(shipped.on(shipped.group("monitoring")[0], "python3", "-c", program))["data"]


def test_a_backup_and_a_validation_that_passes(shipped: ShippedServers) -> None:
    storage, path = shipped.group("storage")[0], shipped.said("stack_storage_path")
    shipped.on(storage, "sh", "-c", f"echo '{KEPT}' > {path}/kept && chown 3000:3000 {path}/kept && chmod 640 {path}/kept")
    good(shipped.play("backup.yml", stack_release="v1.0.0"), shipped)
    run = good(shipped.play("validate.yml", "--tags", "all", stack_release="v1.0.0", **BUSY), shipped)
    report = json.loads((shipped.folder / "reports" / "validation.json").read_text(encoding="utf-8"))
    failed = {check["id"] for check in report["checks"] if check["outcome"] in ("failed", "warning")}
    # An alert of the first minute, when not every part answered yet, may still be active.
    assert failed <= {"monitoring.alerts"}, run.output[-8000:]
    assert {check["id"] for check in report["checks"] if check["status"] == "passed"} >= {"application.worker", "monitoring.backup"}


def test_a_baseline_is_captured(shipped: ShippedServers) -> None:
    path = shipped.folder / "baseline.json"
    good(shipped.play("baseline.yml", stack_release="v1.0.0", stack_baseline=str(path), **SMALL), shipped)
    assert json.loads(path.read_text(encoding="utf-8"))["release"] == "v1.0.0"


def test_a_worse_release_is_rolled_back_by_itself(shipped: ShippedServers, tmp_path: Path) -> None:
    shipped.forget_reports()
    wheel = wheel_with("changed-field", tmp_path)
    with Users(shipped, "GET", "/ready").asking() as users:
        run = shipped.deploy("v1.1.0", stack_application=str(wheel))
    assert run.code != 0 and "Release v1.1.0 was rolled back." in run.words, run.output[-8000:]
    assert not [secret for secret in shipped.secret_values() if secret in run.output]
    [report] = shipped.reports()
    assert report["head"]["outcome"] == "rolled back" and "page_count" in report["headline"], report["headline"]
    assert not users.failures and len(users.answers) > 50, users.failures
    assert_live(shipped, "v1.0.0")


def test_a_good_release_and_the_way_to_the_first_one(shipped: ShippedServers) -> None:
    with Users(shipped, "GET", "/ready").asking() as users:
        good(shipped.deploy("v1.2.0"), shipped)
        assert_live(shipped, "v1.2.0")
        good(shipped.play("rollback.yml", stack_release="v1.0.0"), shipped)
        assert_live(shipped, "v1.0.0")
    assert not users.failures, users.failures


def test_what_a_killed_deployment_left_is_recovered(shipped: ShippedServers) -> None:
    running = shipped.beside("applications.yml", stack_release="v1.3.0")
    reached = running.wait_for("Compare the canary with the live release", seconds=600)
    running.kill()
    assert reached, running.output[-8000:]
    run = good(shipped.play("recover.yml", stack_release="v1.3.0"), shipped)
    assert "v1.0.0" in run.output
    assert_live(shipped, "v1.0.0")


def test_database_and_objects_are_restored(shipped: ShippedServers) -> None:
    database, storage = shipped.group("database")[0], shipped.group("storage")[0]
    kept = f"{shipped.said('stack_storage_path')}/kept"
    shipped.sql("CREATE TABLE after_the_backup (id int)", database)
    shipped.on(storage, "rm", kept)
    good(shipped.play("restore.yml", restore_confirm="docpipe"), shipped)
    assert shipped.sql("SELECT to_regclass('after_the_backup') IS NULL", database) == ["t"]
    good(shipped.play("restore_objects.yml"), shipped)
    assert shipped.on(storage, "cat", kept).strip() == KEPT
    deadline = time.monotonic() + 60
    while shipped.get("/ready")[0] != 200 and time.monotonic() < deadline:
        time.sleep(1)
    assert_live(shipped, "v1.0.0")
    good(shipped.play("validate.yml", stack_release="v1.0.0", **BUSY), shipped)
