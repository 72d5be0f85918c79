# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration that was kept comes back exactly, and units that run with another one take it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import configuration
from ansible_collections.parity.stack.plugins.module_utils.release.configuration import Part


class Systemd:
    """One unit that runs; notes what it is told."""

    def __init__(self, state: str = "active") -> None:
        self.state, self.done = state, []

    def __call__(self, words: list[str]) -> tuple[int, str, str]:
        if words[1] == "show":
            return 0, f"LoadState=loaded\nActiveState={self.state}\nInvocationID=1\nActiveEnterTimestampMonotonic=1\n", ""
        self.done.append(" ".join(words[1:]))
        return 0, "", ""


def files(folder: Path) -> dict[str, tuple]:
    return {
        str(path.relative_to(folder)): ("link", os.readlink(path)) if path.is_symlink() else (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "secrets").mkdir(parents=True)
    (folder / "proxy.cfg").write_bytes(b"\xff old")
    (folder / "proxy.cfg").chmod(0o640)
    (folder / "secrets/token").write_text("hunter22", encoding="utf-8")
    (folder / "link").symlink_to("proxy.cfg")
    return folder


def part(etc: Path, on_change: str = "reload") -> Part:
    return Part("haproxy", [str(etc / "proxy.cfg"), str(etc / "secrets"), str(etc / "link"), str(etc / "absent")], on_change)


@pytest.mark.parametrize("on_change", ["reload", "restart", "as_is"])
@pytest.mark.parametrize("state", ["active", "inactive"])
def test_everything_comes_back(tmp_path: Path, etc: Path, on_change: str, state: str) -> None:
    kept, unit, before = tmp_path / "kept", Systemd(state), files(etc)
    configuration.keep([part(etc, on_change)], kept)
    assert kept.stat().st_mode & 0o077 == 0
    assert configuration.differences(kept) == []
    (etc / "proxy.cfg").write_text("new", encoding="utf-8")
    (etc / "proxy.cfg").chmod(0o644)
    (etc / "secrets/token").unlink()
    (etc / "secrets/more").write_text("x", encoding="utf-8")
    (etc / "link").unlink()
    (etc / "absent").write_text("now here", encoding="utf-8")
    expected = sorted(str(etc / name) for name in ("absent", "link", "proxy.cfg", "secrets/more", "secrets/token"))
    assert configuration.differences(kept) == expected
    assert configuration.restore(kept, unit, tmp_path / "markers") == expected
    assert files(etc) == before
    assert unit.done == ([f"{on_change} haproxy"] if on_change != "as_is" and state == "active" else [])
    assert configuration.restore(kept, unit, tmp_path / "markers") == []
    assert len(unit.done) <= 1


def test_a_unit_that_was_not_reloaded_is_reloaded_the_next_time(tmp_path: Path, etc: Path) -> None:
    kept, markers, unit = tmp_path / "kept", tmp_path / "markers", Systemd()
    systemd.remember(systemd.Unit("haproxy", {"InvocationID": "1"}), [Path(path) for path in part(etc).paths], markers)
    configuration.keep([part(etc)], kept)
    assert configuration.restore(kept, unit, markers) == [] and unit.done == []
    # The files are back, and whoever put them back died before the reload: the marker speaks of the others.
    (markers / "haproxy.json").write_text('{"invocation": "1", "digest": "other"}', encoding="utf-8")
    assert configuration.restore(kept, unit, markers) == [] and unit.done == ["reload haproxy"]


def test_keeping_again_replaces_what_was_kept(tmp_path: Path, etc: Path) -> None:
    kept = tmp_path / "kept"
    configuration.keep([part(etc)], kept)
    (etc / "proxy.cfg").write_text("second", encoding="utf-8")
    configuration.keep([part(etc)], kept, beside={"environment": etc / "secrets"})
    assert configuration.differences(kept) == []
    assert (kept / "environment/token").read_text(encoding="utf-8") == "hunter22"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_nothing_kept_is_nothing_to_do(tmp_path: Path) -> None:
    assert configuration.restore(tmp_path / "none", Systemd()) == []


def test_a_damaged_record_says_so(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(ParityError, match=r"manifest\.json cannot be read"):
        configuration.restore(tmp_path, Systemd())


def test_secrets_stay_as_they_are_where_that_is_asked_for(tmp_path: Path, etc: Path) -> None:
    kept = tmp_path / "kept"
    whole = part(etc)
    configuration.keep([Part(whole.unit, whole.paths, secrets=[str(etc / "secrets")])], kept)
    (etc / "proxy.cfg").write_text("new", encoding="utf-8")
    (etc / "secrets/token").write_text("of today", encoding="utf-8")
    (etc / "secrets/more").write_text("x", encoding="utf-8")
    expected = [str(etc / "proxy.cfg")]
    assert configuration.differences(kept, secrets=False) == expected
    assert configuration.restore(kept, Systemd(), tmp_path / "markers", secrets=False) == expected
    assert (etc / "secrets/token").read_text(encoding="utf-8") == "of today" and (etc / "secrets/more").exists()
    # With a run that fails they go back.
    assert len(configuration.restore(kept, Systemd(), tmp_path / "markers")) == 2
    assert (etc / "secrets/token").read_text(encoding="utf-8") == "hunter22"
