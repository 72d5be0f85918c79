# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inputs of the role storage, all of it at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: storage_problems
short_description: What is wrong with the inputs of the role storage
version_added: 0.1.0
description:
  - Returns one sentence for each input that cannot be used, and for each setting of a bucket that the chosen backend cannot
    keep, before anything is changed.
  - Never quotes a key.
author: The Parity authors (!UNKNOWN)
positional: _input
extends_documentation_fragment: [parity.stack.problems.short_names]
"""

EXAMPLES = r"""
problems: "{{ {'backend': storage_backend, 'buckets': storage_buckets} | parity.stack.storage_problems }}"
"""

RETURN = r"""
_value:
  description: Sentences, none when the inputs can be used.
  type: list
  elements: str
"""

import time

from ansible_collections.parity.stack.plugins.module_utils.storage import rules


def storage_problems(inputs: dict) -> list[str]:
    return rules.problems(inputs, time.time())


class FilterModule:
    """Ansible finds the filter by this class."""

    def filters(self) -> dict:
        return {"storage_problems": storage_problems}
