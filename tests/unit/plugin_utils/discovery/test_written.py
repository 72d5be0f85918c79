# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import written


def test_only_what_is_missing_is_written(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "broken").symlink_to("nowhere")
    files = written.compare(tmp_path, {"kept": "new", "a/b.yml": "new", "broken": "new"})
    written.write(files)
    assert (tmp_path / "kept").read_text() == "mine"
    assert (tmp_path / "a/b.yml").read_text() == "new"
    assert (tmp_path / "broken").is_symlink()


@pytest.mark.parametrize(
    ("name", "present", "text", "lines"),
    [
        ("application.yml", "a: 1\n", "a: 1\n", []),
        ("application.yml", "a: 1\n", "a: 2\n", ["-a: 1", "+a: 2"]),
        ("application.yml", "  SECRET_KEY: hunter2\n", "", ["-SECRET_KEY: (not shown)"]),
        ("application.yml", "  env: {API_KEY: hunter2}\n", "", ["-env: (not shown)"]),
        ("secrets.yml", "  PLAIN: hunter2\n  3862hunter2\n", "  PLAIN: x\n", ["-PLAIN: (not shown)", "-(not shown)", "+  PLAIN: x"]),
        (".env.shop.example", "PLAIN=hunter2\n", "", ["-PLAIN: (not shown)"]),
    ],
)
def test_a_difference_shows_no_secret_a_person_wrote(tmp_path: Path, name: str, present: str, text: str, lines: list[str]) -> None:
    (tmp_path / name).write_text(present)
    difference = written.compare(tmp_path, {name: text})[0].difference()
    assert [line for line in difference.splitlines() if not line.startswith(("---", "+++", "@@"))] == lines


def test_an_inventory_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParityError, match="has to be a directory"):
        written.compare(tmp_path / "file/shop", {})
