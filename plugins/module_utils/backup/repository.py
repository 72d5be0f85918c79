# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of backups, of the database or of objects: the names in it, its lock, its free space, which backups stay."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

STAMP = "%Y%m%dT%H%M%SZ"
MIB = 2**20


@dataclass(frozen=True)
class Backup:
    """The file that stands for a backup, and its manifest."""

    path: Path
    manifest: dict

    @property
    def label(self) -> str:
        return self.manifest.get("label", "")

    @property
    def finished(self) -> datetime:
        return datetime.fromisoformat(self.manifest["finished"])


#: One kind of backup.
Kind = TypeVar("Kind", bound=Backup)


# Names


def file_name(name: str, label: str, moment: datetime, suffix: str) -> str:
    """Name of a backup's file: NAME-TIME[-LABEL] and the suffix of its kind, with the time in UTC."""
    return "-".join(part for part in (name, moment.astimezone(UTC).strftime(STAMP), label) if part) + suffix


def is_own(file: str, name: str, suffix: str) -> bool:
    """Whether a file's name is that of a backup called `name`; another name that begins alike is not meant."""
    return _parts(file, name, suffix) is not None


def moment_of(file: str, name: str, suffix: str) -> datetime | None:
    """The time in a file's name, or None where it is not the name of a backup called `name`. Raises ValueError for a time that is none."""
    found = _parts(file, name, suffix)
    return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC) if found else None


def own_files(directory: Path, name: str, suffix: str) -> list[Path]:
    """Files of backups called `name`, oldest first; none where the directory is missing."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if is_own(path.name, name, suffix))


def _parts(file: str, name: str, suffix: str) -> re.Match[str] | None:
    return re.match(rf"^{re.escape(name)}-(\d{{8}}T\d{{6}}Z)(-[A-Za-z0-9._+-]*)?{re.escape(suffix)}$", file)


# Retention


@dataclass(frozen=True)
class Keep:
    """How many backups stay: the last ones, and the newest one of each of so many days, weeks and months."""

    last: int
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


def superfluous(backups: list[Kind], keep: Keep, announced: int = 0) -> list[Kind]:
    """Those nothing keeps, of which `announced` are still to come. The newest one always stays. `backups` are oldest first."""
    last = max(1, keep.last) - announced
    kept = {backup.path for backup in (backups[-last:] if last > 0 else [])}
    for count, period in ((keep.daily, "%Y-%m-%d"), (keep.weekly, "%G-%V"), (keep.monthly, "%Y-%m")):
        newest = {backup.finished.strftime(period): backup.path for backup in backups}  # later ones replace earlier ones
        kept |= {newest[key] for key in sorted(newest)[-count:]} if count > 0 else set()
    return [backup for backup in backups if backup.path not in kept]


def off_site(there: list[Kind], here: list[Kind], keep: Keep, announced: int = 0) -> tuple[list[Kind], list[Kind]]:
    """Which backups get an off-site copy, and which off-site copies go. Both lists are oldest first, and known by their names.

    Only retention removes an off-site copy; one whose backup is missing on this host stays.
    """
    names = {backup.path.name for backup in there}
    missing = [backup for backup in here if backup.path.name not in names]
    everything = sorted([*there, *missing], key=lambda backup: backup.path.name)
    gone = {backup.path.name for backup in superfluous(everything, keep, announced)}
    return [one for one in missing if one.path.name not in gone], [one for one in there if one.path.name in gone]


# The directory


@contextmanager
def locked(directory: Path, file: str = "") -> Iterator[None]:
    """One run at a time: hold the kernel's lock on a directory, or on a file in it, which is made where it is missing.

    The lock ends with the process, however it ends. Raises ParityError where another run holds it.
    """
    target, flags = (directory / file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if file else (directory, os.O_RDONLY | os.O_DIRECTORY)
    descriptor = os.open(target, flags, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ParityError(f"Another backup is being made in {directory}. Wait for it to end and try again.") from None
        yield
    finally:
        os.close(descriptor)


def check_space(directory: Path, needed: int, setting: str) -> None:
    """Raise ParityError where fewer than `needed` bytes are free. `setting` names the input that chooses the directory."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise ParityError(
            f"The backup may take {needed // MIB} MiB in {directory}, and {free // MIB} MiB are free there. "
            f"Make room, or set {setting} to a larger disk."
        )


# Files


def make_private(path: Path) -> None:
    """An empty file that only its owner may read, before anything is in it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


def sync(path: Path) -> None:
    """Return when a file's content is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The checksum of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
