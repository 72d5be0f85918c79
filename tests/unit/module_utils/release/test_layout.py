# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which slot is live, which one is next, and what each holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout, other


@pytest.mark.parametrize(("slot", "expected"), [("blue", "green"), ("green", "blue")])
def test_other(slot: str, expected: str) -> None:
    assert other(slot) == expected


@pytest.mark.parametrize(
    ("target", "live", "idle"),
    [(None, None, "blue"), ("blue", "blue", "green"), ("green", "green", "blue"), ("elsewhere", None, "blue")],
)
def test_live_and_idle(tmp_path: Path, target: str | None, live: str | None, idle: str) -> None:
    layout = Layout("docpipe", tmp_path)
    layout.config.mkdir(parents=True)
    layout.set_live(target)
    layout.set_live(target)
    assert (layout.live_slot(), layout.idle_slot()) == (live, idle)


def test_release_in(tmp_path: Path) -> None:
    layout = Layout("docpipe", tmp_path)
    layout.slot("blue").parent.mkdir(parents=True)
    layout.slot("blue").symlink_to("../releases/v1.0")
    assert [layout.release_in(slot) for slot in ("blue", "green", None)] == ["v1.0", None, None]


@pytest.mark.parametrize(("text", "expected"), [(None, {}), ("{", {}), ('{"venv": "x"}', {"venv": "x"})])
def test_manifest(tmp_path: Path, text: str | None, expected: dict) -> None:
    layout = Layout("docpipe", tmp_path)
    layout.release("v1").mkdir(parents=True)
    if text is not None:
        (layout.release("v1") / "manifest.json").write_text(text, encoding="utf-8")
    assert layout.manifest("v1") == expected
