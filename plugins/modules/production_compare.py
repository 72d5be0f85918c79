#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: production_compare
short_description: Compare the live release with a baseline
version_added: 0.1.0
description:
  - Probes an API, one request at a time and never faster than I(rate), and judges after 75, 100, 150 and 200 probes an endpoint.
    It stops at the first verdict that is certain.
  - A regression fails the task. An inconclusive verdict at the end is a warning, or a failure with I(inconclusive).
  - Compares latencies, errors, the pipeline's stages, memory, processor time, and the content of answers. Between different
    machines, a difference that all endpoints share counts as the machines' speed.
  - The host measures (M(parity.stack.endpoint_samples)); the control node judges, which needs scipy and jmespath.
  - In check mode it probes nothing.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment:
  - parity.stack.attributes.no_diff
  - parity.stack.probing
  - parity.stack.probing.tester
  - parity.stack.probing.measured
  - parity.stack.probing.compared
options:
  url:
    description: Where the API answers on the host, such as C(http://127.0.0.1:8000).
    type: str
    required: true
  baseline:
    description: The file on the control node that M(parity.stack.baseline_capture) wrote.
    type: path
    required: true
  environment:
    description: Whether the baseline was captured on the V(same) machines or on others (V(cross)).
    type: str
    choices: [same, cross]
    default: cross
  documents:
    description: >-
      How many documents to push through the pipeline, one after the other, to measure the times of its stages. The first two do
      not count, and fewer than eight more show nothing.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Compare production with the baseline
  parity.stack.production_compare:
    url: http://127.0.0.1:8000
    baseline: baselines/local.json
    endpoints:
      - path: /documents
      - path: /documents/{id}
      - path: /version
        masks: [release, slot, version]
    jwt_key: "{{ jwt_key }}"
    pipeline: "{{ stack_pipeline }}"
    documents: 20
"""

RETURN = r"""
verdict:
  description: C(pass), C(regression) or C(inconclusive); C(not run) in check mode.
  type: str
  returned: always
summary:
  description: The verdict and its reasons, in a few lines.
  type: str
  returned: always
metrics:
  description: For each metric its C(verdict), C(effect), C(low), C(high), C(margin), C(n) and C(why).
  type: dict
  returned: when probed
differences:
  description: Differences between answers.
  type: list
  elements: dict
  returned: when probed
looks:
  description: The verdict at each look, with C(probes), C(verdict) and C(seconds).
  type: list
  elements: dict
  returned: when probed
seconds:
  description: How long the comparison took.
  type: float
  returned: when probed
"""
