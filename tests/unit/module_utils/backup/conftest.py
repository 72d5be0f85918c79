# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a directory for backups, and a backup made in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import objects as object_backups
from object_stores import PLAIN, Clock


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


@pytest.fixture
def back_up(place, store):
    clock = Clock()
    return lambda check=False, label="", age=PLAIN: object_backups.create(place, "shop", label, [store], clock, age, check=check)
