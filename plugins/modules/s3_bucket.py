#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket
short_description: Manage a bucket on S3 and its settings, with a dry run
version_added: 0.1.0
description:
  - Reads the bucket's settings, compares them, and sends a request only for those that differ; in check mode it sends none.
    (C(amazon.aws.s3_bucket), C(community.aws.s3_lifecycle) and C(community.aws.s3_cors) do nothing in check mode.)
  - Works with every server that speaks S3, and refuses Supabase's S3 endpoint, where such requests make and remove buckets.
  - In a policy and a lifecycle, it changes only entries whose names begin with C(Parity).
requirements: [boto3]
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.http_client.timeout]
options:
  name:
    description: Name of the bucket.
    type: str
    required: true
  state:
    description: Whether the bucket exists. The module never removes a bucket that has objects.
    type: str
    choices: [present, absent]
    default: present
  public:
    description: Whether everybody may read its objects without a key.
    type: bool
    default: false
  grants:
    description: What users other than the owner may do with the objects.
    type: list
    elements: dict
    default: []
    suboptions:
      principal:
        description: The user, as the server writes it, such as C(arn:aws:iam::123456789012:user/api) or C(arn:aws:iam:::user/api) (Ceph).
        type: str
        required: true
      may:
        description: What the user may do.
        type: list
        elements: str
        choices: [read, write, delete, list]
        required: true
  block_public_access:
    description:
      - What no policy and no ACL may make public any more. By default the bucket's setting stays.
      - Ceph's gateway 18 refuses every upload with C(new_acls), and every policy with C(new_policies).
    type: list
    elements: str
    choices: [new_acls, acls, new_policies, policies]
  versioning:
    description: Whether older versions of an object are kept. By default the bucket's setting stays.
    type: bool
  encryption:
    description: How the server encrypts objects. By default the bucket's setting stays.
    type: str
    choices: [none, AES256, "aws:kms"]
  encryption_key_id:
    description: The key for O(encryption=aws:kms).
    type: str
  lifecycle:
    description: When the server removes objects by itself. By default the bucket's setting stays; an empty dict ends it.
    type: dict
    suboptions:
      prefix:
        description: Beginning of the keys of these objects.
        type: str
        default: ""
      expire_after_days:
        description: Days after which the server removes an object.
        type: int
      expire_old_versions_after_days:
        description: Days after which the server removes a version that is no longer the newest.
        type: int
      abort_uploads_after_days:
        description: Days after which the server removes an unfinished upload in parts.
        type: int
  cors_origins:
    description: Web pages that may read objects with signed URLs. By default the bucket's setting stays.
    type: list
    elements: str
  endpoint_url:
    description: The server's address. AWS when empty.
    type: str
    default: ""
  region:
    description: The region.
    type: str
    default: us-east-1
  access_key:
    description: The access key.
    type: str
    required: true
  secret_key:
    description: The secret key.
    type: str
    required: true
  session_token:
    description: The session token of temporary keys.
    type: str
    default: ""
  ca_file:
    description: Certificate authorities (PEM) that verify the address. By default those of boto3.
    type: path
  attempts:
    description: How often the module sends a request that gets no answer, or an error that may pass.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Create the bucket of documents
  parity.stack.s3_bucket:
    endpoint_url: https://s3.example.org
    access_key: "{{ vault_s3_access_key }}"
    secret_key: "{{ vault_s3_secret_key }}"
    name: documents
    versioning: true
    lifecycle: {expire_old_versions_after_days: 30, abort_uploads_after_days: 7}
    grants:
      - {principal: "arn:aws:iam:::user/api", may: [read, write]}
  delegate_to: localhost
"""

RETURN = r"""
bucket:
  description: The bucket's settings as they are now, or would be. Nothing when it is absent.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import http_client
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.storage import s3

CONNECTION = ("region", "access_key", "secret_key", "session_token", "ca_file", "timeout", "attempts")
DAYS = ("expire_after_days", "expire_old_versions_after_days", "abort_uploads_after_days")
GRANT = {
    "principal": {"type": "str", "required": True},
    "may": {"type": "list", "elements": "str", "choices": ["read", "write", "delete", "list"], "required": True},
}


def run(module: AnsibleModule) -> dict:
    params = module.params
    problem = s3.endpoint_problem(params["endpoint_url"])
    if problem:
        raise ParityError(problem)
    client = s3.client(endpoint=params["endpoint_url"], **{name: params[name] for name in CONNECTION})
    if params["state"] == "absent":
        return s3.ensure_absent(client, params["name"], check=module.check_mode)
    return s3.ensure_present(client, params["name"], params, region=params["region"], check=module.check_mode)


def main() -> None:
    lifecycle = {"prefix": {"type": "str", "default": ""}, **{name: {"type": "int"} for name in DAYS}}
    module = AnsibleModule(
        argument_spec={
            **http_client.TIMEOUT,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "public": {"type": "bool", "default": False},
            "grants": {"type": "list", "elements": "dict", "default": [], "options": GRANT},
            "block_public_access": {"type": "list", "elements": "str", "choices": list(s3.BLOCKS)},
            "versioning": {"type": "bool"},
            "encryption": {"type": "str", "choices": ["none", "AES256", "aws:kms"]},
            "encryption_key_id": {"type": "str", "no_log": False},
            "lifecycle": {"type": "dict", "options": lifecycle},
            "cors_origins": {"type": "list", "elements": "str"},
            "endpoint_url": {"type": "str", "default": ""},
            "region": {"type": "str", "default": "us-east-1"},
            "access_key": {"type": "str", "required": True, "no_log": False},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "session_token": {"type": "str", "default": "", "no_log": True},
            "ca_file": {"type": "path"},
            "attempts": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    answer(module, run)


if __name__ == "__main__":
    main()
