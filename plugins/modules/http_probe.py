#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe
short_description: Send requests and hold the answers against what is expected
version_added: 0.1.0
description:
  - Sends every request once and reports all that were answered differently from what was expected, together.
  - Reads only. In check mode it does the same.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.http_client, parity.stack.http_client.timeout]
options:
  requests:
    description: The requests, sent in order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the request shows when it is answered as expected, for messages.
        type: str
        required: true
      url:
        description: Where to, with C(http) or C(https).
        type: str
        required: true
      method:
        description: HTTP method without a body.
        type: str
        choices: [GET, HEAD, OPTIONS]
        default: GET
      status:
        description: Status codes that are expected.
        type: list
        elements: int
        default: [200]
      json:
        description: Keys of the answer's JSON object and the values they are expected to have.
        type: dict
        default: {}
  attempts:
    description: How often a request is sent until it is answered as expected.
    type: int
    default: 1
  pause:
    description: Seconds between two attempts.
    type: float
    default: 0.5
"""

EXAMPLES = r"""
- name: Probe the API for the new release
  parity.stack.http_probe:
    requests:
      - name: The API is healthy
        url: http://127.0.0.1:8000/health
      - name: The API runs the new release
        url: http://127.0.0.1:8000/version
        json:
          release: v1.4.2
"""

RETURN = r"""
results:
  description: One entry a request, with C(name), C(status), C(seconds), C(attempts) and C(complaint).
  type: list
  elements: dict
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import http_client
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client

REQUEST = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "method": {"type": "str", "choices": ["GET", "HEAD", "OPTIONS"], "default": "GET"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "json": {"type": "dict", "default": {}},
}


def complaint(wanted: dict, answer: Answer) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if answer.status not in wanted["status"]:
        return f"{answer}, wanted {' or '.join(map(str, wanted['status']))}"
    content = answer.json() if wanted["json"] else {}
    if not isinstance(content, dict):
        return "the answer is no JSON object"
    wrong = {key: value for key, value in wanted["json"].items() if content.get(key) != value}
    return "; ".join(f"{key} is {content.get(key)!r}, wanted {value!r}" for key, value in wrong.items())


def probe(client: Client, wanted: dict, attempts: int, pause: float) -> dict:
    if not wanted["url"].startswith(("http://", "https://")):
        raise ParityError(f"{wanted['url']!r} is no http or https URL")
    for attempt in range(1, attempts + 1):
        answer = client.send(wanted["method"], wanted["url"])
        wrong = complaint(wanted, answer)
        if not wrong or attempt == attempts:
            break
        time.sleep(pause)
    return {
        "name": wanted["name"],
        "url": wanted["url"],
        "status": answer.status,
        "seconds": round(answer.seconds, 4),
        "attempts": attempt,
        "complaint": wrong,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **http_client.SPEC,
            **http_client.TIMEOUT,
            "requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST},
            "attempts": {"type": "int", "default": 1},
            "pause": {"type": "float", "default": 0.5},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    with errors_as_failures(module):
        client = Client(ca_file=wanted["ca_file"], timeout=wanted["timeout"])
        attempts = max(1, wanted["attempts"])
        results = [probe(client, request, attempts, wanted["pause"]) for request in wanted["requests"]]
    wrong = [f"{result['name']}: {result['url']}: {result['complaint']}" for result in results if result["complaint"]]
    if wrong:
        head = f"{len(wrong)} of {len(results)} requests were not answered as expected:\n"
        module.fail_json(msg=head + "\n".join(wrong), results=results)
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
