#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Stage, start and promote a release on an application host
version_added: 0.1.0
description:
  - Owns the release tree C(/opt/STACK), the slots' environment files C(/etc/STACK/SLOT/*.env), and the link C(/etc/STACK/live) that
    names the live slot.
  - Belongs to a run that M(parity.stack.deployment_run) has begun and not ended. Every state can be reached again from whatever an
    interrupted run left, and a host that is there already does not change.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.release]
options:
  state:
    description:
      - V(staged) brings the release to the host, unpacks it, builds its virtual environment, runs the commands of
        I(context.build), and puts the release into the idle slot. It starts nothing.
      - V(started) starts the staged slot beside the live one, as the canary, and waits until every service in it is healthy. The canary
        gets no traffic, and services with I(private_environment) take no work.
      - V(live) starts the staged slot, waits until every service in it is healthy, sends it the traffic, drains the previous slot and
        tells it to stop. The previous slot ends its tasks without anybody waiting for it.
      - V(handed_over) stops what runs once in the stack and is on another host once O(release) is live, before it starts there.
      - V(settled) waits until the idle slot has ended. Its worker may still run a task.
      - V(restored) makes an earlier release live again with the configuration it last ran with and the secrets of today.
    type: str
    required: true
    choices: [staged, started, handed_over, live, settled, restored]
  release:
    description: Name of the release, for example V(v1.4.2). Needed by every state but V(settled).
    type: str
  sha256:
    description: SHA-256 of the application, hexadecimal. Needed by V(staged), V(started) and V(live).
    type: str
  reconfigured:
    description: Whether a unit of the services has just been changed, or would be in a dry run.
    type: bool
    default: false
  artifact:
    description: Tar file on the control node with the application's wheel, lock file and migrations. Needed by V(staged).
    type: path
  wheels:
    description: Tar file on the control node with every wheel the lock file names. Needed by V(staged).
    type: path
  missing:
    description: Which of the tar files V(staged) brings to this host, RV(parity.stack.deployment_run#module:missing).
    type: list
    elements: str
    choices: [application, wheels]
    default: [application, wheels]
  venv_key:
    description: Name of the virtual environment that the lock file and this host's Python make. Needed by V(staged).
    type: str
  uv:
    description: The uv binary on the host. Needed by V(staged).
    type: path
"""

EXAMPLES = r"""
- name: Promote the healthy release
  parity.stack.release:
    context: "{{ release_context }}"
    secrets: "{{ release_secrets }}"
    state: live
    release: v1.4.2
    sha256: "{{ release_bundle.sha256 }}"
"""

RETURN = r"""
needed:
  description: Whether this host did not yet run exactly the wanted release with the wanted environment.
  type: bool
  returned: for staged, started and live
reasons:
  description: Why it is needed, in words.
  type: list
  elements: str
  returned: for staged, started and live
slot:
  description: The slot that was staged, started or promoted.
  type: str
  returned: for staged, started and live when needed
ports:
  description: Where each service of the started slot answers on the host, by name.
  type: dict
  returned: for started
live_ports:
  description: Where each service of the live slot answers on the host, by name; empty where none is live.
  type: dict
  returned: for started
units:
  description: The units that were stopped, or would be.
  type: list
  elements: str
  returned: for handed_over
drained:
  description: Whether the requests of the previous slot ended within the time they had.
  type: bool
  returned: for live when needed
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import mask_module
from ansible_collections.parity.stack.plugins.module_utils.release import context, served
from ansible_collections.parity.stack.plugins.module_utils.release.commands import Build
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Artifact, Installer
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run
from ansible_collections.parity.stack.plugins.module_utils.release.slots import program_variables


def _needed(module: AnsibleModule, run: Run) -> dict:
    wanted = module.params
    reasons = run.plan.reasons(wanted["release"], wanted["sha256"], reconfigured=wanted["reconfigured"])
    return {"changed": bool(reasons), "needed": bool(reasons), "reasons": reasons}


def stage(module: AnsibleModule, run: Run) -> dict:
    wanted, result = module.params, _needed(module, run)
    if result["needed"]:
        built = run.plan.complete(wanted["release"], wanted["sha256"])
        result["diff"] = run.plan.environment_diff(wanted["release"], built=built)
        result["slot"] = run.layout.idle_slot()
        served.refuse_absent(run.layout, run.host.services)
        if not module.check_mode:
            artifact = Artifact(Path(wanted["artifact"]), wanted["sha256"], Path(wanted["wheels"]), wanted["venv_key"])
            build = Build(run.plan.build, run.host.user, *program_variables(run.host.services))
            python, secrets = run.plan.python, module.params["secrets"].values()
            installer = Installer(
                run.layout, module.run_command, python=python.path, version=python.version, uv=wanted["uv"], secrets=secrets, build=build
            )
            try:
                run.stage(wanted["release"], artifact, installer)
            finally:  # here, because a control node that was killed removes nothing
                brought = {"application": artifact.application, "wheels": artifact.wheels}
                for name in wanted["missing"]:
                    brought[name].unlink(missing_ok=True)
    return result


def start(module: AnsibleModule, run: Run) -> dict:
    # A canary lasts as long as its run. The change is that it goes live.
    result = {**_needed(module, run), "changed": False, "live_ports": {}, "ports": {}}
    live = run.layout.live_slot()
    if result["needed"] and not module.check_mode:
        slot = run.start(module.params["release"])
        result["slot"] = slot
        result["ports"] = _ports(run, slot)
        result["live_ports"] = _ports(run, live) if live else {}
    return result


def _ports(run: Run, slot: str) -> dict[str, int]:
    return {service.name: service.ports[slot] for service in run.host.services if service.ports and not service.singleton}


def hand_over(module: AnsibleModule, run: Run) -> dict:
    units = run.plan.moving(module.params["release"])
    if units and not module.check_mode:
        run.hand_over(module.params["release"])
    return {"changed": bool(units), "units": units}


def promote(module: AnsibleModule, run: Run) -> dict:
    before = run.layout.release_in(run.layout.live_slot())
    result = _needed(module, run)
    if result["needed"]:
        result["slot"] = run.layout.idle_slot()
        result["diff"] = {"before": f"live: {before}\n", "after": f"live: {module.params['release']}\n"}
        if not module.check_mode:
            result["drained"] = run.promote(module.params["release"])["drained"]
    return result


def settle(module: AnsibleModule, run: Run) -> dict:
    if not module.check_mode:
        run.settle()
    return {"changed": False}


def restore(module: AnsibleModule, run: Run) -> dict:
    before = run.layout.release_in(run.layout.live_slot())
    release = run.plan.target(module.params["release"])
    files = run.plan.restore_changes(release)
    changed = bool(files) or (files is not None and bool(run.host.services))
    if changed and not module.check_mode:
        run.restore(release)
    after = [f"live: {release}\n", *(f"{path}: as {release} last ran with it\n" for path in files or [])]
    diff = {"diff": {"before": f"live: {before}\n", "after": "".join(after)}} if changed else {}
    return {"changed": changed, **diff}


STATES = {"staged": stage, "started": start, "handed_over": hand_over, "live": promote, "settled": settle, "restored": restore}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **context.SPEC,
            "state": {"type": "str", "required": True, "choices": list(STATES)},
            "release": {"type": "str"},
            "sha256": {"type": "str"},
            "reconfigured": {"type": "bool", "default": False},
            "artifact": {"type": "path"},
            "wheels": {"type": "path"},
            "missing": {
                "type": "list",
                "elements": "str",
                "choices": ["application", "wheels"],
                "default": ["application", "wheels"],
            },
            "venv_key": {"type": "str", "no_log": False},
            "uv": {"type": "path"},
        },
        required_if=[
            ("state", "staged", ["release", "sha256", "artifact", "wheels", "venv_key", "uv"]),
            ("state", "started", ["release", "sha256"]),
            ("state", "live", ["release", "sha256"]),
            ("state", "handed_over", ["release"]),
            ("state", "restored", ["release"]),
        ],
        supports_check_mode=True,
    )
    mask_module(module)
    run = context.run_of(module.params, module.run_command)
    with errors_as_failures(module, explain):
        with context.changing(run, predicted=module.check_mode):
            result = STATES[module.params["state"]](module, run)
        for line in run.host.advice:
            module.warn(line)
        module.exit_json(**result)


if __name__ == "__main__":
    main()
