# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of NAME=value lines are read as a shell would read them."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils import dotenv


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=x", "x"),
        ("  export A = x  ", "x"),
        ("A=", ""),
        ("A=# not a comment", "# not a comment"),
        ("A= # a comment", ""),
        ("A=x # a comment", "x"),
        ("A=x#y", "x#y"),
        ("A=x=y", "x=y"),
        ("A='x # y'", "x # y"),
        ('A="x # y"', "x # y"),
        ('A="x" # a comment', "x"),
        ("A='x'\t# it's a comment", "x"),
        ('A="x # y" # a comment', "x # y"),
        (r'A="a\"b\\c\$d\`e"', r'a"b\c$d`e'),
        (r"A='a\"b'", r"a\"b"),
        (r"A=a\b", r"a\b"),
        ('A="', '"'),
        ('A=""', ""),
        ("A='x\"", "'x\""),
        ("A=x\r", "x"),
    ],
)
def test_a_value(line: str, expected: str) -> None:
    assert dotenv.parse(line) == {"A": expected}


@pytest.mark.parametrize("line", ["", "# A=x", "  # A=x", "A", "1A=x", "A-B=x", "=x", "exportA B=x"])
def test_what_is_no_value(line: str) -> None:
    assert dotenv.parse(line) == {}


def test_the_last_of_a_name_counts() -> None:
    assert dotenv.parse("A=1\nB=2\n\n# A=4\nA=3\n") == {"A": "3", "B": "2"}
