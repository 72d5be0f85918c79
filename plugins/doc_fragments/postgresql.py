# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that work with a PostgreSQL cluster of this host."""

    DOCUMENTATION = r"""
options:
  version:
    description: Major version of the cluster C(main). By default the only one on the host.
    type: str
    default: ''
"""

    PORT = r"""
options:
  port:
    description: Port of the server on this host.
    type: int
    default: 5432
"""
