# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module object_backup, run as Ansible runs it."""

from __future__ import annotations

import json

from module_runs import run


def test_the_backup_module(tmp_path):
    (tmp_path / "objects" / "documents").mkdir(parents=True)
    (tmp_path / "objects" / "documents" / "a").write_text("one")
    given = {
        "backend": "filesystem",
        "path": str(tmp_path / "objects"),
        "buckets": ["documents"],
        "directory": str(tmp_path / "backups"),
        "name": "shop",
    }
    assert run("object_backup", check=True, **given)["copied"] == 1
    assert run("object_backup", check=True, **given, state="pruned")["changed"] is False
    assert "Make it with mode 0700" in run("object_backup", **given)["msg"]
    (tmp_path / "backups").mkdir()
    made = run("object_backup", **given)
    assert made["changed"] and not run("object_backup", **given)["changed"]
    assert run("object_backup", **{**given, "buckets": ["documents", "none"]})["left_out"] == ["none"]
    (tmp_path / "objects" / "documents" / "a").unlink()
    assert run("object_backup", **given, state="verified")["objects"] == 1
    assert run("object_backup", **given, state="restored", file=made["file"])["restored"] == ["documents/a"]
    assert (tmp_path / "objects" / "documents" / "a").read_text() == "one"
    assert json.loads((tmp_path / "backups" / made["file"]).read_text())["version"] == 1
    for bad in ({"name": "../x"}, {"label": "a/b"}, {"buckets": []}, {"buckets": ["../x"]}, {"state": "restored", "file": "../x"}):
        assert run("object_backup", **{**given, **bad})["failed"]
