# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations run in order, once, and never where history and files have drifted apart."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import migrations
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def parsed(*names: str) -> list[migrations.Migration]:
    return migrations.parse([{"file": name, "sql": f"-- {name}"} for name in names])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["2_b.sql", "1_a.sql"], ["1_a.sql", "2_b.sql"]),
        (["9_b.sql", "10_a.sql"], ["10_a.sql", "9_b.sql"]),  # versions are text
        (["20260102030405_some_long-name.sql"], ["20260102030405_some_long-name.sql"]),
    ],
)
def test_parse(names: list[str], expected: list[str]) -> None:
    found = parsed(*names)
    assert [one.file for one in found] == expected
    assert [one.sql for one in found] == [f"-- {name}" for name in expected]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.sql"], "'a.sql' is not the name of a migration"),
        (["1.sql"], "is not the name of a migration"),
        (["1_a.sql.bak"], "is not the name of a migration"),
        (["1_a.sql\n"], "is not the name of a migration"),
        (["\u0661_a.sql"], "is not the name of a migration"),
        (["1_b.sql", "1_a.sql"], "have the same version"),
    ],
)
def test_parse_refuses(names: list[str], words: str) -> None:
    with pytest.raises(ParityError, match=words):
        parsed(*names)


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ([], ["1_a.sql", "2_b.sql", "3_c.sql"]),
        (["1"], ["2_b.sql", "3_c.sql"]),
        (["2", "1"], ["3_c.sql"]),
        (["1", "2", "3"], []),
    ],
)
def test_pending(applied: list[str], expected: list[str]) -> None:
    assert [one.file for one in migrations.pending(parsed("1_a.sql", "2_b.sql", "3_c.sql"), applied)] == expected


@pytest.mark.parametrize(
    ("applied", "words"),
    [
        (["1", "0", "4"], "migrations that this release does not: 0, 4"),
        (["2"], r"1_a.sql would run after a later one \(2\)"),
        (["3"], r"1_a.sql, 2_b.sql would run after a later one \(3\)"),
    ],
)
def test_pending_refuses(applied: list[str], words: str) -> None:
    with pytest.raises(ParityError, match=words):
        migrations.pending(parsed("1_a.sql", "2_b.sql", "3_c.sql"), applied)
