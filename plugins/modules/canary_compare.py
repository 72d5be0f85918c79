#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: canary_compare
short_description: Compare the canary with the live release, before it gets any traffic
version_added: 0.1.0
description:
  - Probes two places on the host in turn (A-B, B-A, ...), one request at a time and never faster than I(rate), and judges after
    25, 50, 100 and 200 probes an endpoint. It stops at the first verdict that is certain.
  - A regression fails the task. An inconclusive verdict at the end is a warning, or a failure with I(inconclusive).
  - Compares latencies (levels, and requests that are slow now and then), errors, memory, processor time, and the content of answers.
  - The host measures (M(parity.stack.endpoint_samples)); the control node judges, which needs scipy and jmespath.
  - In check mode it probes nothing, because the new release does not run.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment:
  - parity.stack.attributes.no_diff
  - parity.stack.probing
  - parity.stack.probing.tester
  - parity.stack.probing.measured
  - parity.stack.probing.compared
options:
  live:
    description: Where the live release answers on the host, such as C(http://127.0.0.1:8001).
    type: str
    required: true
  new:
    description: Where the new release answers on the host.
    type: str
    required: true
  queue:
    description: The queue from which only the new release's worker takes tasks, while the live workers take from the usual one.
    type: str
  processes:
    description:
      - Processes whose memory and processor time are compared, with C(name), C(asked) (whether requests are sent to it) and C(units),
        its systemd unit in the slot C(old) and in the slot C(new), as P(parity.stack.process_units#filter) makes them. One that does
        not run in the slot C(old) is not compared.
      - Without any, the process that answers at O(live) and O(new) is compared by what it tells at I(metrics_path).
    type: list
    elements: dict
    default: []
  documents:
    description:
      - How many documents to push through the pipeline of each release, one to both at the same time, to measure the times of its
        stages. The first two do not count, and fewer than eight more show nothing.
      - Without O(queue) either release may work on a document, so set 0 there.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Compare the canary with the live release
  parity.stack.canary_compare:
    live: http://127.0.0.1:8001
    new: http://127.0.0.1:8002
    endpoints:
      - path: /documents
      - path: /documents/{id}
      - path: /version
        masks: [release, slot, version]
    jwt_key: "{{ jwt_key }}"
    pipeline: "{{ stack_pipeline }}"
    evidence: reports/canary.json
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
