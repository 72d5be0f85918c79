#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Read what is live on a host, and what a deployment or a rollback would do there
version_added: 0.1.0
description:
  - Reads the release tree, the journal and the lock of a stack on one host. Changes nothing.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.release]
options:
  query:
    description:
      - V(status) returns what is live, what ran last and who holds the lock. Every other query returns it too, as RV(status).
      - V(unchanged) tells whether the host is as the last finished run with the same O(inputs) left it, so that another one finds
        nothing to do.
      - V(plan) tells whether this host needs a deployment of O(release), why, and what has to be brought to it.
      - V(target) tells to which release a rollback leads, O(release) or the last one that finished before. It fails where this host
        does not have it.
    type: str
    choices: [status, unchanged, plan, target]
    default: status
  release:
    description: Name of the release, for example V(v1.4.2). Needed by V(plan).
    type: str
  inputs:
    description: What P(parity.stack.fingerprint#lookup) returns for the inputs of the run. Needed by V(unchanged).
    type: str
  sha256:
    description: SHA-256 of the application, hexadecimal. Needed by V(plan).
    type: str
  venv_key:
    description: Name of the virtual environment that the lock file and this host's Python make. Needed by V(plan).
    type: str
"""

EXAMPLES = r"""
- name: Find the target of the rollback
  parity.stack.release_info:
    context: "{{ release_context }}"
    query: target
  register: release_target_info
"""

RETURN = r"""
status:
  description: >-
    What is live (C(live_slot), C(live_release), C(healthy)), what ran last, who holds the lock, which migrations of runs that did not
    finish stay applied (C(staying)), and whether the live release works after the last rollback (C(checked)).
  type: dict
  returned: always
unchanged:
  description: Whether a run with these inputs finds nothing to do on this host.
  type: bool
  returned: for unchanged
inputs:
  description: The inputs that were compared.
  type: str
  returned: for unchanged
python_version:
  description: Version of the Python that the stack's virtual environments are made of on this host.
  type: str
  returned: for unchanged
  sample: 3.11.2
machine:
  description: The kind of machine this host is.
  type: str
  returned: for unchanged
  sample: x86_64
needed:
  description: Whether this host does not yet run exactly the wanted release with the wanted environment.
  type: bool
  returned: for plan
reasons:
  description: Why there is something to do, in words.
  type: list
  elements: str
  returned: for unchanged and plan
missing:
  description: What has to be brought to this host before the release can be staged, V(application) and V(wheels).
  type: list
  elements: str
  returned: for plan
target:
  description: The release a rollback leads to.
  type: str
  returned: for target
"""

import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.release import context
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run


def unchanged(module: AnsibleModule, run: Run) -> dict:
    inputs = module.params["inputs"]
    reasons = run.plan.differences_since_finished(inputs) if run.host.services else run.plan.reasons_to_drop()
    python = {"python_version": run.plan.python.version, "machine": platform.machine()}
    return {"unchanged": not reasons, "reasons": reasons, "inputs": inputs, **python}


def plan(module: AnsibleModule, run: Run) -> dict:
    wanted = module.params
    reasons = run.plan.reasons(wanted["release"], wanted["sha256"])
    missing = run.plan.missing(wanted["release"], wanted["venv_key"], wanted["sha256"])
    return {"needed": bool(reasons), "reasons": reasons, "missing": missing}


def target(module: AnsibleModule, run: Run) -> dict:
    return {"target": run.plan.target(module.params["release"])}


QUERIES = {"status": lambda _module, _run: {}, "unchanged": unchanged, "plan": plan, "target": target}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **context.SPEC,
            "query": {"type": "str", "choices": list(QUERIES), "default": "status"},
            "release": {"type": "str"},
            "inputs": {"type": "str"},
            "sha256": {"type": "str"},
            "venv_key": {"type": "str", "no_log": False},
        },
        required_if=[("query", "unchanged", ["inputs"]), ("query", "plan", ["release", "sha256", "venv_key"])],
        supports_check_mode=True,
    )
    mask_module(module)
    run = context.run_of(module.params, module.run_command)
    with errors_as_failures(module, explain):
        module.exit_json(changed=False, status=run.plan.status(), **QUERIES[module.params["query"]](module, run))


if __name__ == "__main__":
    main()
