# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of Python an application takes, which one an inventory asks for, and which builds uv would install."""

from __future__ import annotations

import email.parser
import functools
import json
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.release.interpreters import WANTED
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.fetching import Runner

try:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
except ImportError:  # said by lock_file
    InvalidSpecifier = SpecifierSet = None

#: What a host may get: the first that suits is proposed.
_KNOWN = ("3.11", "3.12", "3.13", "3.14", "3.10", "3.9")


def complaint(value: object) -> str:
    """Why a value cannot be stack_python, continuing its name; empty where it can, or is not given."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        return (
            "is a number, not text. YAML changes what is not quoted: 3.10 becomes 3.1. Write the version in quotes: "
            f'stack_python: "{"3.10" if str(value) == "3.1" else value}"'
        )
    if WANTED.fullmatch(value):
        return ""
    return 'has to be a version such as "3.13" or "3.13.2", or the path of an interpreter such as /opt/python3.13/bin/python3'


@functools.lru_cache(maxsize=8)
def downloads(wanted: str, run: Runner, uv: str) -> dict[str, dict[str, str]]:
    """Version and URL of the builds of CPython that uv would install, by type of machine. The newest of each comes first in uv's list."""
    if not wanted or wanted.startswith("/"):
        return {}
    words = [uv, "--offline", "--no-config", "python", "list", wanted, "--only-downloads", "--show-urls", "--all-arches"]
    code, out, _err = run([*words, "--output-format", "json"])
    found: dict[str, dict[str, str]] = {}
    for one in json.loads(out) if code == 0 and out.strip() else []:
        usual = one["implementation"] == "cpython" and one["os"] == "linux" and one["libc"] == "gnu" and one["variant"] == "default"
        if usual and one["url"]:
            found.setdefault(one["arch"], {"version": one["version"], "url": one["url"]})
    return found


def required(application: str) -> str:
    """What an application on the control node says of its Python, as `>=3.13`; empty where it says nothing, or is elsewhere."""
    path = Path(application)
    if "://" in application or not path.exists():
        return ""
    try:
        said = _of_directory(path) if path.is_dir() else _of_metadata(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, tarfile.TarError):
        return ""  # what is wrong with it is said of the application itself
    return said.strip()


def _of_directory(folder: Path) -> str:
    file = folder / "pyproject.toml"
    data = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    poetry = data.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", "")
    said = data.get("project", {}).get("requires-python") or poetry
    return said if isinstance(said, str) else ""


def _of_metadata(path: Path) -> str:
    if path.name.endswith(".whl"):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            text = archive.read(name).decode("utf-8", "replace")
    else:
        with tarfile.open(path) as archive:
            name = next((name for name in archive.getnames() if re.fullmatch(r"(\./)?[^/]+/PKG-INFO", name)), "")
            text = archive.extractfile(name).read().decode("utf-8", "replace") if name else ""
    return email.parser.Parser().parsestr(text, headersonly=True).get("Requires-Python", "") or ""


def specifiers(said: str) -> SpecifierSet | None:
    """As the standard writes it, also from poetry's `^3.12` and `~3.12`. None where it cannot be judged."""
    parts = [part.strip() for part in said.split(",") if part.strip()]
    try:
        return SpecifierSet(",".join(_standard(part) for part in parts))
    except InvalidSpecifier:
        return None


def _standard(part: str) -> str:
    found = re.fullmatch(r"([~^])(\d+)\.(\d+)(\.\d+)?", part)
    if not found:
        return f"=={part}" if re.fullmatch(r"\d+(\.\d+)*(\.\*)?", part) else part
    kind, major, minor, patch = found.groups()
    end = f"{int(major) + 1}" if kind == "^" else f"{major}.{int(minor) + 1}"
    return f">={major}.{minor}{patch or ''},<{end}"


def suiting(said: str) -> str:
    """The Python to propose for what an application says: the first known one it takes; empty where none does, or nobody can tell."""
    wanted = specifiers(said)
    found = (minor for minor in _KNOWN if wanted and any(wanted.contains(f"{minor}.{patch}") for patch in range(40)))
    return next(found, "")


def problems(said: str, pythons: dict[str, str]) -> list[str]:
    """What an application's requires-python says against the Python of hosts (full versions by host): one sentence for each version."""
    wanted = specifiers(said)
    if not said or not pythons:
        return []
    if wanted is None:
        return [f"the application's requires-python is {said!r}, which cannot be judged. Write it as the standard does, such as >=3.11."]
    by_version: dict[str, list[str]] = {}
    for host, version in pythons.items():
        if version and not wanted.contains(version, prereleases=True):
            by_version.setdefault(version, []).append(host)
    proposal = suiting(said)
    remedy = f'Set stack_python: "{proposal}"' if proposal else "Set stack_python to the path of an interpreter that satisfies it"
    return [
        f"the application needs Python {said} (requires-python), and {version} is what it gets on {', '.join(hosts)}. {remedy}, or "
        "use hosts whose python3 satisfies it."
        for version, hosts in by_version.items()
    ]
