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
    default: ''
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

    PIPELINE = r"""
options:
  pipeline:
    description: How the application takes documents.
    type: dict
    suboptions:
      submit_path:
        description: Path that takes a document as a form with POST.
        type: str
        required: true
      state_path:
        description: Path that answers with the state of C({id}).
        type: str
        required: true
      delete_path:
        description: Path that removes C({id}) with DELETE.
        type: str
        required: true
      field_name:
        description: The form's field.
        type: str
        default: file
      id_key:
        description: Key of the identifier in the answer to the submission.
        type: str
        default: id
      state_key:
        description: Key of the state.
        type: str
        default: state
      done:
        description: States that end well.
        type: list
        elements: str
        default: [complete]
      failed:
        description: States that end badly.
        type: list
        elements: str
        default: [failed]
      queue_claim:
        description: >-
          Claim of a token that names the queue its documents go to, so that one worker alone gets them. Empty for an application
          without one.
        type: str
        default: ''
      list_path:
        description: >-
          Path that lists a user's own documents. The module finds there what a killed probe left, and removes it.
        type: str
        default: ''
      list_key:
        description: Key of the list in the answer; the answer is the list when empty.
        type: str
        default: ''
      history_key:
        description: Key of the document's history in the answer about its state, a list of objects. Empty when there is none.
        type: str
        default: ''
      history_state_key:
        description: Key of the state that was entered, in an entry of the history.
        type: str
        default: to
      history_time_key:
        description: Key of when it was entered (ISO 8601), in an entry of the history.
        type: str
        default: at
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
