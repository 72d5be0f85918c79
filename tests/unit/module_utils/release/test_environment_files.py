# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written into an environment file is read back, and a file edited by hand is read as systemd reads it."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import environment_files
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.from_regex(r"V[A-Z0-9_]{0,4}", fullmatch=True)
VALUES = st.text(st.sampled_from("ab1 #;='\"\\$`\n\t{}é\u2028\x85") | st.characters(exclude_categories=["Cc", "Cs"]), max_size=15)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_the_reader_is_the_inverse_of_the_writer(values: dict[str, str]) -> None:
    assert environment_files.parse(environment_files.text(values)) == values


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, VALUES.filter(lambda value: "\0" not in value), max_size=5))
def test_a_shell_reads_it_alike(values: dict[str, str]) -> None:
    """Shells and systemd agree on double quotes."""
    command = ["bash", "-c", "set -a; . /dev/stdin; env -0"]
    shell = subprocess.run(command, input=environment_files.text(values).encode(), env={}, capture_output=True, check=True)
    seen = dict(pair.split("=", 1) for pair in shell.stdout.decode().split("\0") if pair)
    assert {name: value for name, value in seen.items() if name.startswith("V")} == values


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text(st.sampled_from("AB=#; \t'\"\\\n\r$x"), max_size=20))
def test_any_text_can_be_read(text: str) -> None:
    assert all(isinstance(value, str) for value in environment_files.parse(text).values())


# Each was read by systemd 252: systemd-run --property=EnvironmentFile=FILE env -0
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("A=x\n", {"A": "x"}),
        ("A=x", {"A": "x"}),
        ("\n# c\n; d\n A = x y \nB=\n", {"A": "x y", "B": ""}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A='x\ny'\nB=2\n", {"A": "x\ny", "B": "2"}),
        ('A="x\ny"\nB=2\n', {"A": "x\ny", "B": "2"}),
        ("A='it'\"'\"'s'\n", {"A": "it's"}),
        ("A='a' \"b\" c\n", {"A": "abc"}),
        ('A=x"y"\n', {"A": 'x"y"'}),
        ("A=x # y\n", {"A": "x # y"}),
        ("A=x\\\ny\n", {"A": "xy"}),
        ("A=a\\b\\ \n", {"A": "ab "}),
        ('A="a\\nb\\"\\$\\`\\\\"\n', {"A": 'a\\nb"$`\\'}),
        ('A="a\\\nb"\n', {"A": "ab"}),
        ("no equal sign\nA=1\n", {"A": "1"}),
        ("# c\\\nA=1\nB=2\n", {"B": "2"}),
    ],
)
def test_what_somebody_wrote_by_hand(content: str, expected: dict[str, str]) -> None:
    assert environment_files.parse(content) == expected


@pytest.mark.parametrize(("name", "value"), [("A", "a\rb"), ("A", "a\x00"), ("A", "\x1b[0m"), ("A", "\x7f"), ("A-B", "x"), ("", "x")])
def test_what_cannot_be_passed_is_refused(name: str, value: str) -> None:
    with pytest.raises(ParityError, match=r"cannot be passed|cannot be an environment variable"):
        environment_files.text({name: value})
