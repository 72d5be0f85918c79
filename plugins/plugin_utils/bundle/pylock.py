# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads `pylock.toml`, the lock file of the packaging standard (PEP 751), for one exact Python on Linux."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release.lock_lines import ALGORITHMS
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.lock_file import Pin

try:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
except ImportError:  # said by lock_file
    Marker = None

_WHEELHOUSE = "Build a wheel of it, and pin that with its hash in a wheelhouse"
#: Where a package comes from that is no file of an index.
_ELSEWHERE = {"vcs": "a repository", "archive": "an address"}
_EXACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def is_one(name: str) -> bool:
    """Whether a file has one of the names that the standard gives: pylock.toml, pylock.NAME.toml."""
    return bool(re.fullmatch(r"pylock\.([^.]+\.)?toml", name))


def read(path: Path, target: dict[str, str], own: set[Path]) -> list[Pin]:
    """The packages that a lock file installs on a target (`lock_file.environment`), without groups and extras beyond the default.

    `own` are the directories of the project itself, whose entry is left out. Raises ParityError, with all that is wrong as `problems`.
    """
    content = _content(path)
    whole = _whole_problem(content, target)
    if whole:
        raise ParityError(f"{path.name} {whole}", problems=[f"{path.name} {whole}"])
    context = {**target, "extras": set(), "dependency_groups": set(content.get("default-groups", []))}
    pins, found = [], []
    for entry in content["packages"]:
        try:
            if _is_needed(entry, context) and not _is_own(entry, path.parent, own):
                pins.append(_pin(entry))
        except ParityError as error:
            found.append(str(error))
    found += _twice(pins)
    if found:
        raise ParityError(f"{path.name}: {'; '.join(found)}", problems=[f"{path.name}: {one}" for one in found])
    return pins


def _content(path: Path) -> dict:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ParityError(f"{path.name} is no TOML ({error}). Make it again", problems=[f"{path.name} is no TOML ({error})"]) from None
    packages = content.get("packages")
    if not isinstance(packages, list) or not all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in packages):
        words = f"{path.name} has no list of packages with their names. Make it again: uv export --format pylock.toml -o {path.name}"
        raise ParityError(words, problems=[words])
    return content


def _whole_problem(content: dict, target: dict[str, str]) -> str:
    """Why the lock file as a whole cannot be used for the target; empty where it can."""
    version = content.get("lock-version")
    if not isinstance(version, str) or not re.fullmatch(r"1\.\d+", version):
        return f"has the version {version!r} of the standard. Only 1.0 can be read"
    wrong = _python_problem(content.get("requires-python"), target)
    if wrong:
        return f"{wrong}. Lock for the hosts' Python"
    environments = content.get("environments", [])
    if environments and not any(_holds(marker, target) for marker in environments):
        return f"was made for other machines ({'; '.join(map(str, environments))[:200]}). Lock for Linux and the hosts' Python"
    return ""


def _python_problem(wanted: object, target: dict[str, str]) -> str:
    try:
        fits = wanted is None or SpecifierSet(str(wanted)).contains(target["python_full_version"], prereleases=True)
    except InvalidSpecifier:
        return f"has a requires-python that cannot be judged ({wanted!r})"
    return "" if fits else f"is for Python {wanted}, and the target has {target['python_full_version']}"


def _holds(marker: object, context: dict) -> bool:
    """Whether a marker holds. Raises ParityError where that cannot be judged."""
    if marker is None:
        return True
    if not isinstance(marker, str) or re.search(r"\bplatform_(release|version)\b", marker):
        raise ParityError(f"the marker {marker!r} asks for what nobody knows of the target, and cannot be judged")
    sets = {"extras": set(), "dependency_groups": set()}
    try:
        return Marker(marker).evaluate({**sets, **context}, context="lock_file")
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, ValueError, KeyError, TypeError) as error:
        raise ParityError(f"the marker {marker!r} cannot be judged ({str(error).splitlines()[0]})") from None


def _is_needed(entry: dict, context: dict) -> bool:
    if not _holds(entry.get("marker"), context):
        return False
    wrong = _python_problem(entry.get("requires-python"), context)
    if wrong:
        raise ParityError(f"{entry['name']} {wrong}")
    return True


def _is_own(entry: dict, folder: Path, own: set[Path]) -> bool:
    """Whether an entry is the project itself. Raises ParityError for another directory."""
    there = entry.get("directory")
    if there is None:
        return False
    path = there.get("path") if isinstance(there, dict) else None
    if isinstance(path, str) and (folder / path / there.get("subdirectory", "")).resolve() in own:
        return True
    raise ParityError(f"{entry['name']} comes from the directory {path}, which no host has. {_WHEELHOUSE}")


def _pin(entry: dict) -> Pin:
    name = entry["name"]
    for kind, words in _ELSEWHERE.items():
        if kind in entry:
            raise ParityError(f"{name} comes from {words}. {_WHEELHOUSE}")
    files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
    if not files:
        raise ParityError(f"{name} has no wheel, so it cannot be judged what it installs. Make the lock file again")
    hashes = {one for file in files for one in _hashes(file)}
    return Pin(canonicalize_name(name), _version(entry), frozenset(hashes))


def _hashes(file: object) -> list[str]:
    """The hashes of a file that are long enough to prove anything, as `sha256:...`."""
    named = file.get("hashes") if isinstance(file, dict) else None
    if not isinstance(named, dict):
        return []
    pairs = [(algorithm, str(digest).lower()) for algorithm, digest in named.items() if algorithm in ALGORITHMS]
    return [f"{algorithm}:{digest}" for algorithm, digest in pairs if re.fullmatch(rf"[0-9a-f]{{{ALGORITHMS[algorithm]}}}", digest)]


def _version(entry: dict) -> str:
    """The version of a package; where it is left out, that of its wheels, which is one."""
    version = entry.get("version")
    if version is None:
        versions = {_version_of(wheel) for wheel in entry.get("wheels", [])}
        version = versions.pop() if len(versions) == 1 else None
    if not isinstance(version, str) or not _EXACT.fullmatch(version):
        raise ParityError(f"{entry['name']} has no exact version ({version!r}). Make the lock file again")
    return version


def _version_of(wheel: object) -> str | None:
    place = wheel.get("name") or wheel.get("path") or wheel.get("url") if isinstance(wheel, dict) else None
    try:
        return str(parse_wheel_filename(str(place).rpartition("/")[2])[1])
    except InvalidWheelFilename:
        return None


def _twice(pins: list[Pin]) -> list[str]:
    """The standard's own rule: of several entries of one package, one applies."""
    names = [pin.name for pin in pins]
    return [
        f"several entries of {name} apply to the target. Make the lock file again"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
