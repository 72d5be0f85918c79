# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an application, read with bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree


def put(root: Path, name: str, content: bytes = b"x") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


def test_what_others_wrote_and_tests_are_skipped(tmp_path: Path) -> None:
    kept = ["a.py", "b/c.py", ".env.example"]
    for name in [*kept, ".git/config", ".venv/a.py", "venv/a.py", "node_modules/x/a.py", "tests/a.py", "b/__pycache__/c.py"]:
        put(tmp_path, name)
    assert sorted(Tree(tmp_path).names) == sorted(kept)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "is no UTF-8 text"), (b"a\0b", "is no text"), (b"x" * 101, "has 101 bytes, and at most 100 are read")],
)
def test_what_is_no_text_or_too_big_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    put(tmp_path, "a.py", content)
    tree = Tree(tmp_path, largest=100)
    assert tree.text("a.py") is None and tree.text("a.py") is None
    assert len(tree.notes) == 1 and said in tree.notes[0]


def test_a_link_out_of_the_application_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.py")
    put(tmp_path, "shop/own.py", b"own")
    root = tmp_path / "shop"
    (root / "linked.py").symlink_to("../outside/secret.py")
    (root / "folder").symlink_to("../outside")
    (root / "inside.py").symlink_to("own.py")
    (root / "broken.py").symlink_to("nothing")
    (root / "circle").symlink_to(".")
    tree = Tree(root)
    assert tree.names == ["inside.py", "own.py"]
    assert sorted(note.partition(" ")[0] for note in tree.notes) == ["circle", "folder", "linked.py"]


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    put(tmp_path, "a.py")
    os.mkfifo(tmp_path / "b.py")
    assert Tree(tmp_path).names == ["a.py"]


def test_so_many_files_and_no_more(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, f"deep/{number}.py")
    put(tmp_path, "top.py")
    tree = Tree(tmp_path, most=3)
    assert tree.names == ["top.py", "deep/0.py", "deep/1.py"]
    assert tree.notes == ["only the first 3 files were read; those deeper in the tree were not"]


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_nothing_to_look_at_is_an_error(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "shop"
    root.write_text("x") if kind == "file" else root.mkdir() if kind == "empty" else None
    with pytest.raises(ParityError, match="-e application=DIR"):
        Tree(root)
