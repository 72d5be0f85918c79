# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of filters that say where web processes answer (plugin_utils/comparison/probed.py)."""

    DOCUMENTATION = r"""
options:
  url:
    description: Where the API answers, for a stack whose processes are not named.
    type: str
    default: http://127.0.0.1:8000
  health_path:
    description: The path that answers 200 there.
    type: str
    default: /ready
  version_path:
    description: The path that answers there with the release, as JSON with the key C(release). Not asked when empty.
    type: str
    default: ''
"""

    NAMED = r"""
options:
  _input:
    description: Processes, each with C(name), C(web), C(port), C(health_path), C(version_path), C(metrics_path) and C(path).
    type: list
    elements: dict
    required: true
"""
