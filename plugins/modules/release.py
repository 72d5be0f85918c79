#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Stage, promote and roll back releases on an application host
version_added: 0.1.0
description:
  - Owns the release tree C(/opt/STACK), the slots' environment files C(/etc/STACK/SLOT/*.env), the link C(/etc/STACK/live)
    that points to the live slot, the journal C(/var/lib/STACK/journal.jsonl) and the deployment lock beside it.
  - Every action can be repeated after an interruption, and does nothing where there is nothing to do.
  - "O(action=revert) rolls back, and no other action does. Without O(release) it reads the journal and promotes the release that was
    live when the unfinished run began. With O(release) it promotes that release, with the configuration it last ran with."
  - A run keeps copies of the configuration files that it may change. Its rollback restores them.
author: The Parity authors (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
options:
  action:
    description:
      - V(lock) locks the stack on this host, the coordinator, and names the run.
      - V(unchanged) returns whether this host is up to date, so that another run with the same O(inputs) would find nothing to do.
        It only reads.
      - V(begin) rolls back an earlier run that is unfinished, keeps the configuration of the live release, and journals that this run
        begins.
      - V(stage) brings the release to the host, unpacks it, builds its virtual environment and puts both into the idle slot. Nothing
        is started.
      - V(start) starts the staged slot as a canary and waits until every service in it is healthy. It gets no traffic, and services
        with C(private_environment) take no work.
      - V(promote) starts the staged slot, waits until every service in it is healthy, sends it the traffic, and drains and stops the
        other slot. It does not wait for tasks of the other slot; the next run that needs the slot waits for them.
      - V(settle) waits until the idle slot has drained. Its worker may still run a task.
      - V(revert) rolls back the unfinished run, or with O(release) rolls back to that release. It does nothing where there is nothing to
        roll back.
      - V(check) journals the check of the live release after a rollback. RV(status) shows it with the migrations that stay applied.
      - V(target) returns the release that a rollback would promote, O(release) or the last one that finished before, and fails where
        this host cannot promote it.
      - V(finish) journals success and removes what retention does not keep.
      - V(unlock) unlocks the stack if this run holds the lock.
      - V(status) only reads.
    type: str
    required: true
    choices: [unchanged, lock, begin, stage, start, promote, settle, revert, check, target, finish, unlock, status]
  stack:
    description: Name of the stack, part of every path and unit name.
    type: str
    required: true
  release:
    description:
      - Name of the release, for example V(v1.4.2). Needed by V(stage) and V(promote).
      - V(begin) without it journals a run that deploys no release.
    type: str
  kind:
    description: What begins, for the journal. After a V(rollback) has finished, the release that was live before it is no longer good.
    type: str
    choices: [deployment, rollback]
    default: deployment
  run:
    description: Identifier of this run, the same on every host. V(lock) makes one when it is not given.
    type: str
  operator:
    description: Who deploys, for the journal and the lock.
    type: str
    default: unknown
  job:
    description: The AWX job of this run, for the journal and the lock.
    type: str
  host:
    description: The name of this host in the inventory, for the journal.
    type: str
  inputs:
    description:
      - What P(parity.stack.fingerprint#lookup) returns for all inputs of the run. V(finish) records it with the state of this host, and
        V(unchanged) compares with that. V(lock) removes the record on the coordinator, V(revert) on every host.
    type: str
    default: ""
  controller:
    description:
      - What P(parity.stack.controller#lookup) returns for the control node and the process that deploys. V(lock) replaces a stale lock,
        whose process has ended on the same control node.
    type: dict
    default: {}
  finished_runs:
    description:
      - Runs that the coordinator has finished, from RV(finished_runs). This host finishes an unfinished run among them instead of
        rolling it back, so that all hosts end with the same release.
    type: list
    elements: str
    default: []
  reason:
    description: Why the run is rolled back, or for V(check) what does not work, for the journal. The module masks secrets in it.
    type: str
  result:
    description: What V(check) journals.
    type: str
    choices: [passed, failed]
  configuration:
    description: Files that V(begin) keeps for a rollback, and whose state V(finish) records with O(inputs).
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
        description: How the running unit takes restored files; V(as_is) for not at all.
        type: str
        choices: [reload, restart, as_is]
        default: reload
      secrets:
        description: >-
          Those of the paths that hold keys and certificates. V(revert) restores them when it rolls back a run, and leaves them as they
          are when it rolls back to an earlier release.
        type: list
        elements: path
        default: []
  reconfigured:
    description: Whether a unit of the services has just changed, or would change, in a dry run.
    type: bool
    default: false
  lock_seconds:
    description: After how many seconds a lock that is still held counts as expired.
    type: int
    default: 3600
  force_unlock:
    description: Replace the lock, whoever holds it. The module journals the replacement.
    type: bool
    default: false
  artifact:
    description: Tar file on the control node with the application's wheel, lock file and migrations. Needed by V(stage).
    type: path
  sha256:
    description: SHA-256 of the application, hexadecimal. Needed by V(stage) and V(promote), and by V(begin) with a release.
    type: str
  wheels:
    description: Tar file on the control node with every wheel the lock file names. Needed by V(stage).
    type: path
  missing:
    description: The tar files that V(stage) brings to this host, as V(begin) returned them in RV(missing).
    type: list
    elements: str
    choices: [application, wheels]
    default: [application, wheels]
  venv_key:
    description: >-
      Name of the virtual environment that the lock file and this host's Python make. Needed by V(stage), and by V(begin) with a
      release.
    type: str
  python:
    description: Interpreter the virtual environments are made of.
    type: path
    default: /usr/bin/python3
  uv:
    description: The uv binary on the host.
    type: path
  services:
    description: The services of the stack that this host runs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service. Its environment file is NAME.env.
        type: str
        required: true
      unit:
        description: The systemd template unit without C(@) and suffix; its instances are V(blue) and V(green).
        type: str
        required: true
      ports:
        description: A port for each slot, with the keys V(blue) and V(green).
        type: dict
        required: true
      port_variable:
        description: Environment variable that gives the service its port.
        type: str
        default: PORT
      health_path:
        description: Path that answers 200 once the service can work.
        type: str
        required: true
      version_path:
        description: Path that answers JSON whose C(release) is the running release. Not checked when not given.
        type: str
      ping:
        description: >-
          Arguments to C(python -m) that succeed once the service is ready, run as the service's user with its environment;
          C({slot}) stands for the slot.
        type: list
        elements: str
        default: []
      ping_expects:
        description: >-
          Settings that the JSON which the ping prints has to hold, for example V({task_acks_late: true}) for
          C(celery inspect conf --json).
        type: dict
        default: {}
      private_environment:
        description: >-
          Environment variables that keep the service of a canary from taking work. They override O(services[].environment); C({slot})
          stands for the slot.
        type: dict
        default: {}
      go_public:
        description: >-
          Commands, each the arguments to C(python -m), that let the running service take work when it is promoted. One with
          C({queue}) in it is run for each of I(queues).
        type: list
        elements: list
        default: []
      queues:
        description: Queues the service takes work from once it is live.
        type: list
        elements: str
        default: []
      environment:
        description: Settings passed as environment variables. They are shown in diffs.
        type: dict
        default: {}
      start_seconds:
        description: How long the service may take until it is healthy, in seconds.
        type: int
        default: 60
  secrets:
    description: Environment variables whose values are never shown, by service name.
    type: dict
    default: {}
  user:
    description: The user the services run as.
    type: str
    required: true
  drain_seconds:
    description: How long requests of the old slot may take to end before it is stopped, in seconds.
    type: int
    default: 30
  keep:
    description: How many releases that finished are kept. The live and the previous one are always kept.
    type: int
    default: 5
  needed:
    description: >-
      Whether V(stage) found the release needed here, so that it has a slot of its own at V(finish). From it, a dry run predicts what
      retention removes. By default the release is needed where another one is live.
    type: bool
"""

EXAMPLES = r"""
- name: Promote the healthy release
  parity.stack.release:
    action: promote
    stack: docpipe
    release: v1.4.2
    run: "{{ run_id }}"
    sha256: "{{ bundle.sha256 }}"
    user: docpipe
    services: "{{ services }}"
    secrets: "{{ secrets }}"
"""

RETURN = r"""
unchanged:
  description: Whether a run with these inputs would find nothing to do on this host.
  type: bool
  returned: for unchanged
inputs:
  description: The inputs that were compared.
  type: str
  returned: for unchanged
python_version:
  description: Version of the Python that runs modules on this host.
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
  returned: for begin, stage, start and promote
reasons:
  description: Why it is needed, in words.
  type: list
  elements: str
  returned: for unchanged, begin, stage, start and promote
run:
  description: Identifier of the run.
  type: str
  returned: always
slot:
  description: The slot that was staged, started or promoted.
  type: str
  returned: for stage, start and promote when needed
ports:
  description: Where each service of the started slot answers on the host, by name.
  type: dict
  returned: for start
live_ports:
  description: Where each service of the live slot answers on the host, by name; empty where none is live.
  type: dict
  returned: for start
forward:
  description: Whether V(revert) finished the run instead of rolling it back, because the coordinator had finished it.
  type: bool
  returned: for O(action=revert) without a release
reverted:
  description: The C(begun) entry of the run that was rolled back; empty when there was none.
  type: dict
  returned: for O(action=begin) and O(action=revert)
migrations:
  description: >-
    Migrations of the run that stay applied, from this host's journal. C(may be applied) follows the name of one that was running when
    the run was killed. The schema is not rolled back.
  type: list
  elements: str
  returned: for O(action=revert) without a release
missing:
  description: What this host needs before V(stage) can stage the release, V(application) and V(wheels).
  type: list
  elements: str
  returned: for begin
target:
  description: The release that a rollback would promote.
  type: str
  returned: for target
drained:
  description: Whether the requests of the slot that was live ended within O(drain_seconds).
  type: bool
  returned: for promote when needed
finished_runs:
  description: The last runs that finished on this host.
  type: list
  elements: str
  returned: for lock
taken_over:
  description: The lock that this run replaced; empty when nobody held it.
  type: dict
  returned: for lock
status:
  description: >-
    What is live, what ran last, who holds the lock, which migrations of unfinished runs stay applied (C(staying)), and the check of
    the live release after the last rollback (C(checked)).
  type: dict
  returned: always
pruned:
  description: What retention removed, or would remove.
  type: list
  elements: str
  returned: for finish
entries:
  description: The entries of the run in the journal of this host, oldest first.
  type: list
  elements: dict
  returned: for finish
"""

import contextlib
import grp
import platform
import pwd
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.masking import fail_masked, mask_module, mask_of_module
from ansible_collections.parity.stack.plugins.module_utils.release import journal
from ansible_collections.parity.stack.plugins.module_utils.release.configuration import Part
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Host, Service
from ansible_collections.parity.stack.plugins.module_utils.release.tree import Artifact, Releases

SERVICE_SPEC = {
    "name": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "ports": {"type": "dict", "required": True},
    "port_variable": {"type": "str", "default": "PORT"},
    "health_path": {"type": "str", "required": True},
    "version_path": {"type": "str"},
    "ping": {"type": "list", "elements": "str", "default": []},
    "ping_expects": {"type": "dict", "default": {}},
    "private_environment": {"type": "dict", "default": {}},
    "go_public": {"type": "list", "elements": "list", "default": []},
    "queues": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "start_seconds": {"type": "int", "default": 60},
}

PART_SPEC = {
    "unit": {"type": "str", "required": True},
    "paths": {"type": "list", "elements": "path", "required": True},
    "on_change": {"type": "str", "choices": ["reload", "restart", "as_is"], "default": "reload"},
    "secrets": {"type": "list", "elements": "path", "default": [], "no_log": False},
}


def unchanged(module: AnsibleModule, releases: Releases) -> dict:
    inputs = module.params["inputs"]
    reasons = releases.differences_since_finished(inputs)
    python = {"python_version": platform.python_version(), "machine": platform.machine()}
    return {"changed": False, "unchanged": not reasons, "reasons": reasons, "inputs": inputs, **python}


def lock(module: AnsibleModule, releases: Releases) -> dict:
    wanted, controller = module.params, module.params["controller"]
    holder = {
        "run": wanted["run"] or journal.new_run(),
        **releases.author,
        **{key: controller[key] for key in ("machine", "process") if controller.get(key)},
    }
    taken_over = None
    if not module.check_mode:
        taken_over = journal.take_lock(
            releases.layout.lock,
            holder,
            seconds=wanted["lock_seconds"],
            force=wanted["force_unlock"],
            processes=controller.get("processes"),
        )
        releases.forget()
        if taken_over:
            author = {"run": holder["run"], **releases.author}
            journal.append(releases.layout.journal, {**author, "phase": "lock replaced", "from": taken_over})
    finished = journal.finished_runs(journal.read(releases.layout.journal))
    return {"changed": False, "run": holder["run"], "finished_runs": finished, "taken_over": taken_over or {}}


def begin(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    earlier = releases.status()["unfinished"]
    earlier = earlier if earlier and earlier["run"] != wanted["run"] else None
    reasons, missing = [], []
    if wanted["services"] and wanted["sha256"]:
        reasons = releases.reasons(wanted["release"], wanted["sha256"])
        missing = releases.missing(wanted["release"], wanted["venv_key"])
    if not module.check_mode:
        parts = [Part(**part) for part in wanted["configuration"]]
        releases.begin(wanted["release"], keep=parts, kind=wanted["kind"], finished_runs=wanted["finished_runs"])
    return {
        "changed": bool(earlier),
        "needed": bool(reasons),
        "reasons": reasons,
        "missing": missing,
        "reverted": earlier or {},
    }


def stage(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    reasons = releases.reasons(wanted["release"], wanted["sha256"], reconfigured=wanted["reconfigured"])
    result = {"changed": bool(reasons), "needed": bool(reasons), "reasons": reasons}
    if reasons:
        result["diff"] = releases.environment_diff(wanted["release"])
        result["slot"] = releases.layout.idle_slot()
        if not module.check_mode:
            artifact = Artifact(
                Path(wanted["artifact"]), wanted["sha256"], Path(wanted["wheels"]), wanted["venv_key"]
            )
            try:
                releases.stage(wanted["release"], artifact, python=wanted["python"], uv=wanted["uv"])
            finally:  # here, because a control node that was killed removes nothing
                brought = {"application": artifact.application, "wheels": artifact.wheels}
                for name in wanted["missing"]:
                    brought[name].unlink(missing_ok=True)
    return result


def start(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    reasons = releases.reasons(wanted["release"], wanted["sha256"], reconfigured=wanted["reconfigured"])
    live = releases.layout.live_slot()
    # A started slot is no change that lasts: the change is its promotion.
    result = {"changed": False, "needed": bool(reasons), "reasons": reasons, "live_ports": {}, "ports": {}}
    if reasons and not module.check_mode:
        slot = releases.start(wanted["release"])
        result |= {
            "slot": slot,
            "ports": {service["name"]: service["ports"][slot] for service in wanted["services"]},
            "live_ports": {service["name"]: service["ports"][live] for service in wanted["services"]} if live else {},
        }
    return result


def promote(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    reasons = releases.reasons(wanted["release"], wanted["sha256"], reconfigured=wanted["reconfigured"])
    before = releases.layout.release_in(releases.layout.live_slot())
    result = {"changed": bool(reasons), "needed": bool(reasons), "reasons": reasons}
    if reasons:
        result["slot"] = releases.layout.idle_slot()
        result["diff"] = {"before": f"live: {before}\n", "after": f"live: {wanted['release']}\n"}
        if not module.check_mode:
            result["drained"] = releases.promote(wanted["release"])["drained"]
    return result


def settle(module: AnsibleModule, releases: Releases) -> dict:
    if not module.check_mode:
        releases.settle()
    return {"changed": False}


def revert(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    if wanted["release"]:
        before = releases.status()["live_release"]
        return go_back_to(module, releases, before)
    unfinished = releases.status()["unfinished"]
    if not module.check_mode:
        releases.forget()  # a run that went wrong somewhere may have finished here
        if unfinished:
            releases.revert(wanted["finished_runs"], mask_of_module(module).text(wanted["reason"] or ""))
    run = unfinished["run"] if unfinished else releases.run_id
    forward = bool(unfinished) and run in wanted["finished_runs"]
    migrations = journal.applied_migrations(journal.read(releases.layout.journal), run)
    return {"changed": bool(unfinished), "reverted": unfinished or {}, "forward": forward, "migrations": migrations}


def check(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    if not module.check_mode:
        releases.checked(wanted["result"], mask_of_module(module).text(wanted["reason"] or ""))
    return {"changed": False}


def go_back_to(module: AnsibleModule, releases: Releases, before: str | None) -> dict:
    release = releases.target(module.params["release"])
    files = releases.return_changes(release)
    changed = bool(files) or (files is not None and bool(module.params["services"]))
    if changed and not module.check_mode:
        releases.return_to(release)
    after = [f"live: {release}\n", *(f"{path}: as it was\n" for path in files or [])]
    diff = {"diff": {"before": f"live: {before}\n", "after": "".join(after)}} if changed else {}
    return {"changed": changed, "reverted": {}, **diff}


def target(module: AnsibleModule, releases: Releases) -> dict:
    return {"changed": False, "target": releases.target(module.params["release"])}


def finish(module: AnsibleModule, releases: Releases) -> dict:
    wanted = module.params
    if module.check_mode:
        live = releases.layout.release_in(releases.layout.live_slot())
        needed = wanted["release"] != live if wanted["needed"] is None else wanted["needed"]
        paths = releases.prunable(wanted["keep"], finishing=wanted["release"] if needed else None)
    else:
        releases.finish(wanted["release"], inputs=wanted["inputs"], parts=[Part(**part) for part in wanted["configuration"]])
        paths = releases.prunable(wanted["keep"])
        releases.prune(wanted["keep"])
    entries = journal.of_run(releases.layout.journal, wanted["run"])
    return {"changed": bool(paths), "pruned": [str(path) for path in paths], "entries": entries}


def unlock(module: AnsibleModule, releases: Releases) -> dict:
    if not module.check_mode:
        journal.release_lock(releases.layout.lock, module.params["run"])
    return {"changed": False}


def status(module: AnsibleModule, releases: Releases) -> dict:
    return {"changed": False}


ACTIONS = {
    "unchanged": unchanged,
    "lock": lock,
    "begin": begin,
    "stage": stage,
    "start": start,
    "promote": promote,
    "settle": settle,
    "revert": revert,
    "check": check,
    "target": target,
    "finish": finish,
    "unlock": unlock,
    "status": status,
}
#: Actions that must not run beside another one on the same host, not even beside one that a dead control node left.
CHANGING = ("begin", "stage", "start", "promote", "settle", "revert", "check", "finish")


def releases_of(module: AnsibleModule) -> Releases:
    wanted = module.params
    layout = Layout(wanted["stack"])
    services = [
        Service(**{**service, "secrets": wanted["secrets"].get(service["name"], {})}) for service in wanted["services"]
    ]
    host = Host(layout, services, module.run_command, user=wanted["user"], drain_seconds=wanted["drain_seconds"])
    return Releases(
        host,
        module.run_command,
        run_id=wanted["run"] or "",
        group_id=_group_id(wanted["user"]),
        author={key: wanted[key] for key in ("host", "operator", "job")},
    )


def _group_id(user: str) -> int:
    """The primary group of the service user; -1 (leave it) in a dry run on a host without that user."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_gid
    except KeyError:
        return -1


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "required": True, "choices": list(ACTIONS)},
            "stack": {"type": "str", "required": True},
            "release": {"type": "str"},
            "kind": {"type": "str", "choices": ["deployment", "rollback"], "default": "deployment"},
            "run": {"type": "str"},
            "operator": {"type": "str", "default": "unknown"},
            "job": {"type": "str"},
            "host": {"type": "str"},
            "inputs": {"type": "str", "default": ""},
            "controller": {"type": "dict", "default": {}},
            "finished_runs": {"type": "list", "elements": "str", "default": []},
            "reason": {"type": "str"},
            "result": {"type": "str", "choices": ["passed", "failed"]},
            "configuration": {"type": "list", "elements": "dict", "default": [], "options": PART_SPEC},
            "reconfigured": {"type": "bool", "default": False},
            "lock_seconds": {"type": "int", "default": 3600},
            "force_unlock": {"type": "bool", "default": False},
            "artifact": {"type": "path"},
            "sha256": {"type": "str"},
            "wheels": {"type": "path"},
            "missing": {
                "type": "list",
                "elements": "str",
                "choices": ["application", "wheels"],
                "default": ["application", "wheels"],
            },
            "venv_key": {"type": "str", "no_log": False},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "uv": {"type": "path"},
            "services": {"type": "list", "elements": "dict", "default": [], "options": SERVICE_SPEC},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "user": {"type": "str", "required": True},
            "drain_seconds": {"type": "int", "default": 30},
            "keep": {"type": "int", "default": 5, "no_log": False},
            "needed": {"type": "bool"},
        },
        required_if=[
            ("action", "begin", ["run"]),
            ("action", "stage", ["release", "run", "sha256", "artifact", "wheels", "venv_key", "uv"]),
            ("action", "start", ["release", "run", "sha256"]),
            ("action", "promote", ["release", "run", "sha256"]),
            ("action", "revert", ["run"]),
            ("action", "check", ["run", "result"]),
            ("action", "finish", ["run"]),
            ("action", "unlock", ["run"]),
        ],
        supports_check_mode=True,
    )
    mask_module(module)
    releases = releases_of(module)
    action = module.params["action"]
    changes = action in CHANGING and not module.check_mode
    try:
        with journal.alone(releases.layout.busy) if changes else contextlib.nullcontext():
            result = ACTIONS[action](module, releases)
        module.exit_json(**{"run": module.params["run"], "status": releases.status(), **result})
    except (ParityError, OSError) as error:
        fail_masked(module, explain(error), **getattr(error, "details", {}))


if __name__ == "__main__":
    main()
