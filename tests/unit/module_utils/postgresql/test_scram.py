# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64

import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql import scram

# RFC 7677, section 3: user "user", password "pencil".
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def test_the_verifier_is_the_one_of_the_standard():
    assert scram.verifier("pencil", salt=SALT, iterations=4096) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_two_verifiers_of_a_password_differ():
    assert scram.verifier("pencil") != scram.verifier("pencil")


@pytest.mark.parametrize(
    ("password", "stored", "expected"),
    [
        ("pencil", scram.verifier("pencil"), True),
        ("pencil", scram.verifier("pencil", iterations=8192), True),
        ("pencil", scram.verifier("pencils"), False),
        ("pencil", "md5aef6a3f4d1b7b0a1d8ac7e3a2b1e1f3d", False),
        ("pencil", None, False),
        ("pencil", "", False),
        ("ünïcödé ☂", scram.verifier("ünïcödé ☂"), True),
    ],
)
def test_matching(password, stored, expected):
    assert scram.matches(password, stored) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("I\u00adX", "IX"),  # RFC 4013: a soft hyphen is mapped to nothing
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0031", "\u0627\u0031"),  # not allowed, so it is taken as it is
        ("\u0007\u00aa", "\u0007\u00aa"),
    ],
)
def test_saslprep(text, expected):
    assert scram.saslprep(text) == expected
