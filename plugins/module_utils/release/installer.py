# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs a release on one application host: its virtual environment from the lock file's wheels, and the application."""

from __future__ import annotations

import json
import platform
import re
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, last_lines
from ansible_collections.parity.stack.plugins.module_utils.release import commands, journal, lock_lines
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner


@dataclass(frozen=True)
class Artifact:
    """What a release is made of, as files on this host.

    `application` is a tar with the wheel (or the files of an application that is none), the lock file and the migrations, `sha256` the
    digest of what it was made from; `wheels` is a tar with
    every wheel the lock file names, and `venv_key` names the virtual environment they make with this host's Python.
    """

    application: Path
    sha256: str
    wheels: Path
    venv_key: str


class Installer:
    """Puts releases below `layout.root`, owned by root. Nothing there is ever changed: a name stands for one release.

    `python` is the interpreter of the virtual environments and `version` its version, `uv` the binary that makes them, `secrets` what no
    message may hold. `build` has the commands that build a release once its files are there.
    """

    def __init__(
        self,
        layout: Layout,
        run: Runner,
        *,
        python: str,
        uv: str,
        version: str = "",
        secrets: Iterable[object] = (),
        build: commands.Build | None = None,
    ) -> None:
        self.layout = layout
        self.run = run
        self.python = python
        self.version = version or platform.python_version()
        self.uv = uv
        self.secrets = list(secrets)
        self.build = build or commands.Build([], "root")

    def install(self, release: str, artifact: Artifact) -> None:
        """What is complete already is left alone. What another artifact left under this name is replaced: it was never live."""
        self._make_venv(artifact)
        manifest = {"release": release, "sha256": artifact.sha256, "venv": artifact.venv_key}
        if built := commands.digest(self.build.commands):
            manifest["build"] = built
        there = self.layout.manifest(release)
        if any(there.get(name) != manifest.get(name) for name in ("sha256", "build")):
            self._unpack(release, artifact)
            self.build.run(self.layout.release(release), self.layout.build(release))
            # Only now is it complete: a release whose build was interrupted has no manifest, and is made anew.
            text = json.dumps({**manifest, "staged": journal.now()}, indent=2) + "\n"
            write_atomically(self.layout.release(release) / "manifest.json", text)

    def _make_venv(self, artifact: Artifact) -> None:
        """Build the virtual environment unless a complete one is there; owned by root, bytecode compiled."""
        path = self.layout.venv(artifact.venv_key)
        if self.layout.has_venv(artifact.venv_key):
            return
        shutil.rmtree(path, ignore_errors=True)
        wheels = path.with_name(f".{path.name}.wheels")
        shutil.rmtree(wheels, ignore_errors=True)
        _unpack(artifact.wheels, wheels)
        _refuse_other_wheels(wheels, artifact, self.version)
        self._run_uv(["venv", "--quiet", "--python", self.python, str(path)])
        self._run_uv([
            "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels), "--require-hashes",
            "--compile-bytecode", "--link-mode", "copy", "--python", str(path / "bin/python"),
            "-r", str(wheels / "requirements.lock"),
        ])  # fmt: skip
        _refuse_other_packages(path, wheels)
        shutil.rmtree(wheels)
        (path / ".lock").unlink(missing_ok=True)  # uv makes it writable for everybody
        (path / ".complete").touch()

    def _unpack(self, release: str, artifact: Artifact) -> None:
        """Unpack the application beside its final place and rename it there once it is complete."""
        partial = self.layout.release(f".{release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self.layout.release(release), ignore_errors=True)
        _unpack(artifact.application, partial)
        _lock_of(partial, artifact, self.version)
        (partial / "venv").symlink_to(f"../../venvs/{artifact.venv_key}")
        if (partial / "wheel").is_dir():
            self._run_uv([
                "pip", "install", "--quiet", "--no-index", "--no-deps", "--compile-bytecode", "--link-mode", "copy",
                "--python", str(partial / "venv/bin/python"), "--target", str(partial / "app"),
                *map(str, (partial / "wheel").glob("*.whl")),
            ])  # fmt: skip
        else:
            self._compile(partial / "app", self.layout.release(release) / "app")
        partial.rename(self.layout.release(release))

    def _compile(self, app: Path, final: Path) -> None:
        """Compile an application that is packed as it is. A file that is for another Python stays: only who imports it needs it."""
        python = app.parent / "venv/bin/python"
        self.run([str(python), "-m", "compileall", "-q", "-s", str(app), "-p", str(final), str(app)])

    def _run_uv(self, words: list[str]) -> None:
        code, out, err = self.run([self.uv, "--no-cache", "--no-config", "--offline", *words])
        if code != 0:
            said = last_lines(err.strip() or out, Mask(self.secrets), lines=40)
            advice = " The disk is full. Make room (df -h on the host) and run again." if "os error 28" in said else ""
            raise ParityError(f"uv {words[0]} {words[1]} failed: {said}{advice}")


def _unpack(archive: Path, to: Path) -> None:
    """Unpack the regular files of a tar; Python 3.11.2 has no extraction filter that would refuse the rest."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.is_absolute() or ".." in name.parts:
                    raise ParityError(f"{archive} holds {member.name!r}, which is no plain file below it. Pack it again.")
                path = to / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as target, tar.extractfile(member) as source:
                    shutil.copyfileobj(source, target)
    except (OSError, tarfile.TarError) as error:
        raise ParityError(f"{archive} cannot be unpacked to {to}: {error}. Is the disk full, or the upload cut off?") from error


def _lock_of(unpacked: Path, artifact: Artifact, version: str) -> bytes:
    """The lock file of an unpacked tar. Its digest names the virtual environment, so that no other one can stand in for it."""
    path = unpacked / "requirements.lock"
    lock = path.read_bytes() if path.is_file() else b""
    if lock_lines.venv_key(lock, version, platform.machine()) != artifact.venv_key:
        raise ParityError(
            f"the lock file that came to this host is not the one of {artifact.venv_key}, or was packed for another Python than "
            f"{version}. Nothing was installed. Remove the bundles in the control node's cache and run this again."
        )
    return lock


def _refuse_other_wheels(wheels: Path, artifact: Artifact, version: str) -> None:
    """Every wheel has a hash of the lock file, before anything of it is installed."""
    lock = _lock_of(wheels, artifact, version).decode("utf-8-sig")
    wanted = {one.lower() for _number, line in lock_lines.logical_lines(lock) for one in lock_lines.hashes(line)}
    others = [wheel.name for wheel in sorted(wheels.glob("*.whl")) if not lock_lines.digests(wheel.read_bytes(), wanted)]
    if others:
        raise ParityError(
            f"{', '.join(others)} has no hash of the lock file: somebody has changed it on its way. Nothing was installed. Remove the "
            "bundles in the control node's cache and run this again."
        )


def _refuse_other_packages(venv: Path, wheels: Path) -> None:
    """What is installed is what the wheels are, no more and no less. The control node has packed what the lock file names for this host."""
    wanted = {_package(*wheel.name.split("-")[:2]) for wheel in wheels.glob("*.whl")}
    metadata = [entry.name.removesuffix(".dist-info") for entry in venv.glob("lib/python*/site-packages/*.dist-info")]
    there = {_package(*name.rsplit("-", 1)) for name in metadata}
    if wanted != there:
        differ = ", ".join(sorted(" ".join(one) for one in wanted ^ there))
        raise ParityError(f"the virtual environment {venv} does not hold exactly what the lock file names: {differ}. Run this again.")


def _package(name: str, version: str = "") -> tuple[str, str]:
    """Name and version from the name of a wheel or of its metadata, as they compare: 1.0 is 1, a_b is a-b."""
    release, separator, local = version.lower().replace("_", "+").partition("+")
    return re.sub(r"[-_.]+", "-", name).lower(), re.sub(r"(\.0+)+$", "", release) + separator + local
