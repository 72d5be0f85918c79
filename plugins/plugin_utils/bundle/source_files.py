# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a directory belong to an application, and which never go into its artifact."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

_NEVER = ("__pycache__", "node_modules", "tests")
#: Directories that a build or a tool makes beside the project; below it they may be packages.
_NEVER_AT_TOP = ("build", "dist", "test", "venv")
#: Files that hold secrets: .env, production.env, .env.local.
_SECRET = re.compile(r"(?i)\.env(\.|$)")
#: hatchling reads it to find out what is no part of a package.
_KEPT = (".gitignore",)


def below(folder: Path | None) -> dict[str, Path]:
    """The files of a directory that belong to an application, by their path in it with slashes. Links are followed."""
    return {} if folder is None else dict(_walk(folder, "", (os.path.realpath(folder),)))


def _walk(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        if entry.is_file():
            if not _is_no_source(entry.name):
                yield prefix + entry.name, entry
        elif entry.is_dir() and not _is_left_out(entry, at_top=not prefix):
            real = os.path.realpath(entry)
            if real not in above:  # a link to a directory that it stands in
                yield from _walk(entry, f"{prefix}{entry.name}/", (*above, real))


def _is_no_source(name: str) -> bool:
    return (name.startswith(".") and name not in _KEPT) or name.endswith((".pyc", ".egg-info")) or bool(_SECRET.search(name))


def _is_left_out(entry: Path, *, at_top: bool) -> bool:
    name = entry.name
    made = name.startswith(".") or name.endswith(".egg-info") or name in _NEVER or (at_top and name in _NEVER_AT_TOP)
    return made or (entry / "pyvenv.cfg").is_file()


def copy(files: dict[str, Path], to: Path) -> None:
    """Write files below a directory, without their times and owners."""
    for name, path in files.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to / name)


def refuse_links_out_of(folder: Path) -> None:
    """Raise ParityError for a link that leads out of a directory that came from elsewhere."""
    root = folder.resolve()
    out = sorted(name for name, path in below(folder).items() if not path.resolve().is_relative_to(root))
    if out:
        raise ParityError(
            f"the application has links that lead out of its directory: {', '.join(out[:5])}. Put the files themselves there."
        )


def is_built(folder: Path) -> bool:
    """Whether pip builds a wheel of a directory. Otherwise its files are the application, and are packed as they are.

    As uv has it: a project without a build system is no package, but runs in its directory.
    """
    project = _pyproject(folder)
    tools = project.get("tool", {})
    said = tools.get("uv", {}).get("package", tools.get("poetry", {}).get("package-mode"))
    if isinstance(said, bool):
        return said
    if "build-system" in project or (folder / "setup.py").is_file() or _describes_project(folder / "setup.cfg"):
        return True
    return "project" in project and (folder / "src").is_dir()


def _describes_project(config: Path) -> bool:
    """Whether a setup.cfg is one of setuptools. Linters and test runners keep their settings in such a file, too."""
    return config.is_file() and bool(re.search(r"(?m)^\[(metadata|options)\]", config.read_text(encoding="utf-8", errors="replace")))


def without(modules: Iterable[str], folder: Path, wheel: Path) -> list[str]:
    """The modules that a directory has at its top and the wheel built of it has not: nothing in it could run them."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = {module: _file_of(module, folder) for module in modules}
    return sorted(module for module, file in files.items() if file and file not in packed)


def _file_of(module: str, folder: Path) -> str:
    """The file of a module below a directory; of `a.b` that of `a` where b is an object in it. Empty where there is none."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        for name in (f"{path}.py", f"{path}/__init__.py"):
            if (folder / name).is_file():
                return name
    return ""


def problem(folder: Path) -> str:
    """Why a directory cannot be an application; empty where it can."""
    try:
        if is_built(folder):
            return ""
    except ParityError as error:
        return str(error)
    names = below(folder)
    if any(name.endswith(".py") and name.count("/") <= 1 for name in names):
        return ""
    inside = f" Its modules are in src: name {folder / 'src'}." if any(re.match(r"src/.*\.py$", name) for name in names) else ""
    return (
        "is a directory without a project that can be built (pyproject.toml with [build-system], setup.py) and without a Python module or "
        f"package at its top.{inside or ' Name the directory that has one of these.'}"
    )


def _pyproject(folder: Path) -> dict:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ParityError(f"has a pyproject.toml that cannot be read ({error}). Correct it") from None
