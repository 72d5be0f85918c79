#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: validation_report
short_description: Write the report of a validation as JSON, JUnit XML and one HTML page
version_added: 0.1.0
description:
  - Takes checks and comparisons, and writes C(NAME.json), C(NAME.xml) (JUnit) and C(NAME.html), which is self-contained and opens
    without a network.
  - All of them have the same verdict. Failures come first, with their evidence.
  - Runs on the control node, whatever the task's host.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  directory:
    description: Where to write. The module makes the directory when it does not exist.
    type: path
    required: true
  name:
    description: Name of the files, without an extension.
    type: str
    default: report
  head:
    description:
      - The head of the report. It shows C(stack), C(release), C(environment), C(at), C(by), C(before) (the release that was live before)
        and C(seconds) (how long the deployment took).
    type: dict
    default: {}
  checks:
    description:
      - Checks, each with C(id), C(title) and C(status) (V(passed), V(warning), V(failed), V(error) for one that could not be
        made, or V(not run) for one that had nothing to check), and optionally C(group), C(severity) (V(critical), V(major) or
        V(minor)), C(expected), C(seen), C(seconds), C(host) and C(evidence). A failed check that is V(minor) is a warning.
    type: list
    elements: dict
    default: []
  comparisons:
    description:
      - Answers of M(parity.stack.baseline_compare), or what M(parity.stack.canary_compare) returned, each with a C(title).
      - C(evidence) names the file with the samples instead, or adds it. Where the file does not exist, the comparison counts as not
        run; with a reason in C(absent), it is only a note.
    type: list
    elements: dict
    default: []
  baseline:
    description: File with the baseline. The page draws it beside the comparison, where it has the endpoint. It may be missing.
    type: path
  journal:
    description:
      - Entries of one run in the journals of its hosts, as M(parity.stack.journal_entries) returns them. They have the time, the
        operator, the release before, the outcome, and the steps with their times.
    type: list
    elements: dict
    default: []
  failures:
    description: Tasks that failed, each with C(task), C(host) and C(message), as P(parity.stack.failed_tasks#filter) finds them.
    type: list
    elements: dict
    default: []
  secrets:
    description: Secrets to mask in the whole report, in every encoding. They may be nested.
    type: dict
    default: {}
  not_checked:
    description: What is not checked because the application does not offer it, as lines of P(parity.stack.offers#filter).
    type: list
    elements: str
    default: []
  timeline:
    description: Steps of the deployment, each with C(what), C(start) (seconds since any point in time), C(seconds) and a C(status).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Write the validation report
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
