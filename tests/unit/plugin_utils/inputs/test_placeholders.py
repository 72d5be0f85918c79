# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that somebody else knows is recognised, and a random one is not taken for such."""

from __future__ import annotations

import base64
import re
import secrets

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import dotenv, judge_env, placeholders


@pytest.mark.parametrize(
    "value",
    [
        "CHANGE-ME", "change_me", "Change Me", "changeme", "changeit", "change-this-please", "please-change-me", "CHANGEME123",
        "change-me-change-me-change-me-change-me", "replace_me", "REPLACE-WITH-YOUR-KEY", "insert-key-here", "fill-me-in", "enter password",
        "example", "example-password", "secret", "supersecret", "my-secret-key", "top secret", "this-is-a-secret", "secret123",
        "password", "Password1", "passwd", "default", "dummy", "xxx", "XXXXXXXX", "todo", "TBD", "fixme", "placeholder", "none",
        "your-key-here", "your_api_key", "YOUR-256-BIT-SECRET", "your-secret-token-goes-here", "<password>", "<your key>",
        "[YOUR-PASSWORD]",
        "${DB_PASSWORD}", "{{ vault_password }}", "%PASSWORD%", "********", "...", "---",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "postgresql://app:CHANGE-ME@h/d", "redis://:changeme@h:6379/0", "postgresql://app:%3Cpassword%3E@h/d",
    ],
)  # fmt: skip
def test_a_placeholder_is_refused(value: str) -> None:
    assert "everybody knows" in placeholders.complaint(value) or placeholders.complaint(value).startswith("is a placeholder, not")


@pytest.mark.parametrize(
    "value",
    [
        "", None, "b", "pw", "correct horse battery staple", "tr0ub4dor&3", "s3cr3t-of-mine-77", "secretariat", "passwordless-9",
        "xkcd-936", "todo-liste-2", "example.org", "https://h/x", "postgresql://app:p%40ss@h/d", "redis://h:6379/0", "!!x##",
        "AGE-SECRET-KEY-1QQPZ",
    ],
)  # fmt: skip
def test_a_secret_of_ones_own_passes(value: object) -> None:
    assert placeholders.complaint(value) == ""


def test_random_secrets_pass() -> None:
    for number in range(2000):
        size = 6 + number % 40
        for value in (secrets.token_urlsafe(size), secrets.token_hex(size), base64.b64encode(secrets.token_bytes(size)).decode()):
            assert placeholders.complaint(value) == "", value


def test_every_value_of_the_example_file_is_refused() -> None:
    values = dotenv.read(placeholders.EXAMPLE)
    filled = {name: value for name, value in values.items() if value}
    assert len(filled) >= 3 and all(placeholders.complaint(value) for value in filled.values())
    assert judge_env.verdicts(placeholders.EXAMPLE) and len(judge_env.verdicts(placeholders.EXAMPLE)) == len(filled) + 1


def test_an_example_s_value_that_looks_random_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "example_values", lambda: frozenset(["kT9vQ2mZ", "p4ssw0rd"]))
    assert "the example's value" in placeholders.complaint("kT9vQ2mZ")
    assert "the example's value" in placeholders.complaint("postgresql://other:p4ssw0rd@elsewhere/d")


def test_what_the_example_calls_required_is_known() -> None:
    text = placeholders.EXAMPLE.read_text(encoding="utf-8")
    required = re.findall(r"^# Required\..*\n(?:#.*\n)*(\w+)=", text, re.MULTILINE)
    assert tuple(required) == judge_env.REQUIRED


def test_without_the_example_file_the_words_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(placeholders, "EXAMPLE", tmp_path / "none")
    placeholders.example_values.cache_clear()
    assert placeholders.complaint("CHANGE-ME") and not placeholders.complaint("kT9vQ2mZ")
    placeholders.example_values.cache_clear()
