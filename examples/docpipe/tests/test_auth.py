# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: what is accepted, and why the rest is not."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from support import SECRET, token

from docpipe.auth import Caller, InvalidToken, verify


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": "ann", "aud": "docpipe", "exp": int(time.time()) + 600})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
    )


def signed(**options: Any) -> str:
    claims = {"sub": "ann", "aud": "docpipe", "exp": int(time.time()) + 600}
    return jwt.encode(claims, **{"key": SECRET, "algorithm": "HS256", **options})


def test_accepted() -> None:
    assert verify(token("ann"), SECRET) == Caller("ann")
    assert verify(token("ann", queue="canary"), SECRET) == Caller("ann", "canary")
    assert verify(token("ann", iat=int(time.time()) + 5), SECRET) == Caller("ann")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "not valid"),
        ("a.b.c", "not valid"),
        (unsigned(), "not valid"),
        (signed(key="another key that is also long enough"), "not valid"),
        (signed(algorithm="HS512"), "not valid"),
        (token("ann", aud="other"), "not valid"),
        (token("ann", exp=int(time.time()) - 1), "expired"),
        (token("ann", exp=None), "lacks the claim 'exp'"),
        (token("ann", aud=None), "lacks the claim 'aud'"),
        (token("ann", sub=None), "lacks the claim 'sub'"),
        (token(""), "subject"),
        (token("x" * 256), "subject"),
        (token("a\0b"), "subject"),
        (token("ann", queue="no spaces"), "queue"),
        (token("ann", queue=7), "queue"),
    ],
)
def test_refused(bad: str, reason: str) -> None:
    with pytest.raises(InvalidToken, match=reason):
        verify(bad, SECRET)
