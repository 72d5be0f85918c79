# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all hosts have seen comes together, and a lost host is not taken for a good one."""

from __future__ import annotations

from ansible_collections.parity.stack.plugins.filter.suite_checks import suite_checks


def check(name: str) -> dict:
    return {"id": name, "title": name, "status": "passed"}


def test_all_hosts_are_collected() -> None:
    hostvars = {
        "a": {"__x": {"checks": [check("1"), check("2")]}, "__y": {"checks": [check("3")]}},
        "b": {"__x": {"skipped": True}},
    }
    found = suite_checks(["a", "b"], hostvars, ["a", "b"], ["__x", "__y"])
    assert [item["id"] for item in found] == ["1", "2", "3"]


def test_what_was_asked_once_is_reported_once() -> None:
    hostvars = {host: {"__x": {"checks": [check("1")]}} for host in ("a", "b")}
    assert suite_checks(["a", "b"], hostvars, ["a", "b"], ["__x"]) == [check("1")]


def test_a_lost_host_is_an_error() -> None:
    hostvars = {"a": {}, "b": {"__x": {"failed": True, "msg": "no such file"}}, "c": {"__x": {"checks": [check("1")]}}}
    found = suite_checks(["a", "b", "c"], hostvars, ["a"], ["__x"])
    assert [(item["id"], item.get("host", ""), item["status"]) for item in found] == [
        ("infrastructure.host", "b", "error"), ("1", "", "passed"), ("infrastructure.host", "c", "error"),
    ]  # fmt: skip
    assert found[0]["evidence"] == "no such file" and "unreachable" in found[2]["evidence"]
