# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed deployment says in the end: what is worst first, and no secret."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.failure_message import failure_message

LIVE = {"live_release": "v1.0.2", "live_slot": "blue"}
ROLLED_BACK = {
    "app1": {"rolled_back": {"run": "r"}, "forward": False, "status": LIVE},
    "app2": {"rolled_back": {"run": "r"}, "status": LIVE},
}
FORWARD = {host: {**rollback, "forward": True} for host, rollback in ROLLED_BACK.items()}
NOTHING = {host: {"rolled_back": {}, "forward": False, "status": LIVE} for host in ROLLED_BACK}
FAILED = [{"host": "app1", "task": "Start it", "message": "/ready answered 503"}]
BROKEN = [{"host": "app1", "task": "Ask the API", "message": "GET /documents: status 500\nmore"}]
APPLIED = [{"run": "r", "phase": phase, "file": "a.sql"} for phase in ("migrating", "migrated")]
KILLED = [*APPLIED, {"run": "r", "phase": "migrating", "file": "b.sql"}]
STAYS = "These migrations of this run stay applied: a.sql. The schema is not rolled back."
HERE = "Live on this host now: v1.0.2 (slot blue)."


def known(**more: object) -> dict:
    return {
        "release": "v1.0.3", "run": "r", "coordinator": "app1", "hosts": ["app1", "app2"], "rollbacks": ROLLED_BACK, "begun": True,
        "finished": False, "failures": FAILED, "broken": [], "stuck": [], "checked": True, "journal": [], **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (
            known(),
            [
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503",
                "v1.0.2 is live again and was seen working.", HERE,
            ],
        ),
        (
            known(journal=APPLIED),
            [
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503", STAYS,
                "v1.0.2 is live again and was seen working with them.", HERE,
            ],
        ),
        (
            known(journal=KILLED, checked=False),
            [
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503",
                "These migrations of this run stay applied: a.sql, b.sql (may be applied). The schema is not rolled back.",
                "v1.0.2 is live again. It was not checked whether it works with them.", HERE,
            ],
        ),
        (
            known(journal=APPLIED, checked=False, broken=BROKEN),
            [
                "v1.0.2 is live again and does NOT work with the migrations that stay: Ask the API (app1): GET /documents: status 500",
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503", STAYS, HERE,
            ],
        ),
        (
            known(checked=False, broken=BROKEN),
            [
                "v1.0.2 is live again and does NOT work: Ask the API (app1): GET /documents: status 500",
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503", HERE,
            ],
        ),
        (
            known(journal=None, checked=False),
            [
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503",
                "It cannot be judged which migrations of this run stay applied: the journal of app1 cannot be read.", HERE,
            ],
        ),
        (
            known(rollbacks={"app1": ROLLED_BACK["app1"]}, failures=[]),
            [
                "Release v1.0.3 was rolled back.", "Another host failed.", "v1.0.2 is live again and was seen working.",
                "Not reached any more: app2. Run the playbook recover once they are back.", HERE,
            ],
        ),
        (
            known(rollbacks=FORWARD, journal=APPLIED, checked=False),
            ["Release v1.0.3 is live, and what came after has failed.", "Failed here: Start it (app1).", "/ready answered 503", HERE],
        ),
        (
            known(finished=True, rollbacks=NOTHING, journal=APPLIED, checked=False),
            ["Release v1.0.3 is live, and what came after has failed.", "Failed here: Start it (app1).", "/ready answered 503", HERE],
        ),
        (
            known(rollbacks={}, journal=APPLIED, checked=False),
            [
                "Release v1.0.3 was not rolled back, because stack_auto_rollback is off. The playbook status says what is live.",
                "Failed here: Start it (app1).", "/ready answered 503", STAYS,
            ],
        ),
        (
            known(begun=False, run="", rollbacks={}, checked=False, journal=None),
            ["Release v1.0.3 was not deployed, and nothing was rolled back.", "Failed here: Start it (app1).", "/ready answered 503"],
        ),
        (
            known(
                rollbacks={"app1": ROLLED_BACK["app1"]}, journal=APPLIED, checked=False,
                stuck=[{"host": "app2", "task": "Make it live", "message": "it does not start"}],
            ),
            [
                "Release v1.0.3 failed, and was not rolled back everywhere.", "Failed here: Start it (app1).", "/ready answered 503",
                "The rollback failed here: Make it live (app2).", "it does not start", STAYS, HERE,
                "Correct this and run the playbook recover.",
            ],
        ),
        (
            known(failures=[*FAILED, {**FAILED[0], "host": "app2"}, {"host": "app2", "task": "Other", "message": "x"}]),
            [
                "Release v1.0.3 was rolled back.", "Failed here: Start it (app1).", "/ready answered 503", "Failed here: Other (app2).",
                "v1.0.2 is live again and was seen working.", HERE,
            ],
        ),
    ],
)  # fmt: skip
def test_failure_message(given: dict, lines: list[str]) -> None:
    assert failure_message(given, "app1").split("\n") == lines


def test_a_first_release_that_fails_leaves_nothing_to_check() -> None:
    nothing_live = {host: {**rollback, "status": {"live_release": None, "live_slot": None}} for host, rollback in ROLLED_BACK.items()}
    words = failure_message(known(rollbacks=nothing_live, journal=APPLIED, checked=False), "app1")
    assert words.endswith(STAYS) and "is live again" not in words


def test_no_secret_is_in_the_message() -> None:
    url = "postgresql://owner:p%2520%3Ax%2F%2541@10.0.0.1:5432/shop"
    failed = [{"host": "app1", "task": "Migrate", "message": f"invalid interpolation syntax in {url.replace('owner', 'app')!r}"}]
    words = failure_message(known(failures=failed), "app1", secrets={"api": {"DATABASE_URL": url}})
    assert "p%2520" not in words and "********@10.0.0.1" in words
