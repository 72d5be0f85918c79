# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application says of itself as a project: name, dependencies, Python, lock file and directory of migrations."""

from __future__ import annotations

import configparser
import re
import tomllib
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery import pythons
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

_MARKERS = ("pyproject.toml", "manage.py", "requirements.txt", "setup.py", "setup.cfg")
_LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "requirements.lock")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?")
_USUAL_SQL = ("migrations", "db/migrations", "sql/migrations", "supabase/migrations")
_HERE = re.compile(r"%\(here\)s/?|\./")


@dataclass
class Project:
    """`directory` is where the project's own files are, below the application's root; empty for the root itself."""

    directory: str = ""
    name: Found | None = None
    python: Found | None = None
    pinned_python: Found | None = None
    dependencies: set[str] = field(default_factory=set)
    scripts: list[str] = field(default_factory=list)
    lock: Found | None = None
    migrations: Found | None = None
    questions: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}" if self.directory else name


def read(tree: Tree) -> Project:
    project = Project(_directory(tree))
    _read_pyproject(tree, project)
    _read_requirements(tree, project)
    _find_lock(tree, project)
    _find_migrations(tree, project)
    project.pinned_python = pythons.pinned(tree, project.directory)
    return project


def _directory(tree: Tree) -> str:
    """The root, or the one directory below it that holds the Python project (`backend` in a repository with a frontend)."""
    places = {name.rpartition("/")[0] for name in tree.named(*_MARKERS) if name.count("/") <= 2}
    if "" in places and not _is_workspace(tree, places):
        return ""
    below = sorted((place for place in places if place), key=lambda place: (place.count("/"), place))
    nearest = [place for place in below if place.count("/") == below[0].count("/")]
    if len(nearest) > 1:
        some = ", ".join(nearest[:5]) + (", ..." if len(nearest) > 5 else "")
        tree.notes.append(f"several Python projects were found ({some}); name one of them as application to have it read")
    return nearest[0] if len(nearest) == 1 else ""


def _is_workspace(tree: Tree, places: set[str]) -> bool:
    """A root whose pyproject.toml holds a workspace of uv and no project of its own."""
    data = _toml(tree, "pyproject.toml") if tree.has("pyproject.toml") else {}
    return "project" not in data and bool(_table(data, "tool", "uv", "workspace")) and len(places) > 1


def _toml(tree: Tree, name: str) -> dict:
    text = tree.text(name)
    try:
        return tomllib.loads(text) if text else {}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        tree.notes.append(f"{name} was not read: it is no TOML ({error})")
        return {}


def _table(data: object, *keys: str) -> dict:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _read_pyproject(tree: Tree, project: Project) -> None:
    file = project.path("pyproject.toml")
    data = _toml(tree, file) if tree.has(file) else {}
    own, poetry = _table(data, "project"), _table(data, "tool", "poetry")
    name = own.get("name") or poetry.get("name")
    if isinstance(name, str):
        project.name = Found(name, file)
    python = own.get("requires-python") or _table(poetry, "dependencies").get("python")
    if isinstance(python, str):
        project.python = Found(python, file)
    listed = own.get("dependencies")
    project.dependencies |= _names(listed if isinstance(listed, list) else [])
    project.dependencies |= _names(list(_table(poetry, "dependencies")))
    project.scripts = [str(name) for name in _table(own, "scripts") or _table(poetry, "scripts")]


def _names(requirements: list) -> set[str]:
    """Normalised names, and `name[extra]` for each extra."""
    found = set()
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement) if isinstance(requirement, str) else None
        if match:
            name = re.sub(r"[-_.]+", "-", match[1]).lower()
            extras = (match[2] or "").strip("[]").split(",")
            found |= {name, *(f"{name}[{extra.strip()}]" for extra in extras if extra.strip())}
    return found


def _requirement_files(tree: Tree, project: Project) -> list[str]:
    """Files of requirements for production, the main one first."""
    folders = {project.directory, project.path("requirements")}
    found = [name for name in tree.names if name.rpartition("/")[0] in folders and re.search(r"(^|/)requirements[^/]*(\.txt$|/)", name)]
    kept = [name for name in found if name.endswith(".txt") and not re.search(r"dev|test|lint|docs|local", name.rpartition("/")[2])]
    return sorted(kept, key=lambda name: (name.rpartition("/")[2] != "requirements.txt", name))


def _read_requirements(tree: Tree, project: Project) -> None:
    for file in _requirement_files(tree, project):
        lines = (tree.text(file) or "").splitlines()
        project.dependencies |= _names([line for line in lines if not line.lstrip().startswith(("#", "-"))])


def _find_lock(tree: Tree, project: Project) -> None:
    candidates = [project.path(name) for name in _LOCKS] + (list(_LOCKS) if project.directory else [])
    hashed = [file for file in _requirement_files(tree, project) if "--hash=" in (tree.text(file) or "")]
    found = [name for name in candidates if tree.has(name)] + hashed
    if found:
        project.lock = Found(found[0], f"{found[0]}, all of {', '.join(found)}" if len(found) > 1 else found[0])
        return
    without = next(iter(_requirement_files(tree, project)), "")
    seen = f"{without} has no hashes" if without else "there is no lock file"
    source = without or project.path("pyproject.toml" if tree.has(project.path("pyproject.toml")) else "requirements.txt")
    project.questions.append(
        f"{seen}, and a release needs one: uv pip compile --universal --generate-hashes {source} -o {project.path('requirements.lock')}"
    )


def _find_migrations(tree: Tree, project: Project) -> None:
    found = [*_from_alembic_ini(tree), *_from_pyproject(tree, project), *_from_env_py(tree), *_sql_directories(tree)]
    own = [one for one in found if "AlembicCommandConfig" not in (tree.text(f"{one.value}/env.py") or "")]
    for place in dict.fromkeys(one.value for one in found if one not in own):
        project.questions.append(
            f"{place}/env.py works inside the commands of advanced-alchemy only, such as litestar database upgrade, which Parity does not "
            "run: run that before a deployment, from a place that reaches the database"
        )
    found, places = own, list(dict.fromkeys(one.value for one in own))
    if places:
        project.migrations = found[0]
    if len(places) > 1:
        project.questions.append(f"migrations may also be in {', '.join(places[1:])}; one directory is deployed")


def _from_alembic_ini(tree: Tree) -> list[Found]:
    found = []
    for file in tree.named("alembic.ini"):
        reader = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            reader.read_string(tree.text(file) or "")
        except configparser.Error:
            tree.notes.append(f"{file} was not read: it is no INI file")
            continue
        location = reader.get("alembic", "script_location", fallback="")
        found += _directory_of(tree, file, location)
    return found


def _directory_of(tree: Tree, file: str, location: str) -> list[Found]:
    if not location:
        return []
    folder = file.rpartition("/")[0]
    relative = location.replace(":", "/").replace(".", "/") if ":" in location else _HERE.sub("", location)
    for path in ("/".join(filter(None, (folder, relative.strip("/")))), "/".join(filter(None, (folder, "src", relative.strip("/"))))):
        if tree.has(f"{path}/env.py"):
            return [Found(path, f"{file}, script_location")]
    tree.notes.append(f"{file} names the migrations {location}, and no env.py is there")
    return []


def _from_pyproject(tree: Tree, project: Project) -> list[Found]:
    file = project.path("pyproject.toml")
    location = _table(_toml(tree, file) if tree.has(file) else {}, "tool", "alembic").get("script_location")
    return _directory_of(tree, file, location) if isinstance(location, str) else []


def _from_env_py(tree: Tree) -> list[Found]:
    """A directory of Alembic that no alembic.ini names, as Flask-Migrate makes it."""
    folders = [name.rpartition("/")[0] for name in tree.named("env.py")]
    return [Found(folder, f"{folder}/env.py") for folder in folders if folder and tree.has(f"{folder}/script.py.mako")]


def _sql_directories(tree: Tree) -> list[Found]:
    every = dict.fromkeys(name.rpartition("/")[0] for name in tree.names if name.endswith(".sql"))
    folders = [folder for folder in every if folder.rpartition("/")[2] == "migrations"]
    folders.sort(key=lambda folder: (folder not in _USUAL_SQL, folder.count("/")))
    return [Found(folder, f"{folder}/*.sql") for folder in folders]
