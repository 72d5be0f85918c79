# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of lock file becomes requirements with hashes, and passes the one strict reader (`lock_file`)."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import lock_lines
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file, pylock
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.lock_file import Lock, Pin

try:
    from packaging.utils import canonicalize_version, parse_wheel_filename
except ImportError:  # said by lock_file
    canonicalize_version = parse_wheel_filename = None

#: The hashes of a package by its name and its version, as they compare.
Hashes = dict[tuple[str, str], frozenset[str]]
#: Runs a command (a list of words) and returns (return code, standard output, standard error).
Runner = Callable[[list[str]], "tuple[int, str, str]"]

ALLOW = "stack_lock_without_hashes: true"
UNPROVED = "the lock file has no hashes: what is installed is not proved to be what was locked"
_HASH = "uv pip compile --universal --generate-hashes {name} -o requirements.lock"
_POETRY = "uvx --from poetry --with poetry-plugin-export poetry export --format requirements.txt --output requirements.lock"
_WHEELHOUSE = "Build a wheel of it, and pin that with its hash in a wheelhouse"
#: Python and machine that a lock file is read for before any host is known.
ANY = ("3.11.2", "x86_64")


@dataclass(frozen=True)
class Context:
    """What a lock file is read with.

    `application` is the application's directory, where it is one; `python_version` and `machine` are the target's; `allowed` says that
    a lock file may be without hashes; `wheelhouse` is a directory of wheels that stands in for the index.
    """

    run: Runner
    uv: str
    application: Path | None = None
    python_version: str = ANY[0]
    machine: str = ANY[1]
    allowed: bool = False
    wheelhouse: Path | None = None


@dataclass(frozen=True)
class Read:
    """A lock file as it was read. `text` are requirements, `proved` says whether each package had a hash."""

    lock: Lock
    text: str
    proved: bool


def problems(path: Path, context: Context) -> list[str]:
    """What is wrong with a lock file, each with what to do; empty where nothing is. Asks no index."""
    if not path.is_file():
        return lock_file.problems(path)
    try:
        read(path, context)
    except ParityError as error:
        return error.details.get("problems", [str(error)])
    return []


def prepare(path: Path, context: Context, to: Path) -> tuple[Path, bool]:
    """Requirements with hashes of a lock file, as a file, and whether the lock file had the hashes itself.

    A requirements file with hashes is taken as it is. Otherwise the result is written to the directory `to`.
    """
    found = read(path, context)
    if not found.proved:
        found = replace(found, lock=_with_hashes(found.lock, path.name, context, to), text="")
    if found.text:
        return path, True
    written = to / f"{path.name}.txt"
    written.write_text(found.lock.written, encoding="utf-8")
    lock_file.load(written)
    return written, found.proved


def read(path: Path, context: Context) -> Read:
    """Read a lock file of any kind. Raises ParityError, with all that is wrong as `problems`."""
    if pylock.is_one(path.name):
        target = lock_file.environment(context.python_version, context.machine)
        pins = pylock.read(path, target, _own(path, context))
        return _judged(Lock(tuple(pins)), path.name, "", context)
    export = _EXPORTS.get(path.name)
    text = export(path, context) if export else lock_file.text_of(path)
    name = f"{path.name} as requirements" if export else path.name
    # What a tool exports has no entry of the project any more: each directory in it is another one.
    kept = _without_project(text, name, path, context.application, set() if export else _own(path, context))
    lock = lock_file.read(kept, name, without_hashes=True)
    return _judged(lock, path.name, "" if export or kept != text else text, context)


def _judged(lock: Lock, name: str, text: str, context: Context) -> Read:
    without = [pin for pin in lock.pins if not pin.hashes]
    if not without:
        return Read(lock, text, True)
    if context.allowed:
        return Read(lock, text, False)
    which = "has no hashes" if len(without) == len(lock.pins) else f"has no hashes of {', '.join(pin.name for pin in without)}"
    of_tool = pylock.is_one(name) or name in _EXPORTS
    made = "Make the lock file again from an index that has them" if of_tool else f"Make them: {_HASH.format(name=shlex.quote(name))}"
    words = f"{name} {which}, so nobody can check what it installs. {made}. Or install it without that proof: {ALLOW}"
    raise ParityError(words, problems=[words])


def _own(path: Path, context: Context) -> set[Path]:
    """The directories whose entry in a lock file is the project itself: of a workspace, the member that is the application."""
    folder, application = path.parent.resolve(), context.application.resolve() if context.application else None
    if application is None:
        return {folder}
    return {application} if application.is_relative_to(folder) else {folder, application}


def _export_of_uv(path: Path, context: Context) -> str:
    """What uv itself makes of its lock file, without asking an index and without the groups for development."""
    project = _project_of(path, context)
    if not (project / "pyproject.toml").is_file():
        raise ParityError(f"{path.name} needs the pyproject.toml it was made from, and {project} has none. Name the one in the project.")
    code, out, err = context.run([
        context.uv, "--offline", "--no-cache", "--no-python-downloads", "export", "--project", str(project), "--frozen",
        "--no-emit-project", "--no-default-groups", "--format", "requirements-txt", "--no-header", "--no-annotate",
    ])  # fmt: skip
    if code != 0:
        said = " ".join(err.split())[-1500:]
        raise ParityError(f"{path.name} cannot be exported by uv on the control node. Make it again: uv lock. uv says: {said}")
    return out


def _project_of(path: Path, context: Context) -> Path:
    """The project a lock file is exported for: the application, which may be a member of the workspace that the lock file is of."""
    folder, application = path.parent.resolve(), context.application.resolve() if context.application else None
    is_member = application is not None and application.is_relative_to(folder) and (application / "pyproject.toml").is_file()
    return application if is_member else folder


def _export_of_poetry(path: Path, context: Context) -> str:
    poetry = commands.beside_python("poetry")
    if poetry is None:
        raise ParityError(
            f"{path.name} needs poetry with its export plug-in, and the control node has no poetry. Make a requirements file, and "
            f"name it: {_POETRY}"
        )
    words = [poetry, "--no-interaction", "--directory", str(path.parent.resolve()), "export", "--format", "requirements.txt"]
    code, out, err = context.run(words)
    if code != 0:
        said = " ".join((err or out).split())[-600:]
        raise ParityError(
            f"{path.name} cannot be exported by poetry on the control node. Make a requirements file, and name it: {_POETRY}. "
            f"poetry says: {said}"
        )
    return out


_EXPORTS = {"uv.lock": _export_of_uv, "poetry.lock": _export_of_poetry}


def _without_project(text: str, name: str, path: Path, application: Path | None, own: set[Path]) -> str:
    """The text without the entry of the project itself. Raises ParityError for other directories, such as members of a workspace."""
    bases = [path.parent, *([application] if application else [])]
    directories = {number: found for number, line in lock_lines.logical_lines(text) if (found := _directory(line)) is not None}
    mine = {number for number, found in directories.items() if any((base / found).resolve() in own for base in bases)}
    others = [
        f"{name}, line {number}: {found} is a directory of this machine, which no host has. {_WHEELHOUSE}"
        for number, found in directories.items()
        if number not in mine
    ]
    if others:
        raise ParityError("; ".join(others), problems=others)
    # Empty lines, so that the lines after them keep their numbers.
    return "\n".join("" if number in mine else line for number, line in enumerate(text.split("\n"), 1)) if mine else text


def _directory(line: str) -> str | None:
    """The directory that a logical line names instead of a package; None for every other line."""
    found = re.fullmatch(
        r"(?:(?:-e|--editable)[ =]?\s*)?(?P<place>(?:file:(?://)?)?[./][^\s;\[]*|file:)(?:\[[^\]]*\])?(?:\s*;.*|\s+--hash.*)?", line
    )
    if not found or found["place"].endswith((".whl", ".tar.gz", ".zip")):
        return None
    return re.sub(r"^file:(//)?", "", found["place"]) or "."


def _with_hashes(lock: Lock, name: str, context: Context, to: Path) -> Lock:
    """The same packages, as far as the target needs them, with the hashes that the index or the wheelhouse has for them now."""
    pins = lock_file.needed(lock.pins, lock_file.environment(context.python_version, context.machine))
    bare = [replace(pin, marker="") for pin in pins if not pin.hashes]
    hashed = _hashes_of_wheelhouse(context.wheelhouse) if context.wheelhouse else _hashes_of_index(lock, bare, name, context, to)
    return Lock(tuple(_hashed(pin, hashed, name) for pin in pins), lock.places)


def _hashes_of_index(lock: Lock, pins: list[Pin], name: str, context: Context, to: Path) -> Hashes:
    asked = to / "without-hashes.txt"
    asked.write_text("".join(f"{line}\n" for line in [*lock.places, *(pin.written for pin in pins)]), encoding="utf-8")
    code, out, err = context.run([
        context.uv, "--no-config", "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate",
        "--python-version", context.python_version.rstrip("+"), "--python-platform", f"{context.machine}-manylinux_2_36",
        "--only-binary", ":all:", str(asked),
    ])  # fmt: skip
    if code != 0:
        raise ParityError(f"uv finds no hashes for the packages of {name}. uv says: {' '.join(err.split())[-1500:]}")
    return {(pin.name, canonicalize_version(pin.version)): pin.hashes for pin in lock_file.read(out, name, without_hashes=True).pins}


def _hashes_of_wheelhouse(folder: Path) -> Hashes:
    found: dict[tuple[str, str], set[str]] = {}
    for path in folder.glob("*.whl"):
        package, version = parse_wheel_filename(path.name)[:2]
        found.setdefault((package, canonicalize_version(version)), set()).add(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    return {key: frozenset(hashes) for key, hashes in found.items()}


def _hashed(pin: Pin, hashed: Hashes, name: str) -> Pin:
    hashes = pin.hashes or hashed.get((pin.name, canonicalize_version(pin.version)))
    if not hashes:
        raise ParityError(f"there is no hash of {pin.name} {pin.version}, which {name} names. Correct its version, or add its wheel.")
    return replace(pin, hashes=hashes)
