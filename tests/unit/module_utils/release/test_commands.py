# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that build a release, and those that run once for it: what they get, what is left of them, and what their failure says."""

from __future__ import annotations

import getpass
import os
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import commands, journal
from ansible_collections.parity.stack.plugins.module_utils.release.commands import Build, Command, Place
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Installer
from ansible_collections.parity.stack.plugins.module_utils.release.once import ReleaseCommands, Variables
from ansible_collections.parity.stack.plugins.module_utils.release.planner import Planner
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Service, program_variables
from release_host import Killed, Stack

ME = getpass.getuser()
COLLECT = Command(["python", "-m", "collect", "--to", "{build}"], {"ROOT": "{build}/static"})


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(os, "chown", lambda *_given, **_more: None)
    return Stack(tmp_path, monkeypatch)


class Executed:
    """What was run, and the answers to it."""

    def __init__(self, *answers: tuple[int, str, str] | BaseException) -> None:
        self.answers: list = list(answers)
        self.calls: list[tuple[list[str], dict[str, str], Path]] = []

    def __call__(self, words: list[str], environment: dict[str, str], directory: Path, seconds: int) -> tuple[int, str, str]:
        self.calls.append((words, environment, directory))
        if self.answers and isinstance(error := self.answers[0], BaseException):
            del self.answers[0]
            raise error
        return self.answers.pop(0) if self.answers else (0, "", "")


def test_a_command_gets_the_environment_of_the_process_and_the_build_directory(tmp_path: Path) -> None:
    executed = Executed()
    place = Place(tmp_path / "v1", tmp_path / "v1" / "build", ME)
    commands.run(COLLECT, place, {"A": "{build}", "PATH": "/mine", "PORT": 1}, executed)
    words, environment, directory = executed.calls[0]
    assert words == ["python", "-m", "collect", "--to", str(place.build)] and directory == tmp_path / "v1/app"
    assert environment["A"] == str(place.build) and environment["ROOT"] == f"{place.build}/static" and environment["PORT"] == "1"
    assert environment["PATH"].startswith(f"{tmp_path}/v1/venv/bin:") and environment["APP_RELEASE"] == "v1"
    assert not Path(environment["HOME"]).exists()  # its home is gone


@pytest.mark.skipif(os.getuid() != 0, reason="only root may run it as somebody")
@pytest.mark.parametrize(
    ("words", "seconds", "code", "said"),
    [
        ([sys.executable, "-c", "import os; print(os.getcwd()); raise SystemExit(3)"], 20, 3, "/app"),
        (["sleep", "20"], 1, 124, "it did not end within 1 s"),
        (["nothing_of_this_name"], 1, 127, "nothing_of_this_name cannot be run: No such file or directory"),
    ],
)
def test_it_is_run(tmp_path: Path, words: list[str], seconds: int, code: int, said: str) -> None:
    (tmp_path / "app").mkdir()
    began = time.monotonic()
    found = commands.run(Command(words, seconds=seconds), Place(tmp_path, tmp_path / "build", ME), {})
    assert found[0] == code and said in found[1] + found[2] and time.monotonic() - began < 15


TRACEBACK = """1 file
Traceback (most recent call last):
  File "manage.py", line 3, in <module>
    main()
module.Wrong: SECRET_KEY is hunter22
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TRACEBACK, "module.Wrong: SECRET_KEY is hunter22"),
        (f"{TRACEBACK}and more", "module.Wrong: SECRET_KEY is hunter22"),
        ("CommandError: no such app.\n\n----\n", "CommandError: no such app"),
        ("", "it says nothing"),
    ],
)
def test_the_telling_line(text: str, line: str) -> None:
    assert commands.telling_line(text) == line


def test_a_failure_has_no_secret_in_it() -> None:
    error = str(commands.failure("The build command", Command(["x", "hunter22"]), (1, "", TRACEBACK), ["hunter22"]))
    assert error.startswith(
        "The build command `x ********` failed with exit status 1: module.Wrong: SECRET_KEY is ********. Its last lines:"
    )
    assert "hunter22" not in error


# --- Building -----------------------------------------------------------------------------------------------------------


def stage(stack: Stack, run_id: str, build: list[Command], executed: Executed, release: str = "v1") -> None:
    run = Run(Planner(stack.host, run_id, build))
    run.begin(release)
    made = Build(build, ME, {"A": "b"}, {"KEY": "hunter22"})
    installer = Installer(stack.layout, stack.host.run, python="python3", uv="uv", build=_with(made, executed))
    run.stage(release, stack.artifact(release), installer)


def _with(build: Build, executed: Executed) -> Build:
    class Tried(Build):
        def run(self, release: Path, directory: Path, execute: object = None) -> None:
            super().run(release, directory, executed)

    return Tried(build.commands, build.user, build.environment, build.secrets)


def test_a_release_is_built_once(stack: Stack) -> None:
    executed = Executed()
    stage(stack, "one", [COLLECT], executed)
    stage(stack, "one", [COLLECT], executed)
    assert len(executed.calls) == 1 and executed.calls[0][1]["KEY"] == "hunter22"
    assert stack.layout.build("v1").is_dir() and stack.layout.manifest("v1")["build"] == commands.digest([COLLECT])
    stage(stack, "one", [COLLECT, COLLECT], executed)  # it was never live: what builds it may change
    assert len(executed.calls) == 3


@pytest.mark.parametrize("answer", [(1, "", "CommandError: no"), Killed()])
def test_a_release_that_is_half_built_is_not_staged(stack: Stack, answer: object) -> None:
    with pytest.raises((ParityError, Killed)):
        stage(stack, "one", [COLLECT], Executed(answer))
    plan = Planner(stack.host, "one", [COLLECT])
    assert stack.layout.manifest("v1") == {} and "application" in plan.missing("v1", "key", "sha of v1")
    executed = Executed()
    stage(stack, "one", [COLLECT], executed)
    assert len(executed.calls) == 1 and plan.complete("v1", "sha of v1")


def test_a_release_that_was_live_is_not_built_in_another_way(stack: Stack) -> None:
    stack.deploy("v1", "one")
    with pytest.raises(ParityError, match="built by other commands than stack_build_commands has now"):
        Planner(stack.host, "two", [COLLECT]).reasons("v1", "sha of v1")
    assert Planner(stack.host, "two", [COLLECT]).reasons("v2", "sha of v2")


def test_the_dry_run_names_the_commands(stack: Stack) -> None:
    diff = Planner(stack.host, "one", [COLLECT]).environment_diff("v1", built=False)
    assert "build: python -m collect --to '{build}'\n" in diff["after"]


def test_processes_find_the_build_in_their_environment(stack: Stack) -> None:
    stack.host.services[0].environment["ROOT"] = "{build}"
    stack.deploy("v1", "one")
    assert f'ROOT="{stack.layout.build("v1")}"\n' in stack.layout.environment("blue", "api").read_text(encoding="utf-8")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_what_was_built_is_roots_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x", encoding="utf-8")
    build = tmp_path / "build"
    (build / "deep").mkdir(parents=True)
    (build / "deep" / "a.css").write_text("a", encoding="utf-8")
    (build / "deep" / "link").symlink_to(outside)
    for path in (outside, build, build / "deep", build / "deep" / "a.css"):
        os.chown(path, 1234, 1234)
        path.chmod(0o700 if path.is_dir() else 0o600)
    os.chown(build / "deep" / "link", 1234, 1234, follow_symlinks=False)
    (build / "of_others").write_text("x", encoding="utf-8")
    os.chown(build / "of_others", 5678, 5678)
    commands._seal(build, 1234)
    sealed = [build, build / "deep", build / "deep" / "a.css"]
    assert [(path.stat().st_uid, path.stat().st_mode & 0o777) for path in sealed] == [(0, 0o755), (0, 0o755), (0, 0o644)]
    assert (build / "of_others").stat().st_uid == 5678  # such as a hard link to it
    assert (build / "deep" / "link").lstat().st_uid == 0 and outside.stat().st_uid == 1234


# --- Once for a release -------------------------------------------------------------------------------------------------

FILL = Command(["python", "-m", "fill"])
AFTER = Command(["python", "-m", "tell"], as_owner=True)


def work(stack: Stack, run_id: str = "one", release: str = "v1", sha256: str = "a", begin: bool = True) -> ReleaseCommands:
    run = stack.run(run_id)
    stack.host.user = ME
    if begin:
        run.begin(release)
    application, owner = Variables({"URL": "app"}, {"KEY": "hunter22"}), Variables({"URL": "owner"}, {"KEY": "hunter22"})
    return ReleaseCommands(run, release, sha256, application=application, owner=owner)


def phases(stack: Stack) -> list[str]:
    return [entry["phase"] for entry in journal.read(stack.layout.journal) if "command" in entry["phase"]]


@pytest.mark.parametrize(
    ("services", "wanted"),
    [
        ([("static", "shop/static"), ("api", "")], ({"NAME": "api"}, {"KEY": "api"})),
        ([("static", "shop/static")], ({}, {})),
        ([], ({}, {})),
    ],
)
def test_commands_get_the_environment_of_a_program_and_not_of_a_server_of_files(services: list, wanted: tuple) -> None:
    given = [
        Service(name, f"shop-{name}", {}, environment={"NAME": name}, secrets={"KEY": name}, directory=directory)
        for name, directory in services
    ]
    assert program_variables(given) == wanted


def test_commands_run_once_for_a_release(stack: Stack) -> None:
    executed = Executed()
    assert work(stack).apply([FILL, AFTER], executed) == ["python -m fill", "python -m tell"]
    assert [call[1]["URL"] for call in executed.calls] == ["app", "owner"] and executed.calls[0][1]["KEY"] == "hunter22"
    assert phases(stack) == ["command begun", "command finished"] * 2
    stack.run("one").roll_back()
    assert work(stack, "two").apply([FILL, AFTER], executed) == []
    assert work(stack, "three", "v2").apply([FILL], executed) == ["python -m fill"]
    assert work(stack, "four", sha256="b").apply([FILL], executed) == ["python -m fill"]
    assert "hunter22" not in stack.layout.journal.read_text(encoding="utf-8")


def test_a_command_that_was_interrupted_runs_again_and_is_named(stack: Stack) -> None:
    told: list[str] = []
    with pytest.raises(Killed):
        work(stack).apply([FILL], Executed(Killed()), told.append)
    assert stack.run("two").plan.status()["interrupted_commands"][0]["command"] == "python -m fill"
    assert work(stack, "two").apply([FILL], Executed(), told.append) == ["python -m fill"]
    assert len(told) == 1 and told[0].startswith("the release command `python -m fill` began in run one at ")
    assert stack.run("two").plan.status()["interrupted_commands"] == []


def test_a_command_that_failed_runs_again(stack: Stack) -> None:
    with pytest.raises(ParityError, match="The release command `python -m fill` failed with exit status 1: OperationalError: no"):
        work(stack).apply([FILL, AFTER], Executed((1, "", "OperationalError: no")))
    assert phases(stack) == ["command begun", "command failed"]
    assert stack.run("two").plan.status()["interrupted_commands"] == [] and work(stack, "two").due([FILL]) == [FILL]


def test_no_command_runs_for_a_run_that_has_ended(stack: Stack) -> None:
    ended = work(stack, "one")
    stack.run("one").roll_back()
    executed = Executed()
    with pytest.raises(ParityError, match="is not under way on this host"):
        ended.apply([FILL], executed)
    assert executed.calls == []
