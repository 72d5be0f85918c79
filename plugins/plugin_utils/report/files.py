# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report from what runs have left on the control node, and the three files it is written to."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.plugin_utils.comparison import baselines
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome, page, timeline


def comparison(given: dict, baseline: dict | None) -> dict:
    """A comparison with the samples of both sides, and the baseline's where it has the same endpoint."""
    found: dict = {}
    if given.get("evidence"):
        try:
            found = json.loads(Path(given["evidence"]).read_text(encoding="utf-8"))
        except FileNotFoundError:
            found = {"verdict": "not run", "summary": f"{given['evidence']} is not there"}
        except ValueError as error:
            raise ParityError(f"the evidence {given['evidence']} cannot be read: {error}") from error
    whole = {**found, **{key: value for key, value in given.items() if key != "evidence"}}
    sides = {side: whole[side] for side in ("old", "new") if whole.get(side)}
    if baseline and sides:
        shared = {name: item for name, item in baseline["endpoints"].items() if name in sides["new"]["endpoints"]}
        sides = {"baseline": {**baseline, "endpoints": shared}, **sides}
    return {**whole, "series": outcome.series_of(sides), "stages": outcome.stages_of(sides)}


def build(wanted: dict) -> dict:
    """The report (outcome.build) of what parity.stack.validation_report is given."""
    baseline, entries = None, wanted.get("journal") or []
    if wanted["baseline"] and Path(wanted["baseline"]).exists():
        baseline = baselines.read(Path(wanted["baseline"]))
    comparisons, notes = [], []
    for given in wanted["comparisons"]:
        title = given["title"][:1].upper() + given["title"][1:]
        if given.get("absent") and not Path(given.get("evidence") or "").exists():
            notes.append(f"{title}: {given['absent']}")
            continue
        found = comparison(given, baseline)
        if found.get("accepted"):
            notes.append(f"{title}: {' '.join(metric['why'] for metric in found['metrics'].values())}")
        else:
            comparisons.append(found)
    stages = {name: sides for item in comparisons for name, sides in item.pop("stages").items()}
    return outcome.build(
        head={**wanted["head"], **(timeline.facts(entries) if entries else {})},
        checks=wanted["checks"],
        comparisons=comparisons,
        stages=stages,
        timeline=[*wanted["timeline"], *(timeline.timeline(entries, comparisons) if entries else [])],
        failures=wanted.get("failures") or [],
        notes=notes,
        not_checked=wanted.get("not_checked") or [],
    )


def write(directory: Path, name: str, report: dict, check_mode: bool) -> tuple[bool, dict[str, str]]:
    """Write JSON, JUnit XML and HTML where they differ; whether any did, and the files by kind."""
    contents = {"json": outcome.as_json(report), "xml": outcome.junit(report), "html": page.page(report)}
    files = {kind: directory / f"{name}.{kind}" for kind in contents}
    stale = [
        kind for kind, path in files.items() if not path.exists() or path.read_text(encoding="utf-8") != contents[kind]
    ]
    for kind in stale if not check_mode else ():
        write_atomically(files[kind], contents[kind])
    return bool(stale), {kind: str(path) for kind, path in files.items()}
