# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps bring a unit to the wanted state, for every state it can be in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import digest_of

NAME = "broker.service"
LOADED = {"LoadState": "loaded", "UnitFileState": "disabled", "ActiveState": "inactive", "InvocationID": ""}


def unit(**properties: str) -> systemd.Unit:
    return systemd.Unit(NAME, {**LOADED, **properties})


STOPPED = unit()
RUNNING = unit(ActiveState="active", UnitFileState="enabled", InvocationID="one")
UNKNOWN = systemd.Unit(NAME, {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""})


class Systemctl:
    """Answers as systemctl does, and remembers what it was asked."""

    def __init__(self, shown: dict[str, str], fails: str = "", code: int = 1, err: str = "") -> None:
        self.shown, self.fails, self.code, self.err = shown, fails, code, err
        self.asked: list[str] = []

    def __call__(self, words: list[str]) -> tuple[int, str, str]:
        assert words[0] == "systemctl"
        self.asked.append(" ".join(words[1:3]) if words[1] != "show" else "show")
        if self.fails == words[1]:
            return self.code, "", self.err
        return 0, "".join(f"{key}={value}\n" for key, value in self.shown.items()), ""


@pytest.mark.parametrize(
    ("properties", "known", "masked", "active", "enabled"),
    [
        ({}, False, False, False, False),
        ({"LoadState": ""}, False, False, False, False),
        ({"LoadState": "not-found"}, False, False, False, False),
        ({"LoadState": "masked", "UnitFileState": "masked"}, True, True, False, False),
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}, True, False, True, True),
        ({"LoadState": "loaded", "ActiveState": "activating", "UnitFileState": "static"}, True, False, True, True),
        ({"LoadState": "loaded", "ActiveState": "reloading", "UnitFileState": "generated"}, True, False, True, True),
        (
            {"LoadState": "loaded", "ActiveState": "deactivating", "UnitFileState": "disabled"},
            True,
            False,
            False,
            False,
        ),
        ({"LoadState": "loaded", "ActiveState": "failed", "UnitFileState": "indirect"}, True, False, False, True),
    ],
)
def test_what_a_unit_is(properties: dict[str, str], known: bool, masked: bool, active: bool, enabled: bool) -> None:
    found = systemd.Unit(NAME, properties)
    assert (found.known, found.masked, found.active, found.enabled) == (known, masked, active, enabled)


@pytest.mark.parametrize(("stamp", "active"), [("", False), ("0", False), ("5000000", True)])
def test_active_since(stamp: str, active: bool) -> None:
    since = unit(ActiveEnterTimestampMonotonic=stamp).active_since
    expected = time.time() - time.monotonic() + 5 if active else 0.0
    assert since == pytest.approx(expected, abs=1)


def test_read_unit() -> None:
    found = systemd.read_unit(Systemctl({"LoadState": "loaded", "Result": "a=b"}), NAME)
    assert found == systemd.Unit(NAME, {"LoadState": "loaded", "Result": "a=b"})


def test_read_unit_where_systemd_does_not_answer() -> None:
    with pytest.raises(ParityError, match=f"does not answer about {NAME}: Failed to connect to bus"):
        systemd.read_unit(Systemctl({}, fails="show", err="Failed to connect to bus\n"), NAME)


@pytest.mark.parametrize(
    ("found", "state", "enabled", "changed", "expected"),
    [
        # A host that was never touched: the package that brings the unit is not installed yet.
        (UNKNOWN, "started", True, False, ["enable", "start"]),
        (UNKNOWN, "started", None, False, ["start"]),
        (UNKNOWN, "started", False, False, ["start"]),
        (UNKNOWN, "stopped", None, False, []),
        (UNKNOWN, "stopped", False, False, []),
        (UNKNOWN, "as_is", None, False, []),
        (UNKNOWN, "as_is", True, False, ["enable"]),
        # A unit that does not run: a changed configuration needs nothing but the start.
        (STOPPED, "started", True, False, ["enable", "start"]),
        (STOPPED, "started", None, True, ["start"]),
        (STOPPED, "stopped", None, True, []),
        (STOPPED, "stopped", True, False, ["enable"]),
        (STOPPED, "as_is", None, True, []),
        (unit(ActiveState="failed"), "started", None, True, ["start"]),
        # A unit that runs.
        (RUNNING, "started", True, False, []),
        (RUNNING, "started", None, False, []),
        (RUNNING, "started", True, True, ["reload"]),
        (RUNNING, "started", False, True, ["disable", "reload"]),
        (RUNNING, "as_is", None, True, ["reload"]),
        (RUNNING, "as_is", None, False, []),
        (RUNNING, "stopped", None, True, ["stop"]),
        (RUNNING, "stopped", False, False, ["disable", "stop"]),
    ],
)
def test_steps(
    tmp_path: Path, found: systemd.Unit, state: str, enabled: bool | None, changed: bool, expected: list[str]
) -> None:
    config = [tmp_path / "broker.conf"]
    config[0].write_text("old", encoding="utf-8")
    remember(tmp_path, found, config)
    if changed:
        config[0].write_text("new", encoding="utf-8")
    verbs = systemd.steps(found, state=state, enabled=enabled, config=config, on_change="reload", markers=tmp_path)
    assert verbs == expected


@pytest.mark.parametrize(
    ("found", "on_change", "differs", "written", "expected"),
    [
        # A dry run: the files on disk are the old ones, and this run would write others.
        (RUNNING, "reload", False, "reload", ["reload"]),
        (RUNNING, "restart", False, "restart", ["restart"]),
        # The real run has written them.
        (RUNNING, "reload", True, "reload", ["reload"]),
        (RUNNING, "restart", True, "restart", ["restart"]),
        # What needs a restart is stronger.
        (RUNNING, "reload", True, "restart", ["restart"]),
        (RUNNING, "restart", True, "reload", ["restart"]),
        (RUNNING, "reload", True, "", ["reload"]),
        (RUNNING, "reload", False, "", []),
        (STOPPED, "restart", False, "restart", ["start"]),
        (UNKNOWN, "restart", True, "restart", ["start"]),
    ],
)
def test_what_files_of_this_run_need(
    tmp_path: Path, found: systemd.Unit, on_change: str, differs: bool, written: str, expected: list[str]
) -> None:
    config = [tmp_path / "broker.conf"]
    config[0].write_text("old", encoding="utf-8")
    remember(tmp_path, found, config)
    config[0].write_text("new" if differs else "old", encoding="utf-8")
    options = {"state": "started", "enabled": None, "config": config, "on_change": on_change, "markers": tmp_path}
    assert systemd.steps(found, **options, written=written) == expected


@pytest.mark.parametrize("state", ["as_is", "stopped"])
def test_a_unit_that_does_not_run_needs_nothing(state: str) -> None:
    assert systemd.steps(STOPPED, state=state, enabled=None, config=[], on_change="reload", written="restart") == []


def remember(markers: Path, found: systemd.Unit, config: list[Path]) -> None:
    marker = {"invocation": found.invocation, "digest": digest_of(config)}
    (markers / f"{found.name}.json").write_text(json.dumps(marker), encoding="utf-8")


@pytest.mark.parametrize(
    ("marker", "changed_after_start", "applied"),
    [
        # The marker speaks of this invocation: what was on disk then decides, not the time.
        ({"invocation": "one", "digest": "same"}, True, True),
        ({"invocation": "one", "digest": "other"}, False, False),
        # It speaks of another one, or is damaged: the time decides.
        ({"invocation": "two", "digest": "other"}, False, True),
        ({"invocation": "two", "digest": "same"}, True, False),
        ({"invocation": "one"}, True, False),
        ([], True, False),
        ("broken", False, True),
        (None, True, False),
        (None, False, True),
    ],
)
def test_configuration_applied(tmp_path: Path, marker: object, changed_after_start: bool, applied: bool) -> None:
    config = tmp_path / "broker.conf"
    config.write_text("x", encoding="utf-8")
    started = 1_000_000.0
    running = unit(
        ActiveState="active",
        InvocationID="one",
        ActiveEnterTimestampMonotonic=str(int((started - time.time() + time.monotonic()) * 1e6)),
    )
    os.utime(config, times=(started + 60, started + 60) if changed_after_start else (started - 60, started - 60))
    if isinstance(marker, dict) and marker.get("digest") == "same":
        marker["digest"] = digest_of([config])
    if marker is not None:
        text = "{" if marker == "broken" else json.dumps(marker)
        (tmp_path / f"{NAME}.json").write_text(text, encoding="utf-8")
    assert systemd.configuration_applied(running, [config], tmp_path) is applied


def test_a_unit_without_configuration_has_it_applied(tmp_path: Path) -> None:
    assert systemd.configuration_applied(RUNNING, [], tmp_path)


@pytest.mark.parametrize(
    ("found", "verbs", "asked"),
    [
        (STOPPED, ["enable", "start"], [f"enable {NAME}", f"start {NAME}", "show"]),
        (RUNNING, ["reload"], [f"reload {NAME}", "show"]),
        (UNKNOWN, ["start"], ["daemon-reload", f"start {NAME}", "show"]),
        (unit(NeedDaemonReload="yes"), ["start"], ["daemon-reload", f"start {NAME}", "show"]),
    ],
)
def test_apply_carries_out_the_steps_in_order(
    tmp_path: Path, found: systemd.Unit, verbs: list[str], asked: list[str]
) -> None:
    systemctl = Systemctl({**LOADED, "ActiveState": "active"})
    assert systemd.apply(systemctl, found, verbs, [], tmp_path).active
    assert systemctl.asked == asked
    assert not list(tmp_path.iterdir())


def test_a_drop_in_is_read_whether_or_not_systemd_has_noticed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "UNITS", tmp_path / "units")
    systemctl = Systemctl({**LOADED, "ActiveState": "active"})
    systemd.apply(systemctl, RUNNING, ["restart"], [tmp_path / "units" / f"{NAME}.d" / "parity.conf"], tmp_path)
    assert systemctl.asked == ["daemon-reload", f"restart {NAME}", "show"]


def test_what_was_applied_is_not_applied_again(tmp_path: Path) -> None:
    config = [tmp_path / "broker.conf"]
    config[0].write_text("1", encoding="utf-8")
    systemctl = Systemctl({**LOADED, "ActiveState": "active", "InvocationID": "one"})
    now = systemd.apply(systemctl, STOPPED, ["start"], config, tmp_path)
    wanted = {"state": "started", "enabled": None, "config": config, "on_change": "restart", "markers": tmp_path}
    assert systemd.steps(now, **wanted) == []
    config[0].write_text("2", encoding="utf-8")
    assert systemd.steps(now, **wanted) == ["restart"]


def test_a_unit_that_did_not_come_up_leaves_no_marker(tmp_path: Path) -> None:
    systemd.apply(Systemctl({**LOADED, "ActiveState": "failed"}), STOPPED, ["start"], [tmp_path / "x"], tmp_path)
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(("err", "words"), [("Job failed.\n", "Job failed."), ("", "exit code 3")])
def test_a_failing_step_says_how_to_read_the_log(tmp_path: Path, err: str, words: str) -> None:
    systemctl = Systemctl(LOADED, fails="start", code=3, err=err)
    with pytest.raises(ParityError) as error:
        systemd.apply(systemctl, STOPPED, ["enable", "start"], [], tmp_path)
    assert f"systemctl start {NAME} failed: {words}" in str(error.value)
    assert f"journalctl -u {NAME}" in str(error.value)


def test_what_a_dry_run_is_about_to_write_counts(tmp_path: Path) -> None:
    config, markers = tmp_path / "proxy.cfg", tmp_path / "markers"
    config.write_text("as it was\n", encoding="utf-8")
    systemd.remember(RUNNING, [config], markers)
    wanted = {"state": "as_is", "enabled": True, "config": [config], "on_change": "reload", "markers": markers}
    assert systemd.steps(RUNNING, **wanted, coming={config: "another\n"}) == ["reload"]
    assert systemd.steps(RUNNING, **wanted, coming={tmp_path / "elsewhere": "another\n"}) == []
    # Changed by hand, and about to be what the unit runs with already.
    config.write_text("by hand\n", encoding="utf-8")
    assert systemd.steps(RUNNING, **wanted) == ["reload"]
    assert systemd.steps(RUNNING, **wanted, coming={config: "as it was\n"}) == []
    # Started by somebody else, after the last change: what is written now, it has not read.
    later = unit(ActiveState="active", UnitFileState="enabled", InvocationID="two", ActiveEnterTimestampMonotonic="9" * 15)
    assert systemd.steps(later, **wanted) == []
    assert systemd.steps(later, **wanted, coming={config: "another\n"}) == ["reload"]
    # A directory is read with all that is in it.
    below = {**wanted, "config": [tmp_path / "conf.d"]}
    systemd.remember(RUNNING, below["config"], markers)
    assert systemd.steps(RUNNING, **below, coming={tmp_path / "conf.d/new": "x"}) == ["reload"]
