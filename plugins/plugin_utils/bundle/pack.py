# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tar files a host can install a release from without a network: the application, and the wheels it depends on."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import lock_lines
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file, source_files
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.fetching import Runner
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.layout import read as read_text

try:
    from packaging.utils import canonicalize_name, canonicalize_version
except ImportError:  # said by lock_file
    canonicalize_name = canonicalize_version = None


#: What pip says of an index that it does not reach.
_UNREACHED = re.compile(r"NewConnectionError|connection broken|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries exceeded")


@dataclass(frozen=True)
class Tools:
    """How commands run on the control node, and the words that start pip and uv there."""

    run: Runner
    pip: list[str]
    uv: str


@dataclass(frozen=True)
class Target:
    """What wheels are packed for: the full version of its Python (`3.11.2`) and its machine type (`x86_64`)."""

    python_version: str
    machine: str

    def needed(self, pins: tuple[lock_file.Pin, ...]) -> list[lock_file.Pin]:
        """The packages it needs: a marker may tell 3.11.2 from 3.11.7."""
        return lock_file.needed(pins, lock_file.environment(self.python_version, self.machine))

    @property
    def short(self) -> str:
        return "".join(self.python_version.split(".")[:2])

    @property
    def platforms(self) -> list[str]:
        """Every kind of wheel that glibc 2.36 (Debian 12) runs, as pip names them."""
        return [f"manylinux_2_{minor}_{self.machine}" for minor in range(17, 37)] + [f"manylinux2014_{self.machine}"]


#: Names in an application's tar: the lock file, and what it was made from.
LOCK = "requirements.lock"
DESCRIPTION = "source.json"
#: By which build systems that ask Git for a version take one; the release's name tells versions apart here.
_VERSIONS = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS")
#: The time in a wheel that is built here: the earliest that a zip archive can hold.
_EPOCH = 315532800


@dataclass(frozen=True)
class Source:
    """What a release is built from, all of it on the control node.

    `application` is a wheel, an sdist or a directory; `lock` requirements with hashes, `locked` the lock file they were made from where
    that is another one; `migrations` a directory, or None. `identity` tells a remote source by more than its files: by its commit. For its
    digest alone a source may have no `lock`: one that the commit has. `python` is what the inventory asks for, empty for each host's own:
    another Python makes another release. `modules` are those that processes run.
    """

    application: str
    lock: Path | None
    migrations: Path | None = None
    locked: Path | None = None
    identity: str = ""
    python: str = ""
    modules: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ParityError for what does not exist, all of it together."""
        missing = [f"the lock file {self.lock}"] if self.lock and not self.lock.is_file() else []
        if self.migrations and not self.migrations.is_dir():
            missing.append(f"the directory of migrations {self.migrations}")
        if not self.identity and not Path(self.application).exists():
            missing.append(f"the application {self.application}")
        if missing:
            raise ParityError(
                f"not found on the control node: {', '.join(missing)}. Build the artifact first, or correct the "
                "inventory (stack_application, stack_application_lock, stack_application_migrations)."
            )

    @cached_property
    def sha256(self) -> str:
        """Identifies the content: the same source gives the same digest on every machine."""
        digest = hashlib.sha256()
        locked = self.locked or self.lock
        for part in (self._application_files(), {"lock": locked} if locked else {}, source_files.below(self.migrations)):
            for name, path in sorted(part.items()):
                digest.update(f"{name}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        digest.update(self.identity.encode())
        if self.python:
            digest.update(f"\0Python {self.python}".encode())
        return digest.hexdigest()

    @cached_property
    def artifact(self) -> str:
        """Identifies the application's tar: the content, what has to be in it, and the requirements that were made of the lock file."""
        modules = "".join(f"\0{name}" for name in sorted(self.modules))
        return hashlib.sha256(f"{self.sha256}{modules}".encode() + self.lock.read_bytes()).hexdigest()

    def _application_files(self) -> dict[str, Path]:
        path = Path(self.application)
        if not self.application or path.is_file():
            return {path.name: path} if self.application else {}
        return source_files.below(path)


def read_migrations(folder: Path | None) -> list[dict[str, str]]:
    """Names and texts of the SQL files of a directory, or of the revisions of an Alembic project, sorted by name."""
    if folder is None:
        return []
    paths = sorted((folder / "versions").glob("*.py") if (folder / "env.py").is_file() else folder.glob("*.sql"))
    return [{"file": path.name, "sql": read_text(path)} for path in paths]


def build_application(tools: Tools, source: Source, to: Path, description: dict | None = None) -> None:
    """Write the application's tar: `wheel/*.whl` or, where nothing is built, `app/`; `requirements.lock`, `migrations/`, `source.json`.

    A wheel that is built here is built by pip, which may download what the project needs for building. One that lacks a module which a
    process runs, and which the directory has, is no release: the directory is packed as it is.
    """
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        work = Path(folder) / "tar"
        work.mkdir()
        _put_application(tools, source, work, Path(folder) / "project")
        shutil.copy(source.lock, work / LOCK)
        (work / DESCRIPTION).write_text(json.dumps(description or {}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        source_files.copy(source_files.below(source.migrations), work / "migrations")
        _pack(work, to)


def _put_application(tools: Tools, source: Source, work: Path, project: Path) -> None:
    """Put the application into the directory that becomes the tar. A directory is built in `project`: a copy of what belongs to it."""
    path = Path(source.application)
    if path.is_dir() and not source_files.is_built(path):
        source_files.copy(source_files.below(path), work / "app")
        return
    (work / "wheel").mkdir()
    if path.name.endswith(".whl"):
        shutil.copy(path, work / "wheel")
        return
    if path.is_dir():
        source_files.copy(source_files.below(path), project)
    version = f"0+{source.sha256[:12]}"
    variables = [f"SOURCE_DATE_EPOCH={_EPOCH}", *(f"{name}={version}" for name in _VERSIONS)]
    built = str(project if path.is_dir() else path)
    # The Python of the hosts has to satisfy the application, and this one need not: preflight compares.
    words = ["wheel", "--quiet", "--no-deps", "--ignore-requires-python", "--wheel-dir", str(work / "wheel"), built]
    code, out, err = tools.run(["env", *variables, *tools.pip, *words])
    if code != 0:
        raise ParityError(f"the wheel of the application cannot be built on the control node:\n{(err.strip() or out.strip())[-3000:]}")
    wheel = next((work / "wheel").glob("*.whl"))
    if path.is_dir() and source_files.without(source.modules, path, wheel):
        shutil.rmtree(work / "wheel")
        source_files.copy(source_files.below(path), work / "app")


def directory_remark(source: Source, packed: Path) -> str:
    """What a report says of a project that was packed as a directory all the same; empty for every other source."""
    path = Path(source.application)
    if not path.is_dir() or not source_files.is_built(path):
        return ""
    with tarfile.open(packed) as tar:
        if not any(name.startswith("app/") for name in tar.getnames()):
            return ""
    return "the project's wheel has not every module that a process runs: the release is the directory as it is, and no wheel"


def build_wheels(tools: Tools, lock: Path, target: Target, to: Path) -> None:
    """Write the tar with every wheel of the lock file that the target needs, and the lock file itself.

    Nothing is resolved: pip gets the lock's own lines, with the lock's own hashes.
    """
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        _download(tools, lock, target.needed(lock_file.load(lock).pins), target, Path(folder))
        _pack_wheels(tools, Path(folder), lock, target, to)


def _download(tools: Tools, lock: Path, pins: list[lock_file.Pin], target: Target, to: Path) -> None:
    """Download the wheels of some packages of a lock file. What has none is named all together: pip ends with the first."""
    without: list[str] = []
    while True:
        rest = [pin for pin in pins if pin.name not in without]
        said = _pip_download(tools, lock, rest, target, to)
        lacking = re.search(r"No matching distribution found for ([A-Za-z0-9._-]+)", said)
        name = canonicalize_name(lacking[1]) if lacking and not _UNREACHED.search(said) else ""
        if name not in {pin.name for pin in rest}:
            break
        without.append(name)
    if without:
        raise ParityError(_without_wheels([pin for pin in pins if pin.name in without]))
    if said:
        raise ParityError(_refused_download(lock, pins, said))
    missing = _without_wheel(pins, to)
    if missing:
        raise ParityError(f"pip has downloaded no wheel with a hash of {lock.name} for {', '.join(missing)}. Make the lock file again.")


def _pip_download(tools: Tools, lock: Path, pins: list[lock_file.Pin], target: Target, to: Path) -> str:
    """What pip says where it fails; empty where it has downloaded the wheels."""
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text("\n".join([*lock_file.load(lock).places, *(pin.requirement for pin in pins)]) + "\n", encoding="utf-8")
        code, out, err = tools.run([
            *tools.pip, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(to),
            "--python-version", target.short, "--implementation", "cp",
            *(word for name in (f"cp{target.short}", "abi3", "none") for word in ("--abi", name)),
            *(word for name in target.platforms for word in ("--platform", name)),
            "--requirement", str(wanted),
        ])  # fmt: skip
    return (err.strip() or out.strip() or f"exit status {code}") if code != 0 else ""


def pack_wheelhouse(tools: Tools, wheelhouse: Path, lock: Path, target: Target, to: Path) -> None:
    """The same tar, where a directory of wheels that somebody prepared comes before the package index.

    Raises ParityError where neither has a wheel that the target needs, by its hash. What the lock file does not name is left out.
    """
    if not wheelhouse.is_dir():
        raise ParityError(f"the wheelhouse {wheelhouse} is no directory. Name the one with the wheels of {lock}.")
    pins = target.needed(lock_file.load(lock).pins)
    missing = _without_wheel(pins, wheelhouse)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        for wheel in wheelhouse.glob("*.whl"):
            if lock_lines.digests(wheel.read_bytes(), _hashes(pins)):
                shutil.copy(wheel, folder)
        try:
            if missing:
                _download(tools, lock, [pin for pin in pins if pin.name in missing], target, Path(folder))
        except ParityError as error:
            names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} others" if missing[5:] else "")
            raise ParityError(
                f"{error}\nThe wheelhouse {wheelhouse} has no wheel with a hash of {lock.name} for {names}. Where the index cannot be "
                f"reached, add {'it' if len(missing) == 1 else 'them'} (pip download --no-deps --require-hashes -r {lock.name})."
            ) from None
        _pack_wheels(tools, Path(folder), lock, target, to)


def _pack_wheels(tools: Tools, wheels: Path, lock: Path, target: Target, to: Path) -> None:
    """Tar wheels with their lock file, once each has a hash of it and uv would install exactly what the target needs from them."""
    named = _hashes(target.needed(lock_file.load(lock).pins))
    others = [wheel.name for wheel in sorted(wheels.iterdir()) if not lock_lines.digests(wheel.read_bytes(), named)]
    if others:
        raise ParityError(f"{', '.join(others)} has no hash of {lock.name}. Nothing was packed. Run this again.")
    shutil.copy(lock, wheels / LOCK)
    _refuse_what_uv_does_not_install(tools, wheels, lock, target)
    _pack(wheels, to)


def _refuse_what_uv_does_not_install(tools: Tools, wheels: Path, lock: Path, target: Target) -> None:
    """Ask uv, which installs on the host, what it would install there. Raises ParityError where that is not what the lock file pins.

    It sees what hashes do not tell: a wheel for another kind of machine, a dependency that the lock file does not name.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        code, out, err = tools.run([
            tools.uv, "--no-cache", "--no-config", "--offline", "pip", "install", "--dry-run", "--no-index", "--find-links", str(wheels),
            "--require-hashes", "--python", sys.executable, "--target", nowhere, "--python-version",
            target.python_version.rstrip("+"), "--python-platform", f"{target.machine}-manylinux_2_36", "-r", str(wheels / LOCK),
        ])  # fmt: skip
    if code != 0:
        said = " ".join(re.sub(r"(?m)^Using .*$", "", err or out).split())
        raise ParityError(
            f"{lock.name} cannot be installed with Python {target.python_version} on {target.machine}. Nothing was packed. Make the lock "
            f"file again: {lock_file.MAKE}\nuv says: {said[-1500:]}"
        )
    would = {_normal(*found) for found in re.findall(r"(?m)^ \+ (\S+?)==(\S+)$", out + err)}
    wanted = {_normal(pin.name, pin.version) for pin in target.needed(lock_file.load(lock).pins)}
    if would != wanted:
        differ = ", ".join(sorted(f"{name} {version}" for name, version in would ^ wanted))
        raise ParityError(
            f"uv would not install exactly what {lock.name} names for Python {target.python_version} on {target.machine}: it differs in "
            f"{differ}. Nothing was packed. Make the lock file again: {lock_file.MAKE}"
        )


def _normal(name: str, version: str) -> tuple[str, str]:
    return canonicalize_name(name), canonicalize_version(version)


def wheels_problem(packed: Path, lock: Path, target: Target) -> str:
    """Why a tar that was packed before cannot be used; empty where it holds exactly what the lock file names."""
    pins = target.needed(lock_file.load(lock).pins)
    named, found = _hashes(pins), set()
    try:
        for name, content in _members(packed, lock):
            hashes = lock_lines.digests(content, named)
            if not hashes:
                return f"{name} has no hash of the lock file"
            found |= hashes
    except (OSError, ValueError, tarfile.TarError) as error:
        return f"it cannot be used ({error})"
    missing = [pin.name for pin in pins if not pin.hashes & found]
    return f"it has no wheel of {', '.join(missing)}" if missing else ""


def application_problem(packed: Path, lock: Path) -> str:
    """Why an application's tar that was packed before cannot be used; empty where it is whole and has this lock file and a wheel."""
    try:
        names = [name for name, _content in _members(packed, lock)]
    except (OSError, ValueError, tarfile.TarError) as error:
        return f"it cannot be used ({error})"
    there = any(re.match(r"wheel/.*\.whl$|app/", name) for name in names)
    return "" if there else "it has no wheel of the application"


def _members(packed: Path, lock: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a tar but its lock file. Raises ValueError where that is not `lock`, or something is no file."""
    locks = 0
    with tarfile.open(packed) as tar:
        for member in tar:
            if not member.isfile():
                raise ValueError(f"{member.name} is no file")
            content = tar.extractfile(member).read()
            if member.name != LOCK:
                yield member.name, content
                continue
            locks += 1
            if content != lock.read_bytes():
                raise ValueError("it was made from another lock file")
    if locks != 1:
        raise ValueError(f"it has {locks or 'no'} lock file{'s' if locks > 1 else ''}")


def _hashes(pins: list[lock_file.Pin]) -> set[str]:
    return {one for pin in pins for one in pin.hashes}


def _without_wheel(pins: list[lock_file.Pin], folder: Path) -> list[str]:
    """The packages of which no file in a folder has a hash."""
    there = set().union(*(lock_lines.digests(path.read_bytes(), _hashes(pins)) for path in folder.glob("*.whl")))
    return sorted({pin.name for pin in pins if not pin.hashes & there})


def _without_wheels(pins: list[lock_file.Pin]) -> str:
    names = [f"{pin.name}=={pin.version}" for pin in pins]
    one = len(names) == 1
    return (
        f"pip finds no wheel of {', '.join(names)} that fits the target; what exists only as source is not installed. Nothing was packed. "
        f"Build {'a wheel of it' if one else 'wheels of them'} (pip wheel --no-deps --wheel-dir wheels {' '.join(names)}), add what pip "
        f"hash says of {'it to its line' if one else 'each to its line'} in requirements with hashes, and name the directory as "
        "release_wheelhouse; the other wheels are downloaded."
    )


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
    if _UNREACHED.search(said):
        return f"the package index cannot be reached from the control node. Nothing was packed.\npip says: {said[-1500:]}"
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
