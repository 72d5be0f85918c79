#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: supabase_bucket_info
short_description: Read the buckets of Supabase Storage
version_added: 0.1.0
description:
  - Returns the settings of one bucket or of all. Reads only.
  - Needs the service_role key, because to another key the service answers that every bucket is missing.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.supabase, parity.stack.http_client.timeout]
options:
  name:
    description: Name of a bucket. All of the project's when not given.
    type: str
"""

EXAMPLES = r"""
- name: List the project's buckets
  parity.stack.supabase_bucket_info:
    url: "{{ stack_supabase_url }}"
    service_role_key: "{{ stack_supabase_service_role_key }}"
  delegate_to: localhost
  register: found
"""

RETURN = r"""
buckets:
  description: One entry a bucket with C(name), C(public), C(file_size_limit) and C(allowed_mime_types). None when it is missing.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.storage import supabase


def read(params: dict) -> list[dict]:
    problem = supabase.name_problem(params["name"]) if params["name"] is not None else None
    if problem:
        raise ParityError(problem)
    storage = supabase.connect_with(params)
    found = storage.buckets() if params["name"] is None else [storage.bucket(params["name"])]
    return [supabase.view(bucket) for bucket in found if bucket is not None]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **supabase.SPEC,
            "name": {"type": "str"},
        },
        supports_check_mode=True,
    )
    mask_module(module)
    with errors_as_failures(module):
        module.exit_json(changed=False, buckets=read(module.params))


if __name__ == "__main__":
    main()
