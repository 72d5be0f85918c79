# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report tells of a deployment: its steps from the journals, what failed first, and what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.filter.failed_tasks import failed_tasks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.report import history as report_history
from ansible_collections.parity.stack.plugins.plugin_utils.report import files as report_files
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome as report_outcome
from ansible_collections.parity.stack.plugins.plugin_utils.report import page as report_page
from ansible_collections.parity.stack.plugins.plugin_utils.report import timeline

NASTY = "<script>alert('&')</script>"


def entry(phase: str, second: int, host: str = "app1", **more: object) -> dict:
    return {"at": f"2026-01-31T12:00:{second:02}Z", "run": "r1", "phase": phase, "host": host, "operator": "ann", **more}


GOOD = [
    entry("begun", 0, live_release="v1.0.0"), entry("begun", 1, "app2", live_release="v1.0.0"),
    entry("staged", 4, "app2"), entry("staged", 5), entry("started", 8), entry("promoted", 30), entry("promoted", 35, "app2"),
    entry("finished", 50), entry("finished", 51, "app2"),
]  # fmt: skip
BAD = [
    *(entry for entry in GOOD if entry["phase"] in ("begun", "staged", "started")),
    *(entry("rolled back", 20), entry("rolled back", 24, "app2")),
]


def test_steps_begin_when_the_one_before_has_ended() -> None:
    began = timeline.seconds_of(entry("begun", 10))
    compared = [{"title": "compared", "began": began, "seconds": 12.5, "verdict": "pass"}, {"title": "not run", "verdict": "not run"}]
    steps = timeline.timeline(GOOD, compared)
    first = timeline.seconds_of(GOOD[0])
    assert [(step["what"], step["start"] - first, step["seconds"]) for step in steps] == [
        ("the live configuration is kept, the run begins", 0, 1),
        ("staged on every host", 1, 4),
        ("started beside the live release", 5, 3),
        ("compared", 10, 12.5),
        ("live on app1", 22.5, 7.5),
        ("live on app2", 30, 5),
        ("finished", 35, 16),
    ]


def test_the_infrastructure_is_a_step_of_a_whole_deployment() -> None:
    steps = timeline.timeline([entry("begun", 0, "edge1"), entry("begun", 40), entry("staged", 45)], [])
    assert [(step["what"], step["seconds"]) for step in steps] == [
        ("the live configuration is kept, the run begins", 0), ("the infrastructure is as it should be", 40), ("staged on every host", 5),
    ]  # fmt: skip


def test_rollback_is_a_step() -> None:
    began = timeline.seconds_of(entry("begun", 9))
    steps = timeline.timeline(BAD, [{"title": "compared", "began": began, "seconds": 5.0, "verdict": "regression"}])
    assert [(step["what"], step["status"]) for step in steps][-2:] == [("compared", "failed"), ("rolled back", "warning")]
    assert steps[-1]["seconds"] == 10


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [(GOOD, "live"), (BAD, "rolled back"), (GOOD[:5], "unfinished"), ([*BAD[:-1]], "rolled back")],
)
def test_what_came_of_it(entries: list[dict], outcome: str) -> None:
    facts = timeline.facts(entries)
    assert facts["outcome"] == outcome and facts["before"] == "v1.0.0" and facts["by"] == "ann"
    assert facts["at"] == "2026-01-31 12:00 UTC"


WORSE = {
    "title": "new release against the live one", "verdict": "regression", "summary": "The deployment is worse:\n- GET /: +60%",
    "metrics": {"GET /": {"kind": "latency", "verdict": "regression", "effect": 0.6, "low": 0.3, "high": 0.9, "margin": 0.25, "why": "x"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "comparisons", "failures", "headline"),
    [
        ("live", [], [], "v1.1.0 is live"),
        ("rolled back", [WORSE], [{"task": "compare", "message": WORSE["summary"]}], "v1.1.0 was rolled back: GET / takes 60% longer"),
        (
            "rolled back", [], [{"task": "It is healthy", "host": "app1", "message": "/ready answered 503\nmore"}],
            "v1.1.0 was rolled back: /ready answered 503 (It is healthy on app1)",
        ),
        (
            "rolled back", [], [{"task": "It is live", "host": "app2", "message": "its process ends. Its last log lines:\nno"}],
            "v1.1.0 was rolled back: its process ends (It is live on app2)",
        ),
        ("rolled back", [], [], "v1.1.0 was rolled back: a host could not be reached, or the run was ended"),
        (
            "live", [], [{"task": "removed", "message": "no"}],
            "v1.1.0 is live, but something is not fine: no (removed)",
        ),
        ("unfinished", [], [{"task": "t", "message": "m"}], "v1.1.0 is not live, and was not rolled back: m (t)"),
    ],
)  # fmt: skip
def test_the_cause_stands_on_top(outcome: str, comparisons: list, failures: list, headline: str) -> None:
    report = report_outcome.build(
        head={"release": "v1.1.0", "outcome": outcome}, comparisons=comparisons, failures=failures, notes=["Not compared: why"]
    )
    assert report["headline"] == headline
    assert (report["verdict"] == "passed") == (outcome == "live" and not failures)
    page = report_page.page(report)
    assert "Not compared: why" in page and "- Not compared: why" in report_outcome.text(report)
    for failure in failures if not comparisons else ():
        assert page.index(failure["message"].split("\n")[0]) < page.index("<footer>")


def test_a_report_of_a_run(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"verdict": "inconclusive", "accepted": True, "metrics": {"r": {"why": "r: 3 requests.", "verdict": "x"}}}))
    built = report_files.build(
        {
            "baseline": None, "head": {"release": "v1.1.0"}, "checks": [], "timeline": [], "journal": BAD,
            "failures": [{"host": "app1", "task": "t", "message": "m"}],
            "comparisons": [
                {"title": "canary", "evidence": str(tmp_path / "none.json"), "absent": "the run did not come to that."},
                {"title": "users", "evidence": str(users), "absent": "not counted."},
            ],
        }
    )  # fmt: skip
    assert built["notes"] == ["Canary: the run did not come to that.", "Users: r: 3 requests."] and not built["comparisons"]
    assert built["head"]["outcome"] == "rolled back" and built["verdict"] == "failed"
    assert [step["what"] for step in built["timeline"]][-1] == "rolled back"


def test_what_failed_is_found_on_every_host() -> None:
    hosts = [
        {"inventory_hostname": "a"},
        {"inventory_hostname": "b", "ansible_failed_task": {"name": "t"}, "ansible_failed_result": {"msg": "m"}},
        {"inventory_hostname": "c", "ansible_failed_task": {"name": "u"}},
    ]
    assert failed_tasks(hosts) == [{"host": "b", "task": "t", "message": "m"}, {"host": "c", "task": "u", "message": ""}]


def test_failures_are_reported_without_secrets() -> None:
    host = {"inventory_hostname": "b", "ansible_failed_task": {"name": "t"}, "ansible_failed_result": {"stderr": "of p%40ssword1"}}
    assert failed_tasks([host], secrets={"api": {"KEY": "p@ssword1"}})[0]["message"] == "of ********"


def kept(directory: Path, name: str, most: int = 3, **head: object) -> list[str]:
    report = report_outcome.build(head={"stack": "shop", "release": name, "outcome": "live", **head})
    return report_history.keep(directory, name, {"html": "<p>", "json": report_outcome.as_json(report), "xml": "<x/>"}, most)


def test_the_last_reports_are_kept_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    removed = [kept(folder, f"r{number}", by=NASTY) for number in range(1, 6)]
    assert removed == [[], [], [], ["r1"], ["r2"]]
    assert sorted(path.name for path in folder.iterdir()) == [
        "index.html", *(f"r{number}.{kind}" for number in (3, 4, 5) for kind in ("html", "json", "xml")),
    ]  # fmt: skip
    listed = (folder / "index.html").read_text()
    assert listed.index('href="r5.html"') < listed.index('href="r3.html"') and "r2.html" not in listed
    assert NASTY not in listed and "r5 is live" in listed
    (folder / "r4.json").write_text("{")
    kept(folder, "r6")
    assert "this report cannot be read" in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    ("name", "most", "words"), [("../x", 3, "cannot be called"), ("index", 3, "cannot be called"), ("a", 0, "keep is 0")]
)
def test_what_cannot_be_kept(tmp_path: Path, name: str, most: int, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        report_history.keep(tmp_path, name, {"html": "", "json": "{}"}, most)
    assert not list(tmp_path.iterdir())


MIGRATED = [entry("migrating", 9, file="a.sql"), entry("migrated", 10, file="a.sql")]
STAYS = "These migrations of this run stay applied: a.sql. The schema is not rolled back."


@pytest.mark.parametrize(
    ("more", "headline", "lines"),
    [
        (
            [],
            "v1.1.0 was rolled back: m (t on app1)",
            [STAYS, "v1.0.0 is live again. It was not checked whether it works with them."],
        ),
        (
            [entry("checked", 30, result="passed", live="v1.0.0")],
            "v1.1.0 was rolled back: m (t on app1)", [STAYS, "v1.0.0 is live again and was seen working with them."],
        ),
        (
            [entry("command begun", 11, key="1", command="python fill"), entry("command finished", 12, key="1", command="python fill"),
             entry("command begun", 13, key="2", command="python tell"), entry("command failed", 14, key="2", command="python tell"),
             entry("command begun", 15, key="3", command="python wait")],
            "v1.1.0 was rolled back: m (t on app1)",
            [STAYS, "These release commands of this run have run, and nothing undoes them: `python fill`, `python wait (interrupted)`.",
             "v1.0.0 is live again. It was not checked whether it works with them."],
        ),
        (
            [entry("checked", 30, result="failed", live="v1.0.0", reason="GET /documents: status 500\nmore")],
            "v1.0.0 is live again and does NOT work with the migrations that stay: GET /documents: status 500", [STAYS],
        ),
    ],
)  # fmt: skip
def test_a_report_says_what_stays(more: list[dict], headline: str, lines: list[str]) -> None:
    built = report_files.build(
        {
            "baseline": None, "head": {"release": "v1.1.0"}, "checks": [], "timeline": [], "journal": [*BAD, *MIGRATED, *more],
            "failures": [{"host": "app1", "task": "t", "message": "m"}], "comparisons": [],
        }
    )  # fmt: skip
    assert built["headline"] == headline and built["head"]["migrations"] == ["a.sql"] and report_outcome.stays(built) == lines
    page = report_page.page(built)
    assert all(words in page and words in report_outcome.text(built) for words in [headline, *lines])
    assert "the schema is migrated" in [step["what"] for step in built["timeline"]]


def test_a_report_of_a_run_without_migrations_says_nothing_of_them() -> None:
    wanted = {"baseline": None, "head": {"release": "v1.1.0"}, "checks": [], "timeline": [], "failures": [], "comparisons": []}
    for entries in (BAD, GOOD, [*GOOD, *MIGRATED]):
        assert report_outcome.stays(report_files.build({**wanted, "journal": entries})) == []
