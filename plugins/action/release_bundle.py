# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a release on the control node. Documented in plugins/modules/release_bundle.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.release import lock_lines
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import fetching, locks, pack, source_files, sources
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import django_files

_SPEC = {
    "application": {"type": "str", "required": True},
    "release": {"type": "str", "default": ""},
    "lock": {"type": "path", "required": True},
    "lock_without_hashes": {"type": "bool", "default": False},
    "migrations": {"type": "path"},
    "modules": {"type": "list", "elements": "str", "default": []},
    "wheelhouse": {"type": "path"},
    "python_version": {"type": "str", "required": True},
    "machine": {"type": "str", "default": "x86_64"},
    "python": {"type": "str", "default": ""},
    "cache": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Packs what a host needs to install a release without a network."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        try:
            with tempfile.TemporaryDirectory() as folder:
                return {**result, **self._pack(wanted, Path(folder))}
        except (ParityError, OSError) as error:
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": explain(error)}

    def _pack(self, wanted: dict, work: Path) -> dict:
        cache = self._path(wanted["cache"])
        given = self._given(wanted)
        fetched = fetching.fetch(given, cache, work, commands.run)
        source, proved = self._source(wanted, given, fetched, work)
        key = lock_lines.venv_key(source.lock.read_bytes(), wanted["python_version"], wanted["machine"])
        packed = {
            "application": cache / f"application-{source.artifact[:16]}.tar",
            "wheels": cache / f"wheels-{key}.tar",
        }
        target = pack.Target(wanted["python_version"], wanted["machine"])
        problems = {
            "application": pack.application_problem(packed["application"], source.lock),
            "wheels": pack.wheels_problem(packed["wheels"], source.lock, target),
        }
        description = {"kind": given.kind, "commit": fetched.commit, "lock_hashes": proved}
        # What lies in the cache and is not what the lock file names is made anew, as what is not there at all.
        # In check mode, too: the cache is on no host, and what cannot be packed is what a dry run is there to find.
        missing = [name for name, problem in problems.items() if problem]
        if missing:
            cache.mkdir(parents=True, exist_ok=True)
            self._build(wanted, source, target, {name: packed[name] for name in missing}, description)
        return {
            # A cache on the control node is no change to any host.
            "changed": False,
            **{name: str(path) for name, path in packed.items()},
            "sha256": source.sha256,
            "venv_key": key,
            "migrations": pack.read_migrations(source.migrations),
            "built": [packed[name].name for name in missing],
            "description": description,
            "lock_hashes": proved,
            "remarks": [*self._remarks(proved), *filter(None, [pack.directory_remark(source, packed["application"])])],
        }

    def _given(self, wanted: dict) -> sources.Given:
        application = wanted["application"]
        application = application if "://" in application else self._loader.path_dwim(application)
        wrong = sources.problem(application, wanted["release"])
        if wrong:
            raise ParityError(f"the application {sources.shown(application)} {wrong.removesuffix('.')}.")
        return sources.read(application, wanted["release"])

    def _source(self, wanted: dict, given: sources.Given, fetched: fetching.Fetched, work: Path) -> tuple[pack.Source, bool]:
        """What the release is built from, and whether its lock file had hashes."""
        if not given.is_local:
            wrong = source_files.problem(fetched.path) if fetched.path.is_dir() else sources.problem(str(fetched.path))
            if wrong:
                raise ParityError(f"the application {sources.shown(given.address)} {wrong.removesuffix('.')}.")
        locked, migrations = self._lock(wanted["lock"], fetched), self._path(wanted["migrations"])
        pack.Source(str(fetched.path), locked, migrations).check()
        context = locks.Context(
            commands.run, _uv(), fetched.path if fetched.path.is_dir() else None, wanted["python_version"], wanted["machine"],
            wanted["lock_without_hashes"], self._path(wanted["wheelhouse"]),
        )  # fmt: skip
        lock, proved = locks.prepare(locked, context, work)
        if migrations and django_files.is_project(migrations):
            migrations = None  # they are a part of the applications, and so of the release
        source = pack.Source(
            str(fetched.path), lock, migrations, locked, fetched.commit, python=wanted["python"], modules=tuple(wanted["modules"])
        )
        return source, proved

    def _lock(self, given: str, fetched: fetching.Fetched) -> Path:
        inside = given.startswith(sources.INSIDE)
        return sources.lock_of(given, fetched.path, fetched.root) if inside else self._path(given)

    def _build(self, wanted: dict, source: pack.Source, target: pack.Target, missing: dict[str, Path], description: dict) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        tools = pack.Tools(commands.run, pip, _uv())
        if "application" in missing:
            pack.build_application(tools, source, missing["application"], description)
        if "wheels" not in missing:
            return
        if wanted["wheelhouse"]:
            pack.pack_wheelhouse(tools, self._path(wanted["wheelhouse"]), source.lock, target, missing["wheels"])
        else:
            pack.build_wheels(tools, source.lock, target, missing["wheels"])

    def _remarks(self, proved: bool) -> list[str]:
        if proved:
            return []
        Display().warning(locks.UNPROVED)
        return [locks.UNPROVED]

    def _path(self, given: str | None) -> Path | None:
        return Path(self._loader.path_dwim(given)) if given else None


def _uv() -> str:
    return commands.beside_python("uv") or "uv"
