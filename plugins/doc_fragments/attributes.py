# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

_ATTRIBUTES = """
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: """


class ModuleDocFragment:
    """What every module says of check mode and diff mode. A module names one of these."""

    DOCUMENTATION = f"{_ATTRIBUTES}full\n"
    NO_DIFF = f"{_ATTRIBUTES}none\n"
    NOTHING_TO_DIFF = f"{_ATTRIBUTES}N/A\n"
