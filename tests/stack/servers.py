# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a whole-stack test, and what can be asked of them. `tools/test.py stack` and `make prove` bring them up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from ansible_collections.parity.stack.plugins.module_utils.http_client import jwt
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf

ROOT = Path(__file__).parents[2]
NAME = os.environ["PARITY_LOCAL_NAME"]
STATE = ROOT / ".cache" / NAME
HOSTS = ("app1", "app2")
#: `make prove` runs the scenarios at full size; `make test` runs a small size of each.
FULL = os.environ.get("PARITY_PROVE") == "1"

# The gateway limits how many requests one address may send; the load of a test (50 a second) comes from one address. A validation still
# reaches this limit.
INVENTORY = {"gateway_rate_limit": {"requests": 1000, "seconds": 10}}

# What comes after the switch is measured where it is tested (test_worse_releases.py), and not with each release that a test deploys.
NOT_MEASURED = {"stack_baseline": "/not/measured", "baseline_requests_counter": ""}


def size(small: int, full: int) -> int:
    return full if FULL else small


class Run:
    """What a playbook printed, and how many changes it reported for each host."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output
        recap = re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
        self.changed = {host: int(changed) for host, changed in recap}
        #: What was said, wherever its lines were folded.
        self.words = " ".join(output.split())


def command(playbook: str, *words: str) -> list[str]:
    return ["ansible-playbook", playbook, "-i", "inventories/local", *values(**INVENTORY), *words]


def play(playbook: str, *words: str, seconds: float = 900) -> Run:
    done = subprocess.run(
        command(playbook, *words), cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Run(done.returncode, done.stdout + done.stderr)


def deploy(*words: str) -> Run:
    return play("deploy.yml", *words)


def values(**given: object) -> list[str]:
    return ["-e", json.dumps(given)]


def on(host: str, *words: str, text: str | None = None, seconds: float = 60) -> str:
    """Run a command on a server and return what it prints; its failure is the test's."""
    interactive = [] if text is None else ["-i"]
    done = subprocess.run(
        ["docker", "exec", *interactive, f"{NAME}-{host}", *words],
        input=text, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words} on {host}: {done.stdout}{done.stderr}"
    return done.stdout


def python_on(host: str, program: str, *words: str, seconds: float = 60) -> str:
    return on(host, "python3", "-", *words, text=program, seconds=seconds)


def version(host: str) -> str:
    """The release the gateway's backend on `host` answers with, asked from the gateway's own server."""
    program = f"import urllib.request as r; print(r.urlopen('http://{host}:8000/version', timeout=10).read().decode())"
    return json.loads(python_on("edge1", program))["release"]


def versions() -> list[str]:
    return [version(host) for host in HOSTS]


def running_units(host: str) -> list[str]:
    """The instances of the application's units that run, whichever slot they are in."""
    units = on(host, "systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,deactivating", "docpipe-*@*")
    return sorted(line.split()[0] for line in units.splitlines())


def wait_for_the_one_before(host: str, seconds: float = 120) -> None:
    """Until nothing is about to end: a worker that was live before finishes its tasks without anybody waiting for it."""
    deadline = time.monotonic() + seconds
    while ending := on(host, "systemctl", "list-units", "--plain", "--no-legend", "--state=deactivating", "docpipe-*@*").strip():
        assert time.monotonic() < deadline, f"{host}: still ending after {seconds:.0f} s: {ending}"
        time.sleep(0.5)


def live_slot(host: str) -> str:
    return on(host, "readlink", "/etc/docpipe/live").strip()


def journal(host: str) -> list[dict]:
    return [json.loads(line) for line in on(host, "cat", "/var/lib/docpipe/journal.jsonl").splitlines()]


def state() -> dict:
    """What a look at the hosts shows, independently of Parity: what answers, what runs, who holds the lock."""
    seen: dict = {"lock": "deploy.lock" in on("app1", "ls", "-A", "/var/lib/docpipe")}
    for host in HOSTS:
        try:
            answered = version(host)
        except (AssertionError, ValueError):
            answered = "nothing"
        seen[host] = {"version": answered, "slot": live_slot(host), "units": running_units(host)}
    return seen


def assert_consistent(release: str) -> None:
    """Both hosts serve `release` from one slot each, nothing else runs, nobody holds the lock, every run has ended."""
    for host in HOSTS:
        wait_for_the_one_before(host)
    seen = state()
    for host in HOSTS:
        slot = seen[host]["slot"]
        wanted = [f"docpipe-api@{slot}.service", f"docpipe-worker@{slot}.service"]
        assert seen[host] == {"version": release, "slot": slot, "units": wanted}, seen
        runs = {entry["run"] for entry in journal(host) if entry["phase"] == "begun"}
        ended = {entry["run"] for entry in journal(host) if entry["phase"] in ("finished", "rolled back")}
        assert runs <= ended, f"{host}: runs without an end: {runs - ended}"
    assert not seen["lock"], seen


def secrets() -> list[str]:
    return [path.read_text(encoding="utf-8").split()[0] for path in (STATE / "secrets").iterdir()]


def assert_keeps_secrets(output: str) -> None:
    assert secrets()
    assert not [secret for secret in secrets() if secret in output]


def application(wheel: Path) -> list[str]:
    """The arguments that deploy a wheel instead of the sources; the rest of the release stays the same."""
    source = ROOT / "examples/docpipe"
    return values(
        stack_application=str(wheel),
        stack_application_lock=str(source / "requirements.lock"),
        stack_application_migrations=str(source / "supabase/migrations"),
    )


def worker_with(**keys: object) -> dict:
    """The processes of the inventory, with some keys of the worker changed."""
    written = (ROOT / "inventories/local/group_vars/all/application.yml").read_text(encoding="utf-8")
    processes = yaml.safe_load(written)["stack_processes"]
    return {"stack_processes": {**processes, "worker": {**processes["worker"], **keys}}}


def sql(query: str) -> list[list[str]]:
    """Rows of the application's database, asked on its server."""
    words = ["runuser", "-u", "postgres", "--", "psql", "-d", "docpipe", "-XAt", "-F", "\t", "-c", query]
    return [line.split("\t") for line in on("data1", *words).splitlines()]


class Load:
    """Requests through the gateway, half of them on new connections, sent from inside the private network."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.result: dict = {}

    @property
    def failed(self) -> list[str]:
        return self.result["failed"]


@contextlib.contextmanager
def load(rate: float = 50) -> Iterator[Load]:
    """Send `rate` requests a second for as long as the block runs, at most half an hour."""
    running = Load(rate)
    on("ops1", "rm", "-f", "/run/load.stop")
    on("ops1", "sh", "-c", "cat > /run/load.py", text=(Path(__file__).parent / "load.py").read_text(encoding="utf-8"))
    sender = subprocess.Popen(
        ["docker", "exec", "-i", f"{NAME}-ops1", "python3", "/run/load.py", str(rate), "/run/load.stop"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        on("ops1", "touch", "/run/load.stop")
        printed = sender.communicate(timeout=60)[0]
        running.result = json.loads(printed)


def token(subject: str = "tester", **claims: object) -> str:
    key = (STATE / "secrets/jwt").read_text(encoding="utf-8").split()[0]
    return jwt(key, {"sub": subject, "aud": "docpipe", "exp": int(time.time()) + 7200, **claims})


def upload(count: int, subject: str) -> None:
    """Upload `count` small documents through the gateway, from inside the private network."""
    on("ops1", "sh", "-c", "cat > /run/document.pdf", text=pdf.page([f"A page of {subject}."]).decode("ascii"))
    program = (Path(__file__).parent / "upload.py").read_text(encoding="utf-8")
    on("ops1", "sh", "-c", "umask 077; cat > /run/token", text=token(subject))
    print(python_on("ops1", program, str(count), seconds=900))
