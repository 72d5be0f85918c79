# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: measured_processes
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: What is measured of web processes
description:
  - Makes the options C(places), C(endpoints) and C(metrics_path) of M(parity.stack.endpoint_samples) from processes. An endpoint
    belongs to the process that the gateway routes it to. Of a process without an endpoint the health path is measured.
extends_documentation_fragment: [parity.stack.web_processes.named]
options:
  endpoints:
    description: What the inventory compares. Paths with C({id}) are left out without a pipeline.
    type: list
    elements: dict
    required: true
  places:
    description: The ports of processes by name, for each place. The port of each process, at the place C(new), when not given.
    type: dict
  urls:
    description: Where the API answers at each place, for a stack whose processes are not named.
    type: dict
    default: {}
  pipeline:
    description: How the application takes documents, where it does.
    type: dict
  health_path:
    description: The path that answers 200, for a stack whose processes are not named.
    type: str
    default: /ready
  metrics_path:
    description: The path of metrics there.
    type: str
    default: ''
positional: endpoints
"""

EXAMPLES = r"""
- name: Show what is compared
  ansible.builtin.debug:
    msg: "{{ host_processes | parity.stack.measured_processes([], places={'old': {'api': 8001}, 'new': {'api': 8002}}) }}"
"""

RETURN = r"""
_value:
  description: C(places), C(endpoints) and C(metrics_path). Empty where nothing can be measured.
  type: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import probed


def measured_processes(
    processes: list[dict],
    endpoints: list[dict],
    places: dict | None = None,
    urls: dict | None = None,
    pipeline: dict | None = None,
    health_path: str = "/ready",
    metrics_path: str = "",
) -> dict:
    if processes:
        ports = places or {"new": {process["name"]: process["port"] for process in processes if process.get("port")}}
        return probed.measured(processes, endpoints, places=ports, pipeline=pipeline)
    known = {place: url for place, url in (urls or {}).items() if url}
    if not known or len(known) < len(urls or {}):
        return {}
    return {
        "places": known,
        "endpoints": probed.at_url(endpoints, health_path=health_path, pipeline=pipeline),
        "metrics_path": metrics_path,
    }


class FilterModule:
    def filters(self) -> dict:
        return {"measured_processes": measured_processes}
