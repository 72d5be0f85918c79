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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Runs a command (a list of words) and returns (return code, standard output, standard error).
Runner = Callable[[list[str]], "tuple[int, str, str]"]

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
        if "--hash=" not in self.lock.read_text(encoding="utf-8"):
            raise ParityError(
                f"{self.lock} has no hashes, so nobody can tell what it installs. Make it with: "
                "uv pip compile --universal --generate-hashes pyproject.toml -o requirements.lock"
            )

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
    return [{"file": path.name, "sql": path.read_text(encoding="utf-8")} for path in paths]


def venv_key(lock: Path, python_version: str, machine: str) -> str:
    """Names the virtual environment that a lock file makes with one exact Python on one machine type."""
    digest = hashlib.sha256(lock.read_bytes())
    digest.update(f"{python_version} {machine}".encode())
    return digest.hexdigest()[:16]


def build_application(run: Runner, pip: list[str], source: Source, to: Path) -> None:
    """Write the application's tar: `wheel/*.whl`, `requirements.lock`, `migrations/`."""
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        work = Path(folder)
        (work / "wheel").mkdir()
        if source.application.endswith(".whl") and "://" not in source.application:
            shutil.copy(source.application, work / "wheel")
        else:
            _run(run, [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(work / "wheel"), source.application])
        shutil.copy(source.lock, work / "requirements.lock")
        if source.migrations:
            shutil.copytree(source.migrations, work / "migrations", ignore=shutil.ignore_patterns(".*"))
        _pack(work, to)


def build_wheels(run: Runner, pip: list[str], uv: str, lock: Path, python_version: str, machine: str, to: Path) -> None:
    """Write the tar with every wheel of the lock file for one exact Python, and the lock file itself.

    The list is resolved for the target's full Python version: an environment marker may tell 3.11.2 from 3.11.7.
    """
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        work = Path(folder)
        wanted, downloads = work / "wanted.txt", work / "wheels"
        platform = f"{machine}-unknown-linux-gnu"
        _run(run, [
            uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--no-deps",
            "--python-version", python_version, "--python-platform", platform, "--output-file", str(wanted), str(lock),
        ])  # fmt: skip
        short = "".join(python_version.split(".")[:2])
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 37)] + [f"manylinux2014_{machine}"]
        _run(run, [
            *pip, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest",
            str(downloads), "--python-version", short, "--implementation", "cp", "--abi", f"cp{short}", "--abi", "abi3",
            "--abi", "none",
            *(word for name in platforms for word in ("--platform", name)), "--requirement", str(wanted),
        ])  # fmt: skip
        shutil.copy(wanted, downloads / "requirements.lock")
        _pack(downloads, to)


def pack_wheelhouse(wheelhouse: Path, lock: Path, to: Path) -> None:
    """The same tar from a directory of wheels somebody prepared, for control nodes without a package index.

    Raises ParityError where it lacks a wheel the lock file names (with a marker, a package may not be needed), by its hash.
    """
    if not wheelhouse.is_dir():
        raise ParityError(f"the wheelhouse {wheelhouse} is no directory. Name the one with the wheels of {lock}.")
    there = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheelhouse.glob("*.whl")}
    missing = [name for name, hashes in _needed(lock.read_text(encoding="utf-8")) if not hashes & there]
    if missing:
        raise ParityError(
            f"the wheelhouse {wheelhouse} has no wheel with a hash of {lock.name} for {', '.join(missing)}. Add "
            f"{'it' if len(missing) == 1 else 'them'} (pip download --no-deps --require-hashes -r {lock.name}) and run this again."
        )
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        for wheel in wheelhouse.glob("*.whl"):
            shutil.copy(wheel, folder)
        shutil.copy(lock, Path(folder) / "requirements.lock")
        _pack(Path(folder), to)


def _needed(lock: str) -> Iterator[tuple[str, set[str]]]:
    """The packages of a lock file that are needed everywhere, with the SHA-256 of each of their files."""
    for line in lock.replace("\\\n", " ").splitlines():
        found = re.match(r"\s*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==[^;#]*", line)
        if found and ";" not in line:
            yield found[1], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))


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
