#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: supabase_bucket
short_description: Manage a bucket of Supabase Storage and its settings
version_added: 0.1.0
description:
  - Reads the bucket, compares it, and writes only a difference, by the service's REST interface.
  - Needs the service_role key, because to another key the service answers that every bucket is missing.
  - Never touches objects, unless O(state=absent) with O(force_empty=true).
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.supabase, parity.stack.http_client.timeout]
options:
  name:
    description: Name of the bucket, which is also its id.
    type: str
    required: true
  state:
    description: Whether the bucket exists.
    type: str
    choices: [present, absent]
    default: present
  public:
    description: Whether everybody may read its objects without a key. A new bucket is private when not given.
    type: bool
  file_size_limit:
    description:
      - The largest object, such as C(50MB) (decimal, 50000000 bytes), a number of bytes, or C(none) for the project's limit.
      - By default the bucket's setting stays.
    type: str
  allowed_mime_types:
    description:
      - A list of types of objects such as C(application/pdf) or C(image/*), or the word C(any).
      - By default the bucket's setting stays.
    type: raw
  force_empty:
    description: With O(state=absent), remove a bucket's objects too. Without it, a bucket with objects is an error.
    type: bool
    default: false
  empty_timeout:
    description:
      - The service takes time to empty a bucket. The module gives up after this number of seconds without a removed object.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Create the bucket of documents
  parity.stack.supabase_bucket:
    url: "{{ stack_supabase_url }}"
    service_role_key: "{{ stack_supabase_service_role_key }}"
    name: documents
    public: false
    file_size_limit: 50MB
    allowed_mime_types: [application/pdf]
  delegate_to: localhost

- name: Remove an old bucket with its objects
  parity.stack.supabase_bucket:
    url: "{{ stack_supabase_url }}"
    service_role_key: "{{ stack_supabase_service_role_key }}"
    name: drafts
    state: absent
    force_empty: true
  delegate_to: localhost
"""

RETURN = r"""
bucket:
  description: The bucket's settings as they are now, or would be. Nothing when it is absent.
  type: dict
  returned: always
progress:
  description: The progress of emptying the bucket, in sentences.
  type: list
  elements: str
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.storage import supabase


def wanted_settings(params: dict) -> dict:
    """The settings that were given, as the service keeps them."""
    reading = {
        "public": bool,
        "file_size_limit": supabase.size_in_bytes,
        "allowed_mime_types": supabase.mime_types,
    }
    return {name: read(params[name]) for name, read in reading.items() if params[name] is not None}


def run(module: AnsibleModule) -> dict:
    params, progress = module.params, []
    problem = supabase.name_problem(params["name"])
    if problem:
        raise ParityError(problem)
    wanted = wanted_settings(params)
    storage = supabase.connect_with(params)

    def note(words: str) -> None:
        progress.append(words)
        module.log(words)

    if params["state"] == "present":
        result = supabase.ensure_present(storage, params["name"], wanted, check=module.check_mode)
    else:
        result = supabase.ensure_absent(
            storage,
            params["name"],
            force_empty=params["force_empty"],
            patience=params["empty_timeout"],
            sleep=time.sleep,
            clock=time.monotonic,
            check=module.check_mode,
            note=note,
        )
    return {**result, "progress": progress}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **supabase.SPEC,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "public": {"type": "bool"},
            "file_size_limit": {"type": "str"},
            "allowed_mime_types": {"type": "raw"},
            "force_empty": {"type": "bool", "default": False},
            "empty_timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
