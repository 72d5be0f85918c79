#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: error_counters
short_description: Count requests and failures before and after a moment, from Prometheus
version_added: 0.1.0
description:
  - Reads two counters from Prometheus and returns whole numbers, exactly as the counters rose. Counters that begin again, because a
    process was restarted, or that appear with the first failure, count from 0.
  - Waits until Prometheus has read the counters I(least_seconds) after I(since), at most I(seconds).
  - Where the counters cannot be read, it warns, and RV(counted) and RV(summary) show it. Broken monitoring is no reason to roll back a
    good release.
  - Changes nothing; in check mode it does the same.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.http_client, parity.stack.http_client.prometheus]
options:
  requests:
    description: Selector of the counter of all requests, without a range.
    type: str
    required: true
  failures:
    description: Selector of the counter of failed requests.
    type: str
    required: true
  since:
    description: The moment between before and after, in ISO 8601; UTC where it names no zone.
    type: str
    required: true
  before:
    description: How many seconds before that moment to count.
    type: float
    default: 3600
  least_seconds:
    description: How many seconds after that moment to count at least.
    type: float
    default: 10
  seconds:
    description: How long to wait for that.
    type: float
    default: 45
"""

EXAMPLES = r"""
- name: Count the errors users have seen
  parity.stack.error_counters:
    url: http://127.0.0.1:9090
    requests: haproxy_frontend_http_responses_total{proxy="shop"}
    failures: haproxy_frontend_http_responses_total{proxy="shop",code="5xx"}
    since: "2026-01-31T12:00:00Z"
"""

RETURN = r"""
counted:
  description: Whether the counters could be read.
  type: bool
  returned: always
before:
  description: Failures C(k) among requests C(n) before the moment.
  type: dict
  returned: when counted
after:
  description: The same since the moment.
  type: dict
  returned: when counted
summary:
  description: Both in a sentence.
  type: str
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Client
from ansible_collections.parity.stack.plugins.module_utils.probing import counters, prometheus


def count(params: dict) -> dict:
    client = Client(params["url"], ca_file=params["ca_file"])
    since = counters.moment(params["since"])

    def ask(query: str) -> list[counters.Series]:
        answer = prometheus.query(client, query)
        told = answer.json()
        if not isinstance(told, dict):
            raise ParityError(f"Prometheus does not answer at {params['url']}: {answer}")
        return counters.matrix(told)

    found = counters.watch(
        ask,
        {"requests": params["requests"], "failures": params["failures"]},
        since=since,
        before=params["before"],
        least_seconds=params["least_seconds"],
        seconds=params["seconds"],
        clock=time.time,
        sleep=time.sleep,
    )
    before, after = found["before"], found["after"]
    words = (
        f"{after['k']} of {after['n']} requests failed in the {found['read'] - since:.0f} s since {params['since']}, "
        f"{before['k']} of {before['n']} in the {params['before']:.0f} s before"
    )
    return {"counted": True, "before": before, "after": after, "summary": words}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **prometheus.SPEC,
            "requests": {"type": "str", "required": True},
            "failures": {"type": "str", "required": True},
            "since": {"type": "str", "required": True},
            "before": {"type": "float", "default": 3600},
            "least_seconds": {"type": "float", "default": 10},
            "seconds": {"type": "float", "default": 45},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **count(module.params))
    except (ParityError, OSError) as error:
        words = f"the errors users see could not be counted: {error}"
        module.warn(words)
        module.exit_json(changed=False, counted=False, summary=words)


if __name__ == "__main__":
    main()
