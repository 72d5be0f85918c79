#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: api_checks
short_description: Check what an API and its gateway have to do and to refuse
version_added: 0.1.0
description:
  - Makes many checks in one call and returns what each has seen. It does not fail when a check does, so that all of them reach a
    report. A check that cannot be made is an error, never a pass.
  - Changes nothing but documents of the test user, which are removed again. In check mode nothing is asked.
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  url:
    description: Where the API answers, as its users see it, without a path.
    type: str
    required: true
  groups:
    description: Which checks to make.
    type: list
    elements: str
    choices: [application, security, pipeline]
    default: [application, security, pipeline]
  ca_file:
    description: Certificate authorities (PEM) on the host that asks. The system's when not given.
    type: path
  release:
    description: The release that has to answer. Any when not given.
    type: str
    default: ''
  jwt_key:
    description: Key the API verifies tokens with (HS256).
    type: str
    required: true
  audience:
    description: Claim C(aud) of tokens.
    type: str
    default: ''
  protected_path:
    description: A path that answers 200 to a good token, and nobody else.
    type: str
    required: true
  openapi_path:
    description: Where the API describes itself.
    type: str
    default: /openapi.json
  origins:
    description: Origins whose pages may read answers.
    type: list
    elements: str
    default: []
  pipeline:
    description: How the application takes documents, as for M(parity.stack.pipeline_probe).
    type: dict
    required: true
  seconds:
    description: How long the pipeline may take with a document.
    type: float
    default: 60
  host:
    description: Name of what is checked, for the report.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: What the API does and refuses
  parity.stack.api_checks:
    url: https://api.example.org
    release: v1.4.2
    jwt_key: "{{ jwt_key }}"
    protected_path: /documents
    pipeline: "{{ stack_pipeline }}"
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
from ansible_collections.parity.stack.plugins.module_utils import api_checks, checks, pipeline
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def make(wanted: dict) -> list[dict]:
    if not wanted["url"].startswith(("http://", "https://")):
        raise ParityError(f"url is {wanted['url']!r}, wanted is an http or https URL")
    try:
        flow = pipeline.Pipeline(**wanted["pipeline"])
    except TypeError as error:
        raise ParityError(f"pipeline cannot be used: {error}") from error
    api = api_checks.Api(
        url=wanted["url"],
        key=wanted["jwt_key"],
        audience=wanted["audience"],
        protected_path=wanted["protected_path"],
        flow=flow,
        ca_file=wanted["ca_file"],
        release=wanted["release"],
        openapi_path=wanted["openapi_path"],
        origins=wanted["origins"],
        seconds=wanted["seconds"],
    )
    wanted_checks = [check for group in wanted["groups"] for check in api_checks.GROUPS[group](api)]
    return checks.perform(wanted_checks, host=wanted["host"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "groups": {
                "type": "list",
                "elements": "str",
                "choices": ["application", "security", "pipeline"],
                "default": ["application", "security", "pipeline"],
            },
            "ca_file": {"type": "path"},
            "release": {"type": "str", "default": ""},
            "jwt_key": {"type": "str", "required": True, "no_log": True},
            "audience": {"type": "str", "default": ""},
            "protected_path": {"type": "str", "required": True},
            "openapi_path": {"type": "str", "default": "/openapi.json"},
            "origins": {"type": "list", "elements": "str", "default": []},
            "pipeline": {"type": "dict", "required": True},
            "seconds": {"type": "float", "default": 60},
            "host": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, checks=[])
    try:
        module.exit_json(changed=False, checks=make(module.params))
    except (ParityError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
