# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong together are replaced together, or not at all."""

from __future__ import annotations

from pathlib import Path

import module_runs
import pytest


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
