# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on one application host, and what a run would do there. Reads, and changes nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import (
    commands,
    configuration,
    environment_files,
    interpreters,
    journal,
    leftovers,
)
from ansible_collections.parity.stack.plugins.module_utils.release.commands import Command
from ansible_collections.parity.stack.plugins.module_utils.release.interpreters import Python
from ansible_collections.parity.stack.plugins.module_utils.release.layout import SLOTS, Layout, other
from ansible_collections.parity.stack.plugins.module_utils.release.leftovers import Leftovers
from ansible_collections.parity.stack.plugins.module_utils.release.slots import (
    Host,
    Service,
    described,
    environment_file,
    read_described,
    services_of,
)

#: Phases that tell more of a run, and do not say how far it is.
_DETAILS = (
    journal.MIGRATING, journal.MIGRATED, journal.NOT_MIGRATED, journal.CHECKED,
    journal.COMMAND_BEGUN, journal.COMMAND_FINISHED, journal.COMMAND_FAILED,
)  # fmt: skip


class Planner:
    """The releases of one stack on one host, as run `run_id` finds them.

    A host without services (a gateway, a monitoring server) has no slots: it has its configuration alone. `build` are the commands that
    build a release.
    """

    def __init__(
        self,
        host: Host,
        run_id: str = "",
        build: Iterable[Command] = (),
        find_python: Callable[[], Python] = lambda: interpreters.SYSTEM_PYTHON,
    ) -> None:
        self.host = host
        self._find_python = find_python
        self.layout: Layout = host.layout
        self.run_id = run_id
        self.build = list(build)

    @functools.cached_property
    def python(self) -> Python:
        """The interpreter of the stack's virtual environments. Raises ParityError where there is none."""
        return self._find_python()

    # What a run would find to do

    def reasons(self, release: str, sha256: str, *, reconfigured: bool = False) -> list[str]:
        """Why this host needs a deployment of `release`; empty when it already runs exactly that.

        `reconfigured` says that a unit has just changed, or would in a dry run. An unfinished run of somebody else counts
        as rolled back: that comes first.
        """
        if not self.host.services:
            return []
        self.refuse_other_artifact(release, sha256)
        live = self.live_slot_after_recovery()
        current = self.layout.release_in(live)
        if live is None or current is None:
            return ["no release is live"]
        if current != release:
            return [f"{current} is live"]
        compared = [(service, self.environment(service, live), wanted) for service, wanted in self.wanted_environments(live, release)]
        changed = [
            f"the environment of {service.name} differs: {', '.join(_changed_names(found, wanted)) or 'the form of the file'}"
            for service, found, wanted in compared
            if found != wanted
        ]
        changed += self._changed_processes(live)
        if reconfigured:
            changed.append("a unit changes")
        if not self.host.running(live):
            return [*changed, f"not every service of slot {live} runs"]
        return changed + [f"the unit of {name} changed after it was started" for name in self.host.outdated(live)]

    def _changed_processes(self, live: str) -> list[str]:
        """Processes that the inventory describes in another way than the release in slot `live` has them."""
        now = {entry["name"]: entry for entry in read_described(self.layout.processes_file(live))}
        wanted = {entry["name"]: entry for entry in json.loads(json.dumps(described(self.host.services)))}
        names = [name for name in dict.fromkeys([*now, *wanted]) if now.get(name) != wanted.get(name)]
        return [f"the process {name} {'is added' if name not in now else 'ends' if name not in wanted else 'changes'}" for name in names]

    def environment_diff(self, release: str, *, built: bool = True) -> dict[str, str]:
        """Before and after of the services' environments, with the values of secrets left out, and the commands that build the release."""
        slot = self.live_slot_after_recovery() or SLOTS[0]
        before, after = [], []
        for service, wanted in self.wanted_environments(slot, release):
            current = self.environment(service, slot)
            before += _shown(service, current, {})
            after += _shown(service, wanted, environment_files.parse(current))
        after += [] if built else [f"build: {command.shown}\n" for command in self.build]
        return {"before": "".join(before), "after": "".join(after), "before_header": "live", "after_header": release}

    def missing(self, release: str, venv_key: str, sha256: str) -> list[str]:
        """The parts of a release that this host still needs: application, wheels."""
        application = [] if self.complete(release, sha256) else ["application"]
        return application if self.layout.has_venv(venv_key) else [*application, "wheels"]

    def complete(self, release: str, sha256: str) -> bool:
        """Whether the release is on this host, made of this artifact and built by these commands."""
        manifest = self.layout.manifest(release)
        return manifest.get("sha256") == sha256 and manifest.get("build", "") == commands.digest(self.build)

    def target(self, release: str | None) -> str | None:
        """The release that a rollback promotes: `release`, or the last good one that is not live. None without services.

        Raises ParityError where it never finished here, or is not on this host any more.
        """
        if not self.host.services:
            return release
        entries = self.entries()
        live = self.layout.release_in(self.layout.live_slot())
        finished = [name for name in journal.finished_releases(entries) if self.layout.manifest(name)]
        known = ", ".join(name for name in finished if name != live) or "none"
        if release is None:
            good = [name for name in journal.good_releases(entries) if name in finished and name != live]
            if not good:
                raise ParityError(f"there is no earlier release that finished on this host. Live is {live or 'no release'}.")
            return good[-1]
        if release not in journal.finished_releases(entries):
            raise ParityError(
                f"{release} never finished a deployment on this host, so a rollback to it is not possible. "
                f"Releases to roll back to: {known}."
            )
        if release not in finished:
            raise ParityError(f"{release} is not on this host any more: retention removed it. Deploy it again, or choose one of: {known}.")
        return release

    def restore_changes(self, release: str) -> list[str] | None:
        """The configuration files that a rollback to `release` would change; None where it is live already."""
        if self.label(self.layout.release_in(self.layout.live_slot())) == release:
            return None
        return configuration.differences(self.layout.kept(release), secrets=False)

    def differences_since_finished(self, inputs: str) -> list[str]:
        """Why a run with these `inputs` (a fingerprint) may have something to do here; empty where it certainly has nothing.

        It has nothing to do where the last finished run had the same inputs and no run is open, the files of that run are unchanged, and
        the services that it started answer.
        """
        left = _read_json(self.layout.left)
        if not inputs or left.get("inputs") != inputs:
            return ["other inputs than those of the last run that finished"]
        # On the coordinator a run ends with its lock; other hosts may be in the middle of it.
        open_run = journal.unfinished(self.entries()) or journal.read_lock(self.layout.lock)
        if open_run:
            return [f"run {open_run['run']} has not ended"]
        if left.get("python") != self.python.version:
            return [f"Python is {self.python.version}, and was {left.get('python')}"]
        now = configuration.snapshot(left["paths"])
        changed = [f"{path} has changed" for path in sorted(now.keys() | left["files"]) if now.get(path) != left["files"].get(path)]
        live = self.layout.live_slot()
        if changed or not self.host.services:
            return changed
        if live is None or not self.host.running(live):
            return ["not every service runs"]
        outdated = [f"the unit of {name} changed after it was started" for name in self.host.outdated(live)]
        return outdated + self.host.complaints(live)

    def prunable(self, keep: int, finishing: str | None = None) -> list[Path]:
        """Releases, virtual environments and kept configurations nothing needs: in no slot, not among the last good ones.

        `finishing` is a release that would be staged, promoted and finished, for a dry run.
        """
        if not self.host.services:
            return []
        good = journal.finished_releases(self.entries())
        slots = {self.layout.release_in(slot) for slot in SLOTS}
        live = self.layout.release_in(self.layout.live_slot())
        if finishing:
            good = [*(name for name in good if name != finishing), finishing]
            slots = {live, finishing}
        kept = set(good[-max(keep, 2) :]) | slots  # the live one and the previous good one, whatever `keep` is
        releases = [path for path in _directories(self.layout.releases) if path.name not in kept]
        venvs = {self.layout.manifest(name).get("venv") for name in kept if name}
        unused = [path for path in _directories(self.layout.root / "venvs") if path.name not in venvs]
        forgotten = [path for path in _directories(self.layout.kept(None).parent) if path.name not in kept | {".none"}]
        return releases + unused + forgotten

    def leftovers(self, *, finishing: bool = False) -> Leftovers:
        """What processes that are gone have left here. A process that a release in a slot has is needed: a rollback starts it again.

        With `finishing`, a run that would stage and promote a release, for a dry run: it replaces what is in the idle slot.
        """
        if not self.host.services:
            return self.dropped()
        slots = [self.layout.live_slot()] if finishing else SLOTS
        held = {entry["name"] for slot in slots if slot for entry in read_described(self.layout.processes_file(slot))}
        return leftovers.of_processes(self.layout, held | {service.name for service in self.host.services})

    def dropped(self) -> Leftovers:
        """All that a stack has on a host which runs none of its processes any more; nothing on a host that never did."""
        return Leftovers() if self.host.services else leftovers.of_host(self.layout)

    def reasons_to_drop(self) -> list[str]:
        """Why a run has something to do on a host without services; empty where nothing is left of any."""
        return ["the stack has no process on this host any more, and those of the last run are still there"] if self.dropped().paths else []

    def moving(self, release: str | None) -> list[str]:
        """Units of what runs once in the stack, and on another host once `release` is live."""
        services = self.host.services
        if (self.begun() or {}).get("kind") == "rollback":
            services = services_of(self.layout.kept(release) / "environment" / "processes.json", services)
        return self.host.singletons_beside({service.name for service in services if service.singleton})

    def moving_back(self, finished_runs: list[str]) -> list[str]:
        """Units of what runs once in the stack, and did not run here when the unfinished run began."""
        begun = journal.unfinished(self.entries())
        if not begun or begun["run"] in finished_runs:
            return []
        slot = begun.get("live_slot")
        held = read_described(self.layout.processes_file(slot)) if slot else []
        return self.host.singletons_beside({entry["name"] for entry in held if entry.get("singleton")})

    # What is there

    def status(self) -> dict:
        """The live release, the last run, and who holds the lock."""
        entries = self.entries()
        live = self.layout.live_slot()
        return {
            "live_slot": live,
            "live_release": self.layout.release_in(live),
            "slots": {slot: self.layout.release_in(slot) for slot in SLOTS},
            "healthy": bool(live) and self.host.running(live),
            "unfinished": journal.unfinished(entries),
            "last": next((entry for entry in reversed(entries) if entry.get("phase") not in _DETAILS), None),
            "last_finished": journal.last_finished(entries),
            "releases": journal.finished_releases(entries),
            "finished_runs": journal.finished_runs(entries),
            "lock": journal.read_lock(self.layout.lock),
            "staying": journal.staying_migrations(entries),
            "checked": journal.last_check(entries),
            "interrupted_commands": [entry for entry in journal.commands(entries).values() if entry["phase"] == journal.COMMAND_BEGUN],
        }

    def entries(self) -> list[dict]:
        return journal.read(self.layout.journal)

    def begun(self) -> dict | None:
        """The entry this run began with."""
        return next((entry for entry in reversed(self.entries()) if is_entry(entry, "begun", self.run_id)), None)

    def live_slot_after_recovery(self) -> str | None:
        """The slot that is live once an unfinished run of somebody else is rolled back."""
        unfinished = journal.unfinished(self.entries())
        if unfinished and unfinished["run"] != self.run_id:
            return unfinished.get("live_slot")
        return self.layout.live_slot()

    def slot_to_fill(self) -> str:
        """The slot that was idle when this run began. A rollback needs the other slot."""
        slot = (self.begun() or {}).get("live_slot")
        idle = other(slot) if slot else SLOTS[0]
        if self.layout.live_slot() == idle:
            raise ParityError(f"run {self.run_id} has already made slot {idle} live, so nothing can be staged in it.")
        return idle

    def slot_of(self, release: str) -> str:
        # The journal first: where only the environment changed, both slots hold the release.
        staged = [entry.get("slot") for entry in self.entries() if is_entry(entry, "staged", self.run_id, release)]
        for slot in (*staged[-1:], self.layout.idle_slot(), self.layout.live_slot()):
            if slot and self.layout.release_in(slot) == release:
                return slot
        raise ParityError(f"release {release} is in no slot on this host, so it cannot be promoted. Stage it first.")

    def label(self, live_release: str | None) -> str | None:
        """The release that kept configuration belongs to: what is live, or on a host without services what finished."""
        return live_release if self.host.services else journal.last_finished(self.entries())

    def refuse_other_artifact(self, release: str, sha256: str) -> None:
        """Raise ParityError where the name stands for something else: what has been live here. Others are replaced."""
        staged = self.layout.manifest(release).get("sha256")
        if staged == sha256 and not self.complete(release, sha256) and self._was_live(release):
            raise ParityError(
                f"release {release} has been live on this host, built by other commands than stack_build_commands has now. A release "
                "never changes: give this one a new name."
            )
        if staged and staged != sha256 and self._was_live(release):
            raise ParityError(
                f"release {release} has been live on this host, made from another artifact "
                f"(sha256 {staged[:12]}, this one is {sha256[:12]}). A release never changes: give this one a new name."
            )

    def _was_live(self, release: str) -> bool:
        live = self.layout.release_in(self.layout.live_slot())
        return release == live or release in journal.promoted_releases(self.entries())

    def environment(self, service: Service, slot: str) -> str:
        try:
            return self.layout.environment(slot, service.name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def wanted_environments(self, slot: str, release: str) -> list[tuple[Service, str]]:
        return [(service, environment_file(service, slot, release, self.layout.build(release))) for service in self.host.services]


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _directories(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())


def is_entry(entry: dict, phase: str, run: str, release: str | None = None) -> bool:
    same = entry.get("phase") == phase and entry.get("run") == run
    return same and (release is None or entry.get("release") == release)


def _changed_names(before: str, after: str) -> list[str]:
    old, new = environment_files.parse(before), environment_files.parse(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _shown(service: Service, text: str, before: dict[str, str]) -> list[str]:
    """The lines of an environment file with every value left out that is not known to be a setting."""
    lines = []
    settings = {*service.environment, service.port_variable, "APP_RELEASE", "APP_SLOT"} - service.secrets.keys()
    for name, value in environment_files.parse(text).items():
        shown = json.dumps(value, ensure_ascii=False)
        if name not in settings:
            shown = "(secret, changed)" if before and before.get(name) != value else "(secret)"
        lines.append(f"{service.name}: {name}={shown}\n")
    return lines
