# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .env is judged by names and lines, and no answer holds a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.judge_env import verdicts

KEY = "kT9vQ2mZ4rX7wB1nC6yF3hJ8dL5gS0pa"
GOOD = f"""\
DATABASE_URL=postgresql+asyncpg://app:sWordfish1@10.0.0.1:6543/shop?ssl=require
DATABASE_OWNER_URL=postgresql://owner:sWordfish1@10.0.0.1/shop
BROKER_URL=rediss://:sWordfish1@10.0.0.1:6379/0?ssl_cert_reqs=required
JWT_SECRET_KEY={KEY}
JWT_AUDIENCE=shop
CACHE_URL=redis://10.0.0.1/3
WEBHOOK_URL=https://hooks.example.org/x?token=sWordfish1
OTHER_URL=amqp://guest@10.0.0.1
S3_SECRET_ACCESS_KEY=sWordfish1
LOG_LEVEL=secret
OPENAI_API_KEY=
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("DATABASE_URL=postgresql://app:sWord@fish@10.0.0.1:5432/shop", ["DATABASE_URL cannot be read: it has more than one @"]),
        ("DATABASE_OWNER_URL=postgresql://owner:50%off@10.0.0.1/shop", ["DATABASE_OWNER_URL has a % that is not followed"]),
        ("DATABASE_OWNER_URL=postgresql://owner:sWordfish1@10.0.0.1:6543/shop", ["DATABASE_OWNER_URL has the port 6543"]),
        ("DATABASE_URL=10.0.0.1", ["DATABASE_URL cannot be read"]),
        ("DATABASE_URL=", ["DATABASE_URL is empty, and a deployment needs it."]),
        ("DATABASE_URL=postgresql://app:CHANGE-ME@10.0.0.1/shop", ["DATABASE_URL is the example's value"]),
        ("REPORTS_URL=postgres://app:sWordfish1@10.0.0.1:port/shop", ["REPORTS_URL cannot be read: its port is no number"]),
        ("BROKER_URL=redis://:sWordfish1@10.0.0.1/99", ["BROKER_URL names the database 99. The broker has 16"]),
        ("BROKER_URL=amqp://app:sWordfish1@10.0.0.1/shop", []),
        ("BROKER_URL=amqp://sWordfish1@10.0.0.1/shop", ["BROKER_URL names no user or no password"]),
        ("BROKER_URL=10.0.0.1", ["BROKER_URL is none of the brokers that Parity knows"]),
        ("CACHE_URL=redis://:sWordfish1@10.0.0.1/jobs", ["CACHE_URL cannot be read: after its host"]),
        ("BLOG_URL=https://blog.example.org/@someone", []),
        ("WEBHOOK_URL=https://h1,h2/x", ["WEBHOOK_URL names several hosts"]),
        ("JWT_SECRET_KEY=sWordfish1", ["JWT_SECRET_KEY is too short to sign tokens with: 10 bytes"]),
        ("SECRET_KEY=changeme", ["SECRET_KEY is too short"]),
        ("JWT_PUBLIC_KEY=sWordfish1", []),
        ("SMTP_PASSWORD='<your password>'", ["SMTP_PASSWORD is a placeholder"]),
        ("STRIPE_TOKEN=xxx", ["STRIPE_TOKEN is a placeholder"]),
    ],
)
def test_verdicts(tmp_path: Path, line: str, expected: list[str]) -> None:
    path = tmp_path / ".env"
    path.write_text(f"{GOOD}{line}\n", encoding="utf-8")
    found = verdicts(path)
    assert len(found) == len(expected) and all(told.startswith(words) for told, words in zip(found, expected))
    assert not any("sWord" in told or "fish" in told for told in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('A=1\nTOKEN="abc\nB=2\n', "line 2: this line cannot be read"),
        ("A=pa${NO_SUCH_VARIABLE}\n", "line 1: A refers to ${NO_SUCH_VARIABLE}"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / ".env"
    path.write_text(content, encoding="utf-8")
    [told] = verdicts(path)
    assert words in told and str(path) in told
    assert "cannot be read" in verdicts(tmp_path / "none")[0]


def test_a_key_over_several_lines_is_judged_whole(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text('JWT_SECRET_KEY="-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"\nAFTER=1\n', encoding="utf-8")
    [told] = verdicts(path)
    assert told.startswith("JWT_SECRET_KEY is a part of a PEM file")


def test_a_private_key_is_right_for_an_algorithm_of_key_pairs(tmp_path: Path) -> None:
    body = "\n".join(["MC4CAQAwBQYDK2VwBCIEIJ" + "abcdEFGH0123" * 3 for _line in range(2)])
    path = tmp_path / ".env"
    path.write_text(
        f'JWT_ALGORITHM=RS256\nJWT_SECRET_KEY="-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"\n', encoding="utf-8"
    )
    assert verdicts(path) == []
