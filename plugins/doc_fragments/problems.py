# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What the filters take that check a role's inputs."""

    DOCUMENTATION = r"""
options:
  _input:
    description: The inputs of the role by their names.
    type: dict
    required: true
"""

    SHORT_NAMES = r"""
options:
  _input:
    description: The inputs by name, without the name of the role and C(_) in front.
    type: dict
    required: true
"""
