# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: process_urls
author: The Parity authors (!UNKNOWN)
version_added: 0.1.0
short_description: Where web processes answer, and with which paths
description:
  - Makes the option C(processes) of M(parity.stack.api_checks) from processes, on their host or at the gateway.
extends_documentation_fragment: [parity.stack.web_processes, parity.stack.web_processes.named]
options:
  gateway:
    description: URL of the gateway. Processes whose paths it does not route to them are left out. On the host itself when empty.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Check the web processes of this host
  parity.stack.api_checks:
    url: http://127.0.0.1:8000
    processes: "{{ host_processes | parity.stack.process_urls }}"
"""

RETURN = r"""
_value:
  description: Each web process with C(name), C(url), C(health_path) and C(version_path).
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.comparison import probed


def process_urls(
    processes: list[dict],
    gateway: str = "",
    url: str = "http://127.0.0.1:8000",
    health_path: str = "/ready",
    version_path: str = "",
) -> list[dict]:
    if gateway and processes:
        return probed.at_gateway(processes, gateway)
    return probed.asked(processes, url=gateway or url, health_path=health_path, version_path=version_path)


class FilterModule:
    def filters(self) -> dict:
        return {"process_urls": process_urls}
