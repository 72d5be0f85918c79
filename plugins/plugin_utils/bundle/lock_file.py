# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader of lock files: every line pinned, every line with a hash, as `pip --require-hashes` holds it."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release.lock_lines import ALGORITHMS, hashes, logical_lines

try:
    from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
except ImportError:  # ansible-core brings it
    Requirement = None
    InvalidRequirement = UndefinedComparison = UndefinedEnvironmentName = ValueError

MAKE = "uv export --no-emit-project --format requirements.txt -o requirements.lock"
_COMPILE = "uv pip compile --universal --generate-hashes pyproject.toml -o requirements.lock"
_PROJECT = f"the lock names the project itself; export it with --no-emit-project ({MAKE})"

_WHEELHOUSE = "Build a wheel of it, and pin that with its hash in a wheelhouse"

#: Options of a line of their own that change nothing about what is installed once every line has a hash; --only-binary has a value.
_HARMLESS = ("--require-hashes", "--prefer-binary", "--pre", "--only-binary")
#: Where pip searches: kept for the control node. A host uses only the wheels that come to it.
_PLACES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index")
_FLAGS = ("--require-hashes", "--prefer-binary", "--pre", "--no-index")
_OTHER_FILES = ("-r", "--requirement", "-c", "--constraint")
#: Short options may have their value without a space: -e., -rother.txt
_SHORT = re.compile(r"-[ercif](?=[^-=])")
_HASHES = re.compile(r"(?: *--hash(?:=| +)[^\s=]+)*")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
#: Characters that some programs read as the end of a line, or as a space, and others do not.
_UNCLEAR = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|[^\S \t\r\n]")
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
        return " ".join([self._named, *(f"--hash={one}" for one in sorted(self.hashes))])

    @property
    def written(self) -> str:
        """The line as a lock file has it: with its marker, and each hash in a line of its own."""
        marker = f" ; {self.marker}" if self.marker else ""
        return " \\\n    ".join([self._named + marker, *(f"--hash={one}" for one in sorted(self.hashes))])

    @property
    def _named(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}=={self.version}"


@dataclass(frozen=True)
class Lock:
    """A lock file: its packages, and its lines that name where pip searches for them."""

    pins: tuple[Pin, ...]
    places: tuple[str, ...] = ()

    @property
    def hashes(self) -> set[str]:
        return {one for pin in self.pins for one in pin.hashes}

    @property
    def written(self) -> str:
        """The same lock file in the one form that it has whoever wrote it: sorted, without comments."""
        lines = [*self.places, *sorted(pin.written for pin in self.pins)]
        return "".join(f"{line}\n" for line in lines)


def load(path: Path) -> Lock:
    """Read a lock file. Raises ParityError that lists every faulty line with what to do."""
    try:
        return read(text_of(path), path.name)
    except ParityError as error:
        found = error.details.get("problems", [str(error)])
        raise ParityError(f"{path.name} cannot be installed from: {'; '.join(found)}", problems=found) from None


def problems(path: Path) -> list[str]:
    """What is wrong with a lock file, each with its line and what to do; empty where nothing is."""
    if not path.is_file():
        return [f"{path} is no file on the control node. Make it: {_COMPILE}"]
    try:
        load(path)
    except ParityError as error:
        return error.details["problems"]
    return []


def read(text: str, name: str, *, without_hashes: bool = False) -> Lock:
    """The packages of a lock file. Raises ParityError, with all that is wrong as `problems`.

    With `without_hashes` a line may have none; the hashes that are there are held against the same rules.
    """
    if Requirement is None:
        raise ParityError("packaging is missing on the control node. Install it into the Python that runs Ansible: pip install packaging")
    _refuse_other_formats(text, name)
    _refuse_unclear_characters(text, name)
    pins, places, found = [], [], []
    for number, line in logical_lines(text):
        problem = _problem(line, without_hashes)
        if problem:
            found.append((number, problem))
        elif line.startswith("-"):
            places += [f"{option} {value}".strip() for option, value in _options(line) if option in _PLACES]
        else:
            pins.append(_pin(number, line))
    found += _contradictions(pins)
    if not pins and not found:
        raise ParityError(f"{name}: it names no package. Make it again: {_COMPILE}")
    if found:
        said = [f"line {number}: {problem}" for number, problem in sorted(found)]
        raise ParityError(f"{name}: {'; '.join(said)}", problems=[f"{name}, {one}" for one in said])
    return Lock(tuple(pins), tuple(places))


def environment(python_version: str, machine: str) -> dict[str, str]:
    """The values that markers are compared with, for one exact CPython on Linux."""
    short = ".".join(python_version.split(".")[:2])
    return {
        "python_version": short, "python_full_version": python_version, "implementation_version": python_version,
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": machine, "platform_release": "", "platform_version": "", "extra": "",
    }  # fmt: skip


def needed(pins: Iterable[Pin], target: dict[str, str]) -> list[Pin]:
    """The packages a target needs. Raises ParityError where lines for the target contradict each other."""
    found = [pin for pin in pins if not pin.marker or Marker(pin.marker).evaluate(target)]
    wrong = [problem for one, later in _of_one_name(found) if (problem := _contradiction(one, later))]
    if wrong:
        raise ParityError(f"the lock file contradicts itself for Python {target['python_full_version']}: {'; '.join(wrong)}")
    return found


def text_of(path: Path) -> str:
    """The text of a lock file. Raises ParityError where it is no UTF-8."""
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


def _refuse_unclear_characters(text: str, name: str) -> None:
    found = _UNCLEAR.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise ParityError(
            f"{name}, line {line}: it has the character U+{ord(found[0]):04X}, at which pip and uv may disagree where a line ends. "
            f"Make the lock file again: {_COMPILE}"
        )


def _problem(line: str, without_hashes: bool = False) -> str:
    """What is wrong with one line; empty where nothing is."""
    if _VARIABLE.search(line):
        return "it has a variable, which each machine's environment fills in. Write the value itself, or remove the line"
    if line.startswith("-"):
        return _options_problem(line)
    requirement, options = _split(line)
    if re.match(r"\.|[^\s;@\[]*[/:]", requirement):
        return _path_problem(requirement)
    if not _HASHES.fullmatch(options):
        unknown = next((word for word in options.split() if not word.startswith("--hash")), options)
        kind = "the option " if unknown.startswith("-") else ""
        return f"it has {kind}{unknown[:60]} beside its hashes. Remove it"
    if re.search(r",\s*(;|$)", requirement):
        return f"{requirement[:60]!r} is no requirement (a comma with nothing after it)"
    if "\t--" in requirement:
        return "it has a tab before an option, which pip does not take for a space. Write a space"
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as error:
        return f"{requirement[:60]!r} is no requirement ({str(error).splitlines()[0]})"
    found = hashes(f" {options}")
    wrong = _pin_problem(parsed) or _marker_problem(parsed)
    return wrong or ("" if without_hashes and not found else _hash_problem(parsed.name, found))


def _options(line: str) -> list[tuple[str, str]]:
    """The options of a line that has nothing else, each with its value; as pip splits it. Raises ValueError for an open quote."""
    words, found = shlex.split(line), []
    while words:
        word = words.pop(0)
        short = _SHORT.match(word)
        name, _equals, value = (short[0], "", word[2:]) if short else word.partition("=")
        if not value and name not in _FLAGS and words:
            value = words.pop(0)
        found.append((name, value))
    return found


def _options_problem(line: str) -> str:
    """What is wrong with a line of options. Checks each of them, as pip reads each of them."""
    try:
        return next((problem for name, value in _options(line) if (problem := _option_problem(name, value))), "")
    except ValueError as error:
        return f"{line[:60]!r} cannot be read ({error}). Correct or remove it"


def _option_problem(name: str, value: str) -> str:
    if name in ("-e", "--editable"):
        return _path_problem(value)
    if name in _OTHER_FILES:
        return f"it reads another file ({name}). Put every package into one lock file: {_COMPILE}"
    if name == "--no-binary":
        return "it wants a package built from source (--no-binary), and hosts install wheels alone. Remove it"
    if name not in _HARMLESS + _PLACES:
        return f"the option {name[:60]} is not supported. Remove the line, or make the lock file again: {_COMPILE}"
    return _value_problem(name, value)


def _value_problem(name: str, value: str) -> str:
    """What is wrong with the value of a supported option; empty where nothing is."""
    if name in _FLAGS:
        return f"{name} takes no value. Remove it" if value else ""
    if not value or value.startswith("-") or re.search(r"\s", value):
        return f"{name} has no value that pip and uv read alike. Correct or remove it"
    if name in ("-f", "--find-links") and not value.startswith(("http://", "https://")):
        return f"a host does not have the directory of {name}. Remove it, and name the directory of wheels as release_wheelhouse"
    secret = re.search(r"://[^/\s]*@", value)
    return "it has a password in an address. Keep that in pip's own configuration on the control node" if secret else ""


def _path_problem(path: str) -> str:
    """The complaint about a directory or an address instead of a package. A directory mostly comes from the export of a project."""
    if path.rstrip("/") in (".", "file:.", "file://.", "") or re.match(r"\.\[", path):
        return _PROJECT
    if path.startswith((".", "/", "file:")) and not path.endswith((".whl", ".tar.gz", ".zip")):
        return f"{_PROJECT}, and another directory of a workspace with --no-emit-workspace. {_WHEELHOUSE}"
    return f"it names a path or an address instead of a package. {_WHEELHOUSE}"


def _split(line: str) -> tuple[str, str]:
    """The requirement of a line, and the options after it: as for pip, they begin at the first word with a dash."""
    words = line.split(" ")
    start = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:start]).strip(), " ".join(words[start:]).strip()


def _marker_problem(parsed: Requirement) -> str:
    """Refuse a marker where nobody can judge whether it holds for a target."""
    if parsed.marker is None:
        return ""
    if re.search(r"\bplatform_(release|version)\b", str(parsed.marker)):
        return f"the marker of {parsed.name} asks for the target's kernel, and cannot be judged. Remove it"
    try:
        parsed.marker.evaluate(environment("3.11.2", "x86_64"))
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError, KeyError) as error:
        return f"the marker of {parsed.name} cannot be judged ({str(error).splitlines()[0]}). Correct it"
    return ""


def _contradictions(pins: list[Pin]) -> list[tuple[int, str]]:
    """Lines that contradict each other on every target, by the number of the later one: those with the same marker."""
    pairs = [(one, later) for one, later in _of_one_name(pins) if one.marker == later.marker]
    return [(later.line, problem) for one, later in pairs if (problem := _contradiction(one, later))]


def _of_one_name(pins: list[Pin]) -> Iterator[tuple[Pin, Pin]]:
    """Each two lines that name the same package, in the order of their lines."""
    for _name, same in itertools.groupby(sorted(pins, key=lambda pin: (pin.name, pin.line)), key=lambda pin: pin.name):
        yield from itertools.combinations(same, 2)


def _contradiction(one: Pin, later: Pin) -> str:
    if one.version != later.version:
        different = f"{one.version} in line {one.line}, {later.version} in line {later.line}"
        return f"it names {one.name} twice: {different}. Make the lock file again: {_COMPILE}"
    if one.hashes != later.hashes:
        return f"it names {one.name} with other hashes in line {one.line} than in line {later.line}. Make the lock file again: {_COMPILE}"
    return ""


def _pin_problem(parsed: Requirement) -> str:
    if parsed.url:
        return f"{parsed.name} comes from an address. {_WHEELHOUSE}"
    specifiers = list(parsed.specifier)
    exact = len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and not specifiers[0].version.endswith(".*")
    if exact:
        return ""
    seen = str(parsed.specifier) or "no version"
    return f"{parsed.name} is not pinned ({seen}). Wanted is one exact version with ==. Make the lock file again: {_COMPILE}"


def _hash_problem(name: str, found: list[str]) -> str:
    if not found:
        return f"{name} has no hash, so nobody can check what it installs. Make the lock file again: {_COMPILE}"
    for one in found:
        algorithm, _colon, digest = one.partition(":")
        if algorithm not in ALGORITHMS:
            return f"{name} has a hash of the kind {algorithm!r}. Wanted are {', '.join(ALGORITHMS)}"
        if not re.fullmatch(rf"[0-9a-fA-F]{{{ALGORITHMS[algorithm]}}}", digest):
            return f"{name} has a {algorithm} hash that is not {ALGORITHMS[algorithm]} hexadecimal digits long"
    return ""


def _pin(number: int, line: str) -> Pin:
    requirement, options = _split(line)
    parsed, found = Requirement(requirement), hashes(f" {options}")
    return Pin(
        canonicalize_name(parsed.name), next(iter(parsed.specifier)).version, frozenset(map(str.lower, found)),
        str(parsed.marker) if parsed.marker else "", tuple(sorted(parsed.extras)), number,
    )  # fmt: skip
