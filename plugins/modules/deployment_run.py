#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_run
short_description: Begin, finish and roll back a run on a host
version_added: 0.1.0
description:
  - Owns the journal C(/var/lib/STACK/journal.jsonl) and the configuration kept beside it.
  - Every state can be reached again from whatever an interrupted run left, and a host that is there already does not change.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff, parity.stack.release]
options:
  state:
    description:
      - V(begun) ends an unfinished earlier run, keeps the configuration of the live release, and journals that this run begins.
      - V(finished) journals success, removes what retention does not keep and, where a release was deployed, the units of processes that
        no release in a slot has. On a host that runs no process any more, all processes are stopped and their units and environments
        removed. Then it remembers the state of the host. What the coordinator has finished is finished for the stack.
      - V(handed_back) stops what runs once in the stack and was started here by the unfinished run, before it is rolled back and starts
        again where it was. A run among O(finished_runs) is left alone.
      - V(rolled_back) ends the unfinished run, this one or one that was killed. What was live when it began is live again, with the
        configuration it had. A run among O(finished_runs) is finished instead.
      - V(checked) journals whether the live release works after a rollback.
    type: str
    required: true
    choices: [begun, finished, handed_back, rolled_back, checked]
  release:
    description: Name of the release. A run without one deploys no release.
    type: str
  kind:
    description: What begins, for the journal. Once a V(rollback) has finished, the release that was live before counts as bad.
    type: str
    choices: [deployment, rollback]
    default: deployment
  sha256:
    description: SHA-256 of the application, hexadecimal. With it, V(begun) returns RV(needed) and RV(missing).
    type: str
  venv_key:
    description: Name of the virtual environment that the lock file and this host's Python make. Needed with O(sha256).
    type: str
  finished_runs:
    description: >-
      Runs that the coordinator has finished, RV(parity.stack.deployment_lock#module:finished_runs). An unfinished run among them is
      finished here too, so that all hosts end with the same release.
    type: list
    elements: str
    default: []
  reason:
    description: Why the run is rolled back, or for V(checked) what does not work, for the journal. Secrets are masked in it.
    type: str
    default: ""
  result:
    description: What V(checked) journals.
    type: str
    choices: [passed, failed]
  inputs:
    description: >-
      What P(parity.stack.fingerprint#lookup) returns for the inputs of the run. V(finished) keeps it with the state of the host.
    type: str
    default: ""
  configuration:
    description: Files that V(begun) keeps for a rollback, and that V(finished) remembers with O(inputs).
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: The unit that reads the files.
        type: str
        required: true
      paths:
        description: Files and directories. One that does not exist is kept as absent.
        type: list
        elements: path
        required: true
      on_change:
        description: How the running unit takes files that a rollback restored; V(as_is) for not at all.
        type: str
        choices: [reload, restart, as_is]
        default: reload
      secrets:
        description: >-
          Those of the paths that hold keys and certificates. A rollback of a failed run restores them; a rollback to an earlier
          release leaves them.
        type: list
        elements: path
        default: []
  keep:
    description: How many finished releases V(finished) keeps. The live and the previous one are always kept.
    type: int
    default: 5
  needed:
    description: >-
      Whether this run staged the release here, so that it has a slot of its own. Tells a dry run of V(finished) what retention would
      remove. By default it is needed where another release is live.
    type: bool
"""

EXAMPLES = r"""
- name: Roll back the host, or finish forward
  parity.stack.deployment_run:
    context: "{{ release_context }}"
    secrets: "{{ release_secrets }}"
    state: rolled_back
    finished_runs: "{{ release_lock.finished_runs }}"
"""

RETURN = r"""
run:
  description: Identifier of the run.
  type: str
  returned: always
needed:
  description: Whether this host does not yet run exactly the wanted release with the wanted environment.
  type: bool
  returned: for begun
reasons:
  description: Why it is needed, in words.
  type: list
  elements: str
  returned: for begun
missing:
  description: What has to be brought to this host before the release can be staged, V(application) and V(wheels).
  type: list
  elements: str
  returned: for begun
rolled_back:
  description: The C(begun) entry of the run that was ended; empty when there was none.
  type: dict
  returned: for begun and rolled_back
forward:
  description: Whether the run was finished instead of rolled back, because the coordinator had finished it.
  type: bool
  returned: for rolled_back
migrations:
  description: >-
    Migrations of the run that stay applied, by this host's journal; C(may be applied) follows the name of one that was under way when
    the run was killed. The schema is not rolled back.
  type: list
  elements: str
  returned: for rolled_back
pruned:
  description: What retention removed, or would remove.
  type: list
  elements: str
  returned: for finished
entries:
  description: What the journal of this host says of the run, oldest first.
  type: list
  elements: dict
  returned: for finished
status:
  description: The state of this host, as M(parity.stack.release_info) returns it.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module, mask_of_module
from ansible_collections.parity.stack.plugins.module_utils.release import context, journal
from ansible_collections.parity.stack.plugins.module_utils.release.configuration import Part
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run

_PART = {
    "unit": {"type": "str", "required": True},
    "paths": {"type": "list", "elements": "path", "required": True},
    "on_change": {"type": "str", "choices": ["reload", "restart", "as_is"], "default": "reload"},
    "secrets": {"type": "list", "elements": "path", "default": [], "no_log": False},
}


def begin(module: AnsibleModule, run: Run) -> dict:
    wanted = module.params
    earlier = run.plan.status()["unfinished"]
    earlier = earlier if earlier and earlier["run"] != run.run_id else None
    reasons, missing = [], []
    if run.host.services and wanted["sha256"]:
        reasons = run.plan.reasons(wanted["release"], wanted["sha256"])
        missing = run.plan.missing(wanted["release"], wanted["venv_key"], wanted["sha256"])
    if not module.check_mode:
        run.begin(wanted["release"], keep=_parts(module), kind=wanted["kind"], finished_runs=wanted["finished_runs"])
    return {"changed": bool(earlier), "needed": bool(reasons), "reasons": reasons, "missing": missing, "rolled_back": earlier or {}}


def finish(module: AnsibleModule, run: Run) -> dict:
    wanted = module.params
    if module.check_mode:
        live = run.layout.release_in(run.layout.live_slot())
        needed = wanted["release"] != live if wanted["needed"] is None else wanted["needed"]
        gone = run.plan.leftovers(finishing=needed).paths if wanted["release"] else ()
        paths = [*gone, *run.plan.prunable(wanted["keep"], finishing=wanted["release"] if needed else None)]
    else:
        gone = run.plan.leftovers().paths if wanted["release"] else ()
        run.finish(wanted["release"], inputs=wanted["inputs"], parts=_parts(module))
        paths = [*gone, *run.plan.prunable(wanted["keep"])]
        run.prune(wanted["keep"])
    entries = journal.of_run(run.layout.journal, run.run_id)
    return {"changed": bool(paths), "pruned": [str(path) for path in paths], "entries": entries}


def hand_back(module: AnsibleModule, run: Run) -> dict:
    units = run.plan.moving_back(module.params["finished_runs"])
    if units and not module.check_mode:
        run.hand_back(module.params["finished_runs"])
    return {"changed": bool(units), "units": units}


def roll_back(module: AnsibleModule, run: Run) -> dict:
    wanted = module.params
    unfinished = run.plan.status()["unfinished"]
    if not module.check_mode:
        run.forget()  # a run that failed elsewhere may have finished here
        if unfinished:
            run.roll_back(wanted["finished_runs"], _reason(module))
    ended = unfinished["run"] if unfinished else run.run_id
    return {
        "changed": bool(unfinished),
        "rolled_back": unfinished or {},
        "forward": bool(unfinished) and ended in wanted["finished_runs"],
        "migrations": journal.applied_migrations(run.plan.entries(), ended),
    }


def check(module: AnsibleModule, run: Run) -> dict:
    if not module.check_mode:
        run.check(module.params["result"], _reason(module))
    return {"changed": False}


def _parts(module: AnsibleModule) -> list[Part]:
    return [Part(**part) for part in module.params["configuration"]]


def _reason(module: AnsibleModule) -> str:
    return mask_of_module(module).text(module.params["reason"])


STATES = {"begun": begin, "finished": finish, "handed_back": hand_back, "rolled_back": roll_back, "checked": check}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **context.SPEC,
            "state": {"type": "str", "required": True, "choices": list(STATES)},
            "release": {"type": "str"},
            "kind": {"type": "str", "choices": ["deployment", "rollback"], "default": "deployment"},
            "sha256": {"type": "str"},
            "venv_key": {"type": "str", "no_log": False},
            "finished_runs": {"type": "list", "elements": "str", "default": []},
            "reason": {"type": "str", "default": ""},
            "result": {"type": "str", "choices": ["passed", "failed"]},
            "inputs": {"type": "str", "default": ""},
            "configuration": {"type": "list", "elements": "dict", "default": [], "options": _PART},
            "keep": {"type": "int", "default": 5, "no_log": False},
            "needed": {"type": "bool"},
        },
        required_if=[("state", "checked", ["result"])],
        required_by={"sha256": ["release", "venv_key"]},
        supports_check_mode=True,
    )
    mask_module(module)
    run = context.run_of(module.params, module.run_command)
    with errors_as_failures(module, explain):
        with context.changing(run, predicted=module.check_mode):
            result = STATES[module.params["state"]](module, run)
        module.exit_json(run=run.run_id, status=run.plan.status(), **result)


if __name__ == "__main__":
    main()
