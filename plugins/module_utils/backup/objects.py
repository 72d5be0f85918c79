# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of objects: each content once, under its checksum, and for each backup a manifest with its objects.

    DIRECTORY/data/ab/abcdef...                 the contents as they are kept, named by their SHA-256
    DIRECTORY/NAME-TIME[-LABEL].manifest.json   a backup: for each bucket, the keys with size, checksum and type

The manifest is written last, so everything it names is there. A backup copies only what the previous backup does not have. The file
is the content itself, or the content encrypted by age; then the entry's `stored` has the file's checksum, size and recipient.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.backup import repository
from ansible_collections.parity.stack.plugins.module_utils.backup.age import Age
from ansible_collections.parity.stack.plugins.module_utils.backup.offsite import OffSitePlace
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Keep, is_own, own_files, sha256, superfluous
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import sync_directory, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.storage.stores import Found, Missing, NoBucket, Store, check_key

SUFFIX = ".manifest.json"
_VERSION = 1
_SPARE = 64 * 2**20
_MOST_NAMED = 10
_PARTIAL = ".partial-"


class Backup(repository.Backup):
    """A manifest that has been read."""

    @property
    def buckets(self) -> dict[str, dict[str, dict]]:
        return self.manifest["buckets"]

    def entries(self) -> Iterator[tuple[str, str, dict]]:
        for bucket, objects in self.buckets.items():
            for key, entry in objects.items():
                yield bucket, key, entry


def locked(directory: Path) -> AbstractContextManager[None]:
    """One run at a time: a run must not remove contents while another run copies. Raises ParityError where another run holds the lock."""
    return repository.locked(directory, ".lock")


def read(path: Path) -> Backup:
    """A backup by its manifest; raises ParityError for one that cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ParityError(f"{path} cannot be read as the manifest of a backup ({type(error).__name__}).") from None
    return parse(path, text)


def parse(path: Path, text: str) -> Backup:
    """A backup by the text of its manifest."""
    try:
        manifest = json.loads(text)
        datetime.fromisoformat(manifest["finished"])
        good = manifest["version"] == _VERSION and all(
            len(part["sha256"]) == 64 and part["size"] >= 0
            for objects in manifest["buckets"].values()
            for entry in objects.values()
            for part in (entry, stored(entry))
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParityError(f"{path} cannot be read as the manifest of a backup ({type(error).__name__}).") from None
    if not good:
        raise ParityError(f"{path} is no manifest that this version of the collection reads (version {manifest.get('version')!r}).")
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
        raise ParityError(f"There is no backup called {name} in {directory}. Make one first, or check the name.")
    return read(found[-1])


def stored(entry: dict) -> dict:
    """The file of a content: its checksum, its size and, where it is encrypted, the recipient."""
    return entry.get("stored", entry)


def names(entries: Iterable[dict]) -> set[str]:
    """Names of the files of the contents."""
    return {stored(entry)["sha256"] for entry in entries}


class Data:
    """The contents."""

    def __init__(self, directory: Path, age: Age) -> None:
        self.age = age
        self._directory = directory / "data"

    def path(self, name: str) -> Path:
        return self._directory / name[:2] / name

    def has(self, entry: dict) -> bool:
        part = stored(entry)
        path = self.path(part["sha256"])
        return path.is_file() and path.stat().st_size == part["size"]

    def serves(self, entry: dict) -> bool:
        """Whether a new backup can use the file of an earlier one: it is there, and encrypted as wanted now."""
        return self.has(entry) and (not self.age or stored(entry).get("age") == self.age.recipient)

    def keep(self, store: Store, key: str, known: dict[str, dict]) -> dict:
        """Copy an object, unless its content is among those `known`. Returns its entry. Raises Missing."""
        with self._partial() as plain:
            with plain.open("wb") as file:
                kind = store.fetch(key, file)  # type: ignore[arg-type]
            entry = {"size": plain.stat().st_size, "sha256": sha256(plain), "type": kind}
            if not self.age:
                self._place(plain, entry["sha256"])
                return entry
            # Encrypted again, it would be another file.
            if entry["sha256"] not in known:
                known[entry["sha256"]] = self._encrypt(plain, entry)
            return {**entry, "stored": known[entry["sha256"]]}

    def _encrypt(self, plain: Path, entry: dict) -> dict:
        with self._partial() as secret:
            recipient = self.age.recipient
            self.age.encrypt(plain, secret, entry["sha256"], "content")
            part = {"size": secret.stat().st_size, "sha256": sha256(secret), "age": recipient}
            self._place(secret, part["sha256"])
        return part

    def _place(self, partial: Path, name: str) -> None:
        repository.sync(partial)
        target = self.path(name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(partial, target)
        sync_directory(target.parent)

    @contextmanager
    def _partial(self) -> Iterator[Path]:
        """A temporary file: it is removed, unless it gets another name."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=_PARTIAL)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def opened(self, entry: dict) -> Iterator[Path]:
        """The content itself."""
        path = self.path(stored(entry)["sha256"])
        if "age" not in stored(entry):
            yield path
            return
        with self._partial() as plain:
            self.age.decrypt(path, plain)
            yield plain

    def damage(self, entry: dict) -> str:
        """What is wrong with a content, after reading all of it. An encrypted one is decrypted too, where the secret key is there."""
        part = stored(entry)
        path = self.path(part["sha256"])
        if not path.is_file():
            return "its content is missing"
        if sha256(path) != part["sha256"]:
            return "its content has another checksum"
        if "age" in part and self.age.can_decrypt:
            with self.opened(entry) as plain:
                return "" if sha256(plain) == entry["sha256"] else "its content decrypts to something else"
        return ""

    def everything(self) -> Iterator[Path]:
        yield from self._directory.glob("[!.]*/*")

    def remains(self) -> Iterator[Path]:
        """The files that killed runs left."""
        yield from self._directory.glob(f"{_PARTIAL}*")


# --- Making one -----------------------------------------------------------------------------------------------------


def to_back_up(directory: Path, name: str, buckets: list[str], open_: Callable[[str], Store]) -> list[Store]:
    """The buckets as stores. A bucket that does not exist is left out, as long as no backup has objects of it: it is made later."""
    found = []
    for bucket in buckets:
        try:
            found.append(open_(bucket))
        except NoBucket as error:
            files = own_files(directory, name, SUFFIX)
            if files and read(files[-1]).buckets.get(bucket):
                raise ParityError(f"{error} The last backup has objects of it.") from None
    return found


def plan(stores: list[Store], previous: Backup | None, data: Data) -> tuple[dict[str, dict[str, dict]], list[tuple[Store, Found]]]:
    """What the previous backup already has, and what this one has to copy."""
    have: dict[str, dict[str, dict]] = {}
    missing = []
    for store in stores:
        old = previous.buckets.get(store.bucket, {}) if previous else {}
        have[store.bucket] = {}
        for found in store.list():
            entry = old.get(found.key)
            same = entry and found.version and (entry["size"], entry["version"]) == (found.size, found.version)
            if same and data.serves(entry):
                have[store.bucket][found.key] = entry
            else:
                missing.append((store, found))
    return have, missing


def create(
    directory: Path, name: str, label: str, stores: list[Store], now: Callable[[], datetime], age: Age, *, check: bool = False
) -> dict:
    """Copy what is new and write a manifest. Writes nothing where everything is as in the previous backup."""
    data = Data(directory, age)
    existing = own_files(directory, name, SUFFIX)
    previous = read(existing[-1]) if existing else None
    objects, missing = plan(stores, previous, data)
    size = sum(found.size for _store, found in missing)
    if not objects:
        return {"changed": False, "file": None, **_counts(objects, 0, 0)}
    if previous and not missing and previous.buckets == objects and previous.label == label:
        return {"changed": False, "file": previous.path.name, **_counts(objects, 0, 0)}
    if check:
        return {"changed": True, "file": None, **_counts(objects, len(missing), size, len(missing))}
    for path in list(data.remains()):
        path.unlink()
    # During encryption, a content takes its space twice.
    twice = max((found.size for _store, found in missing), default=0) if age else 0
    repository.check_space(directory, size + twice + _SPARE, "backup_objects_directory")
    before = previous.entries() if previous and age else ()
    known = {entry["sha256"]: stored(entry) for _bucket, _key, entry in before if data.serves(entry)}
    started = now()
    for store, found in missing:
        try:
            entry = data.keep(store, found.key, known)
        except Missing:
            continue  # removed since it was listed
        # The next backup copies again what was replaced during this copy.
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
    path = directory / repository.file_name(name, label, finished, SUFFIX)
    write_atomically(path, json.dumps(manifest, indent=1, sort_keys=True) + "\n", mode=0o600)
    return {"changed": True, "file": path.name, **_counts(objects, len(missing), size)}


def _counts(objects: dict[str, dict[str, dict]], copied: int, size: int, to_come: int = 0) -> dict:
    return {"objects": sum(map(len, objects.values())) + to_come, "copied": copied, "copied_bytes": size}


# --- Verifying ------------------------------------------------------------------------------------------------------


def verify(directory: Path, backup: Backup, age: Age) -> dict:
    """Read every content of a backup and compare its checksum. Raises ParityError for those that are damaged."""
    data, seen, wrong = Data(directory, age), {}, []
    for bucket, key, entry in backup.entries():
        name = stored(entry)["sha256"]
        if name not in seen:
            seen[name] = data.damage(entry)
        if seen[name]:
            wrong.append(f"{bucket}/{key}: {seen[name]}")
    if wrong:
        raise ParityError(f"{backup.path.name} is damaged: {_listed(wrong)}.", damaged=wrong[:100])
    entries = [entry for _bucket, _key, entry in backup.entries()]
    unread = 0 if age.can_decrypt else sum("age" in stored(entry) for entry in entries)
    return {"objects": len(entries), "not_decrypted": unread}


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return ", ".join(words[:_MOST_NAMED]) + more


# --- Restoring ------------------------------------------------------------------------------------------------------


def restore(directory: Path, backup: Backup, stores: list[Store], age: Age, *, replace: bool, check: bool = False) -> dict:
    """Restore the objects that are missing and, with `replace`, those that differ. Newer objects stay."""
    data = Data(directory, age)
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
    if not age.can_decrypt and any("age" in stored(entry) for _store, _key, entry in work):
        raise ParityError(f"{backup.path.name} is encrypted with age. Give its secret key: backup_age_identity. Nothing was restored.")
    damaged = [f"{store.bucket}/{key}" for store, key, entry in work if data.damage(entry)]
    if damaged:
        raise ParityError(f"{backup.path.name} is damaged: {_listed(damaged)}. Nothing was restored.", damaged=damaged[:100])
    for store, key, entry in work:
        if not check:
            with data.opened(entry) as content:
                store.put(key, content, entry.get("type", ""))
            _check_arrived(store, key, entry)
        result["restored"].append(f"{store.bucket}/{key}")
    return {"changed": bool(work), **result}


def _same(store: Store, found: Found, entry: dict) -> bool:
    if found.size != entry["size"]:
        return False
    return bool(found.version and found.version == entry["version"]) or _digest(store, found.key) == entry["sha256"]


def _check_arrived(store: Store, key: str, entry: dict) -> None:
    if _digest(store, key) != entry["sha256"]:
        raise ParityError(f"{store.bucket}/{key} was written, but reads differently afterwards. Check the store's logs.")


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
    """Remove backups that retention does not keep (the rule of database backups), and contents that no backup of any name has."""
    data = Data(directory, Age(_nothing))
    # Every manifest has to be readable here: the contents of an unreadable one would look unused, and be removed.
    found = [read(path) for path in sorted(directory.glob(f"*{SUFFIX}"))]
    own = [backup for backup in found if is_own(backup.path.name, name, SUFFIX)]
    removed = {backup.path for backup in superfluous(own, keep, announced)}
    needed = names(entry for backup in found if backup.path not in removed for _bucket, _key, entry in backup.entries())
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


def _nothing(_words: list[str], _stdin: str) -> tuple[int, str, str]:
    raise ParityError("Nothing is encrypted or decrypted here.")


# --- Off-site copies ------------------------------------------------------------------------------------------------


def copy(directory: Path, name: str, keep: Keep, place: OffSitePlace, announced: int = 0, *, check: bool = False) -> dict:
    """Make an off-site copy of every whole backup, its manifest last, and remove off-site copies that retention does not keep."""
    data = Data(directory, Age(_nothing))
    files = place.files(below=True, check=check)
    # Each manifest has to be readable: the contents of an unreadable one would look unused, and be removed.
    there = [_there(directory, place, file) for file in sorted(files) if file.endswith(SUFFIX) and "/" not in file]
    here = [one for one in backups(directory, name) if one.path.name not in files]
    whole = [one for one in here if all(data.has(entry) for _bucket, _key, entry in one.entries())]
    own = [one for one in there if is_own(one.path.name, name, SUFFIX)]
    new, old = repository.off_site(own, whole, keep, announced)
    gone = {one.path.name for one in old}
    kept = [*(one for one in there if one.path.name not in gone), *new]
    needed = {stored(entry)["sha256"]: stored(entry)["size"] for one in kept for _bucket, _key, entry in one.entries()}
    contents = {_file(content): size for content, size in needed.items()}
    # A content that off-site copies need and this host lost too is reported at the end; copying goes on.
    lacking = [file for file, size in contents.items() if files.get(file) != size]
    send = [file for file in lacking if (directory / file).is_file()]
    lost = sorted(set(lacking) - set(send))
    remove = sorted(gone) + sorted(file for file in files if file.startswith("data/") and file not in contents)
    if not check:
        place.send(directory, send)
        place.send(directory, [one.path.name for one in new])
        place.remove(file for file in remove if file.endswith(SUFFIX))
        place.remove(file for file in remove if not file.endswith(SUFFIX))
    if lost:
        raise ParityError(f"{len(lost)} contents of off-site copies are missing there and on this host: {_listed(lost)}.")
    return {
        "changed": bool(new or send or remove or announced),
        "sent": [one.path.name for one in new],
        "sent_contents": len(send),
        "removed": sorted(gone),
        "left_out": [one.path.name for one in here if one not in whole],
    }


def _there(directory: Path, place: OffSitePlace, name: str) -> Backup:
    path = directory / name
    return read(path) if path.is_file() else parse(path, place.text(name))


def _file(content: str) -> str:
    return f"data/{content[:2]}/{content}"
