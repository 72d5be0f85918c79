# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: scrape_jobs
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Where Prometheus collects the metrics of an application's processes
description:
  - One job for each process that has metrics, in the form of C(monitoring_jobs) of the role P(parity.stack.monitoring#role).
extends_documentation_fragment: [parity.stack.hosts]
options:
  _input:
    description: Processes as P(parity.stack.processes#filter) returns them.
    type: list
    elements: dict
    required: true
positional: hostvars
"""

EXAMPLES = r"""
- name: Show what is collected
  ansible.builtin.debug:
    msg: "{{ stack_all_processes | parity.stack.scrape_jobs(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Jobs with C(name), C(targets) and C(metrics_path).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.filter.endpoints import endpoints
from ansible_collections.parity.stack.plugins.filter.targets import targets


def scrape_jobs(processes: list[dict], hostvars) -> list[dict]:
    return [
        {
            "name": process["name"],
            "targets": targets(endpoints(process["hosts"], hostvars, process["port"])),
            "metrics_path": process["metrics_path"],
        }
        for process in processes
        if process["metrics_path"] and process["port"]
    ]


class FilterModule:
    def filters(self) -> dict:
        return {"scrape_jobs": scrape_jobs}
