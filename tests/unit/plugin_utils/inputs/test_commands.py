# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory may write as build commands and release commands."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.parity.stack.plugins.filter.commands import commands as complete
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import commands

BUILD, RELEASE, ONE = "stack_build_commands", "stack_release_commands", "stack_release_command"
WORDS = ["python", "-m", "shop.fill"]


def test_what_is_left_out() -> None:
    found = {"command": ["python", "-m", "x", "2"], "environment": {"A": "b"}, "seconds": 5}
    assert complete([["python", "-m", "x", 2], {**found, "seconds": "5"}], "build") == [{**found, "environment": {}, "seconds": 900}, found]
    plain = {"command": WORDS, "environment": {}, "seconds": 900, "when": "before", "as_owner": False}
    assert complete([], "release", single=WORDS) == [plain]
    assert complete([{"command": WORDS, "when": "after", "as_owner": "yes"}], "release") == [{**plain, "when": "after", "as_owner": True}]
    assert complete(None, "build") == complete([], "release", single=[]) == []
    again = complete([WORDS], "release")
    assert complete(again, "release") == again


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({BUILD: "make"}, "stack_build_commands is 'make'; write a list of commands, each a list of words"),
        ({BUILD: WORDS}, "stack_build_commands is ['python', '-m', 'shop.fill']; write a list of commands"),
        ({BUILD: [["make"], []]}, "stack_build_commands, command 2 is []; write its words as a list"),
        ({BUILD: [{"command": "make all"}]}, "stack_build_commands, command 1 is 'make all'; write its words as a list"),
        ({BUILD: [{"command": ["make", True]}]}, "command 1 is ['make', True]; write its words as a list"),
        ({BUILD: [{"command": ["make"], "comand": ["make"]}]}, "command 1: comand is not known. Known are: command, environment, seconds."),
        ({BUILD: [{"command": ["make"], "when": "after"}]}, "command 1: when is not known."),
        ({BUILD: [{"command": ["make"], "environment": "A=b"}]}, "environment is no mapping; write NAME: value."),
        ({BUILD: [{"command": ["make"], "seconds": 0}]}, "seconds is 0; write a whole number from 1 to 86400."),
        ({BUILD: [{"command": ["make"], "seconds": "long"}]}, "seconds is 'long'; write a whole number from 1 to 86400."),
        ({RELEASE: [{"command": WORDS, "when": "later"}]}, "when is 'later'; write before or after: the switch to the release."),
        ({RELEASE: [{"command": WORDS, "as_owner": "maybe"}]}, "as_owner is 'maybe'; write true or false."),
        ({RELEASE: [{"command": WORDS, "as_owner": True}]}, "`python -m shop.fill` runs as_owner, and stack_database_owner_url is missing"),
        ({RELEASE: [[*WORDS, "--key", "x-hunter22"]]}, "a command has the value of a secret among its words"),
        ({BUILD: [{"command": WORDS, "environment": {"KEY": "hunter22"}}]}, "a command has the value of a secret among its words"),
        ({ONE: "python -m x"}, "stack_release_command is 'python -m x'; write the words of the command as a list"),
        ({ONE: "x --key hunter22"}, "stack_release_command is 'x --key ********'; write the words"),
        ({ONE: [*WORDS, "hunter22"]}, "stack_release_command: a command has the value of a secret"),
        ({ONE: WORDS, RELEASE: [WORDS]}, "stack_release_command and stack_release_commands are both set"),
    ],
)
def test_what_is_wrong(given: dict, words: str) -> None:
    found = commands.problems(given, owner=False, secrets={"all": {"KEY": "hunter22"}})
    assert len(found) == 1 and words in found[0] and "hunter22" not in found[0], found


def test_what_is_right() -> None:
    given = {BUILD: [WORDS], RELEASE: [{"command": WORDS, "as_owner": True, "when": "after"}], ONE: None}
    assert commands.problems(given, owner=True, secrets={"all": {"PIN": "shop"}}) == []
    assert commands.problems({}) == []


def test_the_filter_fails_with_every_problem() -> None:
    with pytest.raises(AnsibleFilterError, match=r"command 1 is .*\n.*command 2: seconds is"):
        complete([[], {"command": WORDS, "seconds": -1}], "build")
