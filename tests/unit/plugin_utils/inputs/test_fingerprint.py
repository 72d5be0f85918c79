# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same digest for the same wishes, and another one for every other."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import fingerprint

VALUES = {"stack_release": "v1.0", "api_arguments": ["--a", {"b": 1}], "stack_none": None}


def test_the_order_of_names_is_no_difference() -> None:
    assert fingerprint.of(VALUES, ["s"], "c") == fingerprint.of(dict(reversed(VALUES.items())), ["s"], "c")


@pytest.mark.parametrize(
    ("values", "sources", "code"),
    [
        (VALUES | {"stack_release": "v1.1"}, ["s"], "c"),
        (VALUES | {"api_arguments": [{"b": 1}, "--a"]}, ["s"], "c"),
        (VALUES | {"api_arguments": ["--a", {"b": "1"}]}, ["s"], "c"),
        (VALUES | {"api_arguments": ["--a", {"b": True}]}, ["s"], "c"),
        (VALUES | {"stack_none": "None"}, ["s"], "c"),
        (VALUES | {"more": ""}, ["s"], "c"),
        (VALUES, ["t"], "c"),
        (VALUES, ["s"], "d"),
    ],
)
def test_whatever_differs_counts(values: dict, sources: list[str], code: str) -> None:
    assert fingerprint.of(values, sources, code) != fingerprint.of(VALUES, ["s"], "c")


def test_the_code_is_what_a_collection_works_with(tmp_path: Path) -> None:
    (tmp_path / "roles/api/tasks").mkdir(parents=True)
    task = tmp_path / "roles/api/tasks/main.yml"
    task.write_text("- a\n", encoding="utf-8")
    before = fingerprint.of_code(tmp_path)
    (tmp_path / "README.md").write_text("words", encoding="utf-8")
    (tmp_path / "roles/api/x.pyc").write_bytes(b"x")
    assert fingerprint.of_code(tmp_path) == before
    task.write_text("- b\n", encoding="utf-8")
    assert fingerprint.of_code(tmp_path) != before
    task.rename(tmp_path / "roles/api/tasks/other.yml")
    assert fingerprint.of_code(tmp_path) != before
