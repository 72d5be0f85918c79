# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the virtual environments of a stack are made of: a path, one of the distribution's packages, or one that uv installs."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner

SYSTEM = "/usr/bin/python3"
WANTED = re.compile(r"3\.\d{1,2}(\.\d{1,2})?|/[\w./+-]+")
SPEC = {"wanted": {"type": "str", "default": ""}, "downloads": {"type": "dict", "default": {}}}
_ASK = "import platform; print(platform.python_implementation(), platform.python_version())"


@dataclass(frozen=True)
class Python:
    """The interpreter of a host. `source` is host, path, packages or uv, or empty where there is none.

    `version` is its full version, also where it is not there yet: then `package` names what apt installs, or `download` what uv does.
    `others` says of each other place why it is not from there.
    """

    source: str = ""
    path: str = ""
    version: str = ""
    package: str = ""
    download: str = ""
    others: list[str] = field(default_factory=list)

    def described(self) -> dict:
        return {**asdict(self), "line": self.line(), "machine": platform.machine()}

    def line(self) -> str:
        """What preflight says of it."""
        if not self.source:
            return ""
        coming = f", after apt has installed {self.package}" if self.package else ", after uv has installed it" if self.download else ""
        why = f" ({'; '.join(self.others)})" if self.others else ""
        return f"Python {self.version} from {self.path}{coming}{why}"


#: What a stack uses that asks for none.
SYSTEM_PYTHON = Python("host", SYSTEM, platform.python_version())


class Places:
    """Where a host has interpreters. `stack` names the directory of those that uv has installed."""

    def __init__(self, run: Runner, stack: str, root: Path = Path("/")) -> None:
        self.run = run
        self.root = root
        self.managed = root / "opt" / stack / "python"

    def version(self, path: str) -> str:
        """The full version of the CPython at a path. Raises ParityError, whose message continues the path, where there is none to use."""
        if not Path(path).is_file() or not os.access(path, os.X_OK):
            raise ParityError("is no program on this host")
        code, out, err = self.run([path, "-I", "-c", _ASK])
        found = re.match(r"(\w+) (3\.\d+\.\d+\S*)\s*$", out)
        if code != 0 or not found:
            raise ParityError(f"does not run as Python 3: {(err or out).strip()[-200:] or f'exit code {code}'}")
        if found[1] != "CPython":
            raise ParityError(f"is {found[1]}, and wheels are packed for CPython")
        return found[2]

    def closed(self, path: str) -> str:
        """The first directory on the way to a program that only its owner may enter; empty where everybody may run the program.

        The service's user runs it.
        """
        steps = [Path(path), *Path(path).parents, Path(path).resolve(), *Path(path).resolve().parents]
        return next((str(step) for step in reversed(steps) if not step.stat().st_mode & 0o001), "")

    def candidate(self, package: str) -> str:
        """The version of a package that apt would install, without what Debian adds to it; empty where there is none."""
        code, out, _err = self.run(["env", "LC_ALL=C", "apt-cache", "policy", package])
        found = re.search(r"^\s*Candidate: (?:\d+:)?(\d[\d.]*)", out, re.MULTILINE)
        return found[1] if code == 0 and found else ""

    def installed(self) -> Iterator[str]:
        """The interpreters that uv has installed, the newest first."""
        found = self.managed.glob("cpython-3.*-linux-*/bin/python3")
        yield from map(str, sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parts[-3])], reverse=True))

    def refused(self, url: str) -> str:
        """Why this host cannot download from a URL; empty where it can."""
        words = ["env", "python3", "-c", _REACH, url]
        code, _out, err = self.run(words)
        return "" if code == 0 else (err.strip().splitlines() or ["no answer"])[-1][-200:]


#: A program of its own, because a proxy of the environment counts for it as for uv.
_REACH = """
import sys, urllib.request
try:
    urllib.request.build_opener().open(urllib.request.Request(sys.argv[1], method="HEAD"), timeout=10).close()
except Exception as error:
    sys.exit(str(error) or type(error).__name__)
"""


def choose(wanted: str, places: Places, downloads: dict | None = None) -> Python:
    """The interpreter that `wanted` (a version, a path, or nothing for the host's python3) stands for on this host.

    `downloads` maps types of machines to the `version` and `url` of what uv would install. Raises ParityError where there is none.
    """
    if not wanted:
        return SYSTEM_PYTHON
    if not WANTED.fullmatch(wanted):
        raise ParityError(f"stack_python is {wanted!r}; it has to be a version such as 3.13 or 3.13.2, or the path of an interpreter.")
    if wanted.startswith("/"):
        return _at_path(wanted, places)
    others: list[str] = []
    for found in (_there(wanted, places, others), _package(wanted, places, others), _managed(wanted, places, others, downloads or {})):
        if found:
            return found
    raise ParityError(
        f"there is no Python {wanted} for this host: {'; '.join(others)}. Put one on the host and name its path "
        f"(stack_python: /opt/python{wanted}/bin/python3), or use a release of the distribution that has it."
    )


def _at_path(path: str, places: Places) -> Python:
    try:
        version = places.version(path)
    except ParityError as error:
        raise ParityError(f"stack_python names {path}, which {error}. Put an interpreter there, or name another one.") from None
    closed = places.closed(path)
    if closed:
        raise ParityError(
            f"stack_python names {path}, and only its owner may enter or run {closed}; the service's user has to run it. "
            "Put it elsewhere, such as below /opt."
        )
    return Python("path", path, version)


def _matches(version: str, wanted: str) -> bool:
    return f"{version}.".startswith(f"{wanted}.")


def _there(wanted: str, places: Places, others: list[str]) -> Python | None:
    """What is installed already: by the distribution, by a person, or by uv for this stack."""
    minor = ".".join(wanted.split(".")[:2])
    usual = [str(places.root / name) for name in ("usr/bin/python3", f"usr/bin/python{minor}", f"usr/local/bin/python{minor}")]
    for path in (*usual, *places.installed()):
        try:
            version = places.version(path)
        except ParityError as error:
            others += [f"{path} {error}"] if Path(path).exists() else []
            continue
        if _matches(version, wanted):
            managed = Path(path).is_relative_to(places.managed)
            return Python("uv" if managed else "packages", path, version, others=list(others))
        others.append(f"{path} is {version}")
    return None


def _package(wanted: str, places: Places, others: list[str]) -> Python | None:
    package = f"python{'.'.join(wanted.split('.')[:2])}"
    version = places.candidate(package)
    if version and _matches(version, wanted):
        return Python("packages", f"/usr/bin/{package}", version, package=package, others=list(others))
    others.append(f"apt has {f'{package} {version}' if version else f'no package {package}'}")
    return None


def _managed(wanted: str, places: Places, others: list[str], downloads: dict) -> Python | None:
    offered = downloads.get(platform.machine()) or {}
    if not _matches(offered.get("version", ""), wanted):
        others.append(f"uv of the control node knows no Python {wanted} for {platform.machine()}")
        return None
    refused = places.refused(offered["url"])
    if refused:
        others.append(f"uv cannot download {offered['version']} on this host: {refused}")
        return None
    version = offered["version"]
    path = places.managed / f"cpython-{version}-linux-{platform.machine()}-gnu/bin/python3"
    return Python("uv", str(path), version, download=version, others=list(others))
