#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: storage_place
short_description: Check the place for buckets on a file system, and measure its free space
version_added: 0.1.0
description:
  - Read-only. Reports everything that is wrong with the inputs and the place at once, and the free space of the file
    system the buckets stand on (or will stand on). Warns when little of it or of a bucket's quota is left.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  path:
    description: Directory of the buckets.
    type: str
    required: true
  buckets:
    description: The buckets, each with C(name) and, where it is to be watched, C(quota), such as C(50GB).
    type: list
    elements: dict
    required: true
  mode:
    description: Mode of the directories.
    type: str
    default: "0750"
  owner_id:
    description: Number of the user the directories belong to.
    type: int
    default: 3000
  group_id:
    description: Number of the group the directories belong to.
    type: int
    default: 3000
  free_space_warning_percent:
    description: Warn when less than this share of the file system, or of a bucket's quota, is free.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Check the bucket directory
  parity.stack.storage_place:
    path: /srv/documents
    buckets: [{name: originals}]
"""

RETURN = r"""
free_bytes:
  description: Bytes that the service user can still write.
  type: int
  returned: success
free_percent:
  description: The same as a share of the file system.
  type: int
  returned: success
measured_at:
  description: Directory the space was measured at. The nearest one above while the place does not exist yet.
  type: str
  returned: success
parent:
  description: Directory above the place, and whether it exists.
  type: dict
  returned: success
quotas:
  description: A sentence for each bucket that has nearly used up its quota.
  type: list
  elements: str
  returned: success
reason:
  description: The free space in a sentence.
  type: str
  returned: success
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.storage import rules


def measure(module: AnsibleModule) -> dict:
    params = module.params
    inputs = {"path": params["path"], "mode": params["mode"], "owner": params["owner_id"], "group": params["group_id"]}
    problems = rules.place_problems({**inputs, "warn_percent": params["free_space_warning_percent"]})
    problems += rules.bucket_problems("filesystem", params["buckets"])
    if not problems:
        obstacle = rules.place_problem(Path(params["path"]), [bucket["name"] for bucket in params["buckets"]])
        problems = [obstacle] if obstacle else []
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    place = rules.nearest(Path(params["path"]))
    space = os.statvfs(place)
    free, percent = space.f_bavail * space.f_frsize, space.f_bavail * 100 // max(1, space.f_blocks)
    reason = f"{free // 2**20} MiB ({percent} %) are free for {params['path']}"
    if percent < params["free_space_warning_percent"]:
        module.warn(
            f"{reason}, less than {params['free_space_warning_percent']} %. Make room before documents are refused."
        )
    quotas = rules.quota_warnings(Path(params["path"]), params["buckets"], params["free_space_warning_percent"])
    for words in quotas:
        module.warn(words)
    parent = Path(params["path"]).parent
    return {
        "changed": False,
        "free_bytes": free,
        "free_percent": percent,
        "measured_at": str(place),
        "parent": {"path": str(parent), "exists": parent.is_dir()},
        "quotas": quotas,
        "reason": reason,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "buckets": {"type": "list", "elements": "dict", "required": True},
            "mode": {"type": "str", "default": "0750"},
            "owner_id": {"type": "int", "default": 3000},
            "group_id": {"type": "int", "default": 3000},
            "free_space_warning_percent": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    answer(module, measure)


if __name__ == "__main__":
    main()
