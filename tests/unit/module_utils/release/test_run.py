# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is staged, promoted, kept and removed; and wherever that stops, a rollback restores what was live."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import interpreters, journal, proxy, slots
from ansible_collections.parity.stack.plugins.module_utils.release.configuration import Part
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Artifact
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run
from ansible_collections.parity.stack.plugins.modules import deployment_run
from ansible_collections.parity.stack.plugins.modules import release as release_module
from release_host import Killed, Service, Stack, key, service


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(tmp_path, monkeypatch)


def test_three_releases_one_after_the_other(stack: Stack) -> None:
    for release, slot in (("v1", "blue"), ("v2", "green"), ("v3", "blue")):
        stack.deploy(release, f"run {release}")
        assert stack.host.state() == (slot, release, slot, {slot})
        assert stack.reasons(release) == []
    status = stack.run("any").plan.status()
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
        (
            lambda stack: setattr(stack.host, "old_units", ["api"]),
            "v1",
            ["the unit of api changed after it was started"],
        ),
        # What an unfinished run has made live is taken back first, so it does not count.
        (lambda stack: unfinished(stack, "v2"), "v2", ["v1 is live"]),
        (lambda stack: unfinished(stack, "v2"), "v1", ["not every service of slot blue runs"]),
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
    with pytest.raises(ParityError, match=f"release {release} has been live on this host, made from another artifact"):
        stack.reasons(release, "other")


def other_artifact(stack: Stack, release: str) -> Artifact:
    """Another application and another lock file under the name of a release."""
    return dataclasses.replace(stack.artifact(f"{release} again"), sha256="other")


def test_a_name_that_was_never_live_takes_another_artifact(stack: Stack) -> None:
    stack.deploy("v1", "1")
    failed = stack.run("2")
    failed.begin("v2")
    stack.stage("v2", "2")
    failed.roll_back()
    assert stack.reasons("v2", "other") == ["v1 is live"]
    again, wanted = stack.run("3"), other_artifact(stack, "v2")
    assert again.plan.missing("v2", wanted.venv_key, "other") == ["application", "wheels"]
    again.begin("v2")
    again.stage("v2", wanted, stack.installer)
    manifest = stack.layout.manifest("v2")
    assert (manifest["sha256"], manifest["venv"]) == ("other", wanted.venv_key)
    assert (stack.layout.release("v2") / "requirements.lock").read_text() == "# v2 again"
    again.promote("v2")
    again.finish("v2")
    assert again.plan.missing("v2", wanted.venv_key, "other") == []


def test_a_name_that_was_live_and_rolled_back_does_not(stack: Stack) -> None:
    stack.deploy("v1", "1")
    failed = stack.run("2")
    failed.begin("v2")
    stack.stage("v2", "2")
    failed.promote("v2")
    failed.roll_back()
    with pytest.raises(ParityError, match="release v2 has been live on this host"):
        stack.reasons("v2", "other")
    with pytest.raises(ParityError, match="release v2 has been live on this host"):
        stack.run("3").stage("v2", other_artifact(stack, "v2"), stack.installer)


def test_what_is_live_is_never_replaced_even_where_the_journal_is_lost(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.layout.journal.unlink()
    with pytest.raises(ParityError, match="release v1 has been live on this host"):
        stack.reasons("v1", "other")


def test_a_diff_shows_settings_and_no_secret(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.host.services = [service(COLOUR="blue")]
    diff = stack.run("2").plan.environment_diff("v2")
    assert 'api: COLOUR="red"' in diff["before"] and 'api: COLOUR="blue"' in diff["after"]
    assert "api: KEY=(secret)" in diff["after"] and "hunter22" not in str(diff)


@pytest.mark.parametrize("before", [None, "v1"])
@pytest.mark.parametrize("dies_at", range(1, 10))
def test_killed_at_any_step_the_rollback_restores_what_was_live(stack: Stack, before: str | None, dies_at: int) -> None:
    if before:
        stack.deploy(before, "0")
    began = tuple(map(repr, stack.host.state()))
    stack.host.step, stack.host.dies_at = 0, dies_at
    run = stack.run("1")
    run.begin("v2")
    with contextlib.suppress(Killed):
        stage_and_promote(stack, run)
    stack.host.dies_at = 0
    # The next run takes it back, as `revert` does, and then succeeds.
    assert (run.roll_back() if dies_at % 2 else stack.run("2").begin("v2"))["run"] == "1"
    assert tuple(map(repr, stack.host.state())) == began
    assert run.roll_back() is None or dies_at % 2 == 0
    stack.deploy("v2", "3")
    assert stack.reasons("v2") == []
    assert not list(stack.layout.root.rglob("*.partial")) and not list(stack.layout.root.rglob("*.wheels"))


def unfinished(stack: Stack, release: str) -> None:
    """A run that was killed after it had made its release live."""
    run = stack.run("killed")
    run.begin(release, keep=[stack.part()])
    stack.stage(release, "killed")
    run.promote(release)


def test_a_change_of_a_unit_is_a_reason(stack: Stack) -> None:
    stack.deploy("v1", "1")
    assert stack.run("2").plan.reasons("v1", "sha of v1", reconfigured=True) == ["a unit changes"]


def test_rollback_leads_to_the_previous_slot_even_after_promotion(stack: Stack) -> None:
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v2")
    stage_and_promote(stack, run)
    with pytest.raises(ParityError, match="already made slot green live"):
        stack.stage("v3", "2")
    assert stack.layout.release_in("blue") == "v1"


def test_a_run_that_the_stack_has_finished_goes_forward(stack: Stack) -> None:
    stack.deploy("v1", "1")
    unfinished(stack, "v2")
    assert stack.run("2").roll_back(["other", "killed"])["run"] == "killed"
    assert stack.host.state() == ("green", "v2", "green", {"green"})
    assert stack.run("2").plan.status()["releases"] == ["v1", "v2"]


def test_configuration_is_rolled_back_with_the_release(stack: Stack) -> None:
    stack.configure("first")
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v2", keep=[stack.part()])
    stack.configure("second")
    stack.stage("v2", "2")
    run.promote("v2")
    run.roll_back()
    assert stack.configured() == "first" and stack.host.state() == ("blue", "v1", "blue", {"blue"})
    assert journal.read(stack.layout.journal)[-1]["phase"] == "rolled back"


def test_rollback(stack: Stack) -> None:
    for number, colour in (("1", "red"), ("2", "blue"), ("3", "green")):
        stack.host.services = [service(COLOUR=colour)]
        stack.configure(f"configuration {number}")
        stack.deploy(f"v{number}", number)
    failed = stack.run("4")
    failed.begin("v4", keep=[stack.part()])
    stack.stage("v4", "4")
    failed.roll_back()
    assert [stack.roll_back("5"), stack.roll_back("6")] == ["v2", "v1"]
    live, release, routed, active = stack.host.state()
    assert (release, routed, active) == ("v1", live, {live})
    environment = stack.layout.environment(live, "api").read_text(encoding="utf-8")
    assert 'COLOUR="red"' in environment and f'APP_SLOT="{live}"' in environment and 'APP_RELEASE="v1"' in environment
    assert f'PORT="{1 if live == "blue" else 2}"' in environment
    with pytest.raises(ParityError, match=r"no earlier release that finished on this host. Live is v1"):
        stack.run("7").plan.target(None)
    # Forward again is for those who ask for it by name, and brings its configuration along.
    assert stack.roll_back("8", "v3") == "v3"
    assert stack.configured() == "configuration 3"
    assert stack.run("9").plan.target(None) == "v1"


def test_rollback_keeps_the_secrets_of_today(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.deploy("v2", "2")
    stack.host.services = [Service("api", "docpipe-api", {"blue": 1, "green": 2}, "PORT", "/", secrets={"KEY": "rotated"})]
    stack.roll_back("3")
    environment = stack.layout.environment("blue", "api").read_text(encoding="utf-8")
    assert 'KEY="rotated"' in environment and 'COLOUR="red"' in environment


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("v9", "v9 never finished a deployment on this host.*to roll back to: v2"),
        ("v4", "v4 never finished"),
        ("v1", "retention removed it.*choose one of: v2"),
    ],
)
def test_a_release_that_no_rollback_leads_to(stack: Stack, release: str, words: str) -> None:
    for number in "123":
        stack.deploy(f"v{number}", number)
    run = stack.run("4")
    run.begin("v4")
    stack.stage("v4", "4")
    run.roll_back()
    stack.run("5").prune(1)
    with pytest.raises(ParityError, match=words):
        stack.run("5").plan.target(release)


def test_an_interrupted_rollback_is_rolled_back(stack: Stack) -> None:
    stack.configure("first")
    stack.deploy("v1", "1")
    stack.configure("second")
    stack.deploy("v2", "2")
    for step in range(1, 8):
        run = stack.run(f"rollback {step}")
        run.begin("v1", keep=[stack.part()], kind="rollback")
        stack.host.step, stack.host.dies_at = 0, step
        with contextlib.suppress(Killed):
            run.restore("v1")
        stack.host.dies_at = 0
        assert stack.run("next").roll_back()["run"] == f"rollback {step}"
        assert stack.host.state()[1] == "v2" and stack.configured() == "second"


def test_a_host_without_services_keeps_its_configuration(stack: Stack) -> None:
    stack.host.services = []
    for number, release in (("1", "v1"), ("2", None), ("3", "v2")):
        run = stack.run(number)
        assert run.plan.reasons(release or "", "") == []
        run.begin(release, keep=[stack.part()])
        stack.configure(f"configuration {number}")
        run.finish(release)
    run = stack.run("4")
    run.begin("v3", keep=[stack.part()])
    stack.configure("configuration 4")
    assert run.roll_back()["run"] == "4"
    assert stack.configured() == "configuration 3"
    assert stack.roll_back("5", "v1") == "v1"
    assert stack.configured() == "configuration 2"


@pytest.mark.parametrize("services", [True, False])
def test_going_back_to_what_is_current_is_nothing_to_do(stack: Stack, services: bool) -> None:
    """Also where its configuration has changed since: that is not this release's any more."""
    if services:
        stack.deploy("v1", "1")
        stack.deploy("v2", "2")
    else:
        stack.host.services = []
        for number in "12":
            run = stack.run(number)
            run.begin(f"v{number}", keep=[stack.part()])
            run.finish(f"v{number}")
    stack.run("3").begin("v2", keep=[stack.part()], kind="rollback")
    stack.configure("changed since")
    assert stack.run("3").plan.restore_changes("v2") is None and stack.run("3").plan.restore_changes("v1") is not None
    assert not stack.run("3").restore("v2")
    assert stack.configured() == "changed since"


def test_retention_forgets_what_was_kept(stack: Stack) -> None:
    for number in "1234":
        stack.deploy(f"v{number}", number)
    predicted = stack.run("4").plan.prunable(1, finishing="v4")
    assert predicted == stack.run("4").plan.prunable(1)
    stack.run("4").prune(1)
    assert sorted(path.name for path in stack.layout.kept(None).parent.iterdir()) == [".none", "v3"]


def test_retention_when_the_same_release_takes_the_other_slot(stack: Stack) -> None:
    """A release that failed is in the idle slot until the live one takes that slot too, with another environment."""
    for number in "123":
        stack.deploy(f"v{number}", number)
    stack.run("4").begin("v4", keep=[stack.part()])
    stack.stage("v4", "4")
    stack.run("4").roll_back()
    stack.host.services = [service(COLOUR="blue")]
    predicted = stack.run("5").plan.prunable(2, finishing="v3")
    stack.deploy("v3", "5")
    assert "v4" in {path.name for path in predicted} and predicted == stack.run("5").plan.prunable(2)


def stage_and_promote(stack: Stack, run: Run) -> None:
    stack.stage("v2", run.run_id)
    run.promote("v2")


def test_rollback_can_be_interrupted_too(stack: Stack) -> None:
    stack.deploy("v1", "0")
    run = stack.run("1")
    run.begin("v2")
    stage_and_promote(stack, run)
    for step in range(1, 5):
        stack.host.step, stack.host.dies_at = 0, step
        with pytest.raises(Killed):
            run.roll_back()
    stack.host.dies_at = 0
    run.roll_back()
    assert stack.host.state() == ("blue", "v1", "blue", {"blue"})


def test_begin_twice_in_one_run_is_begun_once(stack: Stack) -> None:
    run = stack.run("1")
    assert run.begin("v1") is None
    assert run.begin("v1") is None
    assert [entry["phase"] for entry in journal.read(stack.layout.journal)] == ["begun"]


def test_promote_can_be_repeated_where_only_the_environment_changed(stack: Stack) -> None:
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v1")
    assert stack.stage("v1", "2") == "green"
    assert [run.promote("v1")["slot"], run.promote("v1")["slot"]] == ["green", "green"]
    assert stack.host.state() == ("green", "v1", "green", {"green"})


def test_what_was_not_staged_is_not_promoted(stack: Stack) -> None:
    stack.run("1").begin("v9")
    with pytest.raises(ParityError, match="v9 is in no slot"):
        stack.run("1").promote("v9")


def test_a_run_that_was_ended_does_nothing_more(stack: Stack) -> None:
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v2")
    stack.stage("v2", "2")
    stack.run("3").begin("v3")  # takes the run back that its control node has left behind
    for late in (lambda: run.promote("v2"), lambda: stage_and_promote(stack, run), lambda: run.finish("v2")):
        with pytest.raises(ParityError, match=r"run 2 is not under way on this host \(run 3 is\)"):
            late()
    assert stack.host.state() == ("blue", "v1", "blue", {"blue"})


@pytest.mark.parametrize(
    ("keep", "kept"), [(0, ["v3", "v4"]), (1, ["v3", "v4"]), (3, ["v2", "v3", "v4"]), (9, ["v1", "v2", "v3", "v4"])]
)
def test_prune(stack: Stack, keep: int, kept: list[str]) -> None:
    for number in "1234":
        stack.deploy(f"v{number}", number)
    (stack.layout.releases / ".v5.partial").mkdir()
    stack.run("4").prune(keep)
    assert sorted(os.listdir(stack.layout.releases)) == kept
    assert sorted(os.listdir(stack.layout.root / "venvs")) == sorted(key(f"# {name}".encode()) for name in kept)
    assert stack.run("4").plan.prunable(keep) == []


# --- Nothing to do -----------------------------------------------------------------------------------------------------


def _killed_run(stack: Stack) -> None:
    stack.run("2").begin("v2", keep=[stack.part()])


def _edited_environment(stack: Stack) -> None:
    path = stack.layout.environment("blue", "api")
    path.write_text(path.read_text(encoding="utf-8") + "X=1\n", encoding="utf-8")


def _other_permissions(stack: Stack) -> None:
    (stack.layout.config / "proxy.cfg").chmod(0o666)


def _new_file(stack: Stack) -> None:
    (stack.layout.config / "green/more.env").write_text("X=1\n", encoding="utf-8")


def _lock_not_released(stack: Stack) -> None:
    journal.take_lock(stack.layout.lock, {"run": "1", "operator": "somebody"}, seconds=60)


def _other_live_slot(stack: Stack) -> None:
    stack.layout.set_live("green")
    stack.host.active.add("green")


@pytest.mark.parametrize(
    ("happens", "inputs", "words"),
    [
        (lambda stack: None, "asked", ""),
        (lambda stack: None, "asked for more", "other inputs"),
        (lambda stack: None, "", "other inputs"),
        (lambda stack: stack.configure("by hand"), "asked", "proxy.cfg has changed"),
        (lambda stack: (stack.layout.config / "proxy.cfg").unlink(), "asked", "proxy.cfg has changed"),
        (_other_permissions, "asked", "proxy.cfg has changed"),
        (_edited_environment, "asked", "api.env has changed"),
        (_new_file, "asked", "more.env has changed"),
        (_other_live_slot, "asked", "live has changed"),
        (_killed_run, "asked", "run 2 has not ended"),
        (_lock_not_released, "asked", "run 1 has not ended"),
        (lambda stack: stack.host.active.clear(), "asked", "not every service runs"),
        (lambda stack: stack.host.old_units.append("api"), "asked", "the unit of api changed"),
        (lambda stack: stack.host.sick.append("api: /ready answered 503"), "asked", "/ready answered 503"),
        (lambda stack: stack.run("any").forget(), "asked", "other inputs"),
        (lambda stack: stack.layout.left.write_text("{", encoding="utf-8"), "asked", "other inputs"),
        (lambda stack: stack.deploy("v2", "2", "asked then"), "asked", "other inputs"),
    ],
)
def test_a_host_is_up_to_date_or_says_why_not(
    stack: Stack, happens: Callable[[Stack], object], inputs: str, words: str
) -> None:
    stack.configure("1")
    (stack.layout.config / "green").mkdir()
    stack.deploy("v1", "1", "asked")
    happens(stack)
    reasons = stack.run("any").plan.differences_since_finished(inputs)
    assert (words in "; ".join(reasons)) if words else reasons == [], reasons


def test_another_python_is_a_difference(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.deploy("v1", "1", "asked")
    monkeypatch.setattr(interpreters, "SYSTEM_PYTHON", interpreters.Python(version="3.99.0"))
    assert stack.run("any").plan.differences_since_finished("asked")[0].startswith("Python is 3.99.0")


def test_a_run_without_inputs_is_remembered_by_nobody(stack: Stack) -> None:
    stack.deploy("v1", "1")
    assert not stack.layout.left.exists()
    assert stack.run("any").plan.differences_since_finished("") != []


def test_how_a_host_was_left_is_for_root_alone(stack: Stack) -> None:
    stack.deploy("v1", "1", "asked")
    assert stack.layout.left.stat().st_mode & 0o777 == 0o600
    assert "hunter22" not in stack.layout.left.read_text(encoding="utf-8")


@pytest.mark.parametrize(("check_mode", "remembered"), [(False, False), (True, True)])
def test_rollback_makes_a_finished_host_not_up_to_date(stack: Stack, check_mode: bool, remembered: bool) -> None:
    """The run was taken back because of another host: this one is no longer as it was left."""
    stack.deploy("v1", "1", "asked")
    asked = SimpleNamespace(check_mode=check_mode, params={"release": None, "finished_runs": [], "reason": "another host failed"})
    assert not deployment_run.roll_back(asked, stack.run("1"))["changed"]
    assert (stack.run("any").plan.differences_since_finished("asked") == []) is remembered


@pytest.mark.parametrize("missing", [["application", "wheels"], ["application"], []])
@pytest.mark.parametrize("whole", [True, False])
def test_what_was_brought_for_a_release_does_not_stay(stack: Stack, whole: bool, missing: list[str]) -> None:
    run = stack.run("1")
    run.begin("v1")
    if not whole:
        stack.wheels.write_bytes(b"cut off")
    asked = {
        "release": "v1", "sha256": "sha of v1", "venv_key": key(b"x"), "artifact": stack.application, "wheels": stack.wheels,
        "missing": missing, "reconfigured": False, "python": "python3", "uv": "uv", "secrets": {},
    }  # fmt: skip
    with contextlib.nullcontext() if whole else pytest.raises(ParityError, match="the upload cut off"):
        release_module.stage(SimpleNamespace(check_mode=False, params=asked, run_command=stack.host.run), run)
    left = {name for name, path in (("application", stack.application), ("wheels", stack.wheels)) if path.exists()}
    assert left == {"application", "wheels"} - set(missing)


def test_a_run_that_began_with_slots_is_not_ended_without_them(stack: Stack) -> None:
    """Or it would be journaled as taken back, with its release live."""
    stack.deploy("v1", "1")
    stack.run("2").begin("v2")
    stack.stage("v2", "2")
    stack.run("2").promote("v2")
    services, stack.host.services = stack.host.services, []
    with pytest.raises(ParityError, match="run 2 began with slot blue live on this host"):
        stack.run("3").begin("v2")
    assert journal.unfinished(journal.read(stack.layout.journal))["run"] == "2"
    stack.host.services = services
    stack.run("3").begin("v2")
    assert stack.layout.release_in(stack.layout.live_slot()) == "v1" and stack.host.routed == "blue"


def test_the_one_before_is_waited_for(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.deploy("v2", "2")
    stack.host.stopped.clear()
    stack.run("2").settle()
    assert stack.host.stopped == [("blue", False)]


@pytest.mark.parametrize(("target", "late"), [("v2", True), ("v1", False)])
def test_a_rollback_waits_for_a_worker_only_where_its_slot_has_another_release(stack: Stack, target: str, late: bool) -> None:
    for number in (1, 2, 3):
        stack.deploy(f"v{number}", str(number))
    stack.host.stopped.clear()
    stack.roll_back("4", target)
    assert stack.host.stopped[0] == ("green", late)


def test_a_rollback_leaves_the_secrets_of_today(stack: Stack) -> None:
    stack.part = lambda: Part("docpipe-proxy.service", [str(stack.layout.config / "proxy.cfg")], secrets=[str(stack.layout.config)])
    stack.configure("certificate of the first")
    stack.deploy("v1", "1")
    stack.deploy("v2", "2")
    stack.configure("renewed")
    stack.roll_back("3")
    assert stack.configured() == "renewed"


@pytest.mark.parametrize(("finished", "forward"), [(["2"], True), ([], False)])
def test_rollback_says_whether_the_run_went_forward(stack: Stack, finished: list[str], forward: bool) -> None:
    stack.deploy("v1", "1")
    run = stack.run("2")
    run.begin("v2")
    asked = SimpleNamespace(check_mode=False, params={"release": None, "finished_runs": finished, "reason": ""})
    assert deployment_run.roll_back(asked, run)["forward"] is forward


def test_a_slot_has_the_processes_of_its_release_alone(stack: Stack) -> None:
    mail = Service("mail", "docpipe-mail", singleton=True)
    stack.host.services = [service(COLOUR="red"), mail]
    stack.deploy("v1", "1")
    stack.host.services = [service(COLOUR="red")]
    assert stack.reasons("v1") == ["the process mail ends"]
    stack.deploy("v2", "2")
    stack.deploy("v3", "3")  # into the slot of v1
    assert sorted(path.name for path in (stack.layout.config / "blue").glob("*.env")) == ["api.env"]
    assert [one["name"] for one in slots.read_described(stack.layout.processes_file("blue"))] == ["api"]
    # The rollback to the first release has what that had, though the inventory does not name it any more.
    run = stack.run("4")
    run.begin("v1", kind="rollback")
    assert run.restore("v1")
    live = stack.layout.live_slot()
    assert [one["name"] for one in slots.read_described(stack.layout.processes_file(live))] == ["api", "mail"]
    assert (stack.layout.config / live / "mail.env").exists()


def test_a_rollback_asks_the_health_path_of_its_release(stack: Stack) -> None:
    stack.deploy("v1", "1")
    stack.host.services = [replace(service(COLOUR="red"), health_path="/alive")]
    assert stack.reasons("v1") == ["the process api changes"]
    stack.deploy("v2", "2")
    assert stack.host.checks == {"blue": proxy.checks("blue", [service()]), "green": proxy.checks("green", stack.host.services)}
    assert "HEALTH_GREEN_API /alive" in stack.host.checks["green"] and "HEALTH_BLUE_API /\n" in stack.host.checks["blue"]
    run = stack.run("3")
    run.begin("v1", kind="rollback")
    run.restore("v1")
    assert [one["health_path"] for one in slots.read_described(stack.layout.processes_file("blue"))] == ["/"]


def unit_of(stack: Stack, name: str) -> Path:
    """The unit file of a process, as the role worker writes it."""
    path = stack.layout.prefix / "etc/systemd/system" / f"docpipe-{name}@.service"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"EnvironmentFile=/etc/docpipe/%i/{name}.env\n")
    return path


def test_units_of_a_process_stay_while_a_slot_has_it_and_come_back_with_its_release(stack: Stack) -> None:
    api, mail = unit_of(stack, "api"), unit_of(stack, "mail")
    stack.host.services = [service(COLOUR="red"), Service("mail", "docpipe-mail")]
    stack.deploy("v1", "1")
    stack.host.services = [service(COLOUR="red")]
    assert stack.run("2").plan.leftovers(finishing=True).paths == ()
    stack.deploy("v2", "2")
    assert mail.exists() and stack.run("3").plan.leftovers().paths == ()
    # The third release comes into the slot of the first: nothing has the process any more, and a dry run knows.
    assert stack.run("3").plan.leftovers(finishing=True).paths == (mail,)
    stack.deploy("v3", "3")
    assert not mail.exists() and api.exists() and stack.run("4").plan.leftovers().paths == ()
    run = stack.run("4")
    run.begin("v1", kind="rollback")
    assert run.restore("v1")
    run.finish("v1")
    assert mail.exists()


def dropped(stack: Stack) -> None:
    """A host whose last process was taken out of the inventory after its first release."""
    unit_of(stack, "api")
    stack.host.services = [service(COLOUR="red"), Service("beat", "docpipe-beat", singleton=True)]
    stack.deploy("v1", "1")
    stack.host.services, stack.host.singletons = [], ["docpipe-beat@blue.service"]


def test_a_dropped_host_is_cleared_once_the_run_has_finished(stack: Stack) -> None:
    assert stack.run("0").plan.dropped().paths == ()
    dropped(stack)
    run = stack.run("2")
    assert run.plan.reasons_to_drop()
    run.begin("v2")
    assert run.plan.moving("v2") == ["docpipe-beat@blue.service"]
    run.hand_over("v2")
    assert stack.host.singletons == [] and stack.layout.live_slot() == "blue"
    run.finish(None)  # configuration alone
    assert stack.layout.live_slot() == "blue"
    again = stack.run("3")
    again.begin("v2")
    again.finish("v2")
    assert stack.layout.live_slot() is None and not list(stack.layout.config.rglob("*.env"))
    assert not list(stack.layout.prefix.rglob("docpipe-*@.service"))
    assert stack.run("4").plan.reasons_to_drop() == []


def test_a_dropped_host_has_its_processes_back_when_the_run_fails(stack: Stack) -> None:
    dropped(stack)
    run = stack.run("2")
    run.begin("v2")
    run.hand_over("v2")
    run.roll_back()
    assert stack.host.singletons == ["started in blue"]
    assert stack.host.state() == ("blue", "v1", "blue", {"blue"})


def test_what_runs_once_ends_here_before_it_starts_again_where_it_was(stack: Stack) -> None:
    beat = Service("beat", "docpipe-beat", singleton=True)
    stack.deploy("v1", "1")
    stack.host.services = [service(COLOUR="red"), beat]  # it comes from another host
    run = stack.run("2")
    run.begin("v2")
    stack.stage("v2", "2")
    assert run.plan.moving("v2") == []
    run.promote("v2")
    stack.host.singletons = ["docpipe-beat@green.service"]
    assert run.plan.moving_back(["2"]) == []  # finished on the coordinator: it goes forward
    run.hand_back([])
    assert stack.host.singletons == []
    # The rollback to the first release, of which this host had no beat, is the same.
    run.roll_back()
    stack.host.singletons = ["docpipe-beat@green.service"]
    back = stack.run("3")
    back.begin("v1", kind="rollback")
    assert back.plan.moving("v1") == ["docpipe-beat@green.service"]
