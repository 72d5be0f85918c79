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
  - Makes many checks in one call and returns what each has seen. It does not fail when a check fails, so that all of them reach a
    report. A check that cannot be made is an error, never a pass.
  - Changes nothing but documents of the test user, and removes them again. In check mode it sends no request.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.http_client, parity.stack.checks]
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
  release:
    description: The release that has to answer. Any when not given.
    type: str
    default: ''
  jwt_key:
    description: Key the API verifies tokens with (HS256). Without one no token is sent, and checks of tokens are not made.
    type: str
    default: ''
  audience:
    description: Claim C(aud) of tokens.
    type: str
    default: ''
  protected_path:
    description: A path that answers 200 to a good token, and nobody else. Checks of tokens are not made without one.
    type: str
    default: ''
  processes:
    description: Processes that answer requests. No health path is checked when not given.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called, for the report.
        type: str
        required: true
      url:
        description: Where it answers; I(url) when not given.
        type: str
        default: ''
      health_path:
        description: Path that answers 200 once it can work.
        type: str
        default: ''
      version_path:
        description: Path that answers JSON with the key C(release). The release is not checked when not given.
        type: str
        default: ''
  openapi_path:
    description: Where the API describes itself. Its routes are not checked where nothing is there (404).
    type: str
    default: /openapi.json
  origins:
    description: Origins whose pages may read answers.
    type: list
    elements: str
    default: []
  headers:
    description: Text that has to stand in headers of answers, by header.
    type: dict
    default: {X-Content-Type-Options: nosniff}
  whole:
    description: Whether to check the stack as a whole too, and not only each of its hosts.
    type: bool
    default: true
  hosts:
    description: URLs of the API on each of its hosts, as the host that sends the requests reaches them. All have to run the same release.
    type: list
    elements: str
    default: []
  external:
    description:
      - Services of other companies that the application uses. Each gets one request with its key; one without a key gets none.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called, for the report.
        type: str
        required: true
      url:
        description: A cheap request that only a key with the right permissions may make.
        type: str
        required: true
      key:
        description: The key.
        type: str
        default: ''
      method:
        description: Method of the request.
        type: str
        default: GET
      header:
        description: Header that carries the key.
        type: str
        default: Authorization
      prefix:
        description: What stands before the key in the header.
        type: str
        default: 'Bearer '
      body:
        description: Body of the request, JSON as text.
        type: str
        default: ''
      status:
        description: Status of a good answer.
        type: int
        default: 200
  rate_limit:
    description: How many requests (C(requests)) a client may send in how many seconds (C(seconds)). No limit is expected when not given.
    type: dict
    default: {}
  rate_limit_path:
    description: Path of the requests that reach the limit. A path with nothing behind it costs the API the least.
    type: str
    default: /parity-is-not-here
  states:
    description: States of a good document, in order. The order is not checked when not given.
    type: list
    elements: str
    default: []
  stage_seconds:
    description: How long a document may stay in any state. No limit when 0.
    type: float
    default: 0
  long_pages:
    description: How many pages the long document has.
    type: int
    default: 200
  lock_file:
    description: File that exists while a deployment runs. The module then removes only documents that it has handed in itself.
    type: path
    default: ''
  audit_query:
    description: SQL that reads the audit log of the document C(%(document)s). Its first column has what was done.
    type: str
    default: ''
  audit_expects:
    description: What the first column has to hold after a document was handed in and removed.
    type: list
    elements: str
    default: []
  database_url:
    description: Database the audit log is in.
    type: str
    default: ''
  kill_unit:
    description: Unit on this host whose child processes are killed in the middle of their work. None when empty.
    type: str
    default: ''
  pipeline:
    description: How the application takes documents, as for M(parity.stack.pipeline_probe). Documents are not checked when empty.
    type: dict
    default: {}
  seconds:
    description: How long the pipeline may take with a document.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Check the API of a host
  parity.stack.api_checks:
    url: https://api.example.org
    release: v1.4.2
    jwt_key: "{{ jwt_key }}"
    processes: [{name: api, health_path: /healthz}]
    protected_path: /documents
    pipeline: "{{ stack_pipeline }}"
  register: checked
"""

RETURN = r"""
checks:
  description:
    - One entry a check, with C(id), C(group), C(title), C(severity), C(expected), C(seen), C(status) (V(passed), V(failed),
      V(error) or V(not run)), C(evidence), C(host) and C(seconds).
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import http_client
from ansible_collections.parity.stack.plugins.module_utils.checks import api as api_checks
from ansible_collections.parity.stack.plugins.module_utils.checks import collect, documents
from ansible_collections.parity.stack.plugins.module_utils.checks.api_access import Api, External, Process
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.probing import pipeline

SAME = (
    "url", "audience", "protected_path", "ca_file", "release", "openapi_path", "origins", "seconds", "headers", "hosts",
    "rate_limit_path", "states", "stage_seconds", "long_pages", "lock_file", "audit_query", "audit_expects",
    "database_url", "kill_unit",
)  # fmt: skip


def make(wanted: dict) -> list[dict]:
    if not wanted["url"].startswith(("http://", "https://")):
        raise ParityError(f"url is {wanted['url']!r}, wanted is an http or https URL")
    try:
        flow = pipeline.Pipeline(**wanted["pipeline"]) if wanted["pipeline"] else None
        limit = (int(wanted["rate_limit"].get("requests", 0)), float(wanted["rate_limit"].get("seconds", 0)))
    except (TypeError, ValueError) as error:
        raise ParityError(f"pipeline or rate_limit cannot be used: {error}") from error
    api = Api(
        key=wanted["jwt_key"],
        flow=flow,
        processes=[Process(**{**one, "url": one["url"] or wanted["url"]}) for one in wanted["processes"]],
        rate_limit=limit,
        external=[External(**service) for service in wanted["external"]],
        **{name: wanted[name] for name in SAME},
    )
    removed = documents.clear(api) if wanted["whole"] else 0
    found = [check for group in wanted["groups"] for check in api_checks.GROUPS[group](api)]
    if wanted["whole"]:
        found += api_checks.whole(api) if "application" in wanted["groups"] else []
        found += [documents.test_data(api, removed)] if "pipeline" in wanted["groups"] else []
        found += api_checks.limits(api) if "security" in wanted["groups"] else []
    return collect.perform(found, host=wanted["host"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **http_client.SPEC,
            **collect.SPEC,
            "url": {"type": "str", "required": True},
            "groups": {
                "type": "list",
                "elements": "str",
                "choices": ["application", "security", "pipeline"],
                "default": ["application", "security", "pipeline"],
            },
            "release": {"type": "str", "default": ""},
            "jwt_key": {"type": "str", "default": "", "no_log": True},
            "audience": {"type": "str", "default": ""},
            "protected_path": {"type": "str", "default": ""},
            "openapi_path": {"type": "str", "default": "/openapi.json"},
            "origins": {"type": "list", "elements": "str", "default": []},
            "headers": {"type": "dict", "default": {"X-Content-Type-Options": "nosniff"}},
            "whole": {"type": "bool", "default": True},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "external": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "key": {"type": "str", "default": "", "no_log": True},
                    "method": {"type": "str", "default": "GET"},
                    "header": {"type": "str", "default": "Authorization"},
                    "prefix": {"type": "str", "default": "Bearer "},
                    "body": {"type": "str", "default": ""},
                    "status": {"type": "int", "default": 200},
                },
            },
            "rate_limit": {"type": "dict", "default": {}},
            "rate_limit_path": {"type": "str", "default": "/parity-is-not-here"},
            "states": {"type": "list", "elements": "str", "default": []},
            "stage_seconds": {"type": "float", "default": 0},
            "long_pages": {"type": "int", "default": 200},
            "lock_file": {"type": "path", "default": ""},
            "audit_query": {"type": "str", "default": ""},
            "audit_expects": {"type": "list", "elements": "str", "default": []},
            "database_url": {"type": "str", "no_log": True, "default": ""},
            "kill_unit": {"type": "str", "default": ""},
            "pipeline": {"type": "dict", "default": {}},
            "processes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "url": {"type": "str", "default": ""},
                    "health_path": {"type": "str", "default": ""},
                    "version_path": {"type": "str", "default": ""},
                },
            },
            "seconds": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    answer(module, collect.logic(make))


if __name__ == "__main__":
    main()
