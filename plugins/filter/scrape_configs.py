# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: scrape_configs
short_description: Jobs of the monitoring role as Prometheus wants them
version_added: 0.1.0
description:
  - Turns the role's short form of a job into an entry of Prometheus' scrape_configs.
author: The Parity authors (!UNKNOWN)
options:
  _input:
    description: Jobs with name, targets, and optionally metrics_path, scheme, labels, interval, ca, server_name.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the Prometheus configuration
  ansible.builtin.copy:
    content: "{{ {'scrape_configs': monitoring_jobs | parity.stack.scrape_configs} | to_nice_yaml }}"
    dest: /etc/prometheus/prometheus.yml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: Entries of scrape_configs.
  type: list
  elements: dict
"""

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import monitoring


class FilterModule:
    def filters(self) -> dict:
        return {"scrape_configs": monitoring.scrape_configs}
