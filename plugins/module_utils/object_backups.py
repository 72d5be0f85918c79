# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of objects: each content once, under its checksum, and a manifest for each backup that says what was where.

    DIRECTORY/data/ab/abcdef...                 the contents, named by their SHA-256
    DIRECTORY/NAME-TIME[-LABEL].manifest.json   a backup: for each bucket, the keys with size, checksum and type

A manifest is written last, so what it names is there. A backup copies only what the one before does not have.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.backups import STAMP, Keep, own_files, sha256, superfluous
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.object_stores import Found, Missing, Store, check_key

SUFFIX = ".manifest.json"
_VERSION = 1
_SPARE = 64 * 2**20
_MOST_NAMED = 10


@dataclass(frozen=True)
class Backup:
    """A manifest that has been read."""

    path: Path
    manifest: dict

    @property
    def buckets(self) -> dict[str, dict[str, dict]]:
        return self.manifest["buckets"]

    @property
    def finished(self) -> datetime:
        return datetime.fromisoformat(self.manifest["finished"])

    def entries(self) -> Iterator[tuple[str, str, dict]]:
        for bucket, objects in self.buckets.items():
            for key, entry in objects.items():
                yield bucket, key, entry


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One backup at a time: pruning must not meet copying."""
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ParityError(f"Another backup of objects works in {directory}. Wait until it has ended.") from None
        yield


def read(path: Path) -> Backup:
    """A backup by its manifest; raises ParityError for one that cannot be used."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        datetime.fromisoformat(manifest["finished"])
        good = manifest["version"] == _VERSION and all(
            len(entry["sha256"]) == 64 and entry["size"] >= 0 for objects in manifest["buckets"].values() for entry in objects.values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParityError(f"{path} cannot be read as the manifest of a backup ({type(error).__name__}).") from None
    if not good:
        raise ParityError(f"{path} is no manifest of a kind that is known here (version {manifest.get('version')!r}).")
    return Backup(path, manifest)


def backups(directory: Path, name: str) -> list[Backup]:
    """All of this name, oldest first."""
    return [read(path) for path in own_files(directory, name, SUFFIX)]


def chosen(directory: Path, name: str, file: str | None) -> Backup:
    """The backup that was named, or the newest."""
    if file:
        return read(directory / file)
    found = own_files(directory, name, SUFFIX)
    if not found:
        raise ParityError(f"There is no backup called {name} in {directory}. Make one first, or look at the name.")
    return read(found[-1])


class Data:
    """The contents."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "data"

    def path(self, digest: str) -> Path:
        return self._directory / digest[:2] / digest

    def has(self, entry: dict) -> bool:
        path = self.path(entry["sha256"])
        return path.is_file() and path.stat().st_size == entry["size"]

    def keep(self, store: Store, key: str) -> dict:
        """Copy an object; what there is to say of it. Raises Missing."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".partial-", delete=False) as file:
            partial = Path(file.name)
            try:
                kind = store.fetch(key, file)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
                digest = sha256(partial)
                target = self.path(digest)
                target.parent.mkdir(mode=0o700, exist_ok=True)
                size = partial.stat().st_size
                os.replace(partial, target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        return {"size": size, "sha256": digest, "type": kind}

    def everything(self) -> Iterator[Path]:
        yield from self._directory.glob("*/*")

    def remains(self) -> Iterator[Path]:
        """What runs that were killed have left."""
        yield from self._directory.glob(".partial-*")


# --- Making one -----------------------------------------------------------------------------------------------------


def plan(stores: list[Store], previous: Backup | None, data: Data) -> tuple[dict[str, dict[str, dict]], list[tuple[Store, Found]]]:
    """What the backup before has already, and what is to be copied."""
    have: dict[str, dict[str, dict]] = {}
    missing = []
    for store in stores:
        old = previous.buckets.get(store.bucket, {}) if previous else {}
        have[store.bucket] = {}
        for found in store.list():
            entry = old.get(found.key)
            same = entry and found.version and (entry["size"], entry["version"]) == (found.size, found.version)
            if same and data.has(entry):
                have[store.bucket][found.key] = entry
            else:
                missing.append((store, found))
    return have, missing


def create(
    directory: Path, name: str, label: str, stores: list[Store], now: Callable[[], datetime], *, check: bool = False
) -> dict:
    """Copy what is new and write a manifest; nothing is written where all is as in the backup before."""
    data = Data(directory)
    existing = backups(directory, name)
    previous = existing[-1] if existing else None
    objects, missing = plan(stores, previous, data)
    size = sum(found.size for _store, found in missing)
    if previous and not missing and previous.buckets == objects and previous.manifest.get("label", "") == label:
        return {"changed": False, "file": previous.path.name, **_counts(objects, 0, 0)}
    if check:
        return {"changed": True, "file": None, **_counts(objects, len(missing), size, len(missing))}
    _check_space(directory, size)
    started = now()
    for store, found in missing:
        try:
            entry = data.keep(store, found.key)
        except Missing:
            continue  # removed since it was listed
        # What was replaced while it was copied is copied again the next time.
        version = found.version if entry["size"] == found.size else ""
        objects[store.bucket][found.key] = {**entry, "version": version}
    finished = now()
    manifest = {
        "version": _VERSION,
        "label": label,
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "buckets": objects,
    }
    stamp = "-".join(part for part in (name, finished.astimezone(UTC).strftime(STAMP), label) if part)
    path = directory / f"{stamp}{SUFFIX}"
    write_atomically(path, json.dumps(manifest, indent=1, sort_keys=True) + "\n", mode=0o600)
    return {"changed": True, "file": path.name, **_counts(objects, len(missing), size)}


def _counts(objects: dict[str, dict[str, dict]], copied: int, size: int, to_come: int = 0) -> dict:
    return {"objects": sum(map(len, objects.values())) + to_come, "copied": copied, "copied_bytes": size}


def _check_space(directory: Path, size: int) -> None:
    free = shutil.disk_usage(directory).free
    if size + _SPARE > free:
        raise ParityError(
            f"{size // 2**20} MiB are to be copied to {directory}, and {free // 2**20} MiB are free there. Make room, or choose "
            "another directory."
        )


# --- Proving one ----------------------------------------------------------------------------------------------------


def verify(directory: Path, backup: Backup) -> dict:
    """Read every content of a backup and compare its checksum. Raises ParityError for those that are damaged."""
    data, seen, wrong = Data(directory), {}, []
    for bucket, key, entry in backup.entries():
        digest = entry["sha256"]
        if digest not in seen:
            seen[digest] = _damage(data.path(digest), entry)
        if seen[digest]:
            wrong.append(f"{bucket}/{key}: {seen[digest]}")
    if wrong:
        raise ParityError(f"{backup.path.name} is damaged: {_listed(wrong)}.", damaged=wrong[:100])
    return {"objects": sum(1 for _entry in backup.entries())}


def _damage(path: Path, entry: dict) -> str:
    if not path.is_file():
        return "its content is missing"
    return "" if sha256(path) == entry["sha256"] else "its content has another checksum"


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return ", ".join(words[:_MOST_NAMED]) + more


# --- Giving back ----------------------------------------------------------------------------------------------------


def restore(directory: Path, backup: Backup, stores: list[Store], *, replace: bool, check: bool = False) -> dict:
    """Bring back what is missing and, with `replace`, what is different. What came later stays."""
    data = Data(directory)
    result: dict[str, list[str]] = {"restored": [], "different": [], "later": []}
    work: list[tuple[Store, str, dict]] = []
    for store in stores:
        objects = backup.buckets.get(store.bucket)
        if objects is None:
            raise ParityError(f"{backup.path.name} has no bucket {store.bucket!r}. It has: {', '.join(backup.buckets) or 'none'}.")
        there = {found.key: found for found in store.list()}
        result["later"] += [f"{store.bucket}/{key}" for key in sorted(there.keys() - objects.keys())]
        for key, entry in objects.items():
            check_key(key)
            if key not in there:
                work.append((store, key, entry))
            elif not _same(store, there[key], entry):
                result["different"].append(f"{store.bucket}/{key}")
                if replace:
                    work.append((store, key, entry))
    damaged = [f"{store.bucket}/{key}" for store, key, entry in work if _damage(data.path(entry["sha256"]), entry)]
    if damaged:
        raise ParityError(f"{backup.path.name} is damaged: {_listed(damaged)}. Nothing was restored.", damaged=damaged[:100])
    for store, key, entry in work:
        if not check:
            store.put(key, data.path(entry["sha256"]), entry.get("type", ""))
            _check_arrived(store, key, entry)
        result["restored"].append(f"{store.bucket}/{key}")
    return {"changed": bool(work), **result}


def _same(store: Store, found: Found, entry: dict) -> bool:
    if found.size != entry["size"]:
        return False
    return bool(found.version and found.version == entry["version"]) or _digest(store, found.key) == entry["sha256"]


def _check_arrived(store: Store, key: str, entry: dict) -> None:
    if _digest(store, key) != entry["sha256"]:
        raise ParityError(f"{store.bucket}/{key} was written, and something else can be read there. Look at the store's own logs.")


def _digest(store: Store, key: str) -> str:
    with tempfile.TemporaryFile() as file:
        try:
            store.fetch(key, file)
        except Missing:
            return ""
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- Removing old ones ----------------------------------------------------------------------------------------------


def prune(directory: Path, name: str, keep: Keep, announced: int = 0, *, check: bool = False) -> dict:
    """Remove backups that nothing keeps (by the rule for dumps of a database), and contents that no backup of any name has."""
    removed = {backup.path for backup in superfluous(backups(directory, name), keep, announced)}
    data = Data(directory)
    # Every manifest has to be readable here: the contents of one that is not would look like nobody's.
    kept = [read(path) for path in sorted(directory.glob(f"*{SUFFIX}")) if path not in removed]
    needed = {entry["sha256"] for backup in kept for _bucket, _key, entry in backup.entries()}
    contents = [path for path in data.everything() if path.name not in needed]
    remains = list(data.remains())
    size = sum(path.stat().st_size for path in contents)
    if not check:
        for path in [*removed, *contents, *remains]:
            path.unlink(missing_ok=True)
    return {
        "changed": bool(removed or contents or remains),
        "removed": sorted(path.name for path in removed),
        "removed_contents": len(contents),
        "removed_bytes": size,
    }
