# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of what measures an API, and of what compares such measurements."""

    DOCUMENTATION = r"""
options:
  rate:
    description: Requests a second at most, over everything that is measured.
    type: float
    default: 100
  timeout:
    description: Seconds after which a request counts as an error.
    type: float
    default: 10
  jwt_key:
    description: Key the API verifies tokens with (HS256). No token is sent without one.
    type: str
  metrics_path:
    description: Where the service tells its memory and processor time (Prometheus' C(process_*) metrics). Empty for not at all.
    type: str
    default: /metrics
  seconds:
    description: How long the pipeline may take with a test document.
    type: float
    default: 60
"""

    TESTER = r"""
options:
  subject:
    description: The test user, claim C(sub) of the token.
    type: str
    default: parity-probe
  audience:
    description: Claim C(aud) of the token.
    type: str
"""

    MEASURED = r"""
options:
  endpoints:
    description: What to request, as for M(parity.stack.endpoint_samples), each with the C(masks) of what may differ in its answer.
    type: list
    elements: dict
    required: true
  pipeline:
    description: How the application takes documents, as for M(parity.stack.endpoint_samples). Needed for paths with C({id}).
    type: dict
"""

    COMPARED = r"""
options:
  most:
    description: Probes an endpoint and place at most. At least what the first look needs; 200 is where the last one is meant to be.
    type: int
    default: 200
  tolerance:
    description: By how much numbers in answers may differ, relative to the larger one.
    type: float
    default: 0
  documents_seconds:
    description: Seconds after which no further document is sent.
    type: float
    default: 15
  inconclusive:
    description: What an inconclusive answer is. V(warn) goes on with a warning, V(fail) fails.
    type: str
    choices: [warn, fail]
    default: warn
  evidence:
    description: File on the control node for samples and verdict, for M(parity.stack.validation_report). Not written when not given.
    type: path
"""
