# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as words of a command line."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.command_options import command_options


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, []),
        ({"web.route-prefix": "/"}, ["--web.route-prefix=/"]),
        ({"b": 1, "a": "x y"}, ["--b=1", "--a=x y"]),
        ({"cluster.listen-address": "", "web.external-url": None}, ["--cluster.listen-address="]),
    ],
)
def test_options_that_have_a_value_become_words(options: dict, wanted: list[str]) -> None:
    assert command_options(options) == wanted
