#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_samples
short_description: Measure how endpoints answer, at one place or at two in turn
version_added: 0.1.0
description:
  - Sends requests without side effects, one at a time and never faster than I(rate), and returns the time and the answer of each,
    and the memory and processor time that the service used meanwhile.
  - Sends requests to two places in turn (A-B, B-A), so that other work of the host slows both alike.
  - Where a path holds C({id}), pushes one document of the test user through the pipeline first, and removes it afterwards.
  - Sends nothing in check mode.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment:
  - parity.stack.attributes.no_diff
  - parity.stack.http_client
  - parity.stack.probing
  - parity.stack.probing.tester
  - parity.stack.probing.pipeline
options:
  places:
    description: Where to send the requests, by a name for each place. URLs without a path.
    type: dict
    required: true
  endpoints:
    description: What to request.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Path with its query. C({id}) stands for the test document.
        type: str
        required: true
      name:
        description: The name of the endpoint; the method and the path when not given.
        type: str
        default: ''
      method:
        description: A method without side effects.
        type: str
        choices: [GET, HEAD, OPTIONS]
        default: GET
      masks:
        description: What may differ in the answer, as JMESPath expressions. This module does not use it; the comparison of answers does.
        type: list
        elements: str
        default: []
      places:
        description: Where to send this request instead, by the name of a place. For another process of the same release.
        type: dict
        default: {}
  passes:
    description: How many requests each endpoint gets at each place.
    type: int
    default: 100
  pipeline:
    description: How the application takes documents, as for M(parity.stack.pipeline_probe). Needed for paths with C({id}).
  documents:
    description: >-
      How many documents to push through the pipeline of each place, one after the other and to all places at once, to measure the
      times of its stages.
    type: int
    default: 0
  documents_seconds:
    description: Seconds after which no further document is sent, however many were wanted. 0 for no limit.
    type: float
    default: 0
  queues:
    description: >-
      The names of queues, for places whose documents go to a queue of their own. The token carries the name in the claim
      C(queue_claim) of I(pipeline).
    type: dict
    default: {}
  processes:
    description:
      - Processes whose memory and processor time are read from the cgroups of their units, instead of what I(metrics_path) tells. A unit
        that does not run is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the process, which is part of the names of what is measured.
        type: str
        required: true
      asked:
        description: >-
          Whether requests are sent to the process. Its processor time is counted for each request; that of another one is the share of
          a processor that it uses meanwhile.
        type: bool
        default: true
      units:
        description: The systemd unit of the process at each place, by the name of the place.
        type: dict
        required: true
  calibrate:
    description: Whether to time a small computation between the requests, which shows how fast the host is meanwhile.
    type: bool
    default: false
  document:
    description: A document of the test user that exists already, instead of a new one.
    type: str
  document_state:
    description:
      - V(temporary) makes the document and removes it. V(present) makes it and leaves it, for a next call with I(document).
      - V(absent) sends no requests but the removal of I(document).
    type: str
    choices: [temporary, present, absent]
    default: temporary
"""

EXAMPLES = r"""
- name: Measure the API's endpoints
  parity.stack.endpoint_samples:
    places: {api: http://127.0.0.1:8000}
    endpoints:
      - path: /health
      - path: /documents/{id}
        masks: [updated_at]
    jwt_key: "{{ jwt_key }}"
    pipeline: "{{ stack_pipeline }}"
    passes: 200
"""

RETURN = r"""
measurements:
  description:
    - For each place, C(endpoints) (C(runs), C(requests), C(errors), C(response)), C(resources), and with I(documents) C(stages)
      and C(documents) (C(requests), C(errors), and C(lost) where a document did not end well at two attempts; no more are sent
      then); for the first one also C(calibration) with I(calibrate).
  type: dict
  returned: always
document:
  description: The document that was left for a next call.
  type: str
  returned: when I(document_state) is V(present)
left:
  description: Documents that the application did not remove.
  type: list
  elements: str
  returned: always
seconds:
  description: How long the measuring took.
  type: float
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import http_client
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.http_client import Client, jwt
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf, pipeline, processes, samples

ENDPOINT_SPEC = {
    "path": {"type": "str", "required": True},
    "name": {"type": "str", "default": ""},
    "method": {"type": "str", "choices": ["GET", "HEAD", "OPTIONS"], "default": "GET"},
    "masks": {"type": "list", "elements": "str", "default": []},
    "places": {"type": "dict", "default": {}},
}
PROCESS_SPEC = {
    "name": {"type": "str", "required": True},
    "asked": {"type": "bool", "default": True},
    "units": {"type": "dict", "required": True},
}


def clients(wanted: dict) -> dict[str, Client]:
    urls = [*wanted["places"].values(), *(url for item in wanted["endpoints"] for url in (item.get("places") or {}).values())]
    wrong = [url for url in urls if not str(url).startswith(("http://", "https://"))]
    if wrong or not wanted["places"]:
        raise ParityError(f"places: {wrong[0] if wrong else 'none'!r} is no http or https URL")
    if wanted["rate"] <= 0 or wanted["passes"] <= 0:
        raise ParityError(f"rate is {wanted['rate']} and passes {wanted['passes']}; both have to be more than 0")
    requests = wanted["passes"] * len(wanted["endpoints"]) * len(wanted["places"])
    claims: dict = {"sub": wanted["subject"], **({"aud": wanted["audience"]} if wanted["audience"] else {})}
    # Valid for twice the time that this can take at the wanted rate.
    valid = 300 + wanted["seconds"] * (1 + wanted["documents"]) + 2 * requests / wanted["rate"]
    claim = (wanted["pipeline"] or {}).get("queue_claim")
    if wanted["queues"] and not claim:
        raise ParityError("queues: pipeline has no queue_claim, so no token can say which queue documents go to")

    def token(name: str) -> str:
        queue = {claim: wanted["queues"][name]} if wanted["queues"].get(name) else {}
        return jwt(wanted["jwt_key"], {**claims, **queue, "exp": int(time.time() + valid)}) if wanted["jwt_key"] else ""

    return {
        name: Client(url, ca_file=wanted["ca_file"], token=token(name), timeout=wanted["timeout"])
        for name, url in wanted["places"].items()
    }


def sample(wanted: dict) -> dict:
    places = clients(wanted)
    first = next(iter(places.values()))
    endpoints = [
        samples.Endpoint(path=item["path"], name=item["name"], method=item["method"], places=item["places"])
        for item in wanted["endpoints"]
    ]
    titles = [endpoint.title for endpoint in endpoints]
    if len(set(titles)) < len(titles):
        raise ParityError(f"endpoints: two have the same name ({', '.join(titles)}); each needs its own")
    flow = pipeline.Pipeline(**wanted["pipeline"]) if wanted["pipeline"] else None
    document, began = wanted["document"], time.monotonic()
    needed = not document and any("{id}" in endpoint.path for endpoint in endpoints)
    if flow is None and (needed or wanted["documents"] or wanted["document_state"] == "absent"):
        raise ParityError(
            "pipeline has to describe how to make a test document (a path holds {id}, or documents are wanted)"
        )
    if wanted["document_state"] == "absent":
        return {"measurements": {}, "seconds": 0.0, "left": _remove(places, flow, document)}
    kept, left = False, []
    try:
        if needed:
            pipeline.clear(first, flow)
            document = pipeline.made(places, flow, pdf.page(["Parity asks for this page."]), seconds=wanted["seconds"])
        # Documents come first: a worker that has had its first ones holds the memory that it needs.
        timed = _documents(wanted, places, flow, left)
        found = samples.measure(
            places,
            endpoints,
            passes=wanted["passes"],
            rate=wanted["rate"],
            document=document,
            metrics_path=wanted["metrics_path"],
            **measured_processes(wanted["processes"], list(places)),
            calibrated=wanted["calibrate"],
        )
        found = {name: measurement | timed.get(name, {}) for name, measurement in found.items()}
        kept = wanted["document_state"] == "present"
    finally:
        if needed and document and not kept:
            left += _remove(places, flow, document)
    return {"measurements": found, "seconds": time.monotonic() - began, "left": left, **({"document": document} if kept else {})}


def _documents(wanted: dict, places: dict[str, Client], flow: pipeline.Pipeline | None, left: list[str]) -> dict[str, dict]:
    """The times of the stages, and how documents ended, by place. What the application did not remove is added to `left`."""
    if not wanted["documents"]:
        return {}
    timed = pipeline.timed(places, flow, wanted["documents"], seconds=wanted["seconds"], most=wanted["documents_seconds"])
    for told in timed.values():
        left += map(str, told["documents"].pop("left"))
    return timed


def measured_processes(wanted: list[dict], places: list[str]) -> dict:
    """The options of samples.measure for processes, where there are any."""
    if not wanted:
        return {}
    units = {place: {process["name"]: process["units"][place] for process in wanted if place in process["units"]} for place in places}
    asked = frozenset(process["name"] for process in wanted if process["asked"])
    return {"usage": {place: processes.reader(found) for place, found in units.items()}, "asked": asked}


def _remove(places: dict[str, Client], flow: pipeline.Pipeline, document: str) -> list[str]:
    """Remove the document at the first place that can. Returns the document where none can."""
    return [] if any(pipeline.remove(client, flow, document) for client in places.values()) else [document]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **http_client.SPEC,
            **samples.SPEC,
            **pipeline.TESTER,
            "places": {"type": "dict", "required": True},
            "endpoints": {"type": "list", "elements": "dict", "required": True, "options": ENDPOINT_SPEC},
            "passes": {"type": "int", "no_log": False, "default": 100},
            "documents": {"type": "int", "default": 0},
            "documents_seconds": {"type": "float", "default": 0},
            "queues": {"type": "dict", "default": {}},
            "processes": {"type": "list", "elements": "dict", "default": [], "options": PROCESS_SPEC},
            "calibrate": {"type": "bool", "default": False},
            "pipeline": {"type": "dict", "options": pipeline.ARGUMENTS},
            "document": {"type": "str"},
            "document_state": {
                "type": "str",
                "choices": ["temporary", "present", "absent"],
                "default": "temporary",
            },
        },
        required_if=[("document_state", "absent", ["document"])],
        supports_check_mode=True,
    )
    mask_module(module)
    if module.check_mode:
        module.exit_json(changed=False, measurements={}, seconds=0.0, left=[])
    with errors_as_failures(module):
        module.exit_json(changed=False, **sample(module.params))


if __name__ == "__main__":
    main()
