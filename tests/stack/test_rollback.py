# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that nobody notices, and the rollback of those that fail, are killed, or lose a host.

Needs a deployed stack (test_stack.py leaves one). `make test` runs a small size of each scenario, `make prove` the full one.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from running_playbooks import RunningPlaybook, table, wheel_with
from servers import (
    HOSTS,
    NAME,
    NOT_MEASURED,
    Run,
    application,
    assert_consistent,
    assert_keeps_secrets,
    command,
    deploy,
    journal,
    live_slot,
    load,
    on,
    play,
    size,
    sql,
    state,
    upload,
    values,
    version,
    versions,
    worker_with,
)

pytestmark = pytest.mark.usefixtures("deployed_stack")

numbers = itertools.count(1)
#: The releases of this file, all from one wheel. Those that a fault was built into are never live after their test.
released: set[str] = set()


def new_release() -> str:
    """A name no release had before, on a stack that may have been tested before."""
    released.add(name := f"v2.{int(time.time())}.{next(numbers)}")
    return name


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_with("", tmp_path_factory.mktemp("good"))


@pytest.fixture
def good(wheel: Path) -> str:
    """The release that is live before the test, made from the same wheel as all that follow; the test may end with no other."""
    if not set(versions()) <= released:
        run = release(new_release(), wheel)
        assert run.code == 0, run.output[-4000:]
    before = versions()
    assert before[0] == before[1]
    return before[0]


def release(name: str, wheel: Path, *words: str, judged: bool = False) -> Run:
    """The application phase alone, as a job template or an operator runs it.

    Without the comparisons, which take longer than the rest, where a test is not about a release that they would find out.
    """
    left_out = NOT_MEASURED if judged else {"stack_skip_validation": True}
    return play("playbooks/applications.yml", *application(wheel), *values(stack_release=name, **left_out), *words)


# --- Nobody notices ----------------------------------------------------------------------------------------------------


def test_deployments_under_load(wheel: Path) -> None:
    rows = []
    count = size(1, 20)
    with load(50) as requests:
        for _number in range(count):
            name, started = new_release(), time.monotonic()
            run = release(name, wheel)
            assert run.code == 0, run.output[-4000:]
            rows.append([name, f"{time.monotonic() - started:.1f} s", *versions()])
    seen = requests.result
    rows.append(["all", f"{seen['seconds']} s", f"{seen['sent']} requests", f"{len(seen['failed'])} failed"])
    table("deployments under load: 50 requests/s, new and kept connections, through the gateway", ["release", "took", "app1", "app2"], rows)
    assert seen["sent"] > 20 * seen["seconds"], seen
    assert requests.failed == []
    assert len(seen["releases"]) == count + 1, "the load saw every release answer"
    assert_consistent(name)


def test_documents_complete_exactly_once(wheel: Path) -> None:
    subject, documents, deployments = f"once {time.time()}", size(60, 500), size(1, 10)
    uploading = threading.Thread(target=upload, args=(documents, subject))
    uploading.start()
    for _number in range(deployments):
        run = release(new_release(), wheel)
        assert run.code == 0, run.output[-4000:]
    uploading.join()
    mine = f"FROM documents d WHERE d.owner = '{subject}'"
    deadline = time.monotonic() + 300
    while sql(f"SELECT count(*) {mine} AND d.state NOT IN ('complete', 'failed')") != [["0"]]:
        assert time.monotonic() < deadline, sql(f"SELECT d.state, count(*) {mine} GROUP BY 1")
        time.sleep(1)
    states = sql(f"SELECT d.state, count(*) {mine} GROUP BY 1")
    transitions = sql(
        f"SELECT n, count(*) FROM (SELECT count(*) AS n {mine.replace(' WHERE', ' JOIN transitions t ON t.document_id = d.id WHERE')} "
        "GROUP BY d.id) AS x GROUP BY 1"
    )
    chunks = sql(f"SELECT n, count(*) FROM (SELECT (SELECT count(*) FROM chunks c WHERE c.document_id = d.id) AS n {mine}) AS x GROUP BY 1")
    rows = [[deployments, documents, states, transitions, chunks]]
    table("documents during deployments: every one completes exactly once",
          ["deployments", "documents", "states", "transitions a document", "chunks a document"], rows)  # fmt: skip
    assert states == [["complete", str(documents)]]
    assert transitions == [["8", str(documents)]]
    assert [number for _chunks, number in chunks] == [str(documents)]


def test_the_same_release_again_changes_nothing(wheel: Path, good: str) -> None:
    for words in ([], ["--check"]):
        run = release(good, wheel, *words)
        assert run.code == 0, run.output[-4000:]
        assert "everything is as its deployment left it" in run.words, run.output[-4000:]
        assert run.changed and not any(run.changed.values()), run.changed
    assert_consistent(good)


def test_the_same_release_again_repairs_what_was_changed_by_hand(wheel: Path, good: str) -> None:
    path = f"/etc/docpipe/{live_slot('app1')}/proxy.cfg"
    before = on("app1", "cat", path)
    on("app1", "sh", "-c", f"echo '# by hand' >> {path}")
    predicted, run = release(good, wheel, "--check"), release(good, wheel)
    assert predicted.code == run.code == 0, run.output[-4000:]
    assert predicted.changed == run.changed, (predicted.changed, run.changed)
    assert {host for host, count in run.changed.items() if count} == {"app1"}, run.changed
    assert on("app1", "cat", path) == before
    assert_consistent(good)


@pytest.mark.full
def test_a_proxy_that_restarts_by_itself_sends_nobody_to_the_other_slot(good: str, wheel: Path) -> None:
    deployment = Deployment("playbooks/applications.yml", *application(wheel), *values(stack_release=new_release()))
    # Both slots run now, and only one of them is live.
    assert deployment.wait_for("Compare the canary with the live release")
    on("app1", "systemctl", "kill", "--signal=KILL", "docpipe-proxy.service")
    seen = set()
    for _number in range(20):
        with contextlib.suppress(AssertionError):  # nobody listens for the second until systemd has started it again
            seen.add(version("app1"))
        time.sleep(0.1)
    deployment.kill()
    assert seen == {good}
    assert play("playbooks/recover.yml").code == 0
    assert_consistent(good)


@pytest.mark.full
def test_a_task_longer_than_the_drain_limit_is_requeued(wheel: Path) -> None:
    """Its worker is killed after three seconds; another one gets the task and completes the document."""
    slow = values(**worker_with(stop_seconds=3), stack_environment_variables={
        "STORAGE_BACKEND": "filesystem", "STORAGE_PATH": "/srv/objects/documents", "PUBLIC_URL": "https://127.0.0.1:8443",
        "PARSER": "local", "EMBEDDER": "local", "STAGE_TIMEOUT_SECONDS": "70", "VISIBILITY_TIMEOUT_SECONDS": "75",
    })  # fmt: skip
    assert release(new_release(), wheel, *slow).code == 0
    subject = f"long {time.time()}"
    sql(
        "CREATE FUNCTION slow_chunks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"PERFORM pg_sleep(50) FROM documents WHERE id = NEW.document_id AND owner = '{subject}'; RETURN NEW; END $$; "
        "CREATE TRIGGER slow_chunks BEFORE INSERT ON chunks FOR EACH ROW EXECUTE FUNCTION slow_chunks()"
    )
    upload(1, subject)
    name = new_release()
    run = release(name, wheel, *slow)  # soon enough to stop the old worker in the middle
    assert run.code == 0, run.output[-4000:]
    state_of = f"SELECT state FROM documents WHERE owner = '{subject}'"
    assert sql(state_of) not in ([["complete"]], [["failed"]]), "the task did not last longer than the deployment"
    deadline = time.monotonic() + 240
    while sql(state_of) != [["complete"]]:
        assert time.monotonic() < deadline, sql(state_of)
        time.sleep(1)
    sql("DROP FUNCTION slow_chunks() CASCADE")
    assert any("Killing process" in line or "SIGKILL" in line for host in HOSTS for line in worker_log(host)), "no worker was killed"
    assert_consistent(name)


def worker_log(host: str) -> list[str]:
    return on(host, "journalctl", "-u", "docpipe-worker@*", "--since", "-10min", "--no-pager", "-o", "cat").splitlines()


# --- What fails rolls back ---------------------------------------------------------------------------------------------


FAULTS = [
    ("crashing-worker", "Failed here: Probe the canary with its own document"),
    ("broken-import", "its process ends"),  # in small, tests/applications/test_notes.py has it
    ("unhealthy", "/ready answered 503, wanted 200"),  # in small, the test of the configuration has it
    ("failing", "Failed here: Compare the canary with the live release"),  # in small, test_worse_releases.py has such
]


@pytest.mark.parametrize(("fault", "words"), FAULTS[: size(1, len(FAULTS))])
def test_a_faulty_release_is_rolled_back(fault: str, words: str, good: str, tmp_path: Path) -> None:
    with load(20) as requests:
        run = release(new_release(), wheel_with(fault, tmp_path), judged=True)
    assert run.code != 0
    assert "was rolled back" in run.output and words in run.output, run.output[-6000:]
    assert f"Live on this host now: {good}" in run.output
    assert requests.failed == []
    assert_keeps_secrets(run.output)
    assert_consistent(good)


def test_what_was_written_while_a_failed_release_was_live_stays(good: str, wheel: Path) -> None:
    subject = f"kept {time.time()}"
    deployment = Deployment("playbooks/applications.yml", *application(wheel), *values(stack_release=new_release()))
    deployment.wait_for("Validate the whole stack")
    upload(3, subject)
    deployment.kill()
    assert play("playbooks/recover.yml").code == 0
    assert sql(f"SELECT count(*) FROM documents WHERE owner = '{subject}'") == [["3"]]
    assert_consistent(good)


def test_a_release_that_fails_on_the_second_host_only(good: str, wheel: Path) -> None:
    idle = {"blue": 8002, "green": 8001}[live_slot("app2")]
    squatter = f"import http.server as h; h.HTTPServer(('127.0.0.1', {idle}), h.BaseHTTPRequestHandler).serve_forever()"
    blocked = subprocess.Popen(["docker", "exec", f"{NAME}-app2", "python3", "-c", squatter])
    try:
        with load(20) as requests:
            run = release(new_release(), wheel)
    finally:
        on("app2", "pkill", "-f", "serve_forever")
        blocked.wait(timeout=10)
    assert run.code != 0 and "was rolled back" in run.output, run.output[-6000:]
    assert [entry["phase"] for entry in journal("app1")][-2:] == ["promoted", "rolled back"]
    assert requests.failed == []
    assert_consistent(good)


def test_configuration_is_rolled_back_with_the_release(good: str, tmp_path: Path) -> None:
    paths = {
        "edge1": "/etc/haproxy/haproxy.cfg", "ops1": "/etc/prometheus/prometheus.yml",
        "app1": "/etc/systemd/system/docpipe-worker@.service", "app2": "/etc/docpipe/blue/proxy.cfg",
    }  # fmt: skip
    before = {host: on(host, "cat", path) for host, path in paths.items()}
    changed = values(
        gateway_client_timeout=77, monitoring_scrape_interval="7s", **worker_with(concurrency=3), stack_database_connections=24,
        api_request_seconds=77,
    )  # fmt: skip
    run = deploy(*application(wheel_with("unhealthy", tmp_path)), *values(stack_release=new_release()), *changed)
    assert run.code != 0 and "was rolled back" in run.output, run.output[-6000:]
    assert all(count for host, count in run.changed.items() if host in paths), run.changed
    assert {host: on(host, "cat", path) for host, path in paths.items()} == before
    assert_consistent(good)


def test_a_changed_unit_is_predicted_and_brought_in_without_a_restart(good: str, wheel: Path) -> None:
    words = values(**worker_with(concurrency=3))
    predicted = release(good, wheel, *words, "--check")
    with load(20) as requests:
        run = release(good, wheel, *words)
    assert predicted.code == run.code == 0, run.output[-4000:]
    assert predicted.changed == run.changed and run.changed["app1"], (predicted.changed, run.changed)
    assert "--concurrency 3" in on("app1", "pgrep", "-af", "celery")
    assert requests.failed == []
    assert release(good, wheel).code == 0
    assert "--concurrency 2" in on("app1", "pgrep", "-af", "celery")
    assert_consistent(good)


def test_a_full_disk_leaves_the_old_release_alone(good: str, wheel: Path) -> None:
    releases, aside = "/opt/docpipe/releases", "/opt/docpipe/releases.aside"
    small = f"mv {releases} {aside} && mkdir {releases} && mount -t tmpfs -o size=$(($(du -sk {aside} | cut -f1) + 40))k tmpfs {releases}"
    on("app1", "sh", "-c", f"{small} && cp -a {aside}/. {releases}/")
    try:
        run = release(new_release(), wheel)
    finally:
        on("app1", "sh", "-c", f"umount -l {releases} && rmdir {releases} && mv {aside} {releases}")
    assert run.code != 0
    assert "Is the disk full" in run.output or "The disk is full" in run.output, run.output[-6000:]
    assert_consistent(good)


def test_no_memory_for_the_new_slot(good: str, wheel: Path) -> None:
    slot = {"blue": "green", "green": "blue"}[live_slot("app1")]
    folder = f"/run/systemd/system/docpipe-api@{slot}.service.d"
    on("app1", "sh", "-c", f"mkdir -p {folder} && printf '[Service]\\nLimitAS=40M\\n' > {folder}/test.conf && systemctl daemon-reload")
    try:
        run = release(new_release(), wheel)
    finally:
        on("app1", "sh", "-c", f"rm -r {folder} && systemctl daemon-reload")
    assert run.code != 0 and "api of release" in run.output and "is not healthy in slot" in run.output, run.output[-6000:]
    assert_consistent(good)


def test_a_clock_that_is_off(good: str, tmp_path: Path) -> None:
    on("app1", "apt-get", "install", "-qq", "-y", "--no-install-recommends", "faketime", seconds=300)
    late = "#!/bin/sh\nexec faketime -f -15m /usr/bin/python3 \"$@\"\n"
    on("app1", "sh", "-c", "cat > /usr/local/bin/python3-late && chmod 755 /usr/local/bin/python3-late", text=late)
    (tmp_path / "hosts").write_text("app1 ansible_python_interpreter=/usr/local/bin/python3-late\n", encoding="utf-8")
    run = deploy("-i", str(tmp_path / "hosts"), "--tags", "applications", *values(stack_release=new_release()))
    assert run.code != 0 and "behind the control node's" in run.output, run.output[-4000:]
    assert not any(run.changed.values())
    assert_consistent(good)


# --- Two at once, killed, cut off --------------------------------------------------------------------------------------


class Deployment(RunningPlaybook):
    def __init__(self, playbook: str, *words: str) -> None:
        super().__init__(command(playbook, *words))

    def wait(self, seconds: float = 600) -> Run:
        self.process.wait(timeout=seconds)
        self.reader.join()
        return Run(self.process.returncode, self.output)


def test_two_deployments_at_once(wheel: Path) -> None:
    name = new_release()
    without = values(stack_release=name, release_operator="Ada", stack_skip_validation=True)
    first = Deployment("playbooks/applications.yml", *application(wheel), *without)
    assert first.wait_for("Recover an unfinished run and begin this")
    second = release(new_release(), wheel)
    assert second.code != 0
    assert "a deployment is running: Ada holds the lock since" in second.output, second.output[-4000:]
    assert "was not deployed, and nothing was rolled back" in second.output
    assert not any(second.changed.values())
    assert first.wait().code == 0, first.output[-4000:]
    assert_consistent(name)


def test_a_host_that_is_away_recovers_when_it_returns(good: str, wheel: Path) -> None:
    without = values(stack_release=new_release(), stack_skip_validation=True)
    deployment = Deployment("playbooks/applications.yml", *application(wheel), *without)
    try:
        assert deployment.wait_for("Promote the healthy release")
        subprocess.run(["docker", "pause", f"{NAME}-app2"], check=True, capture_output=True)
        run = deployment.wait()
    finally:
        subprocess.run(["docker", "unpause", f"{NAME}-app2"], check=False, capture_output=True)
    assert run.code != 0 and "UNREACHABLE" in run.output, run.output[-4000:]
    assert "Not reached any more: app2" in run.output, run.output[-6000:]
    assert version("app1") == good
    status = play("playbooks/status.yml")
    assert "app2: run" in status.output and "has not ended" in status.output, status.output[-3000:]
    assert play("playbooks/recover.yml").code == 0
    assert_consistent(good)


BOUNDARIES = [
    "Take the lock on the coordinator",
    "Recover an unfinished run and begin this",
    "Configure units and proxy of both slots",
    "Stage the release in the idle slot",
    "Plan the migrations, or refuse them",
    "Start the canary in the idle slot",
    "Promote the healthy release",
    "Probe the API and its dependencies",
    "Send a document through the pipeline",
    "Journal the finished run for the stack",
    "Journal the finished run on other hosts",
    "Remove the lock from the coordinator",
]


def moments(count: int) -> list[tuple[str, Callable[[Deployment], object]]]:
    """Each boundary of a phase, then random moments of a run; a few of them, spread out, when `count` is small."""
    random.seed(20)
    found: list[tuple[str, Callable[[Deployment], object]]] = [
        (f"at: {name}", lambda deployment, name=name: deployment.wait_for(f"{name}")) for name in BOUNDARIES
    ]
    while len(found) < count:
        after = random.uniform(2, 30)
        found.append((f"after {after:.1f} s", lambda _deployment, after=after: time.sleep(after)))
    step = len(found) / count
    return [found[int(number * step + step / 2)] for number in range(count)]


def test_a_killed_control_node_leaves_nothing_unrecovered(wheel: Path) -> None:
    rows = []
    with load(10) as requests:
        for number, (moment, reach) in enumerate(moments(size(1, 26))):
            before, name = version("app1"), new_release()
            deployment = Deployment("playbooks/applications.yml", *application(wheel), *values(stack_release=name))
            assert reach(deployment) is not False, f"{moment}: {deployment.output[-3000:]}"
            task = deployment.kill()
            found = state()
            started = time.monotonic()
            if number % 2:
                caller, run = "recover", play("playbooks/recover.yml")
            else:
                caller, run = "deploy", release(new_release(), wheel)
            assert run.code == 0, f"{moment}: {run.output[-4000:]}"
            after = version("app1")
            rows.append([number + 1, moment, task.removeprefix("parity.stack."), _words(found, before, name), caller,
                         {before: "old", name: "killed one's"}.get(after, "new"), f"{time.monotonic() - started:.0f} s"])  # fmt: skip
            assert_consistent(after)
            assert caller == "recover" or after not in (before, name)
    rows.append(["", "all", "", f"{requests.result['sent']} requests", "", f"{len(requests.failed)} failed", ""])
    table("kills of the control node: what was found, and what recovered it",
          ["no", "killed", "at task", "found", "recovered by", "release after", "took"], rows)  # fmt: skip
    assert requests.failed == []


def _words(found: dict, before: str, name: str) -> str:
    short = {before: "old", name: "new"}
    hosts = " ".join(f"{host}:{short.get(found[host]['version'], found[host]['version'])}" for host in HOSTS)
    more = sum(len(found[host]["units"]) for host in HOSTS) - 4
    return f"{hosts} {'locked' if found['lock'] else 'unlocked'}{f' {more:+d} units' if more else ''}"


def test_rollback_goes_to_the_release_before_and_forward_again(good: str, wheel: Path) -> None:
    name = new_release()
    assert release(name, wheel).code == 0
    predicted = play("playbooks/rollback.yml", "--check")
    with load(20) as requests:
        run = play("playbooks/rollback.yml")
    assert predicted.code == run.code == 0, run.output[-4000:]
    assert predicted.changed == run.changed and run.changed["app1"] and run.changed["app2"]
    assert_consistent(good)
    refused = play("playbooks/rollback.yml", *values(stack_release="v9.9.9"))
    assert refused.code != 0 and "v9.9.9 never finished a deployment" in refused.output and not any(refused.changed.values())
    assert play("playbooks/rollback.yml", *values(stack_release=name)).code == 0
    again = play("playbooks/rollback.yml", *values(stack_release=name))
    assert again.code == 0 and not any(again.changed.values()), again.output[-3000:]
    assert requests.failed == []
    assert_consistent(name)
