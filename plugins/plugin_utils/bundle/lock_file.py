# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of lock files: every line pinned, every line with a hash, as `pip --require-hashes` holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.lock_lines import ALGORITHMS, hashes, logical_lines

try:
    from packaging.markers import Marker
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
except ImportError:  # ansible-core brings it
    Requirement = None
    InvalidRequirement = ValueError

MAKE = "uv export --no-emit-project --format requirements.txt -o requirements.lock"
_COMPILE = "uv pip compile --universal --generate-hashes pyproject.toml -o requirements.lock"
_PROJECT = f"the lock names the project itself; export it with --no-emit-project ({MAKE})"

#: Options that change nothing about what is installed once every line has a hash.
_HARMLESS = ("--require-hashes", "--prefer-binary", "--pre", "--only-binary", "--no-binary")
#: Where pip looks: kept for the control node.
_PLACES = ("-i", "--index-url", "--pypi-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index")
_OPTION_OF_LINE = re.compile(r"\s+(--?[A-Za-z][\w-]*)")
_KNOWN_OF_LINE = ("--hash",)
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_TOML = {
    "uv.lock": MAKE,
    "pylock.toml": MAKE,
    "poetry.lock": "poetry export -f requirements.txt -o requirements.lock",
    "Pipfile.lock": "pipenv requirements --hash > requirements.lock",
}


@dataclass(frozen=True)
class Pin:
    """One package of a lock file. `name` is normalised; `hashes` look like `sha256:...`; `line` counts from 1."""

    name: str
    version: str
    hashes: frozenset[str]
    marker: str = ""
    extras: tuple[str, ...] = ()
    line: int = 0

    @property
    def requirement(self) -> str:
        """The line for pip, without its marker."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}=={self.version} " + " ".join(f"--hash={one}" for one in sorted(self.hashes))


@dataclass(frozen=True)
class Lock:
    """A lock file: its packages, and its lines that say where pip looks for them."""

    pins: tuple[Pin, ...]
    places: tuple[str, ...] = ()

    @property
    def hashes(self) -> set[str]:
        return {one for pin in self.pins for one in pin.hashes}


def load(path: Path) -> Lock:
    """Read a lock file. Raises ParityError that lists every faulty line with what to do."""
    found = problems(path)
    if found:
        raise ParityError(f"{path.name} cannot be installed from: {'; '.join(found)}", problems=found)
    return read(_text(path), path.name)


def problems(path: Path) -> list[str]:
    """What is wrong with a lock file, each with its line and what to do; empty where nothing is."""
    if not path.is_file():
        return [f"{path} is no file on the control node. Make it: {_COMPILE}"]
    try:
        read(_text(path), path.name)
    except ParityError as error:
        return error.details.get("problems", [str(error)])
    return []


def read(text: str, name: str) -> Lock:
    """The packages of a lock file. Raises ParityError, with all that is wrong as `problems`."""
    if Requirement is None:
        raise ParityError("packaging is missing on the control node. Install it into the Python that runs Ansible: pip install packaging")
    _refuse_other_formats(text, name)
    pins, places, found = [], [], []
    for number, line in logical_lines(text):
        problem = _problem(line)
        if problem:
            found.append(f"line {number}: {problem}")
        elif line.startswith("-"):
            places += [line] if _option(line) in _PLACES else []
        else:
            pins.append(_pin(number, line))
    if not pins and not found:
        found = [f"it names no package. Make it again: {_COMPILE}"]
    if found:
        raise ParityError(f"{name}: {'; '.join(found)}", problems=[f"{name}, {one}" for one in found])
    return Lock(tuple(pins), tuple(places))


def environment(python_version: str, machine: str) -> dict[str, str]:
    """What markers are asked about, for one exact CPython on Linux."""
    short = ".".join(python_version.split(".")[:2])
    return {
        "python_version": short, "python_full_version": python_version, "implementation_version": python_version,
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": machine, "platform_release": "", "platform_version": "", "extra": "",
    }  # fmt: skip


def needed(pins: Iterable[Pin], target: dict[str, str]) -> list[Pin]:
    """The packages a target needs. Raises ParityError where it would get two versions of one."""
    found = [pin for pin in pins if not pin.marker or Marker(pin.marker).evaluate(target)]
    versions: dict[str, Pin] = {}
    for pin in found:
        other = versions.setdefault(pin.name, pin)
        if other.version != pin.version:
            raise ParityError(
                f"the lock file names {pin.name} twice for this Python: {other.version} in line {other.line}, {pin.version} in line "
                f"{pin.line}. Make it again: {_COMPILE}"
            )
    return found


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ParityError(f"{path.name}, line {line}: this is not UTF-8 text. Make the lock file again: {_COMPILE}") from None


def _refuse_other_formats(text: str, name: str) -> None:
    toml = name.endswith(".toml") or re.search(r"(?m)^\[\[?(package|packages|metadata)\]?\]", text)
    json = text.lstrip().startswith("{")
    if name in _TOML or toml or json:
        command = _TOML.get(name, _TOML["Pipfile.lock"] if json else MAKE)
        raise ParityError(f"{name} is the lock file of a tool. Export it as requirements with hashes: {command}")


def _problem(line: str) -> str:
    """What is wrong with one line; empty where nothing is."""
    if _VARIABLE.search(line):
        return "it has a variable, which this machine's environment would fill in. Write the value itself"
    if line.startswith("-"):
        return _option_problem(line)
    if line.startswith((".", "/", "file:")) or re.match(r"[A-Za-z][\w+.-]*://", line):
        return "it names a path or an address instead of a package. Build a wheel of it, and pin that with its hash in a wheelhouse"
    requirement, unknown = _split(line)
    if unknown:
        return f"it has the option {unknown}, which changes what is installed. Remove it"
    if re.search(r",\s*(;|$)", requirement):
        return f"{requirement[:60]!r} is no requirement (a comma with nothing after it)"
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as error:
        return f"{requirement[:60]!r} is no requirement ({str(error).splitlines()[0]})"
    return _pin_problem(parsed) or _hash_problem(parsed.name, hashes(line))


def _option(line: str) -> str:
    return re.split(r"[\s=]", line, maxsplit=1)[0]


def _option_problem(line: str) -> str:
    name = _option(line)
    if name in ("-e", "--editable"):
        return _PROJECT
    if name in ("-r", "--requirement", "-c", "--constraint"):
        return f"it reads another file ({name}). Put every package into one lock file: {_COMPILE}"
    if name in _HARMLESS:
        return ""
    if name in _PLACES:
        secret = re.search(r"://[^/\s]*@", line)
        return "it has a password in an address. Keep that in pip's own configuration on the control node" if secret else ""
    return f"the option {name} is not known here. Remove the line, or make the lock file again: {_COMPILE}"


def _split(line: str) -> tuple[str, str]:
    """The requirement of a line, and the first option after it that is no hash."""
    match = _OPTION_OF_LINE.search(line)
    requirement = line[: match.start()] if match else line
    unknown = next((found[1] for found in _OPTION_OF_LINE.finditer(line) if found[1] not in _KNOWN_OF_LINE), "")
    return requirement.strip(), unknown


def _pin_problem(parsed: Requirement) -> str:
    if parsed.url:
        return f"{parsed.name} comes from an address. Build a wheel of it, and pin that with its hash in a wheelhouse"
    specifiers = list(parsed.specifier)
    exact = len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and not specifiers[0].version.endswith(".*")
    if exact:
        return ""
    seen = str(parsed.specifier) or "no version"
    return f"{parsed.name} is not pinned ({seen}). Wanted is one exact version with ==. Make the lock file again: {_COMPILE}"


def _hash_problem(name: str, found: list[str]) -> str:
    if not found:
        return f"{name} has no hash, so nobody can tell what it installs. Make the lock file again: {_COMPILE}"
    for one in found:
        algorithm, _colon, digest = one.partition(":")
        if algorithm not in ALGORITHMS:
            return f"{name} has a hash of the kind {algorithm!r}. Wanted are {', '.join(ALGORITHMS)}"
        if not re.fullmatch(rf"[0-9a-fA-F]{{{ALGORITHMS[algorithm]}}}", digest):
            return f"{name} has a {algorithm} hash that is not {ALGORITHMS[algorithm]} hexadecimal digits long"
    return ""


def _pin(number: int, line: str) -> Pin:
    parsed = Requirement(_split(line)[0])
    return Pin(
        canonicalize_name(parsed.name), next(iter(parsed.specifier)).version, frozenset(one.lower() for one in hashes(line)),
        str(parsed.marker) if parsed.marker else "", tuple(sorted(parsed.extras)), number,
    )  # fmt: skip
