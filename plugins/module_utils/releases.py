# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release tree of one application host: stage, promote, revert, prune, and what is there now."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils import journal
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import link_atomically, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.layout import SLOTS, Layout
from ansible_collections.parity.stack.plugins.module_utils.slots import Host, Service, environment_file
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner


@dataclass(frozen=True)
class Artifact:
    """What a release is made of, as files on this host.

    `application` is a tar with the wheel, the lock file and the migrations, `sha256` its digest; `wheels` is a tar with
    every wheel the lock file names, and `venv_key` names the virtual environment they make with this host's Python.
    """

    application: Path
    sha256: str
    wheels: Path
    venv_key: str


class Releases:
    """The releases of one stack on one host."""

    def __init__(self, host: Host, run: Runner, *, run_id: str = "", group_id: int = -1) -> None:
        self.host = host
        self.layout: Layout = host.layout
        self.run = run
        self.run_id = run_id
        self.group_id = group_id

    # What is there

    def reasons(self, release: str, sha256: str) -> list[str]:
        """Why this host needs a deployment of `release`; empty when it already runs exactly that."""
        self._refuse_other_artifact(release, sha256)
        live = self.layout.live_slot()
        current = self.layout.release_in(live)
        if live is None or current is None:
            return ["no release is live"]
        if current != release:
            return [f"{current} is live"]
        compared = [(service, self._environment(service), wanted) for service, wanted in self._wanted(live, release)]
        changed = [
            f"the environment of {service.name} differs: {', '.join(_changed_names(found, wanted))}"
            for service, found, wanted in compared
            if found != wanted
        ]
        stopped = [] if self.host.running(live) else [f"not every service of slot {live} runs"]
        return changed + stopped

    def environment_diff(self, release: str) -> dict[str, str]:
        """Before and after of the services' environments, with the values of secrets left out."""
        slot = self.layout.live_slot() or SLOTS[0]
        before, after = [], []
        for service, wanted in self._wanted(slot, release):
            current = self._environment(service)
            before += _shown(service, current, {})
            after += _shown(service, wanted, _pairs(current))
        return {"before": "".join(before), "after": "".join(after), "before_header": "live", "after_header": release}

    def status(self) -> dict:
        """What is live here, what ran last, and who holds the lock."""
        entries = journal.read(self.layout.journal)
        live = self.layout.live_slot()
        return {
            "live_slot": live,
            "live_release": self.layout.release_in(live),
            "slots": {slot: self.layout.release_in(slot) for slot in SLOTS},
            "healthy": bool(live) and self.host.running(live),
            "unfinished": journal.unfinished(entries),
            "last": entries[-1] if entries else None,
            "lock": journal.read_lock(self.layout.lock),
        }

    # What changes it

    def begin(self, release: str, operator: str) -> dict | None:
        """Journal that a run begins; a run that never ended is taken back first and returned."""
        unfinished = journal.unfinished(journal.read(self.layout.journal))
        if unfinished and unfinished["run"] != self.run_id:
            self._go_back(unfinished)
        if unfinished is None or unfinished["run"] != self.run_id:
            live = self.layout.live_slot()
            self._note(
                "begun", release, operator=operator, live_slot=live, live_release=self.layout.release_in(live)
            )
        return unfinished

    def stage(self, release: str, artifact: Artifact, *, python: str, uv: str) -> str:
        """Put the release into the idle slot, complete and without starting anything; returns the slot."""
        self._refuse_other_artifact(release, artifact.sha256)
        slot = self.layout.idle_slot()
        self.host.stop(slot)
        self._make_venv(artifact, python, uv)
        if not self.layout.manifest(release):
            self._unpack(release, artifact, uv)
        for service, text in self._wanted(slot, release):
            path = self.layout.environment(slot, service.name)
            write_atomically(path, text, mode=0o640, uid=0, gid=self.group_id)
        self.layout.slot(slot).parent.mkdir(parents=True, exist_ok=True)
        link_atomically(self.layout.slot(slot), f"../releases/{release}")
        self._note("staged", release, slot=slot)
        return slot

    def promote(self, release: str) -> str:
        """Make the staged release live; the one before keeps its slot, stopped. Returns the slot."""
        slot = self._slot_of(release)
        self.host.make_live(slot)
        self._note("promoted", release, slot=slot)
        return slot

    def revert(self) -> dict | None:
        """Take the unfinished run back; returns its `begun` entry, or None where there is none."""
        unfinished = journal.unfinished(journal.read(self.layout.journal))
        if unfinished:
            self._go_back(unfinished)
        return unfinished

    def finish(self, release: str) -> None:
        """Journal that this run succeeded here."""
        self._note("finished", release, slot=self.layout.live_slot())

    def prunable(self, keep: int) -> list[Path]:
        """Releases and virtual environments nothing needs: in no slot, not among the last `keep` good ones."""
        good = journal.finished_releases(journal.read(self.layout.journal))
        kept = set(good[-keep:] if keep > 0 else []) | {self.layout.release_in(slot) for slot in SLOTS}
        releases = [path for path in _directories(self.layout.releases) if path.name not in kept]
        venvs = {self.layout.manifest(name).get("venv") for name in kept if name}
        return releases + [path for path in _directories(self.layout.root / "venvs") if path.name not in venvs]

    def prune(self, keep: int) -> None:
        for path in self.prunable(keep):
            shutil.rmtree(path)

    # How

    def _slot_of(self, release: str) -> str:
        # The journal first: where only the environment changed, both slots hold the release.
        entries = journal.read(self.layout.journal)
        staged = [entry.get("slot") for entry in entries if _is(entry, "staged", self.run_id, release)]
        for slot in (*staged[-1:], self.layout.idle_slot(), self.layout.live_slot()):
            if slot and self.layout.release_in(slot) == release:
                return slot
        raise ParityError(f"release {release} is in no slot on this host, so it cannot be promoted. Stage it first.")

    def _go_back(self, begun: dict) -> None:
        """The one way back: what was live when the run began is live again, and the other slot is stopped."""
        slot = begun.get("live_slot")
        if slot is None:
            self.host.make_none_live()
        else:
            self.host.make_live(slot)
        entry = {"run": begun["run"], "phase": "reverted", "release": begun.get("release"), "slot": slot}
        journal.append(self.layout.journal, {**entry, "by": self.run_id})

    def _note(self, phase: str, release: str, **more: object) -> None:
        journal.append(self.layout.journal, {"run": self.run_id, "phase": phase, "release": release, **more})

    def _environment(self, service: Service) -> str:
        path = self.layout.environment(self.layout.live_slot() or SLOTS[0], service.name)
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _wanted(self, slot: str, release: str) -> list[tuple[Service, str]]:
        return [(service, environment_file(service, slot, release)) for service in self.host.services]

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
        if (path / ".complete").exists():
            return
        shutil.rmtree(path, ignore_errors=True)
        wheels = path.with_name(f".{path.name}.wheels")
        shutil.rmtree(wheels, ignore_errors=True)
        _unpack(artifact.wheels, wheels)
        self._uv(uv, ["venv", "--quiet", "--python", python, str(path)])
        self._uv(uv, [
            "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels), "--require-hashes",
            "--compile-bytecode", "--link-mode", "copy", "--python", str(path / "bin/python"),
            "-r", str(wheels / "requirements.lock"),
        ])  # fmt: skip
        shutil.rmtree(wheels)
        (path / ".complete").touch()

    def _unpack(self, release: str, artifact: Artifact, uv: str) -> None:
        """Unpack the application beside its final place and rename it there once it is complete."""
        partial = self.layout.release(f".{release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self.layout.release(release), ignore_errors=True)
        _unpack(artifact.application, partial)
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
            raise ParityError(f"uv {words[0]} {words[1]} failed: {(err.strip() or out.strip())[-2000:]}")


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


def _directories(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink())


def _is(entry: dict, phase: str, run: str, release: str) -> bool:
    return (entry.get("phase"), entry.get("run"), entry.get("release")) == (phase, run, release)


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _changed_names(before: str, after: str) -> list[str]:
    old, new = _pairs(before), _pairs(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _shown(service: Service, text: str, before: dict[str, str]) -> list[str]:
    """The lines of an environment file with every value left out that is not known to be a setting."""
    lines = []
    settings = {*service.environment, service.port_variable, "APP_RELEASE", "APP_SLOT"} - service.secrets.keys()
    for name, value in _pairs(text).items():
        if name not in settings:
            changed = bool(before) and before.get(name) != value
            value = "(secret, changed)" if changed else "(secret)"
        lines.append(f"{service.name}: {name}={value}\n")
    return lines
