# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql.report import lines

SERVER = {
    "replica": False, "size": 24 * 1024 * 1024, "connections": 12, "limit": 100, "transactions": 900, "counted_since": "2030-05-01",
    "receiving": False, "behind": 0.0,
}  # fmt: skip
QUIET = {"user": "app", "application": "docpipe", "pid": 7, "state": "active", "age": 3.0}


def facts(server: dict | None = None, **kinds: list[dict]) -> dict[str, list[dict]]:
    return {"server": [{**SERVER, **(server or {})}], "transaction": [QUIET], **kinds}


def test_nothing_to_recover() -> None:
    assert lines("shop", facts()) == [
        "database shop, primary, 24 MiB, 12 of 100 connections",
        "its indexes, tables and sequences need no repair",
    ]


def test_a_replica_that_is_connected_is_a_state_and_no_finding() -> None:
    follower = {"name": "data2", "connected": True, "behind": 0.25, "kept": 2048.0}
    said = lines("shop", facts(followers=[follower]))
    assert said[1:] == ["replica data2 is connected, 0.2 s and 2 KiB behind", "its indexes, tables and sequences need no repair"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (facts({"replica": True, "receiving": False}), "gets nothing from its primary"),
        (facts({"replica": True, "receiving": True, "behind": 90.0}), "is 90 s behind its primary"),
        (facts({"connections": 81}), "almost no connection left"),
        (facts({"transactions": 1_200_000_000}), "1200000000 behind: autovacuum does not keep up"),
        (facts(followers=[{"name": "data2", "connected": False, "behind": 0, "kept": 3 * 1024**3}]), "data2 is away, and 3072 MiB of log"),
        (facts() | {"transaction": [{**QUIET, "age": 1200.0}]}, "20 minutes old: app, docpipe, active, process 7"),
        (facts(waiting=[{"pid": 9, "waits": 12.0, "blocked_by": [4, 5]}]), "process 9 has waited 12 s for a lock, because of process 4, 5"),
        (facts(invalid=[{"name": "public.half"}]), "index public.half is not valid"),
        (
            facts(unindexed=[{"table": "public.a", "name": "a_b_fkey", "rows": 5000.0, "columns": "b"}]),
            "a_b_fkey of public.a (b; 5000 rows)",
        ),
        (
            facts(unused=[{"name": "public.i", "table": "public.a", "size": 3e6}]),
            "public.i of public.a (3 MiB) was not used since 2030-05-01",
        ),
        (
            facts(dead=[{"table": "public.a", "dead": 900.0, "live": 100.0, "cleaned": "never"}]),
            "900 dead rows beside 100, cleaned last: never",
        ),
        (facts(bloat=[{"table": "public.a", "size": 1e8, "share": 0.61}]), "public.a (95 MiB) is 61% empty"),
        (facts(sequences=[{"name": "public.s", "value": 1.8e9, "most": 2147483647.0}]), "public.s is at 84% of what it can count"),
        (
            facts(statements=[{"number": "77", "role": "app", "calls": 3.0, "mean": 2.5, "text": "select 1"}]),
            "statement 77 of app takes 2.5 s, 3 times until now: select 1",
        ),
        (facts(missed=[{"kind": "bloat", "reason": "canceled"}]), "a query failed (bloat): canceled"),
    ],
)
def test_each_finding_has_its_sentence(given: dict, says: str) -> None:
    said = lines("shop", given)
    assert len(said) == 2 and says in said[1], said


def test_what_does_not_matter_is_not_said() -> None:
    quiet = facts(waiting=[{"pid": 9, "waits": None, "blocked_by": []}], followers=[])
    assert lines("shop", quiet)[1:] == ["its indexes, tables and sequences need no repair"]


def test_the_worst_of_many_are_named_and_the_rest_counted() -> None:
    many = [{"name": f"public.i{number}", "table": "public.a", "size": 3e6} for number in range(9)]
    said = lines("shop", facts(unused=many))
    assert len(said) == 1 + 5 + 1 and said[-1] == "4 more of that kind"
