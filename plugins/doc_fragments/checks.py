# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that make the checks of a validation."""

    DOCUMENTATION = r"""
options:
  host:
    description: Name of what is checked, for the report.
    type: str
    default: ''
"""
