# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a release on the control node. Documented in plugins/modules/release_bundle.py."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.parity.stack.plugins.module_utils import bundle, commands
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain

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
        source = bundle.Source(
            application if "://" in application else self._loader.path_dwim(application),
            self._path(wanted["lock"]),
            self._path(wanted["migrations"]),
        )
        source.check()
        key = bundle.venv_key(source.lock, wanted["python_version"], wanted["machine"])
        cache = self._path(wanted["cache"])
        packed = {
            "application": cache / f"application-{source.sha256[:16]}.tar",
            "wheels": cache / f"wheels-{key}.tar",
        }
        missing = [name for name, path in packed.items() if not path.exists()]
        if missing and not self._task.check_mode:
            cache.mkdir(parents=True, exist_ok=True)
            self._build(wanted, source, {name: packed[name] for name in missing})
        return {
            # A cache on the control node is no change to any host.
            "changed": False,
            **{name: str(path) for name, path in packed.items()},
            "sha256": source.sha256,
            "venv_key": key,
            "migrations": bundle.read_migrations(source.migrations),
            "built": [packed[name].name for name in missing],
        }

    def _build(self, wanted: dict, source: bundle.Source, missing: dict[str, Path]) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        if "application" in missing:
            bundle.build_application(commands.run, pip, source, missing["application"])
        if "wheels" not in missing:
            return
        if wanted["wheelhouse"]:
            bundle.pack_wheelhouse(self._path(wanted["wheelhouse"]), source.lock, missing["wheels"])
            return
        uv = commands.beside_python("uv") or "uv"
        version, machine = wanted["python_version"], wanted["machine"]
        bundle.build_wheels(commands.run, pip, uv, source.lock, version, machine, missing["wheels"])

    def _path(self, given: str | None) -> Path | None:
        return Path(self._loader.path_dwim(given)) if given else None
