# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of configuration files: a run keeps them before it changes the files, and a rollback restores them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import sync_directory, write_atomically


@dataclass(frozen=True)
class Part:
    """Files and directories one unit reads, and how it takes a change: reload, restart, or as_is for not at all.

    `secrets` are those of the paths that hold keys and certificates. The rollback of a failed run restores them. The rollback to an
    earlier release does not: a certificate that has expired or been revoked since then must stay away.
    """

    unit: str
    paths: list[str]
    on_change: str = "reload"
    secrets: list[str] = field(default_factory=list)


def keep(parts: list[Part], to: Path, *, beside: dict[str, Path] | None = None) -> None:
    """Copy the files of `parts` to the directory `to` (root only), and replace the earlier copies there in one step.

    The directories of `beside` are copied too, below their names; other code reads those.
    """
    partial = to.with_name(f".{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    kept = []
    for part in parts:
        files = {}
        for path in _files(part.paths):
            name = f"{len(kept)}-{len(files)}"
            shutil.copy2(path, partial / name, follow_symlinks=False)
            status = path.lstat()
            files[str(path)] = {"copy": name, "uid": status.st_uid, "gid": status.st_gid}
        kept.append({**asdict(part), "files": files})
    for name, folder in (beside or {}).items():
        shutil.copytree(folder, partial / name, symlinks=True)
    write_atomically(partial / "manifest.json", json.dumps(kept, indent=2) + "\n", mode=0o600)
    shutil.rmtree(to, ignore_errors=True)
    partial.rename(to)
    sync_directory(to.parent)


def differences(kept: Path, *, secrets: bool = True) -> list[str]:
    """The files that differ from their copies: changed, added or removed since. Empty where there are no copies.

    Without `secrets`, those that hold any are left out.
    """
    return [path for part in _manifest(kept) for path in _differing(kept, part, secrets)]


def snapshot(paths: list[str]) -> dict[str, str]:
    """SHA-256 (hexadecimal) of kind, permissions and content of each file and link at and below `paths`, by its path."""
    return {str(path): hashlib.sha256(repr(_seen(path)).encode()).hexdigest() for path in _files(paths)}


def restore(
    kept: Path, run: systemd.Runner, markers: Path = systemd.MARKERS, *, secrets: bool = True
) -> list[str]:
    """Restore the files from their copies, and let the running units take the change. Returns the files that differed.

    Without `secrets`, those that hold any stay as they are.

    Safe to repeat after an interruption. Raises ParityError when a unit does not take its configuration.
    """
    parts = _manifest(kept)
    changed = []
    for part in parts:
        for path in _differing(kept, part, secrets):
            _put_back(kept, Path(path), part["files"].get(path))
            changed.append(path)
    if any(path.startswith("/etc/systemd/") for path in changed):
        systemd.reload_units(run)
    for part in (part for part in parts if part["on_change"] != "as_is"):
        unit, paths = systemd.read_unit(run, part["unit"]), [Path(path) for path in part["paths"]]
        if unit.active and not systemd.configuration_applied(unit, paths, markers):
            systemd.apply(run, unit, [part["on_change"]], paths, markers)
    return changed


def _files(paths: list[str]) -> list[Path]:
    """The files and links at and below `paths`."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir() and not path.is_symlink():
            found += [entry for entry in path.rglob("*") if entry.is_symlink() or entry.is_file()]
        elif path.is_symlink() or path.is_file():
            found.append(path)
    return sorted(found)


def _manifest(kept: Path) -> list[dict]:
    try:
        return json.loads((kept / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ParityError(f"{kept}/manifest.json cannot be read: {error}. Restore the configuration by hand.") from error


def _differing(kept: Path, part: dict, secrets: bool) -> list[str]:
    now = {str(path) for path in _files(part["paths"])}
    left = [] if secrets else [Path(path) for path in part.get("secrets", [])]
    return [
        path
        for path in sorted(now | part["files"].keys())
        if not any(Path(path).is_relative_to(one) for one in left)
        and (path not in now or path not in part["files"] or _seen(Path(path)) != _seen(kept / part["files"][path]["copy"]))
    ]


def _seen(path: Path) -> tuple:
    """What makes two files the same: kind, permissions, content."""
    if path.is_symlink():
        return ("link", os.readlink(path))
    return ("file", path.stat().st_mode, path.read_bytes())


def _put_back(kept: Path, path: Path, entry: dict | None) -> None:
    if entry is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    shutil.copy2(kept / entry["copy"], temporary, follow_symlinks=False)
    os.chown(temporary, entry["uid"], entry["gid"], follow_symlinks=False)
    os.replace(temporary, path)
    sync_directory(path.parent)
