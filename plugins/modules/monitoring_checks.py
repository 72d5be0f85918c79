#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_checks
short_description: Check that monitoring measures, judges and notifies
version_added: 0.1.0
description:
  - Makes many checks in one call and returns what each has seen. It does not fail when a check fails, so that all of them reach a
    report. A check that cannot be made is an error, never a pass.
  - Sends one alert through Alertmanager to a receiver in this module, and ends the alert. In check mode it sends nothing.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.checks]
options:
  groups:
    description: Which checks to make.
    type: list
    elements: str
    choices: [infrastructure, monitoring]
    default: [infrastructure, monitoring]
  prometheus_url:
    description: Where Prometheus answers.
    type: str
    required: true
  alertmanager_url:
    description: Where Alertmanager answers.
    type: str
    required: true
  jobs:
    description: Names of jobs that have to have targets.
    type: list
    elements: str
    default: []
  dashboards:
    description: Paths of pages on Prometheus' port.
    type: list
    elements: str
    default: []
  receiver_port:
    description: Port on this host's loopback interface at which Alertmanager delivers alerts named ParityProbe.
    type: int
    default: 9095
  clocks_apart:
    description: By how many seconds a host's clock may differ from this one's.
    type: float
    default: 1
  seconds:
    description: How long a notification may take.
    type: float
    default: 30
  settle_seconds:
    description: How long targets may take until all of them have answered.
    type: float
    default: 20
"""

EXAMPLES = r"""
- name: Check targets, alerts and dashboards
  parity.stack.monitoring_checks:
    prometheus_url: http://127.0.0.1:9090
    alertmanager_url: http://127.0.0.1:9093
    jobs: [api, worker]
  register: checked
"""

RETURN = r"""
checks:
  description: One entry a check, as M(parity.stack.api_checks) returns it.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import collect
from ansible_collections.parity.stack.plugins.module_utils.checks import monitoring as monitoring_checks
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer

SAME = ("jobs", "dashboards", "receiver_port", "clocks_apart", "seconds", "settle_seconds")


def make(wanted: dict) -> list[dict]:
    for name in ("prometheus_url", "alertmanager_url"):
        if not wanted[name].startswith(("http://", "https://")):
            raise ParityError(f"{name} is {wanted[name]!r}, wanted is an http or https URL")
    monitoring = monitoring_checks.Monitoring(
        prometheus=wanted["prometheus_url"],
        alertmanager=wanted["alertmanager_url"],
        **{name: wanted[name] for name in SAME},
    )
    found = [check for group in wanted["groups"] for check in monitoring_checks.GROUPS[group](monitoring)]
    return collect.perform(found, host=wanted["host"])


def main() -> None:
    groups = ["infrastructure", "monitoring"]
    module = AnsibleModule(
        argument_spec={
            **collect.SPEC,
            "groups": {"type": "list", "elements": "str", "choices": groups, "default": groups},
            "prometheus_url": {"type": "str", "required": True},
            "alertmanager_url": {"type": "str", "required": True},
            "jobs": {"type": "list", "elements": "str", "default": []},
            "dashboards": {"type": "list", "elements": "str", "default": []},
            "receiver_port": {"type": "int", "default": 9095},
            "clocks_apart": {"type": "float", "default": 1},
            "seconds": {"type": "float", "default": 30},
            "settle_seconds": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    answer(module, collect.logic(make))


if __name__ == "__main__":
    main()
