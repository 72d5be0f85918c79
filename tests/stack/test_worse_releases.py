# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that start, answer and are worse: each is found and rolled back, with a report that names the cause. Good ones go on.

`make test` runs a small size, `make prove` the full one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_playbooks import table, wheel_with
from servers import (
    FULL,
    ROOT,
    Run,
    application,
    assert_consistent,
    assert_keeps_secrets,
    play,
    python_on,
    secrets,
    size,
    sql,
    values,
    versions,
)

pytestmark = pytest.mark.usefixtures("deployed_stack")

#: What is built in, and what a report has to call it, in one of these words. In a small run those that are found after a few probes.
FAULTS = {
    "changed-field": ("page_count",),
    "slow-stage": ("chunking",),
    # One of the requests that fail may be the one that brings the test's document.
    "failing": ("errors", "POST /documents: status 500"),
    "slow": ("GET /documents",),
    "slow-tail": ("slow",),
    "leak": ("memory",),
}
SMALL = ("slow-stage",)  # test_a_worse_release_says_which_migration_stays has another one
ASK = "import sys, urllib.request as r; print(r.urlopen('http://ops1:9090/user/' + sys.argv[1], timeout=10).read().decode())"

STAYS = "20991231000000_stays"

numbers = itertools.count(1)
rows: list[list[object]] = []


def deployed(name: str, wheel: Path, folder: Path, **more: object) -> tuple[Run, dict]:
    """Deploy a release; the run, and its report."""
    run = play("playbooks/applications.yml", *application(wheel), *values(stack_release=name, stack_reports=str(folder), **more))
    [made] = folder.iterdir()
    return run, json.loads((made / "deployment.json").read_text(encoding="utf-8"))


def name_for(what: str) -> str:
    return f"v3.{int(time.time())}.{next(numbers)}-{what}"


@contextlib.contextmanager
def additive_migration(folder: Path) -> Iterator[Path]:
    """A directory with one migration more than the application has. What it did is undone by hand, as the product advises."""
    shutil.copytree(ROOT / "examples/docpipe/supabase/migrations", folder)
    (folder / f"{STAYS}.sql").write_text("ALTER TABLE documents ADD COLUMN stays text;\n", encoding="utf-8")
    try:
        yield folder
    finally:
        version = STAYS.partition("_")[0]
        tables = ("schema_migrations", "parity_checksums")
        forget = "; ".join(f"DELETE FROM supabase_migrations.{table} WHERE version = '{version}'" for table in tables)
        sql(f"ALTER TABLE documents DROP COLUMN IF EXISTS stays; {forget}")


def test_a_worse_release_says_which_migration_stays(tmp_path: Path) -> None:
    before, name = versions()[0], name_for("migrating")
    with additive_migration(tmp_path / "migrations") as folder:
        wheel = wheel_with("changed-field", tmp_path / "wheel")
        run, report = deployed(name, wheel, tmp_path / "reports", stack_application_migrations=str(folder))
        assert run.code != 0 and f"Release {name} was rolled back." in run.words, run.output[-6000:]
        stays = f"These migrations of this run stay applied: {STAYS}.sql. The schema is not rolled back."
        works = f"{before} is live again and was seen working with them."
        assert stays in run.words and works in run.words, run.output[-6000:]
        assert report["head"]["migrations"] == [f"{STAYS}.sql"] and report["head"]["check"] == {"result": "passed", "live": before}
        assert stays in python_on("ops1", ASK, f"{report['head']['run']}.html")
        status = play("playbooks/status.yml").words
        assert f"({name}) stay applied: {STAYS}.sql. The schema is not rolled back." in status and works in status, status[-4000:]
        assert_consistent(before)


@pytest.mark.parametrize("fault", FAULTS if FULL else SMALL)
def test_a_worse_release_is_rolled_back(fault: str, tmp_path: Path) -> None:
    before, name = versions()[0], name_for(fault)
    run, report = deployed(name, wheel_with(fault, tmp_path / "wheel"), tmp_path / "reports")
    took = next((f"{item['looks'][-1]['probes']} probes, {item['seconds']:.0f} s" for item in report["comparisons"] if item["looks"]), "")
    rows.append([fault, report["head"]["outcome"], took, report["headline"].removeprefix(f"{name} ")])
    table("worse releases: what was built in, and what the report says", ["fault", "outcome", "after", "headline"], rows)

    assert run.code != 0 and f"Release {name} was rolled back." in run.output, run.output[-4000:]
    assert report["verdict"] == "failed" and report["head"]["outcome"] == "rolled back"
    assert f"{name} was rolled back: " in report["headline"], report["headline"]
    assert any(words in report["headline"] for words in FAULTS[fault]), report["headline"]
    assert report["headline"] in run.output, "the run says it, too"
    assert "rolled back" in [step["what"] for step in report["timeline"]]
    assert_consistent(before)
    assert_keeps_secrets(run.output)

    # Anybody who may ask Prometheus finds it, and no secret in it.
    assert name in python_on("ops1", ASK, "")
    for kind in ("html", "json", "xml"):
        kept = python_on("ops1", ASK, f"{report['head']['run']}.{kind}")
        assert name in kept and not [secret for secret in secrets() if secret in kept]


@pytest.mark.full  # test_stack.py deploys a good release with every comparison
def test_good_releases_go_on(tmp_path: Path) -> None:
    wheel, rolled_back, count = wheel_with("", tmp_path / "wheel"), [], size(1, 20)
    found = []
    for number in range(count):
        name = name_for("good")
        run, report = deployed(name, wheel, tmp_path / str(number))
        canary = report["comparisons"][0]
        found.append([name, report["head"]["outcome"], canary["looks"][-1]["probes"], f"{canary['seconds']:.0f} s", report["headline"]])
        if run.code != 0:
            rolled_back.append(report["headline"])
    table("identical code, deployed again and again", ["release", "outcome", "probes", "compared for", "headline"], found)
    assert len(rolled_back) <= (1 if FULL else 0), rolled_back
    titles = {item["title"] for item in report["comparisons"]}
    assert {"new release against the live one", "production against the baseline"} <= titles, titles
