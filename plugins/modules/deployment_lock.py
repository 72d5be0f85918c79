#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_lock
short_description: Take and release the deployment lock of a stack
version_added: 0.1.0
description:
  - The lock is a file beside the journal of the coordinator. While a run holds it, every other run is refused with the holder's name.
  - A lock whose process has ended on the same control node is stale, and the next run from there replaces it. Any other lock is
    replaced with O(force) only. Both are journaled.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.release]
options:
  state:
    description:
      - V(locked) takes the lock. Without I(context.run) it names the run. It reports no change, because the lock ends with the run.
      - V(unlocked) releases the lock if this run holds it.
    type: str
    choices: [locked, unlocked]
    default: locked
  controller:
    description: >-
      What P(parity.stack.controller#lookup) returns for the control node and the process that deploys. It tells whether a lock is stale.
    type: dict
    default: {}
  seconds:
    description: After how many seconds a lock that is still held counts as expired.
    type: int
    default: 3600
  force:
    description: Replace the lock, whoever holds it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Take the deployment lock
  parity.stack.deployment_lock:
    context: "{{ release_context }}"
    controller: "{{ lookup('parity.stack.controller') }}"
  register: release_lock
"""

RETURN = r"""
run:
  description: Identifier of the run.
  type: str
  returned: always
finished_runs:
  description: The last runs that finished on this host.
  type: list
  elements: str
  returned: for locked
stale_lock:
  description: The lock that was replaced; empty when nobody held it.
  type: dict
  returned: for locked
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.release import context, journal
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run


def lock(module: AnsibleModule, run: Run) -> dict:
    wanted, controller = module.params, module.params["controller"]
    machine = {key: controller[key] for key in ("machine", "process") if controller.get(key)}
    holder = {"operator": "unknown", **run.author, **machine, "run": run.run_id or journal.new_run()}
    stale = None
    if not module.check_mode:
        stale = journal.take_lock(
            run.layout.lock, holder, seconds=wanted["seconds"], force=wanted["force"], processes=controller.get("processes")
        )
        run.forget()
        if stale:
            journal.append(run.layout.journal, {"run": holder["run"], **run.author, "phase": "stale lock replaced", "from": stale})
    finished = journal.finished_runs(journal.read(run.layout.journal))
    return {"changed": False, "run": holder["run"], "finished_runs": finished, "stale_lock": stale or {}}


def unlock(module: AnsibleModule, run: Run) -> dict:
    if not module.check_mode:
        journal.release_lock(run.layout.lock, run.run_id)
    return {"changed": False, "run": run.run_id}


STATES = {"locked": lock, "unlocked": unlock}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **context.SPEC,
            "state": {"type": "str", "choices": list(STATES), "default": "locked"},
            "controller": {"type": "dict", "default": {}},
            "seconds": {"type": "int", "default": 3600},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    mask_module(module)
    run = context.run_of(module.params, module.run_command)
    with errors_as_failures(module, explain):
        module.exit_json(**STATES[module.params["state"]](module, run))


if __name__ == "__main__":
    main()
