#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: object_report
short_description: List objects without a row in the database, and rows without an object
version_added: 0.1.0
description:
  - Compares the keys that a query returns with the objects of a bucket. A complete deletion leaves neither key nor object.
  - Reads only. In check mode it does the same.
  - Leaves out objects that are younger than O(grace), because their row may not be written yet. Runs the query before and after it
    lists the objects; only what is missing both times counts.
requirements: [psycopg2, "boto3 (for S3; Debian: python3-boto3)"]
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.object_store, parity.stack.object_store.bucket]
options:
  database_url:
    description: The database, as C(postgresql://user:password@host:5432/database).
    type: str
    required: true
  query:
    description: A query whose first column has the keys of all objects that should exist.
    type: str
    required: true
  grace:
    description: Seconds that an object has to exist before it is reported.
    type: int
    default: 3600
  strict:
    description: Whether it is an error when something is found.
    type: bool
    default: false
  ignore:
    description: Beginnings of keys that have no row.
    type: list
    elements: str
    default: [parity-check-]
"""

EXAMPLES = r"""
- name: Compare objects with database rows
  parity.stack.object_report:
    backend: filesystem
    path: /srv/objects
    bucket: documents
    database_url: "{{ stack_database_url }}"
    query: SELECT object_key FROM documents
    strict: true
"""

RETURN = r"""
objects_without_row:
  description: Keys of objects that no row has, the first thousand.
  type: list
  elements: str
  returned: success
rows_without_object:
  description: Keys that a row has and no object, the first thousand.
  type: list
  elements: str
  returned: success
objects:
  description: How many objects there are.
  type: int
  returned: success
rows:
  description: How many keys the query gave.
  type: int
  returned: success
orphaned_bytes:
  description: Size of all objects without a row.
  type: int
  returned: success
summary:
  description: The result in a sentence.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import objects
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.storage import stores


def run(params: dict) -> dict:
    store = stores.open_store(params, params["bucket"])
    return objects.report(
        store, params["database_url"], params["query"], grace=params["grace"], ignore=params["ignore"]
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **stores.OPTIONS,
            **stores.BUCKET,
            "database_url": {"type": "str", "required": True, "no_log": True},
            "query": {"type": "str", "required": True},
            "grace": {"type": "int", "default": 3600},
            "strict": {"type": "bool", "default": False},
            "ignore": {"type": "list", "elements": "str", "default": ["parity-check-"]},
        },
        required_if=stores.REQUIRED_IF,
        supports_check_mode=True,
    )
    mask_module(module)
    with errors_as_failures(module):
        found = run(module.params)
    wrong = objects.complaint(module.params["bucket"], found) if module.params["strict"] else ""
    if wrong:
        module.fail_json(msg=wrong, **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
