#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: storage_probe
short_description: Show that a bucket does what it is for
version_added: 0.1.0
description:
  - Writes a test object, reads it back and compares, asks for it with a signed URL, with one that has expired and without a
    key, tries another type and a larger object where the bucket has such limits, and removes everything again. What a check that
    was killed has left is removed by the next one an hour later.
  - Makes every check that makes sense on the backend, and reports all that failed together.
  - In check mode it only looks whether the bucket is there and can be listed.
requirements: ["boto3 (for S3; Debian: python3-boto3)"]
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.object_store, parity.stack.object_store.bucket]
options:
  content_type:
    description: A type of objects that the bucket takes.
    type: str
    default: application/pdf
  public:
    description: Whether anybody may read the bucket. With Supabase the bucket itself says so.
    type: bool
    default: false
  largest:
    description: A limit of size above this number of bytes is not tried out. The whole object would have to be sent.
    type: int
    default: 104857600
"""

EXAMPLES = r"""
- name: Probe the bucket of documents
  parity.stack.storage_probe:
    backend: filesystem
    path: /srv/objects
    bucket: documents
"""

RETURN = r"""
results:
  description:
    - One entry a check, with C(name), C(seconds), C(complaint), which is empty when all is well, and C(made), which is false where
      the check could not be made.
  type: list
  elements: dict
  returned: always
"""

from itertools import islice

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import objects
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.masking import fail_masked, mask_module
from ansible_collections.parity.stack.plugins.module_utils.storage import stores


def run(params: dict, check: bool) -> list[dict]:
    store = stores.open_store(params, params["bucket"])
    if check:
        list(islice(store.list(), 1))
        return []
    names = ("content_type", "public", "largest", "ca_file", "timeout")
    return objects.of_bucket(store, **{name: params[name] for name in names}).run()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **stores.OPTIONS,
            **stores.BUCKET,
            "content_type": {"type": "str", "default": "application/pdf"},
            "public": {"type": "bool", "default": False},
            "largest": {"type": "int", "default": 104857600},
        },
        required_if=stores.REQUIRED_IF,
        supports_check_mode=True,
    )
    mask_module(module)
    with errors_as_failures(module):
        results = run(module.params, module.check_mode)
    wrong = [f"{result['name']}: no. {result['complaint']}" for result in results if result["complaint"]]
    if wrong:
        head = f"Bucket {module.params['bucket']}: {len(wrong)} of {len(results)} checks failed:\n"
        fail_masked(module, head + "\n".join(wrong), results=results)
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
