# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release tree of one application host: stage, promote, roll back, prune, and read its state."""

from __future__ import annotations

import json
import platform
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import link_atomically, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, last_lines
from ansible_collections.parity.stack.plugins.module_utils.release import configuration, environment_files, journal, lock_lines
from ansible_collections.parity.stack.plugins.module_utils.release.layout import SLOTS, Layout, other
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Host, Service, environment_file
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner

#: Phases that add details to a run, and do not show how far it is.
_DETAILS = (journal.MIGRATING, journal.MIGRATED, journal.NOT_MIGRATED, journal.CHECKED)


@dataclass(frozen=True)
class Artifact:
    """The parts of a release, as files on this host.

    `application` is a tar with the wheel, the lock file and the migrations, `sha256` its digest; `wheels` is a tar with
    every wheel the lock file names, and `venv_key` names the virtual environment they make with this host's Python.
    """

    application: Path
    sha256: str
    wheels: Path
    venv_key: str


class Releases:
    """The releases of one stack on one host.

    `author` is the part of every journal entry that names who runs it and where: `host`, `operator`, `job`.
    A host without services (a gateway, a monitoring server) has no slots: a rollback restores its configuration alone.
    """

    def __init__(
        self, host: Host, run: Runner, *, run_id: str = "", group_id: int = -1, author: dict[str, str] | None = None
    ) -> None:
        self.host = host
        self.layout: Layout = host.layout
        self.run = run
        self.run_id = run_id
        self.group_id = group_id
        self.author = {key: value for key, value in (author or {}).items() if value}

    # What is there

    def reasons(self, release: str, sha256: str, *, reconfigured: bool = False) -> list[str]:
        """Why this host needs a deployment of `release`; empty when it already runs exactly that.

        `reconfigured` means that a unit has just changed, or would change, in a dry run. Another run that is unfinished counts as
        rolled back, because the rollback happens first.
        """
        if not self.host.services:
            return []
        self._refuse_other_artifact(release, sha256)
        live = self._slot_after_way_back()
        current = self.layout.release_in(live)
        if live is None or current is None:
            return ["no release is live"]
        if current != release:
            return [f"{current} is live"]
        compared = [(service, self._environment(service, live), wanted) for service, wanted in self._wanted(live, release)]
        changed = [
            f"the environment of {service.name} differs: {', '.join(_changed_names(found, wanted)) or 'the form of the file'}"
            for service, found, wanted in compared
            if found != wanted
        ]
        if reconfigured:
            changed.append("a unit changes")
        if not self.host.running(live):
            return [*changed, f"not every service of slot {live} runs"]
        return changed + [f"the unit of {name} changed after it was started" for name in self.host.outdated(live)]

    def environment_diff(self, release: str) -> dict[str, str]:
        """Before and after of the services' environments, with the values of secrets left out."""
        slot = self._slot_after_way_back() or SLOTS[0]
        before, after = [], []
        for service, wanted in self._wanted(slot, release):
            current = self._environment(service, slot)
            before += _shown(service, current, {})
            after += _shown(service, wanted, environment_files.parse(current))
        return {"before": "".join(before), "after": "".join(after), "before_header": "live", "after_header": release}

    def missing(self, release: str, venv_key: str) -> list[str]:
        """The parts of a release that this host still needs: application, wheels."""
        application = [] if self.layout.manifest(release) else ["application"]
        return application if self._venv_complete(venv_key) else [*application, "wheels"]

    def status(self) -> dict:
        """What is live here, what ran last, and who holds the lock."""
        entries = self._entries()
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
        }

    def target(self, release: str | None) -> str | None:
        """The release that a rollback promotes: `release`, or the last good one that is not live. None without services.

        Raises ParityError where it never finished here, or is not on this host any more.
        """
        if not self.host.services:
            return release
        entries = self._entries()
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
            raise ParityError(
                f"{release} is not on this host any more: retention removed it. Deploy it again, or choose one of: {known}."
            )
        return release

    def return_changes(self, release: str) -> list[str] | None:
        """The configuration files that a rollback to `release` would change; None where it is live already."""
        if self._label(self.layout.release_in(self.layout.live_slot())) == release:
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
        # On the coordinator a run ends when it unlocks the stack; other hosts may be in the middle of it.
        open_run = journal.unfinished(self._entries()) or journal.read_lock(self.layout.lock)
        if open_run:
            return [f"run {open_run['run']} has not ended"]
        if left.get("python") != platform.python_version():
            return [f"Python is {platform.python_version()}, and was {left.get('python')}"]
        now = configuration.snapshot(left["paths"])
        changed = [f"{path} has changed" for path in sorted(now.keys() | left["files"]) if now.get(path) != left["files"].get(path)]
        live = self.layout.live_slot()
        if changed or not self.host.services:
            return changed
        if live is None or not self.host.running(live):
            return ["not every service runs"]
        outdated = [f"the unit of {name} changed after it was started" for name in self.host.outdated(live)]
        return outdated + self.host.complaints(live)

    # What changes it

    def begin(
        self,
        release: str | None,
        *,
        keep: list[configuration.Part] | None = None,
        kind: str = "deployment",
        finished_runs: list[str] | None = None,
    ) -> dict | None:
        """Journal that a run begins. First ends a run that never ended, and returns it.

        Keeps the configuration of the live release, the files of `keep` and its environment, for a rollback.
        """
        unfinished = journal.unfinished(self._entries())
        if unfinished and unfinished["run"] == self.run_id:
            return None
        if unfinished:
            self._end(unfinished, finished_runs or [])
        live = self.layout.live_slot()
        self._keep(live, keep or [])
        self._note("begun", release, kind=kind, live_slot=live, live_release=self.layout.release_in(live))
        return unfinished

    def stage(self, release: str, artifact: Artifact, *, python: str, uv: str) -> str:
        """Put the release into the idle slot, complete, and start nothing. Returns the slot."""
        self._refuse_other_artifact(release, artifact.sha256)
        self._refuse_ended_run()
        slot = self._slot_to_fill()
        self.host.stop(slot)
        self._make_venv(artifact, python, uv)
        if not self.layout.manifest(release):
            self._unpack(release, artifact, uv)
        self._fill(slot, release, self._wanted(slot, release))
        return slot

    def start(self, release: str) -> str:
        """Start the staged release as a canary: it gets no traffic, and only the tasks that are sent to it by name."""
        self._refuse_ended_run()
        slot = self._slot_of(release)
        self.host.start(slot, private=True)
        self._note("started", release, slot=slot)
        return slot

    def promote(self, release: str) -> dict:
        """Promote the staged release. The previous release keeps its slot, and its services get the command to stop. Returns the
        journal's entry.

        This does not wait for a long task of the previous release: the next run needs its slot, and waits for it (`stage`).
        """
        self._refuse_ended_run()
        slot = self._slot_of(release)
        drained = self.host.make_live(slot, wait=False)
        return self._note("promoted", release, slot=slot, drained=drained)

    def settle(self) -> None:
        """Wait until the idle slot has drained: its worker may still run a task, and needs the schema that it was made for."""
        self.host.stop(self.layout.idle_slot())

    def revert(self, finished_runs: list[str] | None = None, reason: str = "") -> dict | None:
        """End the unfinished run; returns its `begun` entry, or None where there is none."""
        unfinished = journal.unfinished(self._entries())
        if unfinished:
            self._end(unfinished, finished_runs or [], reason)
        return unfinished

    def checked(self, result: str, reason: str = "") -> dict:
        """Journal the check of the live release after a rollback (`passed` or `failed`, and why)."""
        live = self.layout.release_in(self.layout.live_slot())
        return self._note("checked", live, result=result, live=live, **({"reason": reason} if reason else {}))

    def return_to(self, release: str) -> bool:
        """Promote an earlier release with the configuration it last ran with. Returns whether anything changed.

        It is a run like a deployment: it began before this call, and it is finished or rolled back after. Secrets stay as they are now.
        """
        if self.return_changes(release) is None:
            return False
        self._refuse_ended_run()
        changed = configuration.restore(self.layout.kept(release), self.run, secrets=False)
        if not self.host.services:
            return bool(changed)
        self.target(release)
        slot = self._slot_to_fill()
        # Where the slot has the release already, the traffic does not wait for a worker that is still ending in it.
        self.host.stop(slot, late=self.layout.release_in(slot) == release)
        kept = [(service, self._kept_environment(service, slot, release)) for service in self.host.services]
        self._fill(slot, release, kept)
        self.promote(release)
        return True

    def finish(self, release: str | None, *, inputs: str = "", parts: list[configuration.Part] | None = None) -> None:
        """Journal that this run succeeded here.

        With `inputs`, the fingerprint of all inputs of the run, it also records the state of the host.
        """
        self._refuse_ended_run()
        self._note("finished", release, slot=self.layout.live_slot())
        if inputs:
            self._remember(inputs, parts or [])

    def prunable(self, keep: int, finishing: str | None = None) -> list[Path]:
        """Releases, virtual environments and kept configurations that nothing needs: in no slot, not among the last good ones.

        `finishing` is, for a dry run, a release that the run would stage, promote and finish.
        """
        if not self.host.services:
            return []
        good = journal.finished_releases(self._entries())
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

    def prune(self, keep: int) -> None:
        for path in self.prunable(keep):
            shutil.rmtree(path)

    def forget(self) -> None:
        """Forget the state of the last finished run: once a run begins to change the host, it does not count as up to date."""
        self.layout.left.unlink(missing_ok=True)

    # How

    def _remember(self, inputs: str, parts: list[configuration.Part]) -> None:
        units = self.layout.prefix / "etc/systemd/system"
        enabled = [str(path) for path in units.glob(f"*.wants/{self.layout.stack}-*")]
        slots = [str(path) for path in (self.layout.config, *map(self.layout.slot, SLOTS))]
        paths = sorted({*(path for part in parts for path in part.paths), *enabled, *slots})
        left = {"inputs": inputs, "python": platform.python_version(), "paths": paths, "files": configuration.snapshot(paths)}
        write_atomically(self.layout.left, json.dumps(left, indent=1) + "\n", mode=0o600)

    def _entries(self) -> list[dict]:
        return journal.read(self.layout.journal)

    def _begun(self) -> dict | None:
        """The entry this run began with."""
        return next((entry for entry in reversed(self._entries()) if _is(entry, "begun", self.run_id)), None)

    def _refuse_ended_run(self) -> None:
        """Raise ParityError where another run has ended this one: a module that a dead control node left must not go on."""
        unfinished = journal.unfinished(self._entries())
        if unfinished is None or unfinished["run"] != self.run_id:
            under_way = f"run {unfinished['run']} is" if unfinished else "none is"
            raise ParityError(
                f"run {self.run_id} is not under way on this host ({under_way}): it never began here, or was ended by another "
                "run. Deploy again."
            )

    def _slot_after_way_back(self) -> str | None:
        """The slot that is live after the rollback of another run that is unfinished."""
        unfinished = journal.unfinished(self._entries())
        if unfinished and unfinished["run"] != self.run_id:
            return unfinished.get("live_slot")
        return self.layout.live_slot()

    def _slot_to_fill(self) -> str:
        """The slot that was idle when this run began: a rollback needs the slot that was live, whatever has happened since."""
        slot = (self._begun() or {}).get("live_slot")
        idle = other(slot) if slot else SLOTS[0]
        if self.layout.live_slot() == idle:
            raise ParityError(f"run {self.run_id} has already made slot {idle} live, so nothing can be staged in it.")
        return idle

    def _slot_of(self, release: str) -> str:
        # The journal first: where only the environment changed, both slots hold the release.
        staged = [entry.get("slot") for entry in self._entries() if _is(entry, "staged", self.run_id, release)]
        for slot in (*staged[-1:], self.layout.idle_slot(), self.layout.live_slot()):
            if slot and self.layout.release_in(slot) == release:
                return slot
        raise ParityError(f"release {release} is in no slot on this host, so it cannot be promoted. Stage it first.")

    def _fill(self, slot: str, release: str, environments: list[tuple[Service, str]]) -> None:
        for service, text in environments:
            path = self.layout.environment(slot, service.name)
            write_atomically(path, text, mode=0o640, uid=0, gid=self.group_id)
        self.layout.slot(slot).parent.mkdir(parents=True, exist_ok=True)
        link_atomically(self.layout.slot(slot), f"../releases/{release}")
        self._note("staged", release, slot=slot)

    def _end(self, begun: dict, finished_runs: list[str], reason: str = "") -> None:
        """End an unfinished run: finish it where the coordinator has finished it, roll it back everywhere else."""
        entry = {"run": begun["run"], "release": begun.get("release"), **self.author, "by": self.run_id}
        if begun["run"] in finished_runs:
            entry |= {"phase": "finished", "slot": self.layout.live_slot()}
        else:
            self._go_back(begun)
            entry |= {"phase": "reverted", "slot": begun.get("live_slot"), **({"reason": reason} if reason else {})}
        journal.append(self.layout.journal, entry)

    def _go_back(self, begun: dict) -> None:
        """Roll back a run: what was live when it began is live again with the same configuration, and the other slot is stopped."""
        slot, release = begun.get("live_slot"), begun.get("live_release")
        if slot and not self.host.services:
            raise ParityError(
                f"run {begun['run']} began with slot {slot} live on this host, so it cannot be ended without the host's services."
            )
        if self.host.services and slot is None:
            self.host.make_none_live()
            return
        label = self._label(release)
        if label:
            configuration.restore(self.layout.kept(label), self.run)
        if not self.host.services:
            return
        if release and self.layout.release_in(slot) != release:
            if not self.layout.manifest(release):
                raise ParityError(f"{release} was live before, and is not on this host any more. Deploy it again.")
            link_atomically(self.layout.slot(slot), f"../releases/{release}")
        self.host.make_live(slot)

    def _label(self, live_release: str | None) -> str | None:
        """The release of the kept configuration: the live one, or on a host without services the last finished one."""
        return live_release if self.host.services else journal.last_finished(self._entries())

    def _keep(self, live: str | None, parts: list[configuration.Part]) -> None:
        environment = {"environment": self.layout.config / live} if live and self.host.services else {}
        configuration.keep(parts, self.layout.kept(self._label(self.layout.release_in(live))), beside=environment)

    def _kept_environment(self, service: Service, slot: str, release: str) -> str:
        """The service's environment that the release last ran with, for another slot and with the current secrets."""
        wanted = environment_file(service, slot, release)
        try:
            kept = (self.layout.kept(release) / "environment" / f"{service.name}.env").read_text(encoding="utf-8")
        except FileNotFoundError:
            return wanted
        today = {*service.secrets, service.port_variable, "APP_RELEASE", "APP_SLOT"}
        values = environment_files.parse(wanted)
        return environment_files.text({**environment_files.parse(kept), **{name: values[name] for name in values.keys() & today}})

    def _note(self, phase: str, release: str | None, **more: object) -> dict:
        entry = {"run": self.run_id, "phase": phase, "release": release, **self.author, **more}
        journal.append(self.layout.journal, entry)
        return entry

    def _environment(self, service: Service, slot: str) -> str:
        try:
            return self.layout.environment(slot, service.name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _wanted(self, slot: str, release: str) -> list[tuple[Service, str]]:
        return [(service, environment_file(service, slot, release)) for service in self.host.services]

    def _venv_complete(self, key: str) -> bool:
        return (self.layout.venv(key) / ".complete").exists()

    def _refuse_other_artifact(self, release: str, sha256: str) -> None:
        staged = self.layout.manifest(release).get("sha256")
        if staged and staged != sha256:
            raise ParityError(
                f"release {release} is already on this host, made from another artifact "
                f"(sha256 {staged[:12]}, this one is {sha256[:12]}). A release never changes: give this one a new name."
            )

    def _make_venv(self, artifact: Artifact, python: str, uv: str) -> None:
        """Build the virtual environment unless a complete one is there; owned by root, bytecode compiled."""
        path = self.layout.venv(artifact.venv_key)
        if self._venv_complete(artifact.venv_key):
            return
        shutil.rmtree(path, ignore_errors=True)
        wheels = path.with_name(f".{path.name}.wheels")
        shutil.rmtree(wheels, ignore_errors=True)
        _unpack(artifact.wheels, wheels)
        _refuse_other_wheels(wheels, artifact)
        self._uv(uv, ["venv", "--quiet", "--python", python, str(path)])
        self._uv(uv, [
            "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels), "--require-hashes",
            "--compile-bytecode", "--link-mode", "copy", "--python", str(path / "bin/python"),
            "-r", str(wheels / "requirements.lock"),
        ])  # fmt: skip
        _refuse_other_packages(path, wheels)
        shutil.rmtree(wheels)
        (path / ".lock").unlink(missing_ok=True)  # uv makes it writable for everybody
        (path / ".complete").touch()

    def _unpack(self, release: str, artifact: Artifact, uv: str) -> None:
        """Unpack the application beside its final place and rename it there once it is complete."""
        partial = self.layout.release(f".{release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self.layout.release(release), ignore_errors=True)
        _unpack(artifact.application, partial)
        _lock_of(partial, artifact)
        (partial / "venv").symlink_to(f"../../venvs/{artifact.venv_key}")
        self._uv(uv, [
            "pip", "install", "--quiet", "--no-index", "--no-deps", "--compile-bytecode", "--link-mode", "copy",
            "--python", str(partial / "venv/bin/python"), "--target", str(partial / "app"),
            *map(str, (partial / "wheel").glob("*.whl")),
        ])  # fmt: skip
        manifest = {"release": release, "sha256": artifact.sha256, "venv": artifact.venv_key, "staged": journal.now()}
        write_atomically(partial / "manifest.json", json.dumps(manifest, indent=2) + "\n")
        partial.rename(self.layout.release(release))

    def _uv(self, uv: str, words: list[str]) -> None:
        code, out, err = self.run([uv, "--no-cache", "--no-config", "--offline", *words])
        if code != 0:
            mask = Mask([service.secrets for service in self.host.services])
            said = last_lines(err.strip() or out, mask, lines=40)
            advice = " The disk is full. Make room (df -h on the host) and run again." if "os error 28" in said else ""
            raise ParityError(f"uv {words[0]} {words[1]} failed: {said}{advice}")


def _unpack(archive: Path, to: Path) -> None:
    """Unpack the regular files of a tar; Python 3.11.2 has no extraction filter that would refuse the rest."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.is_absolute() or ".." in name.parts:
                    raise ParityError(
                        f"{archive} holds {member.name!r}, which is no plain file below it. Pack it again."
                    )
                path = to / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as target, tar.extractfile(member) as source:
                    shutil.copyfileobj(source, target)
    except (OSError, tarfile.TarError) as error:
        raise ParityError(
            f"{archive} cannot be unpacked to {to}: {error}. Is the disk full, or the upload cut off?"
        ) from error


def _lock_of(unpacked: Path, artifact: Artifact) -> bytes:
    """The lock file of an unpacked tar. Its digest names the virtual environment, so no other lock file can replace it."""
    path = unpacked / "requirements.lock"
    lock = path.read_bytes() if path.is_file() else b""
    if lock_lines.venv_key(lock, platform.python_version(), platform.machine()) != artifact.venv_key:
        raise ParityError(
            f"the lock file that came to this host is not the one of {artifact.venv_key}, or was packed for another Python than "
            f"{platform.python_version()}. Nothing was installed. Remove the bundles in the control node's cache and run this again."
        )
    return lock


def _refuse_other_wheels(wheels: Path, artifact: Artifact) -> None:
    """Raise ParityError unless every wheel has a hash of the lock file. Runs before anything is installed."""
    lock = _lock_of(wheels, artifact).decode("utf-8-sig")
    wanted = {one.lower() for _number, line in lock_lines.logical_lines(lock) for one in lock_lines.hashes(line)}
    others = [wheel.name for wheel in sorted(wheels.glob("*.whl")) if not lock_lines.digests(wheel.read_bytes(), wanted)]
    if others:
        raise ParityError(
            f"{', '.join(others)} has no hash of the lock file: it was changed on its way. Nothing was installed. Remove the "
            "bundles in the control node's cache and run this again."
        )


def _refuse_other_packages(venv: Path, wheels: Path) -> None:
    """Raise ParityError unless exactly the wheels are installed: those that the lock file names for this host."""
    wanted = {_package(*wheel.name.split("-")[:2]) for wheel in wheels.glob("*.whl")}
    metadata = [entry.name.removesuffix(".dist-info") for entry in venv.glob("lib/python*/site-packages/*.dist-info")]
    there = {_package(*name.rsplit("-", 1)) for name in metadata}
    if wanted != there:
        differ = ", ".join(sorted(" ".join(one) for one in wanted ^ there))
        raise ParityError(f"the virtual environment {venv} does not hold exactly what the lock file names: {differ}. Run this again.")


def _package(name: str, version: str = "") -> tuple[str, str]:
    """Name and version from the name of a wheel or of its metadata, in the form to compare: 1.0 is 1, a_b is a-b."""
    release, separator, local = version.lower().replace("_", "+").partition("+")
    return re.sub(r"[-_.]+", "-", name).lower(), re.sub(r"(\.0+)+$", "", release) + separator + local


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


def _is(entry: dict, phase: str, run: str, release: str | None = None) -> bool:
    same = entry.get("phase") == phase and entry.get("run") == run
    return same and (release is None or entry.get("release") == release)


def _changed_names(before: str, after: str) -> list[str]:
    old, new = environment_files.parse(before), environment_files.parse(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _shown(service: Service, text: str, before: dict[str, str]) -> list[str]:
    """The lines of an environment file without the values that may be secret."""
    lines = []
    settings = {*service.environment, service.port_variable, "APP_RELEASE", "APP_SLOT"} - service.secrets.keys()
    for name, value in environment_files.parse(text).items():
        shown = json.dumps(value, ensure_ascii=False)
        if name not in settings:
            shown = "(secret, changed)" if before and before.get(name) != value else "(secret)"
        lines.append(f"{service.name}: {name}={shown}\n")
    return lines
