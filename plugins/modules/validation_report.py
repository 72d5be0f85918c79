#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: validation_report
short_description: Write what a validation found as JSON, JUnit XML and one HTML page
version_added: 0.1.0
description:
  - Takes checks and comparisons, and writes C(NAME.json), C(NAME.xml) (JUnit) and C(NAME.html), which is self-contained and opens
    without a network.
  - The same verdict stands in all of them. What fails stands first, with its evidence.
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  directory:
    description: Where to write. Made when it is not there.
    type: path
    required: true
  name:
    description: Name of the files, without an extension.
    type: str
    default: report
  head:
    description:
      - What the report is about. Shown are C(stack), C(release), C(environment), C(at), C(by), C(before) (what was live before) and
        C(seconds) (how long the deployment took).
    type: dict
    default: {}
  checks:
    description:
      - Checks, each with C(id), C(title) and C(status) (V(passed), V(warning), V(failed), V(error) for one that could not be
        made, or V(not run) for one that had nothing to look at), and optionally C(group), C(severity) (V(critical), V(major) or
        V(minor)), C(expected), C(seen), C(seconds), C(host) and C(evidence). A failed check that is V(minor) is a warning.
    type: list
    elements: dict
    default: []
  comparisons:
    description:
      - Answers of M(parity.stack.baseline_compare), or what M(parity.stack.canary_compare) returned, each with a C(title).
      - C(evidence) names the file with the samples instead, or adds it. A file that is not there is a comparison that was not run,
        or, where C(absent) says why that is all right, a note.
    type: list
    elements: dict
    default: []
  baseline:
    description: File with the baseline. Drawn beside what was compared, where it has the endpoint. Left out when it is not there.
    type: path
  journal:
    description:
      - Entries of one run in the journals of its hosts, as M(parity.stack.journal_entries) returns them. They tell when, by whom and
        after what, what came of it, and the steps with their times.
    type: list
    elements: dict
    default: []
  failures:
    description: Tasks that failed, each with C(task), C(host) and C(message), as P(parity.stack.failed_tasks#filter) finds them.
    type: list
    elements: dict
    default: []
  timeline:
    description: Steps of the deployment, each with C(what), C(start) (seconds since any point in time), C(seconds) and a C(status).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: The report is written
  parity.stack.validation_report:
    directory: reports/v1.4.2
    head:
      stack: shop
      release: v1.4.2
      environment: production
    checks: "{{ checks }}"
    comparisons:
      - title: new release against the live one
        evidence: reports/v1.4.2/canary.json
  delegate_to: localhost
"""

RETURN = r"""
verdict:
  description: V(passed), V(warning) or V(failed).
  type: str
  returned: always
headline:
  description: The verdict as one sentence.
  type: str
  returned: always
summary:
  description: A few lines for the output of a run.
  type: str
  returned: always
files:
  description: The paths of the JSON, XML and HTML file.
  type: dict
  returned: always
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import baselines, deployments, report_page, reports
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically


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
    return {**whole, "series": reports.series_of(sides), "stages": reports.stages_of(sides)}


def build(wanted: dict) -> dict:
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
    return reports.build(
        head={**wanted["head"], **(deployments.facts(entries) if entries else {})},
        checks=wanted["checks"],
        comparisons=comparisons,
        stages=stages,
        timeline=[*wanted["timeline"], *(deployments.timeline(entries, comparisons) if entries else [])],
        failures=wanted.get("failures") or [],
        notes=notes,
    )


def write(directory: Path, name: str, report: dict, check_mode: bool) -> tuple[bool, dict[str, str]]:
    contents = {"json": reports.as_json(report), "xml": reports.junit(report), "html": report_page.page(report)}
    files = {kind: directory / f"{name}.{kind}" for kind in contents}
    stale = [
        kind for kind, path in files.items() if not path.exists() or path.read_text(encoding="utf-8") != contents[kind]
    ]
    for kind in stale if not check_mode else ():
        write_atomically(files[kind], contents[kind])
    return bool(stale), {kind: str(path) for kind, path in files.items()}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "default": "report"},
            "head": {"type": "dict", "default": {}},
            "checks": {"type": "list", "elements": "dict", "default": []},
            "comparisons": {"type": "list", "elements": "dict", "default": []},
            "baseline": {"type": "path"},
            "journal": {"type": "list", "elements": "dict", "default": []},
            "failures": {"type": "list", "elements": "dict", "default": []},
            "timeline": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        report = build(module.params)
        changed, files = write(Path(module.params["directory"]), module.params["name"], report, module.check_mode)
    except (ParityError, OSError) as error:
        module.fail_json(msg=str(error))
    words = {"verdict": report["verdict"], "headline": report["headline"], "summary": reports.text(report)}
    module.exit_json(changed=changed, files=files, **words)


if __name__ == "__main__":
    main()
