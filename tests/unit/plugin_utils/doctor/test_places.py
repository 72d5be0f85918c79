# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools of the control node and the hosts, as one list."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.doctor import places
from ansible_collections.parity.stack.plugins.plugin_utils.doctor.application import WIDTH


def run(words: list[str]) -> tuple[int, str, str]:
    if words[0] == "/usr/bin/ssh":
        return 0, "", "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.14"
    return 0, "pip 23.2.1 from /x" if "pip" in words else f"{words[0]} 2.39.5", ""


@pytest.mark.parametrize(
    ("version", "lacking", "repairs"),
    [
        ("2.19.14", [], []),
        ("2.20.0", [], []),
        ("2.17.9", [], ["ansible-core"]),
        ("2.19.14", ["git"], ["git"]),
        ("2.19.14", ["uv", "ssh"], ["uv", "ssh"]),
    ],
)
def test_what_is_missing_has_a_repair(version: str, lacking: list[str], repairs: list[str]) -> None:
    found = places.tools(version, run, lambda name: None if name in lacking else f"/usr/bin/{name}")
    assert [tool.name for tool in found if tool.repair] == repairs
    assert {tool.name: tool.seen for tool in found}["docker"] == "not needed"


def test_the_version_of_a_tool_is_seen() -> None:
    seen = {tool.name: tool.seen for tool in places.tools("2.19.1", run, lambda name: f"/usr/bin/{name}")}
    assert (seen["git"], seen["ssh"], seen["pip"]) == ("2.39.5", "9.2p1", "23.2.1")


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"failures": []}, "it can be reached and has what is needed"),
        ({"failures": ["there are no package lists. Fetch them: apt-get update"]}, "- there are no package lists."),
        ({"unreachable": True, "msg": "no route to host"}, "cannot be reached: no route to host"),
        ({"failed": True, "msg": "sudo: a password is required"}, "the checks could not run: sudo: a password is required."),
    ],
)
def test_each_host_says_what_it_lacks(result: dict, says: str) -> None:
    text = places.page([], places.hosts({"app1": result}))
    assert says in " ".join(text.split()) and "app1" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_where_no_host_was_asked_that_is_said() -> None:
    assert "none was checked" in places.page([places.Tool("git", "", "apt install git")], [])
    assert "git: missing: apt install git" in places.page([places.Tool("git", "", "apt install git")], [])
    assert "ansible-core 2.17: too old: pip" in places.page([places.Tool("ansible-core", "2.17", "pip install it")], [])
