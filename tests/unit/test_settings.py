# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type is held against rules, and no answer gives a secret away."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import settings


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("required", ["x", 0, False, ["x"]], [None, "", "  ", [], {}]),
        (
            "release",
            ["v1.4", "v1.4.2", "v1.4.2-rc1", "v1.4.2-rc1.2", "v1.10"],
            [None, "", "1.4", "v1", "v1.4/..", "v1.4 ", "v1.4\n", "v1.4-", 1.10, 2, ["v1.4"], "v1.4-" + "x" * 64],
        ),
        ("name", ["a", "docpipe", "a-1", "a" * 31], [None, "", "A", "1a", "-a", "a_b", "a\n", "a" * 32, 5]),
        ("url", ["http://h", "https://h:8443/x", "HTTP://h"], [None, "", "h", "ftp://h", "http://", "http://h:x", 5]),
        ("url", ["http://[::1]:80"], ["http://[::1", "http://h:99999"]),
        ("database_url", ["postgresql://u:p@h/d", "postgres://h"], ["mysql://h", "postgresql:///d", "http://h"]),
        ("broker_url", ["redis://h", "rediss://:p@h:6379/0"], ["http://h", "redis://", ""]),
        ("signing_key", ["x" * 32], [None, "", "x" * 31, " " * 40]),
        ("port", [1, 8000, 65535], [None, "", 0, -1, 65536, "8000", True, 80.5]),
        ("application", ["https://h/x.whl", "git+https://h/x@v1", "/"], [None, "", "/none/at/all.whl"]),
        ("directory", ["/"], [None, "", "/none/at/all", __file__]),
        ("file", [__file__], [None, "", "/none/at/all", "/"]),
    ],
)
def test_rules(rule: str, good: list, bad: list) -> None:
    assert {value if isinstance(value, str) else repr(value): settings.RULES[rule](value) for value in good} == {
        value if isinstance(value, str) else repr(value): "" for value in good
    }
    assert [value for value in bad if not settings.RULES[rule](value)] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is no file"), ("a==1\n", "has no hashes"), ("a==1 --hash=sha256:00\n", "")],
)
def test_lock_file(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "requirements.lock"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    wrong = settings.complaint("lock", str(path), "lock_file")
    assert words in wrong and bool(wrong) is bool(words)


@pytest.mark.parametrize(
    ("value", "rule", "more", "expected"),
    [
        ("v1.4", "release", {}, ""),
        (None, "required", {}, "x is missing or empty."),
        ("", "required", {"hint": "Set it."}, "x is missing or empty. Set it."),
        (0, "port", {}, "x has to be a port, a whole number from 1 to 65535. It is 0."),
        ("q" * 100, "port", {}, f"x has to be a port, a whole number from 1 to 65535. It is '{'q' * 79}... (cut)."),
        (0, "port", {"secret": True, "hint": "Ask."}, "x has to be a port, a whole number from 1 to 65535. Ask."),
    ],
)
def test_complaint(value: object, rule: str, more: dict, expected: str) -> None:
    assert settings.complaint("x", value, rule, **more) == expected


@pytest.mark.parametrize("rule", sorted(settings.RULES))
def test_a_secret_is_never_shown(rule: str) -> None:
    assert "hunter2" not in settings.complaint("x", "hunter2 hunter2", rule, secret=True)


@pytest.mark.parametrize(
    ("groups", "required", "expected"),
    [
        ({"api": ["a"]}, ["api"], []),
        ({}, [], []),
        ({"all": ["a"], "ungrouped": []}, ["api"], ["no host in the group 'api'. Other groups in it: none."]),
        ({"api": [], "db": ["a"]}, ["api"], ["no host in the group 'api'. Other groups in it: db."]),
        ({"workers": ["a"]}, ["worker"], ["There is a group 'workers': is it meant? Other groups in it: workers."]),
        ({}, ["api", "worker"], ["group 'api'", "group 'worker'"]),
        ({"api": ["a", "b"], "worker": ["b", "a"]}, ["api", "worker"], []),
        ({"api": ["a", "b"], "worker": ["b", "c"]}, ["api"], ["the same hosts, and a, c are in one of them only"]),
        ({"api": ["a"]}, ["api"], []),
    ],
)
def test_group_complaints(groups: dict[str, list[str]], required: list[str], expected: list[str]) -> None:
    found = settings.group_complaints(groups, required)
    assert len(found) == len(expected)
    assert all(words in wrong for words, wrong in zip(expected, found))
