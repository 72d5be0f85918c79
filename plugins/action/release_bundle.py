# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a release on the control node. Documented in plugins/modules/release_bundle.py."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.release import lock_lines
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import pack

_SPEC = {
    "application": {"type": "str", "required": True},
    "lock": {"type": "path", "required": True},
    "migrations": {"type": "path"},
    "wheelhouse": {"type": "path"},
    "python_version": {"type": "str", "required": True},
    "machine": {"type": "str", "default": "x86_64"},
    "cache": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Packs what a host needs to install a release without a network."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        wanted = self.validate_argument_spec(_SPEC)[1]
        try:
            return {**result, **self._pack(wanted)}
        except (ParityError, OSError) as error:
            return {**result, **getattr(error, "details", {}), "failed": True, "msg": explain(error)}

    def _pack(self, wanted: dict) -> dict:
        application = wanted["application"]
        source = pack.Source(
            application if "://" in application else self._loader.path_dwim(application),
            self._path(wanted["lock"]),
            self._path(wanted["migrations"]),
        )
        source.check()
        key = lock_lines.venv_key(source.lock.read_bytes(), wanted["python_version"], wanted["machine"])
        cache = self._path(wanted["cache"])
        packed = {
            "application": cache / f"application-{source.sha256[:16]}.tar",
            "wheels": cache / f"wheels-{key}.tar",
        }
        target = pack.Target(wanted["python_version"], wanted["machine"])
        problems = {
            "application": pack.application_problem(packed["application"], source.lock),
            "wheels": pack.wheels_problem(packed["wheels"], source.lock, target),
        }
        # What lies in the cache and is not what the lock file names is made anew, as what is not there at all.
        missing = [name for name, problem in problems.items() if problem]
        if missing and not self._task.check_mode:
            cache.mkdir(parents=True, exist_ok=True)
            self._build(wanted, source, target, {name: packed[name] for name in missing})
        return {
            # A cache on the control node is no change to any host.
            "changed": False,
            **{name: str(path) for name, path in packed.items()},
            "sha256": source.sha256,
            "venv_key": key,
            "migrations": pack.read_migrations(source.migrations),
            "built": [packed[name].name for name in missing],
        }

    def _build(self, wanted: dict, source: pack.Source, target: pack.Target, missing: dict[str, Path]) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        tools = pack.Tools(commands.run, pip, commands.beside_python("uv") or "uv")
        if "application" in missing:
            pack.build_application(tools, source, missing["application"])
        if "wheels" not in missing:
            return
        if wanted["wheelhouse"]:
            pack.pack_wheelhouse(tools, self._path(wanted["wheelhouse"]), source.lock, target, missing["wheels"])
        else:
            pack.build_wheels(tools, source.lock, target, missing["wheels"])

    def _path(self, given: str | None) -> Path | None:
        return Path(self._loader.path_dwim(given)) if given else None
