# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is staged, promoted, kept and removed; and wherever that stops, the way back ends where it began."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import journal, releases
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.layout import Layout, other
from ansible_collections.parity.stack.plugins.module_utils.slots import Service


class Killed(BaseException):
    """The process ends here, without a chance to clean up."""


class Host:
    """The slots of a host in memory; dies before step number `dies_at`."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.services = layout, []
        self.active: set[str] = set()
        self.routed: str | None = None
        self.dies_at, self.step = 0, 0

    def _step(self) -> None:
        self.step += 1
        if self.step == self.dies_at:
            raise Killed

    def running(self, slot: str) -> bool:
        return slot in self.active

    def stop(self, slot: str) -> None:
        self._step()
        self.active.discard(slot)

    def make_live(self, slot: str) -> None:
        self._step()
        self.active.add(slot)
        self._step()
        self.layout.set_live(slot)
        self._step()
        self.routed = slot
        self.stop(other(slot))

    def make_none_live(self) -> None:
        self.layout.set_live(None)
        self.routed, self.active = None, set()

    def run(self, words: list[str]) -> tuple[int, str, str]:
        self._step()
        if "venv" in words:
            (Path(words[-1]) / "bin").mkdir(parents=True)
        return 0, "", ""

    def state(self) -> tuple:
        live = self.layout.live_slot()
        return live, self.layout.release_in(live), self.routed, self.active


def service(**environment: str) -> Service:
    return Service("api", "docpipe-api", {"blue": 1, "green": 2}, "PORT", "/", environment=environment,
                   secrets={"KEY": "hunter22"})  # fmt: skip


def tar(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return path


class Stack:
    """A host and the runs on it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "fchown", lambda *_owner: None)
        self.layout = Layout("docpipe", folder)
        for path in (self.layout.config, self.layout.releases):
            path.mkdir(parents=True)
        self.host = Host(self.layout)
        self.host.services = [service(COLOUR="red")]
        self.application = tar(folder / "a.tar", "wheel/a.whl", "requirements.lock")
        self.wheels = tar(folder / "w.tar", "requirements.lock")

    def run(self, run_id: str) -> releases.Releases:
        return releases.Releases(self.host, self.host.run, run_id=run_id)

    def artifact(self, release: str) -> releases.Artifact:
        return releases.Artifact(self.application, f"sha of {release}", self.wheels, f"venv of {release}")

    def stage(self, release: str, run_id: str) -> str:
        return self.run(run_id).stage(release, self.artifact(release), python="python3", uv="uv")

    def deploy(self, release: str, run_id: str) -> None:
        run = self.run(run_id)
        run.begin(release, "ann")
        self.stage(release, run_id)
        run.promote(release)
        run.finish(release)

    def reasons(self, release: str, sha256: str | None = None) -> list[str]:
        return self.run("any").reasons(release, sha256 or f"sha of {release}")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(tmp_path, monkeypatch)


def test_three_releases_one_after_the_other(stack: Stack) -> None:
    for release, slot in (("v1", "blue"), ("v2", "green"), ("v3", "blue")):
        stack.deploy(release, f"run {release}")
        assert stack.host.state() == (slot, release, slot, {slot})
        assert stack.reasons(release) == []
    status = stack.run("any").status()
    assert status["slots"] == {"blue": "v3", "green": "v2"}
    assert status["healthy"] and status["unfinished"] is None and status["last"]["phase"] == "finished"


@pytest.mark.parametrize(
    ("change", "release", "expected"),
    [
        (lambda _stack: None, "v1", []),
        (lambda _stack: None, "v2", ["v1 is live"]),
        (lambda stack: stack.layout.set_live(None), "v1", ["no release is live"]),
        (lambda stack: stack.host.active.clear(), "v1", ["not every service of slot blue runs"]),
        (
            lambda stack: setattr(stack.host, "services", [service(COLOUR="blue", SIZE="1")]),
            "v1",
            ["the environment of api differs: COLOUR, SIZE"],
        ),
    ],
)
def test_reasons(stack: Stack, change: Callable[[Stack], None], release: str, expected: list[str]) -> None:
    assert stack.reasons(release) == ["no release is live"]
    stack.deploy("v1", "1")
    change(stack)
    assert stack.reasons(release) == expected


@pytest.mark.parametrize("release", ["v1", "v2"])
def test_another_artifact_of_the_same_name_is_refused_at_once(stack: Stack, release: str) -> None:
    stack.deploy("v1", "1")
    stack.deploy("v2", "2")
    with pytest.raises(ParityError, match=f"release {release} is already on this host, made from another artifact"):
        stack.reasons(release, "other")


def test_a_diff_shows_settings_and_no_secret(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.host.services = [service(COLOUR="blue")]
    diff = stack.run("2").environment_diff("v2")
    assert 'api: COLOUR="red"' in diff["before"] and 'api: COLOUR="blue"' in diff["after"]
    assert "api: KEY=(secret)" in diff["after"] and "hunter22" not in str(diff)


@pytest.mark.parametrize("before", [None, "v1"])
@pytest.mark.parametrize("dies_at", range(1, 10))
def test_killed_at_any_step_the_way_back_ends_where_it_began(stack: Stack, before: str | None, dies_at: int) -> None:
    if before:
        stack.deploy(before, "0")
    began = tuple(map(repr, stack.host.state()))
    stack.host.step, stack.host.dies_at = 0, dies_at
    run = stack.run("1")
    run.begin("v2", "ann")
    with contextlib.suppress(Killed):
        stage_and_promote(stack, run)
    stack.host.dies_at = 0
    # The next run takes it back, as `revert` does, and then succeeds.
    assert (run.revert() if dies_at % 2 else stack.run("2").begin("v2", "ann"))["run"] == "1"
    assert tuple(map(repr, stack.host.state())) == began
    assert run.revert() is None or dies_at % 2 == 0
    stack.deploy("v2", "3")
    assert stack.reasons("v2") == []
    assert not list(stack.layout.root.rglob("*.partial")) and not list(stack.layout.root.rglob("*.wheels"))


def stage_and_promote(stack: Stack, run: releases.Releases) -> None:
    stack.stage("v2", run.run_id)
    run.promote("v2")


def test_the_way_back_can_be_interrupted_too(stack: Stack) -> None:
    stack.deploy("v1", "0")
    run = stack.run("1")
    run.begin("v2", "ann")
    stage_and_promote(stack, run)
    for step in range(1, 5):
        stack.host.step, stack.host.dies_at = 0, step
        with pytest.raises(Killed):
            run.revert()
    stack.host.dies_at = 0
    run.revert()
    assert stack.host.state() == ("blue", "v1", "blue", {"blue"})


def test_begin_twice_in_one_run_is_begun_once(stack: Stack) -> None:
    run = stack.run("1")
    assert run.begin("v1", "ann") is None
    assert run.begin("v1", "ann")["run"] == "1"
    assert [entry["phase"] for entry in journal.read(stack.layout.journal)] == ["begun"]


def test_promote_can_be_repeated_where_only_the_environment_changed(stack: Stack) -> None:
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v1", "ann")
    assert stack.stage("v1", "2") == "green"
    assert [run.promote("v1"), run.promote("v1")] == ["green", "green"]
    assert stack.host.state() == ("green", "v1", "green", {"green"})


def test_what_was_not_staged_is_not_promoted(stack: Stack) -> None:
    with pytest.raises(ParityError, match="v9 is in no slot"):
        stack.run("1").promote("v9")


@pytest.mark.parametrize(
    ("keep", "kept"), [(0, ["v3", "v4"]), (1, ["v3", "v4"]), (3, ["v2", "v3", "v4"]), (9, ["v1", "v2", "v3", "v4"])]
)
def test_prune(stack: Stack, keep: int, kept: list[str]) -> None:
    for number in "1234":
        stack.deploy(f"v{number}", number)
    (stack.layout.releases / ".v5.partial").mkdir()
    stack.run("4").prune(keep)
    assert sorted(os.listdir(stack.layout.releases)) == kept
    assert sorted(os.listdir(stack.layout.root / "venvs")) == [f"venv of {name}" for name in kept]
    assert stack.run("4").prunable(keep) == []


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_an_archive_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParityError, match="is no plain file below it"):
        releases._unpack(tar(tmp_path / "a.tar", name), tmp_path / "to")


def test_a_cut_off_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"x" * 100)
    with pytest.raises(ParityError, match="cannot be unpacked"):
        releases._unpack(tmp_path / "a.tar", tmp_path / "to")
