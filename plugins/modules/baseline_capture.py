#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: baseline_capture
short_description: Measure an environment where all is well, and keep that as a baseline
version_added: 0.1.0
description:
  - Restarts the service, waits until it is ready, and measures it, several times over, so that the baseline knows how runs of the
    same code differ. Writes one JSON file on the control node, for git.
  - Says how far it is and how long it will take.
  - A run that something else on the host has slowed down, to more than twice what another one takes, is measured again.
  - Refuses an environment that is sick; one whose requests fail, or whose runs differ too much. The file that was there stays.
  - The service is not available while it restarts. In check mode nothing is restarted, measured or written.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment:
  [parity.stack.attributes.no_diff, parity.stack.probing, parity.stack.probing.tester, parity.stack.probing.measured]
options:
  path:
    description: The file on the control node.
    type: path
    required: true
  url:
    description: Where the API answers on the host.
    type: str
    required: true
  units:
    description: systemd units that are restarted before each run. Without any, the runs differ less than they really do.
    type: list
    elements: str
    default: []
  requests:
    description: The requests of M(parity.stack.http_probe) that are answered as expected once the service is ready.
    type: list
    elements: dict
    required: true
  release:
    description: The release that is measured.
    type: str
    required: true
  environment_name:
    description: The environment that is measured.
    type: str
    required: true
  runs:
    description: How often to restart and measure. A good baseline has 5.
    type: int
    default: 5
  probes:
    description: Requests to each endpoint in a run. A good baseline has 1000 in all.
    type: int
    default: 200
  documents:
    description: Documents to push through the pipeline in all. A good baseline has 30.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Capture the baseline
  parity.stack.baseline_capture:
    path: baselines/local.json
    url: http://127.0.0.1:8000
    units: [shop-api@blue.service]
    requests:
      - {name: The API is ready, url: "http://127.0.0.1:8000/healthz"}
    release: v1.4.2
    environment_name: local
    endpoints:
      - path: /documents
    jwt_key: "{{ jwt_key }}"
    pipeline: "{{ stack_pipeline }}"
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: always
weaknesses:
  description: What the baseline has too little of to be a good one.
  type: list
  elements: str
  returned: when measured
seconds:
  description: How long capturing took.
  type: float
  returned: when measured
"""
