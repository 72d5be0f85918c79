#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: baseline_compare
short_description: Compare a deployment with its baseline, and give a verdict
version_added: 0.1.0
description:
  - Answers C(regression) (evidence that it is worse than tolerated), C(pass) (proof that it is not worse than the margin) or
    C(inconclusive) (neither), for each metric and for all, with the effect, its interval and a sentence.
  - Takes either a baseline file and a measurement, or metrics as they are.
  - Writes nothing but I(evidence). Uses no randomness. In check mode it gives the same verdict. Runs on the control node.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
requirements:
  - scipy
  - jmespath
options:
  baseline:
    description: File with the baseline, as role C(baseline) captures it.
    type: path
  measured:
    description:
      - The measurement to compare with I(baseline), with the keys C(endpoints), C(stages), C(resources) and C(calibration).
    type: dict
  endpoints:
    description:
      - The endpoints as M(parity.stack.endpoint_samples) takes them. Their C(masks) name what may differ in answers, as JMESPath
        expressions that lead to the values, such as C(documents[*].id).
    type: list
    elements: dict
    default: []
  tolerance:
    description: By how much numbers in responses may differ, relative to the larger one.
    type: float
    default: 0
  metrics:
    description:
      - Metrics to judge, instead of I(baseline) and I(measured). Each has a C(name), a C(kind) (C(latency), C(errors), C(resource)
        or C(functional)), a C(baseline) and a C(candidate).
    type: list
    elements: dict
  environment:
    description:
      - V(same) for two releases on the same machines. V(cross) for different machines; a difference that all endpoints share then
        counts as the machines' speed.
    type: str
    choices: [same, cross]
    default: same
  calibration:
    description:
      - For V(cross) and I(metrics), how much slower the candidate's machine is (C(factor)), and how uncertain that is (C(rel_sd)).
    type: dict
    default: {}
  looks:
    description: How often the metrics are judged while more samples arrive. All looks share one chance of a false alarm.
    type: int
    default: 1
  look:
    description: The number of this look among I(looks). By default the last one.
    type: int
  inconclusive:
    description: What an inconclusive verdict does. V(warn) goes on with a warning, V(fail) fails, V(accept) leaves it to the caller.
    type: str
    choices: [warn, fail, accept]
    default: warn
  evidence:
    description: File for samples and verdict, for M(parity.stack.validation_report). Not written when not given, and not in check mode.
    type: path
  fail_on_regression:
    description: Whether a regression fails the task.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Compare the release with the baseline
  parity.stack.baseline_compare:
    baseline: baselines/local.json
    measured: "{{ measured }}"
    environment: cross
    endpoints:
      - {path: /version, masks: [release, slot]}

- name: Compare error rates with those before
  parity.stack.baseline_compare:
    metrics:
      - name: errors
        kind: errors
        baseline: {k: 0, n: 1000}
        candidate: {k: 2, n: 400}
"""

RETURN = r"""
verdict:
  description: C(pass), C(regression) or C(inconclusive).
  type: str
  returned: always
metrics:
  description: For each metric its C(verdict), C(effect), C(low), C(high), C(margin), C(n) and C(why).
  type: dict
  returned: always
summary:
  description: The verdict and its reasons, in a few lines.
  type: str
  returned: always
differences:
  description: Differences between responses, each with C(place), C(expected), C(seen) and C(words).
  type: list
  elements: dict
  returned: when responses were compared
"""
