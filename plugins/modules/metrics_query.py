#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_query
short_description: Ask Prometheus, and hold the answers against limits
version_added: 0.1.0
description:
  - Sends PromQL queries that answer numbers, and reports all that are outside their limits together.
  - Reads only. In check mode it does the same.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.http_client, parity.stack.http_client.prometheus]
options:
  queries:
    description: The queries.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the number is, for messages.
        type: str
        required: true
      query:
        description: PromQL that answers a scalar or a vector. Every value has to be within the limits.
        type: str
        required: true
      minimum:
        description: The smallest value that is right. No limit when not given.
        type: float
      maximum:
        description: The largest value that is right. No limit when not given.
        type: float
  seconds:
    description: How long to go on asking until every value is within its limits.
    type: float
    default: 0
  pause:
    description: Seconds between two attempts.
    type: float
    default: 1
"""

EXAMPLES = r"""
- name: Check that monitoring sees every instance
  parity.stack.metrics_query:
    url: http://127.0.0.1:9090
    queries:
      - name: Targets that do not answer
        query: count(up == 0) or vector(0)
        maximum: 0
    seconds: 30
"""

RETURN = r"""
results:
  description: One entry a query, with C(name), C(values) (a list of C(labels) and C(value)) and C(complaint).
  type: list
  elements: dict
  returned: always
"""

import math
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client
from ansible_collections.parity.stack.plugins.module_utils.probing import prometheus

QUERY = {
    "name": {"type": "str", "required": True},
    "query": {"type": "str", "required": True},
    "minimum": {"type": "float"},
    "maximum": {"type": "float"},
}


def values_of(answer: Answer) -> list[dict]:
    """The numbers of an instant query: a list of labels and value. Raises ParityError for any other answer."""
    content = answer.json()
    if not isinstance(content, dict) or content.get("status") != "success":
        words = content.get("error") if isinstance(content, dict) else None
        raise ParityError(f"Prometheus answered {words or answer}")
    kind, result = content["data"]["resultType"], content["data"]["result"]
    if kind == "scalar":
        return [{"labels": {}, "value": float(result[1])}]
    if kind != "vector":
        raise ParityError(f"the query answers a {kind}; it has to answer a scalar or a vector")
    return [{"labels": entry["metric"], "value": float(entry["value"][1])} for entry in result]


def complaint(wanted: dict, values: list[dict]) -> str:
    """What is wrong with the values; empty when nothing is."""
    if not values:
        return "there is no value"
    lowest = -math.inf if wanted["minimum"] is None else wanted["minimum"]
    highest = math.inf if wanted["maximum"] is None else wanted["maximum"]
    wrong = [entry for entry in values if not lowest <= entry["value"] <= highest]
    limits = " and ".join(
        f"at {word} {limit:g}" for word, limit in (("least", wanted["minimum"]), ("most", wanted["maximum"])) if limit is not None
    )
    return "; ".join(f"{entry['value']:g}{_labels(entry['labels'])}, wanted {limits}" for entry in wrong)


def _labels(labels: dict) -> str:
    return f" ({', '.join(f'{key}={value}' for key, value in sorted(labels.items()))})" if labels else ""


def ask(client: Client, wanted: dict) -> dict:
    try:
        values = values_of(prometheus.query(client, wanted["query"]))
        return {"name": wanted["name"], "values": values, "complaint": complaint(wanted, values)}
    except ParityError as error:
        return {"name": wanted["name"], "values": [], "complaint": str(error)}


def ask_until_right(params: dict) -> list[dict]:
    client = Client(params["url"], ca_file=params["ca_file"])
    deadline = time.monotonic() + params["seconds"]
    while True:
        results = [ask(client, query) for query in params["queries"]]
        if not any(result["complaint"] for result in results) or time.monotonic() >= deadline:
            return results
        time.sleep(params["pause"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **prometheus.SPEC,
            "queries": {"type": "list", "elements": "dict", "required": True, "options": QUERY},
            "seconds": {"type": "float", "default": 0},
            "pause": {"type": "float", "default": 1},
        },
        supports_check_mode=True,
    )
    with errors_as_failures(module):
        results = ask_until_right(module.params)
    wrong = [f"{result['name']}: {result['complaint']}" for result in results if result["complaint"]]
    if wrong:
        head = f"{len(wrong)} of {len(results)} numbers are not as they should be:\n"
        module.fail_json(msg=head + "\n".join(wrong), results=results)
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
