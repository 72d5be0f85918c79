# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that send requests."""

    DOCUMENTATION = r"""
options:
  ca_file:
    description: Certificate authorities (PEM) on the host that sends the requests. By default those of the system.
    type: path
"""

    TIMEOUT = r"""
options:
  timeout:
    description: Seconds after which a request counts as not answered.
    type: float
    default: 10
"""

    PROMETHEUS = r"""
options:
  url:
    description: Where Prometheus answers.
    type: str
    required: true
"""
