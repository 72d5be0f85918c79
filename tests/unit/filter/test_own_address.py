# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses to listen on, and addresses to connect to."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.own_address import own_address


@pytest.mark.parametrize(
    ("listen", "wanted"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("*", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::", "[::1]"),
        ("[::]", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::1", "[fd00::1]"),
        ("[fd00::1]", "[fd00::1]"),
        ("app1.example.org", "app1.example.org"),
    ],
)
def test_own_address_is_one_to_connect_to(listen: str, wanted: str) -> None:
    assert own_address(listen) == wanted
