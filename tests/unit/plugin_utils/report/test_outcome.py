# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verdict in JSON, JUnit XML, text and HTML; the page is well-formed, asks for nothing and trusts no text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import until_decided
from ansible_collections.parity.stack.plugins.plugin_utils.report import files as report_files
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome
from ansible_collections.parity.stack.plugins.plugin_utils.report import page as report_page
from simulated_releases import Releases, slow

NASTY = '<script>alert("1")</script>&amp;\x00'


def check(status: str = "passed", **more: object) -> dict:
    return {"id": "infra.database", "title": "Database answers", "status": status, "group": "infrastructure", **more}


def compared(seed: int = 1, change: object = None, **new: object) -> dict:
    found = until_decided.run(Releases(seed, change, **new), masks={})
    sides = {"old": found["old"], "new": found["new"]}
    return {"title": "canary", **found, "series": outcome.series_of(sides)}


def report(**more: object) -> dict:
    return outcome.build(head={"stack": "shop", "release": "v1.2.3"}, **more)


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([check()], "passed"),
        ([check(), check("warning")], "warning"),
        ([check(), check("failed")], "failed"),
        ([check(), check("failed", severity="minor")], "warning"),
        ([check(), check("error")], "failed"),
        ([check("error", severity="minor")], "warning"),
        ([check(), check("not run")], "passed"),
        ([check("not run")], "warning"),
    ],
)
def test_verdict_of_checks(checks: list[dict], verdict: str) -> None:
    assert report(checks=checks)["verdict"] == verdict


def test_what_had_nothing_to_look_at_is_no_pass() -> None:
    found = report(checks=[check(), check("not run", seen="no key is configured")])
    assert outcome.counts(found)["checks"] == outcome.counts(found)["checks passed"] == 1
    assert "1 of 1 checks passed. 1 had nothing to check." in outcome.text(found)
    assert "<skipped" in outcome.junit(found)
    assert "no key is configured" in report_page.page(found)


def test_what_is_not_so_on_several_hosts_is_said_once() -> None:
    checks = [check("failed", host=host, seen=f"saw {host}", evidence=f"because {host}") for host in ("app1", "app2")]
    page = report_page.page(report(checks=checks))
    assert page.count('<span class="name">Database answers</span>') == 1
    assert all(words in page for words in ("saw app1", "saw app2", "app2: because app2"))


@pytest.mark.parametrize(
    ("verdict", "wanted"),
    [("pass", "passed"), ("regression", "failed"), ("inconclusive", "warning"), ("not run", "warning")],
)
def test_verdict_of_comparisons(verdict: str, wanted: str) -> None:
    assert report(comparisons=[{"title": "x", "verdict": verdict}], checks=[check()])["verdict"] == wanted


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "nothing was checked"),
        ({"checks": [{"id": "a"}]}, "needs title, status"),
        ({"checks": [check("great")]}, "a status is one of"),
        ({"checks": [check(severity="huge")]}, "severities: critical, major, minor"),
        ({"comparisons": [{"title": "x", "verdict": "good"}]}, "the verdict 'good'"),
    ],
)
def test_what_is_no_report(more: dict, words: str) -> None:
    with pytest.raises(ParityError, match=words):
        report(**more)


def test_failures_stand_first() -> None:
    found = report(
        checks=[
            check(),
            check("warning"),
            check("failed", severity="minor"),
            check("failed", severity="critical"),
            check("error"),
        ]
    )
    assert [(item["status"], item["severity"]) for item in found["checks"]] == [
        ("failed", "critical"), ("failed", "minor"), ("error", "major"), ("warning", "major"), ("passed", "major"),
    ]  # fmt: skip


def test_a_bad_release_in_words() -> None:
    found = report(comparisons=[compared(change=slow)], checks=[check("failed", seen="no answer", host="data1")])
    assert re.match(r"v1\.2\.3 is not fine: GET /documents takes \d+% longer \(and 1 more\)", found["headline"])
    text = outcome.text(found)
    assert (
        "0 of 1 checks passed" in text and "- regression: GET /documents" in text and "on data1: saw no answer" in text
    )
    assert "inconclusive" not in text  # what had no time to be decided is no news


def test_a_good_release_in_words() -> None:
    found = report(comparisons=[compared()], checks=[check()])
    assert found["headline"] == "v1.2.3 works, and passed every comparison"
    assert outcome.text(found).splitlines()[1:] == [
        "1 of 1 checks passed.",
        "9 of 9 compared metrics are within their margins.",
    ]


def test_junit() -> None:
    checks = [check(), check("failed", evidence=NASTY, host="a"), check("error", group="security"), check("warning")]
    root = ElementTree.fromstring(outcome.junit(report(checks=checks, comparisons=[compared(change=slow)])))  # noqa: S314 - our own
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"infrastructure", "security", "canary"}
    count = {
        name: [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] for name, suite in suites.items()
    }
    assert count["infrastructure"] == ["3", "1", "0", "1"] and count["security"] == ["1", "0", "1", "0"]
    assert (
        int(count["canary"][1]) >= 1 and suites["canary"].find("testcase[@name='GET /documents']/failure") is not None
    )


def outcomes(found: dict) -> dict[str, list[str]]:
    """The elements that stand in each suite's cases, "passed" for none."""
    root = ElementTree.fromstring(outcome.junit(found))  # noqa: S314 - our own
    return {suite.get("name"): [case[0].tag if len(case) else "passed" for case in suite] for suite in root}


def test_junit_shows_the_verdict_of_the_report() -> None:
    minor = report(checks=[check("failed", severity="minor"), check("error", severity="minor")])
    assert minor["verdict"] == "warning" and outcomes(minor) == {"infrastructure": ["skipped", "skipped"]}
    assert outcome.text(minor).count("- warning: ") == 2
    absent = report(comparisons=[{"title": "canary", "verdict": "not run", "summary": "nothing was live"}])
    assert absent["verdict"] == "warning" and outcomes(absent) == {"canary": ["skipped"]}
    ended = outcome.build(head={"stack": "shop", "release": "v1", "outcome": "rolled back"})
    assert ended["verdict"] == "failed" and outcomes(ended) == {"deployment": ["failure"]}


class Page(HTMLParser):
    """Tags that are closed, and everything that could fetch something."""

    VOID = frozenset(["meta", "line", "circle", "rect", "polygon", "polyline", "br"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.fetched += [
            f"{name}={value}"
            for name, value in attrs
            if name in ("src", "href", "srcset", "action", "data") or name.startswith("on")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.words += data


def full(**head: object) -> dict:
    checks = [check(), check("failed", title=NASTY, seen=NASTY, evidence=NASTY, host=NASTY), check("warning")]
    return outcome.build(
        head={"stack": "shop", "release": "v1.2.3", "seconds": 73, **head},
        checks=checks,
        comparisons=[compared(change=slow), compared(body={NASTY: 1}), {"title": "baseline", "verdict": "not run"}],
        stages={"parsing": {"baseline": 0.4, "new": 0.8}, "zero": {"new": 0.0}},
        timeline=[
            {"what": "stage", "start": 5, "seconds": 3, "status": "passed"},
            {"what": "preflight", "start": 0, "seconds": 4},
        ],
    )


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    text = report_page.page(full(by=NASTY))
    page = Page(text)
    assert not page.open and not page.fetched
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "url(" not in text and "@import" not in text and "http" not in text.replace("http-equiv", "")
    assert text.count("<svg") > 10 and NASTY.split("\x00", maxsplit=1)[0] in page.words
    assert not re.search(r"nan|inf\b", " ".join(re.findall(r'="([^"]*)"', text.split("<main>")[1])))
    for words in ("GET /documents takes", "preflight", "1 min 13 s", "baseline", "within margin", "not run"):
        assert words in page.words, words


@pytest.mark.parametrize("values", [[5.0] * 20, [0.0] * 20, [1e-9, 1e9] * 10, list(range(1, 2000)), [3.0] * 7])
def test_any_sample_can_be_drawn(values: list[float]) -> None:
    comparison = {"title": "x", "verdict": "pass", "series": {"GET /": {"old": values, "new": values}}}
    text = report_page.page(report(comparisons=[comparison]))
    assert "nan" not in text and not Page(text).open


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (1, 1.2), (10, 30), (3, 3000), (1e-6, 1e9), (101, 104)])
def test_axes_have_a_few_round_ticks(low: float, high: float) -> None:
    ticks = report_page._ticks(low, high)
    assert 2 <= len(ticks) <= 8 and all(low <= tick <= high for tick in ticks)


def test_files(tmp_path: Path) -> None:
    found = compared(change=slow)
    evidence = tmp_path / "canary.json"
    evidence.write_text(json.dumps(found))
    wanted = {
        "baseline": None, "head": {"release": "v1.2.3"}, "checks": [], "timeline": [],
        "comparisons": [{"title": "canary", "evidence": str(evidence)}],
    }  # fmt: skip
    built = report_files.build(wanted)
    assert built["verdict"] == "failed" and set(built["comparisons"][0]["series"]["GET /search"]) == {"old", "new"}
    assert report_files.write(tmp_path / "out", "r", built, True)[0] and not (tmp_path / "out").exists()
    assert report_files.write(tmp_path / "out", "r", built, False)[0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["r.html", "r.json", "r.xml"]
    assert not report_files.write(tmp_path / "out", "r", built, False)[0]
    missing = report_files.build(
        {**wanted, "comparisons": [{"title": "canary", "evidence": str(tmp_path / "none")}]}
    )
    assert missing["verdict"] == "warning"


def test_what_is_not_checked_is_in_every_form_for_people() -> None:
    lines = ["not checked: the broker; add stack_broker_url to check it.", "version: it is compared. But not checked: <b>; add it."]
    found = report(checks=[check()], not_checked=lines)
    assert found["verdict"] == "passed" and all(f"- {line}" in outcome.text(found) for line in lines)
    page = report_page.page(found)
    assert "<h2>Not checked</h2>" in page and "<td>the broker</td><td>add stack_broker_url to check it</td>" in page
    assert "<td>&lt;b&gt;</td><td>add it</td>" in page
    assert "<h2>Not checked</h2>" not in report_page.page(report(checks=[check()]))
