# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that read migrations."""

    DOCUMENTATION = r"""
options:
  migrations:
    description: The files, each with C(file) (its name) and C(sql) (its text).
    type: list
    elements: dict
    suboptions:
      file:
        description: Name of the file.
        type: str
        required: true
      sql:
        description: Text of the file.
        type: str
        required: true
"""
