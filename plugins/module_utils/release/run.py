# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run on one application host: it begins, stages, promotes and finishes a release, or rolls it back. Every step is journaled."""

from __future__ import annotations

import json
import shutil

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import link_atomically, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.release import (
    configuration,
    environment_files,
    journal,
    leftovers,
    proxy,
    served,
)
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Artifact, Installer
from ansible_collections.parity.stack.plugins.module_utils.release.layout import SLOTS
from ansible_collections.parity.stack.plugins.module_utils.release.planner import Planner
from ansible_collections.parity.stack.plugins.module_utils.release.slots import (
    Service,
    described,
    environment_file,
    read_described,
    services_of,
)


class Run:
    """What changes a host. What is there, and what there is to do, its `plan` knows.

    `author` is what every journal entry of this run says of who runs it and where: `host`, `operator`, `job`.
    """

    def __init__(self, plan: Planner, *, group_id: int = -1, author: dict[str, str] | None = None) -> None:
        self.plan = plan
        self.host = plan.host
        self.layout = plan.layout
        self.run_id = plan.run_id
        self.group_id = group_id
        self.author = {key: value for key, value in (author or {}).items() if value}

    def begin(
        self,
        release: str | None,
        *,
        keep: list[configuration.Part] | None = None,
        kind: str = "deployment",
        finished_runs: list[str] | None = None,
    ) -> dict | None:
        """Journal that this run begins. A run that never ended is ended first, and returned.

        The live release's environment and the files of `keep` are kept, so that a rollback can restore them.
        """
        unfinished = journal.unfinished(self.plan.entries())
        if unfinished and unfinished["run"] == self.run_id:
            return None
        if unfinished:
            self._end(unfinished, finished_runs or [])
        live = self.layout.live_slot()
        self._keep(live, keep or [])
        # A host that has just been dropped keeps its slots until the run has finished.
        dropped = {"dropped": True} if live and not self.host.services else {}
        self.note("begun", release, kind=kind, live_slot=live, live_release=self.layout.release_in(live), **dropped)
        return unfinished

    def stage(self, release: str, artifact: Artifact, installer: Installer) -> str:
        """Put the release into the idle slot, complete and without starting anything; returns the slot."""
        self.plan.refuse_other_artifact(release, artifact.sha256)
        self.refuse_ended_run()
        slot = self.plan.slot_to_fill()
        self.host.stop(slot)
        installer.install(release, artifact)
        self._fill(slot, release, self.plan.wanted_environments(slot, release))
        return slot

    def start(self, release: str) -> str:
        """Start the staged release as the canary: no traffic, and no tasks but those sent to it by name."""
        self.refuse_ended_run()
        slot = self.plan.slot_of(release)
        self.host.start(slot, private=True)
        self.note("started", release, slot=slot)
        return slot

    def promote(self, release: str) -> dict:
        """Make the staged release live, drain the previous one and tell it to stop. Returns the journal's entry.

        Nobody waits here for a long task of the previous release: the next run needs its slot, and waits for it (`stage`).
        """
        self.refuse_ended_run()
        slot = self.plan.slot_of(release)
        drained = self.host.promote(slot, wait=False)
        return self.note("promoted", release, slot=slot, drained=drained)

    def hand_over(self, release: str | None) -> None:
        """Stop what runs once in the stack and moves to another host, before it starts there: never two at one time."""
        self.refuse_ended_run()
        self.host.stop_units(self.plan.moving(release))

    def hand_back(self, finished_runs: list[str]) -> None:
        """The same before a rollback: what started here in this run has ended before it starts again where it was."""
        self.host.stop_units(self.plan.moving_back(finished_runs))

    def settle(self) -> None:
        """Wait until the idle slot has ended. Its worker may still run a task, and needs the schema it was made for."""
        self.host.stop(self.layout.idle_slot())

    def roll_back(self, finished_runs: list[str] | None = None, reason: str = "") -> dict | None:
        """End the unfinished run; returns its `begun` entry, or None where there is none."""
        unfinished = journal.unfinished(self.plan.entries())
        if unfinished:
            self._end(unfinished, finished_runs or [], reason)
        return unfinished

    def check(self, result: str, reason: str = "") -> dict:
        """Journal whether the live release works after a rollback (`passed` or `failed`, and why)."""
        live = self.layout.release_in(self.layout.live_slot())
        return self.note("checked", live, result=result, live=live, **({"reason": reason} if reason else {}))

    def restore(self, release: str) -> bool:
        """Make an earlier release live with the configuration it last ran with; whether anything changed.

        It is a run like a deployment: begun before, and finished or rolled back after. Secrets are those of today.
        """
        if self.plan.restore_changes(release) is None:
            return False
        self.refuse_ended_run()
        changed = configuration.restore(self.layout.kept(release), self.host.run, secrets=False)
        if not self.host.services:
            return bool(changed)
        self.plan.target(release)
        slot = self.plan.slot_to_fill()
        # Where the slot has the release already, a worker that still ends in it is no reason to wait before the traffic moves.
        self.host.stop(slot, late=self.layout.release_in(slot) == release)
        services = services_of(self.layout.kept(release) / "environment" / "processes.json", self.host.services)
        self._fill(slot, release, [(service, self._kept_environment(service, slot, release)) for service in services])
        self.promote(release)
        return True

    def finish(self, release: str | None, *, inputs: str = "", parts: list[configuration.Part] | None = None) -> None:
        """Journal that this run succeeded on this host, and remove what processes that are gone have left.

        With `inputs`, the fingerprint of the run's inputs, the state of the host is kept for the next run to compare with.
        """
        self.refuse_ended_run()
        self.note("finished", release, slot=self.layout.live_slot())
        if release:
            self.host.remove(self.plan.leftovers())
        if inputs:
            self._remember(inputs, parts or [])

    def prune(self, keep: int) -> None:
        """Remove what retention does not keep."""
        for path in self.plan.prunable(keep):
            shutil.rmtree(path)

    def forget(self) -> None:
        """A host that changes is not up to date any more."""
        self.layout.left.unlink(missing_ok=True)

    # How

    def _remember(self, inputs: str, parts: list[configuration.Part]) -> None:
        units = self.layout.prefix / "etc/systemd/system"
        enabled = [str(path) for path in units.glob(f"*.wants/{self.layout.stack}-*")]
        slots = [str(path) for path in (self.layout.config, *map(self.layout.slot, SLOTS))]
        paths = sorted({*(path for part in parts for path in part.paths), *enabled, *slots})
        left = {"inputs": inputs, "python": self.plan.python.version, "paths": paths, "files": configuration.snapshot(paths)}
        write_atomically(self.layout.left, json.dumps(left, indent=1) + "\n", mode=0o600)

    def refuse_ended_run(self) -> None:
        """A module that a killed control node left running must not continue a run that was ended since."""
        unfinished = journal.unfinished(self.plan.entries())
        if unfinished is None or unfinished["run"] != self.run_id:
            under_way = f"run {unfinished['run']} is" if unfinished else "none is"
            raise ParityError(
                f"run {self.run_id} is not under way on this host ({under_way}): it never began here, or was ended by another "
                "run. Deploy again."
            )

    def _fill(self, slot: str, release: str, environments: list[tuple[Service, str]]) -> None:
        directories = served.directories(self.layout, [service for service, _text in environments], release)
        for service, text in environments:
            path = self.layout.environment(slot, service.name)
            write_atomically(path, text, mode=0o640, uid=0, gid=self.group_id)
        services = [service for service, _text in environments]
        kept = {self.layout.environment(slot, service.name) for service in services}
        for path in set(self.layout.processes_file(slot).parent.glob("*.env")) - kept:
            path.unlink()  # of a process that this release does not have: nothing starts it at boot
        text = json.dumps(described(services), indent=1) + "\n"
        write_atomically(self.layout.processes_file(slot), text, mode=0o640, uid=0, gid=self.group_id)
        served.link(self.layout, slot, directories)
        self.host.set_checks(slot, proxy.checks(slot, services))
        self.layout.slot(slot).parent.mkdir(parents=True, exist_ok=True)
        link_atomically(self.layout.slot(slot), f"../releases/{release}")
        self.note("staged", release, slot=slot)

    def _end(self, begun: dict, finished_runs: list[str], reason: str = "") -> None:
        """End an unfinished run: finish it where the coordinator has finished it, roll it back everywhere else."""
        entry = {"run": begun["run"], "release": begun.get("release"), **self.author, "by": self.run_id}
        if begun["run"] in finished_runs:
            entry |= {"phase": "finished", "slot": self.layout.live_slot()}
        else:
            self._restore_begin(begun)
            entry |= {"phase": journal.ROLLED_BACK, "slot": begun.get("live_slot"), **({"reason": reason} if reason else {})}
        journal.append(self.layout.journal, entry)

    def _restore_begin(self, begun: dict) -> None:
        """The one rollback: what was live when the run began is live again, as it was, and the idle slot is stopped."""
        slot, release = begun.get("live_slot"), begun.get("live_release")
        if begun.get("dropped"):
            # The run had nothing to do with its slots but to stop what runs once in the stack.
            configuration.restore(self.layout.kept(journal.last_finished(self.plan.entries())), self.host.run)
            self.host.start_singletons(slot)
            return
        if slot and not self.host.services:
            raise ParityError(
                f"run {begun['run']} began with slot {slot} live on this host, so it cannot be ended without the host's services."
            )
        if self.host.services and slot is None:
            self.host.demote()
            return
        label = self.plan.label(release)
        if label:
            configuration.restore(self.layout.kept(label), self.host.run)
        if not self.host.services:
            return
        if release and self.layout.release_in(slot) != release:
            if not self.layout.manifest(release):
                raise ParityError(f"{release} was live before, and is not on this host any more. Deploy it again.")
            link_atomically(self.layout.slot(slot), f"../releases/{release}")
            held = services_of(self.layout.processes_file(slot), self.host.services)
            served.link(self.layout, slot, served.directories(self.layout, held, release))
        self.host.promote(slot)

    def _keep(self, live: str | None, parts: list[configuration.Part]) -> None:
        environment = {"environment": self.layout.config / live} if live and self.host.services else {}
        # Units that today's inventory does not name: they go once no slot needs them, and a later rollback restores them.
        today = {service.name for service in self.host.services}
        held = [entry["name"] for entry in read_described(self.layout.processes_file(live))] if environment else []
        ending = [str(path) for name in held if name not in today for path in leftovers.unit_files(self.layout, name)]
        parts = [*parts, configuration.Part(self.layout.stack, ending, on_change="as_is")] if ending else parts
        configuration.keep(parts, self.layout.kept(self.plan.label(self.layout.release_in(live))), beside=environment)

    def _kept_environment(self, service: Service, slot: str, release: str) -> str:
        """The service's environment as the release last ran with it, for another slot and with the secrets of today."""
        wanted = environment_file(service, slot, release, self.layout.build(release))
        try:
            kept = (self.layout.kept(release) / "environment" / f"{service.name}.env").read_text(encoding="utf-8")
        except FileNotFoundError:
            return wanted
        today = {*service.secrets, service.port_variable, "APP_RELEASE", "APP_SLOT"}
        values = environment_files.parse(wanted)
        return environment_files.text({**environment_files.parse(kept), **{name: values[name] for name in values.keys() & today}})

    def note(self, phase: str, release: str | None, **more: object) -> dict:
        """Append to the journal, in the name of this run; returns the entry."""
        entry = {"run": self.run_id, "phase": phase, "release": release, **self.author, **more}
        journal.append(self.layout.journal, entry)
        return entry
