# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong together are replaced together, or not at all."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import module_runs
import pytest
from ansible_collections.parity.stack.plugins.module_utils import systemd


def files(folder: Path, **more: object) -> list[dict]:
    return [{"path": str(folder / "one"), "content": "first\n"}, {"path": str(folder / "two"), "content": "secönd", "mode": "0600", **more}]


def test_all_of_them(tmp_path: Path) -> None:
    directories = [{"path": str(tmp_path / "new"), "mode": "0750"}]
    wanted = {"files": files(tmp_path / "new"), "directories": directories}
    predicted = module_runs.run("config_files", check=True, **wanted)
    assert not (tmp_path / "new").exists()
    done = module_runs.run("config_files", **wanted)
    assert predicted["changed_paths"] == done["changed_paths"] == [str(tmp_path / name) for name in ("new", "new/one", "new/two")]
    assert (tmp_path / "new/two").read_text(encoding="utf-8") == "secönd"
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/one", "new/two")] == [0o750, 0o644, 0o600]
    assert done["diff"][1]["before"] == "" and done["diff"][1]["after"] == "secönd"
    again = module_runs.run("config_files", **wanted)
    assert not again["changed"] and again["diff"] == []
    (tmp_path / "new/one").chmod(0o600)
    assert module_runs.run("config_files", **wanted)["changed_paths"] == [str(tmp_path / "new/one")]


@pytest.mark.parametrize("check", [False, True])
def test_one_that_is_refused_keeps_the_others_as_they_are(tmp_path: Path, check: bool) -> None:
    (tmp_path / "one").write_text("old", encoding="utf-8")
    refused = module_runs.run("config_files", check=check, files=files(tmp_path, validate="grep -q third %s"))
    assert refused["failed"] and "would not be fit for use, so nothing was changed: grep says" in refused["msg"]
    assert (tmp_path / "one").read_text(encoding="utf-8") == "old" and not (tmp_path / "two").exists()


def test_a_program_that_is_not_there_yet(tmp_path: Path) -> None:
    wanted = files(tmp_path, validate="no-such-program %s")
    assert module_runs.run("config_files", check=True, files=wanted)["changed"]
    assert module_runs.run("config_files", files=wanted)["failed"] and not (tmp_path / "one").exists()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"files": [{"path": "/etc", "content": ""}]}, "/etc is a directory"),
        ({"files": [{"path": "/proc/none", "content": ""}]}, "/proc"),
        ({"files": [], "directories": [{"path": "/tmp", "group": "no-such-group"}]}, "there is no group 'no-such-group'"),
        ({"files": [{"path": "/etc/hostname", "content": "x", "mode": "rw"}]}, "is no octal number"),
    ],
)
def test_what_cannot_be(wanted: dict, words: str) -> None:
    assert words in module_runs.run("config_files", **wanted)["msg"]


SYSTEMCTL = """#!/bin/sh
[ "$1" = show ] || { echo "$@" >>"$0.asked"; [ "$1" = enable ] && touch "$0.enabled.$2"; exit 0; }
printf 'LoadState=loaded\\nActiveState=active\\nInvocationID=one\\nActiveEnterTimestampMonotonic=1\\n'
[ -e "$0.enabled.$2" ] && echo UnitFileState=enabled || echo UnitFileState=disabled
"""


def test_a_unit_takes_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "apply", functools.partial(systemd.apply, markers=tmp_path / "markers"))
    monkeypatch.setattr(systemd, "steps", functools.partial(systemd.steps, markers=tmp_path / "markers"))
    units = [{"name": "shop-proxy.service", "config": [str(tmp_path / "one")]}, {"name": "shop-live.service"}]
    wanted = {"files": files(tmp_path), "units": units}
    predicted, done = module_runs.run("config_files", check=True, **wanted), module_runs.run("config_files", **wanted)
    assert predicted["steps"] == done["steps"] == {"shop-proxy.service": ["enable", "reload"], "shop-live.service": ["enable"]}
    asked = ["enable shop-proxy.service", "reload shop-proxy.service", "enable shop-live.service"]
    assert Path(f"{program}.asked").read_text(encoding="utf-8").splitlines() == asked
    again = module_runs.run("config_files", **wanted)
    assert not again["changed"] and again["steps"] == {"shop-proxy.service": [], "shop-live.service": []}
    (tmp_path / "one").write_text("by hand", encoding="utf-8")
    predicted, done = module_runs.run("config_files", check=True, **wanted), module_runs.run("config_files", **wanted)
    assert predicted["changed_paths"] == done["changed_paths"] == [str(tmp_path / "one")]
    assert predicted["steps"] == done["steps"] and not any(done["steps"].values())
