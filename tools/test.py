#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/test.py [PART... | molecule SCENARIO...]: runs every check, or those of some parts, and ends with `N passed, N failed`.

`checks` says what there is, what each needs, and how long it takes. Checks run side by side, one for each core, the longest first; the
whole stack comes last, because it measures: beside it run only those that need one core and no container, one at a time and with the
lowest priority. Whatever fails, the others still run. Logs are in .cache/test/logs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as tree
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".cache" / "test"
LOGS = WORK / "logs"
DOCPIPE = ROOT / "examples" / "docpipe"
STACK = {
    "PARITY_LOCAL_NAME": "parity-test",
    "PARITY_LOCAL_NET": os.environ.get("PARITY_TEST_NET", "172.29.84"),
    "PARITY_LOCAL_PORTS": "false",
}
SHOWN = 400  # lines of a failed check's log

Command = list[str]
#: How many tests passed and failed, from a log (and the JUnit file beside it) and the exit code.
Count = Callable[[str, int, Path], tuple[int, int]]


# --- Counting ---------------------------------------------------------------------------------------------------------


def one(_log: str, code: int, _xml: Path) -> tuple[int, int]:
    """A command is one test."""
    return (1, 0) if code == 0 else (0, 1)


def junit(_log: str, _code: int, xml: Path) -> tuple[int, int]:
    """Pytest's own numbers. A skipped test is none."""
    try:
        suites = list(tree.parse(xml).iter("testsuite"))  # noqa: S314 (pytest wrote it)
    except (OSError, tree.ParseError):
        return 0, 1
    number = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    failed = number["failures"] + number["errors"]
    return number["tests"] - failed - number["skipped"], failed


def sanity(log: str, _code: int, _xml: Path) -> tuple[int, int]:
    """`All targets skipped` ends with success; here it is a failure."""
    total = len(re.findall(r"(?m)^Running sanity test ", log))
    found = re.search(r"(?m)^FATAL: The (\d+) sanity test\(s\) listed below", log)
    failed = int(found[1]) if found else 0
    return (total - failed, failed) if total else (0, 1)


def molecule(log: str, _code: int, _xml: Path) -> tuple[int, int]:
    """The steps of a scenario, from Molecule's table at its end."""
    rows = re.findall(r"(?m)^\S+ +: actions=.*$", log)
    number = {key: sum(int(value) for row in rows for value in re.findall(rf"\b{key}=(\d+)", row)) for key in ("successful", "failed")}
    return number["successful"], number["failed"]


# --- What there is to run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One check: a part has one or several. `seconds` is about what it takes on one core of two, when nothing is known yet."""

    part: str
    name: str
    command: Command
    count: Count
    seconds: int
    needs: tuple[str, ...] = ("tools",)
    alone: bool = False
    #: Runs beside what runs alone, with the lowest priority.
    beside: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    services: Callable[[Runner, str], contextlib.AbstractContextManager[dict[str, str]]] | None = None

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-zA-Z0-9]+", "-", self.name)


def pytest(slug: str, *words: str) -> Command:
    return ["python", "-m", "pytest", f"--junit-xml={LOGS / slug}.xml", *words]


def scripts() -> list[str]:
    """The shell scripts of tools and .ci, that git knows or would add."""
    words = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "--", "tools", ".ci"]
    names = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    heads = {name: (ROOT / name).read_text(encoding="utf-8")[:200] for name in names if name and (ROOT / name).is_file()}
    return [name for name, head in heads.items() if re.search(r"^#!.*(bash|sh)$|shellcheck shell=", head, re.MULTILINE)]


#: About how long each scenario takes. One that is missing here runs first.
SCENARIOS = {
    "backup": 620,
    "database": 600,
    "monitoring": 390,
    "backup-point-in-time": 320,
    "baseline": 245,
    "database-replica": 240,
    "broker-rabbitmq": 205,
    "gateway": 200,
    "storage": 160,
    "storage-s3": 145,
    "release": 145,
    "storage-supabase": 125,
    "runtime": 105,
    "validation": 90,
    "api": 85,
    "broker": 80,
    "worker": 75,
    "preflight": 60,
}


#: `make prove` (PARITY_PROVE=1) runs every scenario on every distribution. `make test` leaves these scenarios to it, whose roles have
#: another one, and runs these on one distribution, on which they find what they find on both.
PROVE = os.environ.get("PARITY_PROVE") == "1"
IN_PROVE = ("backup-point-in-time", "database-replica")
ON_ONE = {
    "backup": "trixie", "broker-rabbitmq": "trixie", "database": "bookworm", "gateway": "bookworm", "monitoring": "bookworm",
    "runtime": "trixie",
}  # fmt: skip


def scenario(name: str) -> Command:
    """The command that runs a scenario."""
    platform = [] if PROVE or name not in ON_ONE else ["--platform-name", f"{name}-{ON_ONE[name]}"]
    return ["molecule", "test", "--scenario-name", name, *platform]


def scenarios() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def checks() -> list[Check]:
    """Every check, in the order of the parts."""
    python = str(WORK / "application" / "bin" / "python")
    engine = ("tools", "engine")
    found = [
        Check("lint", "yamllint", ["yamllint", "--strict", "."], one, 10),
        Check("lint", "ruff", ["ruff", "check", "--output-format", "concise", "."], one, 2),
        Check("lint", "shellcheck", ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *scripts()], one, 2),
        Check("lint", "changelog fragments", ["antsibull-changelog", "lint"], one, 3),
        Check("lint", "ansible-lint (profile production)", ["ansible-lint", "--nocolor"], one, 100, beside=True),
        Check("unit", "unit tests", pytest("unit-tests"), junit, 180, beside=True),
        Check("sanity", "ansible-test sanity", ["tools/sanity"], sanity, 150, beside=True),
        Check("database", "database tests", pytest("database-tests", "tests/database"), junit, 150, engine, services=postgresql_redis),
        Check("application", "application tests", [python, "-m", "pytest", f"--junit-xml={LOGS}/application-tests.xml"], junit, 120,
              (*engine, "application environment"), services=application_services),
        Check("application", "application types", [python, "-m", "mypy", "--cache-dir", str(WORK / "mypy"), "src"], one, 30,
              ("tools", "application environment"), beside=True),
        *(
            Check("molecule", f"molecule {name}", scenario(name), molecule, SCENARIOS.get(name, 999), engine,
                  environment={"MOLECULE_EPHEMERAL_DIRECTORY": str(WORK / "molecule" / name), "PY_COLORS": "0", "COLUMNS": "160"})
            for name in scenarios()
        ),
        Check("applications", "applications of others", pytest("applications-of-others", "-x", "-v", "tests/applications"), junit, 400,
              engine),
        Check("stack", "whole stack", pytest("whole-stack", "-x", "-v", "--durations=12", "tests/stack"), junit, 1500, engine, alone=True,
              environment=STACK, services=stack_servers),
    ]  # fmt: skip
    return found


_UV = ["uv", "pip", "{}", "--quiet", "--python", f"{WORK}/application/bin/python"]
_EDITABLE = ["--constraints", f"{DOCPIPE}/requirements.lock", "--group", f"{DOCPIPE}/pyproject.toml:test", "--editable", str(DOCPIPE)]
#: What checks cannot do without, once a run: commands, and what has to be ready before.
SETUPS: dict[str, tuple[list[Command], tuple[str, ...]]] = {
    "tools": ([["tools/bootstrap"]], ()),
    "engine": ([["tools/engine"], ["tools/images", "bookworm", "trixie"]], ("tools",)),
    "application environment": (
        [
            ["uv", "venv", "--quiet", "--allow-existing", f"{WORK}/application"],
            [word.format("sync") for word in _UV] + ["--require-hashes", f"{DOCPIPE}/requirements.lock"],
            [word.format("install") for word in _UV] + _EDITABLE,
        ],
        ("tools",),
    ),
}


# --- Services in containers -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def container(runner: Runner, log: str, image: str, ports: list[int], script: str) -> Iterator[dict[int, str]]:
    """A container with a service in it. Gives the published address of each port."""
    name = f"parity-test-{Path(script).stem}-{log}-{os.getpid()}"
    publish = [word for port in ports for word in ("--publish", f"127.0.0.1::{port}")]
    try:
        runner.must(["docker", "run", "--detach", "--name", name, *publish, f"parity/debian:{image}", "sleep", "infinity"], log)
        runner.must(["docker", "exec", "--interactive", name, "bash"], log, stdin=ROOT / "tools" / "services" / script)
        yield {port: runner.must(["docker", "port", name, f"{port}/tcp"], log).split()[0] for port in ports}
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


@contextlib.contextmanager
def postgresql_redis(runner: Runner, log: str) -> Iterator[dict[str, str]]:
    with container(runner, log, "bookworm", [5432, 6379], "postgresql-redis.sh") as at:
        url = f"postgresql://tester:tester@{at[5432]}/tester"
        redis = f"redis://:tester@{at[6379]}/0"
        yield {"PARITY_TEST_DATABASE_URL": url, "DOCPIPE_TEST_DATABASE_URL": url, "DOCPIPE_TEST_BROKER_URL": redis}


@contextlib.contextmanager
def application_services(runner: Runner, log: str) -> Iterator[dict[str, str]]:
    with postgresql_redis(runner, log) as urls, container(runner, log, "trixie", [8000], "s3.sh") as at:
        yield {**urls, "DOCPIPE_TEST_S3_URL": f"http://tester:tester@{at[8000]}"}


@contextlib.contextmanager
def stack_servers(runner: Runner, log: str) -> Iterator[dict[str, str]]:
    """Servers of the tests' own, beside those of `make demo`, with nothing published."""
    environment = {**runner.environment, **STACK}
    subprocess.run(["tools/local", "down"], cwd=ROOT, env=environment, capture_output=True, check=False)
    try:
        runner.must(["tools/local", "up"], log, STACK)
        yield {}
    finally:
        subprocess.run(["tools/local", "down"], cwd=ROOT, env=environment, capture_output=True, check=False)


# --- Running ----------------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A command that a check needs has failed; its log says why."""


class Runner:
    """Runs commands in process groups of their own, which `end` ends, and writes what they say to logs."""

    def __init__(self) -> None:
        self.environment = {
            **os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "NO_COLOR": "1", "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg",
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.cache/collections",
        }  # fmt: skip
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.groups: set[int] = set()

    def run(
        self,
        command: Command,
        log: str,
        environment: dict[str, str] | None = None,
        *,
        cwd: Path = ROOT,
        stdin: Path | None = None,
        lowest: bool = False,
    ) -> int:
        """The exit code of a command that appends to a log. With `lowest`, whatever else runs comes first."""
        with (LOGS / f"{log}.log").open("ab") as file, (stdin or Path(os.devnull)).open("rb") as given:
            with self.lock:
                if self.ended.is_set():
                    raise Failed("ended")
                process = subprocess.Popen(
                    [*(("nice", "-n", "19") if lowest else ()), self._program(command[0]), *command[1:]],
                    cwd=cwd, env={**self.environment, **(environment or {})}, stdin=given, stdout=file, stderr=file, start_new_session=True,
                )  # fmt: skip
                self.groups.add(process.pid)
                if lowest:  # where the kernel shares by session, the one process has no say beside those of others
                    with contextlib.suppress(OSError):
                        Path(f"/proc/{process.pid}/autogroup").write_text("19", encoding="ascii")
            code = process.wait()
            with self.lock:
                self.groups.discard(process.pid)
            return code

    def _program(self, name: str) -> str:
        return str(ROOT / name) if "/" in name else shutil.which(name, path=self.environment["PATH"]) or name

    def must(self, command: Command, log: str, environment: dict[str, str] | None = None, *, stdin: Path | None = None) -> str:
        """What a command says; Failed where it fails."""
        path = LOGS / f"{log}.log"
        before = path.stat().st_size if path.exists() else 0
        if self.run(command, log, environment, stdin=stdin) != 0:
            raise Failed(" ".join(command))
        return path.read_bytes()[before:].decode(errors="replace")

    def end(self) -> None:
        """End what runs: politely, then not."""
        self.ended.set()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.lock:
                groups = list(self.groups)
            for group in groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            until = time.monotonic() + 10
            while self.groups and time.monotonic() < until:
                time.sleep(0.2)


@dataclass
class Result:
    name: str
    passed: int
    failed: int
    seconds: float
    log: str


class Session:
    """One run of tools/test.py: set-ups once, checks side by side, results as they come."""

    def __init__(self, wanted: list[Check], lanes: int) -> None:
        self.wanted = wanted
        self.lanes = lanes
        self.runner = Runner()
        self.results: list[Result] = []
        self.running: set[str] = set()
        self.ready: dict[str, Future[bool]] = {}
        self.print_lock = threading.Lock()
        self.began = time.monotonic()

    def run(self) -> None:
        with ThreadPoolExecutor(16) as pool:
            for name in SETUPS:  # in an order in which what is needed comes before
                if any(name in check.needs for check in self.wanted):
                    self.ready[name] = pool.submit(self._set_up, name)
            alone = [check for check in self.wanted if check.alone]
            others = sorted((check for check in self.wanted if not check.alone), key=lambda check: -check.seconds)
            beside = [check for check in others if check.beside and alone]
            side_by_side = [check for check in others if check not in beside]
            for future in [pool.submit(self._lane, side_by_side) for _ in range(self.lanes)]:
                future.result()
            rest = pool.submit(self._lane, beside, lowest=True)
            for check in alone:
                if not self.runner.ended.is_set():
                    self._check(check)
            rest.result()

    def _set_up(self, name: str) -> bool:
        commands, needs = SETUPS[name]
        if not all(self.ready[need].result() for need in needs):
            return False
        started = time.monotonic()
        log = "set-up-" + name.replace(" ", "-")
        (LOGS / f"{log}.log").unlink(missing_ok=True)
        code = next((code for command in commands if (code := self.runner.run(command, log))), 0)
        self._told(Result(f"set-up: {name}", 0, int(code != 0), time.monotonic() - started, log))
        return code == 0

    def _lane(self, queue: list[Check], *, lowest: bool = False) -> None:
        """Takes the longest check whose set-ups are done, until none is left."""
        while not self.runner.ended.is_set():
            with self.runner.lock:
                if not queue:
                    return
                check = next((one for one in queue if all(self.ready[need].done() for need in one.needs)), None)
                if check:
                    queue.remove(check)
            if check:
                self._check(check, lowest=lowest)
            else:
                time.sleep(0.2)

    def _check(self, check: Check, *, lowest: bool = False) -> None:
        if not all(self.ready[need].result() for need in check.needs):
            return  # the set-up that failed is a failure already
        started, log = time.monotonic(), check.slug
        for old in (LOGS / f"{log}.log", LOGS / f"{log}.xml"):
            old.unlink(missing_ok=True)
        self.running.add(log)
        try:
            with check.services(self.runner, log) if check.services else contextlib.nullcontext({}) as urls:
                cwd = DOCPIPE if check.part == "application" else ROOT
                code = self.runner.run(check.command, log, {**check.environment, **urls}, cwd=cwd, lowest=lowest)
            text = (LOGS / f"{log}.log").read_text(encoding="utf-8", errors="replace")
            passed, failed = check.count(text, code, LOGS / f"{log}.xml")
            failed = failed or int(code != 0)
        except Failed:
            passed, failed = 0, 1
        self.running.discard(log)
        if self.runner.ended.is_set():
            self.running.add(log)
            return
        seconds = time.monotonic() - started
        self._told(Result(check.name, passed, failed, seconds, log))

    def _told(self, result: Result) -> None:
        with self.print_lock:
            self.results.append(result)
            words = f"{result.passed:5d} passed" * bool(result.passed) + f"{result.failed:5d} failed" * bool(result.failed)
            print(f"{time.monotonic() - self.began:5.0f} s  {result.name:<40}{result.seconds:5.0f} s {words}", flush=True)
            if result.failed:
                show(result.log)

    def finish(self) -> int:
        """The last lines, and the exit code."""
        ran = {result.name for result in self.results}
        left_out = [check.name for check in self.wanted if check.name not in ran]
        passed = sum(result.passed for result in self.results)
        failed = sum(result.failed for result in self.results) + len(left_out)
        print()
        if failed:
            print("What failed:")
            for result in self.results:
                if result.failed:
                    print(f"  {result.name:<42}{result.failed:3d} failed  {(LOGS / result.log).relative_to(ROOT)}.log")
            for name in left_out:
                print(f"  {name:<42}did not run")
        print(f"{passed} passed, {failed} failed", flush=True)
        return int(failed > 0 or passed == 0)


def show(log: str) -> None:
    """The end of a log."""
    lines = (LOGS / f"{log}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN:]
    print("\n".join([f"--- {(LOGS / log).relative_to(ROOT)}.log", *lines, "---"]), flush=True)


def destroy(running: set[str]) -> None:
    """Remove the containers of services and scenarios that were ended."""
    mine = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"name=^parity-test-.*-{os.getpid()}$"], capture_output=True, text=True, check=False
    )
    if mine.stdout.split():
        subprocess.run(["docker", "rm", "--force", "--volumes", *mine.stdout.split()], capture_output=True, check=False)
    for name in scenarios():
        if re.sub(r"[^a-zA-Z0-9]+", "-", f"molecule {name}") in running:
            environment = {**Runner().environment, "MOLECULE_EPHEMERAL_DIRECTORY": str(WORK / "molecule" / name)}
            words = [f"{ROOT}/.venv/bin/molecule", "destroy", "--scenario-name", name]
            subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False)


def chosen(words: list[str]) -> list[Check]:
    """The checks of some parts, of all where none is named. Names beside the part molecule are scenarios.

    Exits where there is no such part or scenario.
    """
    every = checks()
    parts = list(dict.fromkeys(check.part for check in every))
    wanted = [word for word in words if word in parts] if words and words != ["all"] else parts
    names = [word for word in words if word not in (*parts, "all")]
    unknown = sorted(set(names) - set(scenarios()))
    if names and "molecule" not in words:
        sys.exit(f"error: there is no part {', '.join(names)}. Parts: all, {', '.join(parts)}")
    if unknown:
        sys.exit(f"error: there is no scenario {', '.join(unknown)}. Scenarios: {', '.join(scenarios())}")
    by_default = [name for name in scenarios() if PROVE or name not in IN_PROVE]
    return [
        check
        for check in every
        if check.part in wanted and (check.part != "molecule" or check.name.removeprefix("molecule ") in (names or by_default))
    ]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("words", nargs="*", metavar="PART or SCENARIO", default=["all"])
    given = arguments.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    lanes = int(os.environ.get("PARITY_TEST_LANES", min(max(os.cpu_count() or 2, 2), 4)))
    session = Session(chosen(given.words), lanes)

    def stop(number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        running = set(session.running)
        for log in sorted(running):  # where it was, for whoever has only this output
            show(log)
        session.runner.end()
        destroy(running)
        subprocess.run(["tools/local", "down"], cwd=ROOT, env={**session.runner.environment, **STACK}, capture_output=True, check=False)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    session.run()
    return session.finish()


if __name__ == "__main__":
    sys.exit(main())
