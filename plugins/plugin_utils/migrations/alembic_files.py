# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an Alembic project without running it: its settings, its revisions in order, and the calls of each revision.

Each call of a revision is written as SQL and judged as SQL (`sql_judge`). A value that is no literal cannot be judged, nor can an
unknown call. Once a release is staged, Alembic itself renders the revisions instead (`alembic_driver`).
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import revision_calls, sql_judge
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.revision_calls import Call

DIRECTIVES = ("destructive", "statement_timeout")
_DURATION = re.compile(r"^\d+(us|ms|s|min|h|d)?$")
#: Alembic's own rule: everything but this is a revision.
_NO_REVISION = re.compile(r"(\.#|__init__)")
_LOGGING = re.compile(r"(loggers|handlers|formatters|post_write_hooks)$|(logger|handler|formatter)_")
_SEPARATORS = {"space": " ", "newline": "\n", "os": ":", ":": ":", ";": ";"}


@dataclass(frozen=True)
class Revision:
    """One file: its identifier, those it is built on and depends on, and what `upgrade()` calls."""

    version: str
    file: str
    text: str
    parents: tuple[str, ...]
    labels: tuple[str, ...]
    calls: tuple[Call, ...]


def is_project(directory: Path) -> bool:
    return (directory / "env.py").is_file()


def settings(directory: Path) -> dict[str, str]:
    """The project's settings for Alembic, from alembic.ini or pyproject.toml beside or in the directory; `[section]name` for others.

    Without where it is and which database it has; places of revisions are relative to the directory. Raises ParityError for one outside.
    """
    found = _ini(directory) or _pyproject(directory)
    place = found.pop("script_location", directory.name)
    found = {key: value for key, value in found.items() if key not in ("sqlalchemy.url", "here", "prepend_sys_path")}
    if found.get("version_locations"):
        separator = _SEPARATORS.get(found.pop("path_separator", "") or found.pop("version_path_separator", ""), " ")
        split = found["version_locations"].split(separator) if separator != " " else re.split(r"[\s,]+", found["version_locations"])
        found["version_locations"] = " ".join(_inside(one.strip(), place) for one in split if one.strip())
    return found


def files(directory: Path) -> list[dict[str, str]]:
    """Path (below the directory) and text of every revision, by name."""
    wanted = settings(directory)
    places = [directory / one for one in wanted.get("version_locations", "versions").split()]
    deep = wanted.get("recursive_version_locations", "false").strip().lower() in ("true", "1", "yes", "on")
    paths = {path for place in places for path in (place.rglob("*.py") if deep else place.glob("*.py"))}
    named = sorted(path for path in paths if not _NO_REVISION.match(path.name) and "__pycache__" not in path.parts)
    return [{"file": str(path.relative_to(directory)), "sql": sql_judge.read(path)} for path in named]


def read(entries: Iterable[dict[str, str]]) -> list[Revision]:
    """Revisions in the order in which they are applied. Raises ParityError where there is no one order."""
    found = [_read(entry["file"], entry["sql"]) for entry in entries if not _NO_REVISION.match(Path(entry["file"]).name)]
    known = {revision.version: revision for revision in found}
    if len(known) != len(found):
        raise ParityError("Two revisions have the same identifier. Give each its own: alembic revision makes one.")
    labels = {label: revision.version for revision in found for label in revision.labels}
    parents = {revision.version: {labels.get(one, one) for one in revision.parents} for revision in found}
    lost = sorted({one for wanted in parents.values() for one in wanted} - set(known))
    if lost:
        raise ParityError(f"Revisions are built on {', '.join(lost)}, which is not among them. Add its file to the release.")
    heads = sorted(set(known) - {one for wanted in parents.values() for one in wanted})
    if len(heads) > 1:
        raise ParityError(f"There are several heads: {', '.join(heads)}. Join them: alembic merge heads")
    return _ordered(found, parents)


def problems(revision: Revision) -> list[str]:
    """What is wrong with the directives of a revision."""
    said = sql_judge.directives(revision.text)
    found = [
        f"{revision.file}: `# parity: {name}` means nothing. Known are: {', '.join(DIRECTIVES)}." for name in said if name not in DIRECTIVES
    ]
    limit = said.get("statement_timeout")
    if limit is not None and not _DURATION.match(limit):
        found.append(f"{revision.file} sets statement_timeout={limit!r}. Write a number with a unit, such as 30min or 2h.")
    return found


def _ordered(found: list[Revision], parents: dict[str, set[str]]) -> list[Revision]:
    result: list[Revision] = []
    placed: set[str] = set()
    while len(result) < len(found):
        ready = [one for one in found if one.version not in placed and parents[one.version] <= placed]
        if not ready:
            raise ParityError("The revisions are built on one another in a circle. Correct down_revision in one of them.")
        first = min(ready, key=lambda one: one.version)
        placed.add(first.version)
        result.append(Revision(**{**vars(first), "parents": tuple(sorted(parents[first.version]))}))
    return result


def _read(file: str, text: str) -> Revision:
    try:
        tree = ast.parse(text)
        names = revision_calls.constants(tree)
        version = names["revision"]
        if not isinstance(version, str):
            raise ValueError("revision is no text")
        parents = (*_several(names.get("down_revision")), *_several(names.get("depends_on")))
    except (SyntaxError, KeyError, ValueError) as error:
        raise ParityError(
            f"{file} cannot be read as a revision of Alembic ({error}); wanted are `revision` and `down_revision` with plain values."
        ) from None
    return Revision(version, file, text, parents, _several(names.get("branch_labels")), tuple(revision_calls.upgrade(tree)))


def _several(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple, set)) else (value,)
    if not all(isinstance(one, str) for one in found):
        raise ValueError(f"{value!r} is no identifier")
    return found


def _ini(directory: Path) -> dict[str, str]:
    for path in (directory.parent / "alembic.ini", directory / "alembic.ini"):
        if path.is_file():
            parser = configparser.RawConfigParser()
            try:
                parser.read_string(sql_judge.read(path))
            except configparser.Error as error:
                raise ParityError(f"{path} cannot be read: {error}") from None
            section = dict(parser["alembic"]) if parser.has_section("alembic") else {}
            place = section.get("script_location", "").replace("%(here)s", ".")
            if (path.parent / place).resolve() == directory.resolve():
                return section | _other_sections(parser)
    return {}


def _other_sections(parser: configparser.RawConfigParser) -> dict[str, str]:
    """Settings outside of [alembic] that an env.py may read, each by `[section]name`, without those of Alembic's log."""
    named = [name for name in parser.sections() if name != "alembic" and not _LOGGING.match(name)]
    return {f"[{name}]{key}": text for name in named for key, text in parser[name].items() if key != "sqlalchemy.url"}


def _pyproject(directory: Path) -> dict[str, str]:
    path = directory.parent / "pyproject.toml"
    try:
        section = tomllib.loads(sql_judge.read(path)).get("tool", {}).get("alembic", {}) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ParityError(f"{path} cannot be read: {error}") from None
    plain = {key: value for key, value in section.items() if not isinstance(value, dict)}
    return {key: " ".join(value) if isinstance(value, list) else str(value) for key, value in plain.items()}


def _inside(place: str, script_location: str) -> str:
    """A place of revisions, relative to the directory of env.py."""
    clean, base = (PurePosixPath(one.replace("%(here)s", ".")) for one in (place, script_location))
    if clean == base or not clean.is_relative_to(base) or ".." in clean.parts:
        raise ParityError(f"version_locations has {place}, which is not below {base}. Keep every revision in the directory of env.py.")
    return str(clean.relative_to(base))
