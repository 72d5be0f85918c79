# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_requests
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: The requests that show that web processes work
description:
  - Makes the requests of M(parity.stack.http_probe) for the health path of each web process on a host, and for its version path
    where it has one.
extends_documentation_fragment: [parity.stack.web_processes, parity.stack.web_processes.named]
options:
  release:
    description: The release that a version path has to answer with.
    type: str
    required: true
positional: release
"""

EXAMPLES = r"""
- name: Probe each web process of this host
  parity.stack.http_probe:
    requests: "{{ host_processes | parity.stack.process_requests(stack_release) }}"
"""

RETURN = r"""
_value:
  description: The requests, in the order of the processes.
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import probed


def process_requests(
    processes: list[dict],
    release: str,
    url: str = "http://127.0.0.1:8000",
    health_path: str = "/ready",
    version_path: str = "",
) -> list[dict]:
    return probed.requests(processes, release, url=url, health_path=health_path, version_path=version_path)


class FilterModule:
    def filters(self) -> dict:
        return {"process_requests": process_requests}
