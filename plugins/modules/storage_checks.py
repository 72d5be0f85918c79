#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: storage_checks
short_description: Check what buckets have to do, and that objects and rows match
version_added: 0.1.0
description:
  - Makes the checks of M(parity.stack.storage_probe) in each bucket and returns what each has seen, as M(parity.stack.api_checks)
    does. It does not fail when a check fails, so that all of them reach a report. A check that cannot be made is an error, never a
    pass.
  - With a query, compares the objects of the first bucket with the database's rows, as M(parity.stack.object_report) does. An object
    without a row, or a row without an object, is a minor failure. Objects and rows stay as they are.
  - Changes nothing but objects of its own, and removes them again. In check mode it sends no request.
requirements: ["psycopg2 (with O(query))", "boto3 (for S3; Debian: python3-boto3)"]
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.checks, parity.stack.object_store]
options:
  buckets:
    description: The buckets, each with C(name) and, as for the role storage, C(public) and C(allowed_mime_types).
    type: list
    elements: dict
    required: true
  largest:
    description: The module does not test a size limit above this number of bytes, because it would have to send the whole object.
    type: int
    default: 104857600
  database_url:
    description: The database, as C(postgresql://user:password@host:5432/database).
    type: str
  query:
    description: A query whose first column has the keys of all objects that should exist in the first bucket.
    type: str
    default: ''
  grace:
    description: Seconds that an object without a row has to exist before it is reported.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Check the buckets and their objects
  parity.stack.storage_checks:
    backend: filesystem
    path: /srv/objects
    buckets: [{name: documents}]
    database_url: "{{ stack_database_url }}"
    query: SELECT object_key FROM documents
  register: checked
"""

RETURN = r"""
checks:
  description:
    - One entry a check, with C(id), C(group), C(title), C(severity), C(expected), C(seen), C(status) (V(passed), V(failed) or
      V(error)), C(evidence), C(host) and C(seconds).
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import collect, objects
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.storage import stores


def make(params: dict) -> list[dict]:
    found = []
    for number, bucket in enumerate(params["buckets"]):
        name = str(bucket.get("name", ""))
        opened: list[stores.Store] = []
        found += collect.perform([_there(params, name, opened)], host=params["host"])
        for store in opened:
            found += objects.records(name, _probed(params, store, bucket), params["host"])
            if number == 0 and params["query"]:
                found += collect.perform(objects.belonging(name, lambda store=store: _report(params, store)), host=params["host"])
    return found


def _there(params: dict, name: str, opened: list[stores.Store]) -> collect.Check:
    def look() -> collect.Seen:
        opened.append(stores.open_store(params, name))
        return collect.Seen(True, "it is there")

    return collect.Check("storage.bucket", f"Bucket {name}: it is there", "it answers to the key", look, "critical")


def _probed(params: dict, store: stores.Store, bucket: dict) -> list[dict]:
    return objects.of_bucket(
        store,
        content_type=objects.content_type_for(bucket.get("allowed_mime_types")),
        public=bool(bucket.get("public")),
        largest=params["largest"],
        ca_file=params["ca_file"],
        timeout=params["timeout"],
    ).run()


def _report(params: dict, store: stores.Store) -> dict:
    return objects.report(
        store, params["database_url"], params["query"], grace=params["grace"], ignore=[objects.PREFIX]
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **collect.SPEC,
            **stores.OPTIONS,
            "buckets": {"type": "list", "elements": "dict", "required": True},
            "largest": {"type": "int", "default": 104857600},
            "database_url": {"type": "str", "no_log": True},
            "query": {"type": "str", "default": ""},
            "grace": {"type": "int", "default": 3600},
        },
        required_if=stores.REQUIRED_IF,
        supports_check_mode=True,
    )
    mask_module(module)
    if module.check_mode:
        module.exit_json(changed=False, checks=[])
    if module.params["query"] and not module.params["database_url"]:
        module.fail_json(msg="query is given, and database_url is not. Give both, or neither.")
    with errors_as_failures(module):
        module.exit_json(changed=False, checks=make(module.params))


if __name__ == "__main__":
    main()
