# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tar files a host can install a release from without a network: the application, and the wheels it depends on."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import lock_lines
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.layout import read as read_text

try:
    from packaging.utils import canonicalize_name
except ImportError:  # said by lock_file
    canonicalize_name = None

#: Runs a command (a list of words) and returns (return code, standard output, standard error).
Runner = Callable[[list[str]], "tuple[int, str, str]"]

#: Name of the lock file in a tar.
LOCK = "requirements.lock"

_NOT_SOURCE = {"__pycache__", "build", "dist", "node_modules", "venv"}


@dataclass(frozen=True)
class Source:
    """What a release is built from.

    `application` is a wheel, a directory, or what pip can build a wheel from (a URL, `git+https://...@v1.4.2`); `lock`
    a requirements file with hashes; `migrations` a directory of SQL files, or None.
    """

    application: str
    lock: Path
    migrations: Path | None = None

    def check(self) -> None:
        """Raise ParityError for what does not exist, all of it together."""
        missing = [f"the lock file {self.lock}"] if not self.lock.is_file() else []
        if self.migrations and not self.migrations.is_dir():
            missing.append(f"the directory of migrations {self.migrations}")
        if not self._remote and not Path(self.application).exists():
            missing.append(f"the application {self.application}")
        if missing:
            raise ParityError(
                f"not found on the control node: {', '.join(missing)}. Build the artifact first, or correct the "
                "inventory (stack_application, stack_application_lock, stack_application_migrations)."
            )
        lock_file.load(self.lock)

    @cached_property
    def sha256(self) -> str:
        """Identifies the content: the same source gives the same digest on every machine."""
        digest = hashlib.sha256()
        for part in (self._application_files(), {"lock": self.lock}, _files_below(self.migrations)):
            for name, path in sorted(part.items()):
                digest.update(f"{name}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        if self._remote:
            digest.update(self.application.encode())
        return digest.hexdigest()

    @property
    def _remote(self) -> bool:
        return "://" in self.application

    def _application_files(self) -> dict[str, Path]:
        if self._remote:
            return {}
        path = Path(self.application)
        return {path.name: path} if path.is_file() else _files_below(path)


def read_migrations(folder: Path | None) -> list[dict[str, str]]:
    """Names and texts of the SQL files of a directory, or of the revisions of an Alembic project, sorted by name."""
    if folder is None:
        return []
    paths = sorted((folder / "versions").glob("*.py") if (folder / "env.py").is_file() else folder.glob("*.sql"))
    return [{"file": path.name, "sql": read_text(path)} for path in paths]


def build_application(run: Runner, pip: list[str], source: Source, to: Path) -> None:
    """Write the application's tar: `wheel/*.whl`, `requirements.lock`, `migrations/`."""
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        work = Path(folder)
        (work / "wheel").mkdir()
        if source.application.endswith(".whl") and "://" not in source.application:
            shutil.copy(source.application, work / "wheel")
        else:
            _run(run, [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(work / "wheel"), source.application])
        shutil.copy(source.lock, work / LOCK)
        if source.migrations:
            shutil.copytree(source.migrations, work / "migrations", ignore=shutil.ignore_patterns(".*"))
        _pack(work, to)


def build_wheels(run: Runner, pip: list[str], lock: Path, python_version: str, machine: str, to: Path) -> None:
    """Write the tar with every wheel of the lock file that one exact Python needs, and the lock file itself.

    Nothing is resolved: pip gets the lock's own lines, with the lock's own hashes. Markers are asked for the target's full Python
    version, because one may tell 3.11.2 from 3.11.7.
    """
    read = lock_file.load(lock)
    pins = lock_file.needed(read.pins, lock_file.environment(python_version, machine))
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        wanted, downloads = Path(folder) / "wanted.txt", Path(folder) / "wheels"
        downloads.mkdir()
        wanted.write_text("\n".join([*read.places, *(pin.requirement for pin in pins)]) + "\n", encoding="utf-8")
        short = "".join(python_version.split(".")[:2])
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 37)] + [f"manylinux2014_{machine}"]
        words = [
            *pip, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest",
            str(downloads), "--python-version", short, "--implementation", "cp", "--abi", f"cp{short}", "--abi", "abi3",
            "--abi", "none",
            *(word for name in platforms for word in ("--platform", name)), "--requirement", str(wanted),
        ]  # fmt: skip
        code, out, err = run(words)
        if code != 0:
            raise ParityError(_refused_download(lock, pins, err.strip() or out.strip()))
        missing = _without_wheel(pins, downloads)
        if missing:
            raise ParityError(f"pip has downloaded no wheel with a hash of {lock.name} for {', '.join(missing)}. Make the lock file again.")
        shutil.copy(lock, downloads / LOCK)
        _pack(downloads, to)


def pack_wheelhouse(wheelhouse: Path, lock: Path, python_version: str, machine: str, to: Path) -> None:
    """The same tar from a directory of wheels somebody prepared, for control nodes without a package index.

    Raises ParityError where it lacks a wheel that the target needs, by its hash. What the lock file does not name is left out.
    """
    if not wheelhouse.is_dir():
        raise ParityError(f"the wheelhouse {wheelhouse} is no directory. Name the one with the wheels of {lock}.")
    pins = lock_file.needed(lock_file.load(lock).pins, lock_file.environment(python_version, machine))
    missing = _without_wheel(pins, wheelhouse)
    if missing:
        raise ParityError(
            f"the wheelhouse {wheelhouse} has no wheel with a hash of {lock.name} for {', '.join(missing)}. Add "
            f"{'it' if len(missing) == 1 else 'them'} (pip download --no-deps --require-hashes -r {lock.name}) and run this again."
        )
    named = {one for pin in pins for one in pin.hashes}
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        for wheel in wheelhouse.glob("*.whl"):
            if lock_lines.matches(wheel.read_bytes(), named):
                shutil.copy(wheel, folder)
        shutil.copy(lock, Path(folder) / LOCK)
        _pack(Path(folder), to)


def wheels_problem(packed: Path, lock: Path, python_version: str, machine: str) -> str:
    """Why a tar that was packed before cannot be used; empty where it holds exactly what the lock file names."""
    pins = lock_file.needed(lock_file.load(lock).pins, lock_file.environment(python_version, machine))
    named = {one for pin in pins for one in pin.hashes}
    found: set[str] = set()
    try:
        with tarfile.open(packed) as tar:
            for member in tar:
                content = tar.extractfile(member).read()
                if member.name == LOCK:
                    if content != lock.read_bytes():
                        return "it was made from another lock file"
                else:
                    has = lock_lines.digests(content, named)
                    if not has:
                        return f"{member.name} has no hash of the lock file"
                    found |= has
    except (OSError, tarfile.TarError, AttributeError) as error:
        return f"it cannot be read ({error})"
    missing = [pin.name for pin in pins if not pin.hashes & found]
    return f"it has no wheel of {', '.join(missing)}" if missing else ""


def _without_wheel(pins: list[lock_file.Pin], folder: Path) -> list[str]:
    """The packages of which no file in a folder has a hash."""
    named = {one for pin in pins for one in pin.hashes}
    there = {one for path in folder.glob("*.whl") for one in lock_lines.digests(path.read_bytes(), named)}
    return sorted({pin.name for pin in pins if not pin.hashes & there})


def _refused_download(lock: Path, pins: list[lock_file.Pin], said: str) -> str:
    """What pip refuses, in plain words, with pip's own at the end."""
    name = next((found[1] for found in re.finditer(r"(?m)^\s+([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==\S+ from ", said)), "")
    if "DO NOT MATCH THE HASHES" in said:
        pin = next((pin for pin in pins if pin.name == canonicalize_name(name)), None)
        what = f"{pin.name} {pin.version} (line {pin.line})" if pin else "a package"
        return (
            f"no file of {what} has a hash of {lock.name}: the lock file is wrong, or somebody has changed the file. Nothing was "
            f"packed. Find out which; a lock file is made again with: {lock_file.MAKE}\npip says: {said[-1500:]}"
        )
    if "No matching distribution" in said:
        return (
            f"pip finds no wheel that fits for a package of {lock.name}. Build a wheel of it, pin that one with its hash, and name its "
            f"directory as release_wheelhouse.\npip says: {said[-1500:]}"
        )
    return f"the wheels of {lock.name} cannot be downloaded on the control node:\n{said[-3000:]}"


def _pack(folder: Path, to: Path) -> None:
    """Tar a folder so that the same content gives the same bytes, whole or not at all."""
    partial = to.with_name(f".{to.name}.partial")
    with tarfile.open(partial, "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                member = tarfile.TarInfo(str(path.relative_to(folder)))
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
    partial.replace(to)


def _files_below(path: Path | None) -> dict[str, Path]:
    if path is None:
        return {}
    files = {}
    for entry in path.rglob("*"):
        parts = entry.relative_to(path).parts
        if entry.is_file() and not any(map(_made_by_a_build, parts)):
            files["/".join(parts)] = entry
    return files


def _made_by_a_build(part: str) -> bool:
    return part in _NOT_SOURCE or part.startswith(".") or part.endswith(".egg-info")


def _run(run: Runner, words: list[str]) -> None:
    code, out, err = run(words)
    if code != 0:
        reason = (err.strip() or out.strip())[-3000:]
        raise ParityError(f"{' '.join(words[:6])} ... failed on the control node:\n{reason}")
