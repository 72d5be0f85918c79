# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or absent, and digests that see every change that matters."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import files

Change = Callable[[Path], object]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
@pytest.mark.parametrize("before", [None, "old\n"])
def test_write_atomically_replaces_content_and_mode(tmp_path: Path, before: str | None, mode: int) -> None:
    path = tmp_path / "new" / "file"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before, encoding="utf-8")
        path.chmod(0o666)
    files.write_atomically(path, "ünïcödé\n", mode=mode)
    assert path.read_bytes() == "ünïcödé\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("broken", ["fchmod", "fchown", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def fail(*_args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(files.os, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        files.write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_are_in_place_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = os.fdopen

    def spy(descriptor: int, *args: object, **kwargs: object) -> object:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return real(descriptor, *args, **kwargs)

    monkeypatch.setattr(files.os, "fdopen", spy)
    files.write_atomically(tmp_path / "secret", "hunter2", mode=0o640)
    assert seen == [0o640]


@pytest.mark.parametrize("before", [None, "link", "dangling", "left over"])
def test_link_atomically(tmp_path: Path, before: str | None) -> None:
    link = tmp_path / "live"
    if before == "link":
        (tmp_path / "blue").mkdir()
        link.symlink_to("blue")
    elif before == "dangling":
        link.symlink_to("gone")
    elif before == "left over":
        (tmp_path / f".live.{os.getpid()}").symlink_to("blue")
    files.link_atomically(link, "green")
    assert os.readlink(link) == "green"
    assert sorted(os.listdir(tmp_path)) == (["blue", "live"] if before == "link" else ["live"])


def tree(root: Path) -> list[Path]:
    """A file, a directory with a file below a directory, and a path that does not exist."""
    (root / "one").write_text("1", encoding="utf-8")
    (root / "more" / "deep").mkdir(parents=True)
    (root / "more" / "deep" / "two").write_text("2", encoding="utf-8")
    return [root / "one", root / "more", root / "absent"]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda root: None, False),
        (lambda root: os.utime(root / "one", (1, 1)), False),
        (lambda root: (root / "one").chmod(0o600), False),
        (lambda root: (root / "beside").touch(), False),
        (lambda root: (root / "one").write_text("x", encoding="utf-8"), True),
        (lambda root: (root / "one").unlink(), True),
        (lambda root: (root / "more/deep/two").write_text("x", encoding="utf-8"), True),
        (lambda root: (root / "more/deep/two").rename(root / "more/two"), True),
        (lambda root: (root / "more/three").touch(), True),
        (lambda root: (root / "absent").touch(), True),
    ],
    ids=["nothing", "time", "mode", "beside", "content", "gone", "content below", "moved", "added", "appeared"],
)
def test_digest_of(tmp_path: Path, change: Change, differs: bool) -> None:
    paths = tree(tmp_path)
    before = files.digest_of(paths)
    change(tmp_path)
    assert (files.digest_of(paths) != before) is differs


def test_digest_of_does_not_depend_on_the_order(tmp_path: Path) -> None:
    paths = tree(tmp_path)
    assert files.digest_of(paths) == files.digest_of(paths[::-1]) == files.digest_of([*paths, paths[0]])


@pytest.mark.parametrize(
    ("times", "newest"),
    [
        ({}, 0.0),
        ({"one": 100}, 100.0),
        ({"one": 100, "more/deep/two": 200}, 200.0),
        ({"one": 300, "more/deep/two": 2}, 300.0),
    ],
)
def test_newest_change(tmp_path: Path, times: dict[str, int], newest: float) -> None:
    paths = tree(tmp_path)
    for name in ("one", "more/deep/two"):
        if name in times:
            os.utime(tmp_path / name, (times[name], times[name]))
        else:
            (tmp_path / name).unlink()
    assert files.newest_change(paths) == newest
