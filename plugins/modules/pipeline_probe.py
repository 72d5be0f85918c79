#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pipeline_probe
short_description: Push a document through the pipeline, and check that it is completed
version_added: 0.1.0
description:
  - Submits a one-page PDF as a test user, waits until the pipeline has completed it, and removes it again.
  - The description of the pipeline is data. The module knows no application.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment:
  [parity.stack.attributes.no_diff, parity.stack.http_client, parity.stack.probing.tester, parity.stack.probing.pipeline]
options:
  url:
    description: Where the API is, without a path.
    type: str
    required: true
  jwt_key:
    description: Key the API verifies tokens with (HS256). The probe signs a token of five minutes for itself. No token is sent without one.
    type: str
    default: ''
  pipeline:
    required: true
  queue:
    description: The queue the document goes to, for an application with C(pipeline.queue_claim). The usual one when not given.
    type: str
  reads:
    description:
      - Paths that the test user reads with GET once the document is complete; C({id}) stands for the document. They show that the
        application can read what it stores.
      - No answer, or an answer of 500 or more, is a failure.
    type: list
    elements: str
    default: []
  seconds:
    description: How long the document may take.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Send a document through the pipeline
  parity.stack.pipeline_probe:
    url: https://api.example.org
    jwt_key: "{{ jwt_key }}"
    pipeline:
      submit_path: /documents
      state_path: /documents/{id}
      delete_path: /documents/{id}
"""

RETURN = r"""
states:
  description: The states that were seen, in order.
  type: list
  elements: str
  returned: success
seconds:
  description: How long the document took.
  type: float
  returned: success
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import http_client
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.http_client import Client, jwt
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf, pipeline


def probe(module: AnsibleModule) -> dict:
    wanted = module.params
    claims = {"sub": wanted["subject"], "exp": int(time.time()) + 300}
    if wanted["audience"]:
        claims["aud"] = wanted["audience"]
    if wanted["queue"] and not wanted["pipeline"]["queue_claim"]:
        raise ParityError(f"a document cannot be sent to queue {wanted['queue']!r}: pipeline.queue_claim names no claim for it")
    if wanted["queue"]:
        claims[wanted["pipeline"]["queue_claim"]] = wanted["queue"]
    if wanted["queue"] and not wanted["jwt_key"]:
        raise ParityError(f"a document cannot be sent to queue {wanted['queue']!r}: without jwt_key no token can name it")
    token = jwt(wanted["jwt_key"], claims) if wanted["jwt_key"] else ""
    client = Client(wanted["url"], ca_file=wanted["ca_file"], token=token, timeout=30)
    document = pdf.page(["Parity pushes this page through the pipeline.", f"It was made at {time.time():.6f}."])
    way = pipeline.Pipeline(**wanted["pipeline"])
    return pipeline.run(client, way, document, seconds=wanted["seconds"], reads=wanted["reads"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **http_client.SPEC,
            **pipeline.TESTER,
            "url": {"type": "str", "required": True},
            "jwt_key": {"type": "str", "default": "", "no_log": True},
            "pipeline": {"type": "dict", "required": True, "options": pipeline.ARGUMENTS},
            "queue": {"type": "str"},
            "reads": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    mask_module(module)
    if module.check_mode:
        module.exit_json(changed=False, states=[], seconds=0.0)
    with errors_as_failures(module):
        module.exit_json(changed=False, **probe(module))


if __name__ == "__main__":
    main()
