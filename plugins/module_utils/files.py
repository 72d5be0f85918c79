# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files so that each is whole or absent, whatever happens meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_atomically(path: Path, content: str, *, mode: int = 0o644, uid: int = -1, gid: int = -1) -> None:
    """Replace `path` by `content` (UTF-8) in one rename, on disk before the rename.

    The permissions are in place before the first byte is written, so a secret is never readable by others.
    Raises OSError as the file system reports it; the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, uid, gid)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def link_atomically(path: Path, target: str) -> None:
    """Point the symbolic link `path` at `target` in one rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames inside `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(paths: list[Path], coming: Mapping[Path, str] | None = None) -> str:
    """SHA-256 over the names and contents of files; directories count with all the files below them.

    A path that does not exist counts as its absence, so that creating it later changes the digest. `coming` are files (with their
    text) that the run is going to write, for a dry run: they count as if they were there.
    """
    coming = {path: text for path, text in (coming or {}).items() if concerns(path, paths)}
    digest = hashlib.sha256()
    for path in sorted(_expand(paths) | coming.keys()):
        digest.update(f"{path}\0".encode())
        if path in coming:
            digest.update(hashlib.sha256(coming[path].encode()).digest())
        elif path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def concerns(path: Path, paths: list[Path]) -> bool:
    """Whether `path` is among files and directories, or below one of them."""
    return any(path == one or one in path.parents for one in paths)


def newest_change(paths: list[Path]) -> float:
    """The latest modification time (seconds since the epoch) among files, and 0 when there are none."""
    return max((path.stat().st_mtime for path in _expand(paths) if path.is_file()), default=0.0)


def _expand(paths: list[Path]) -> set[Path]:
    files = {path for path in paths if not path.is_dir()}
    for directory in (path for path in paths if path.is_dir()):
        files.update(path for path in directory.rglob("*") if path.is_file())
    return files


def explain(error: Exception) -> str:
    """The text of an error. Of an OSError: what failed, on which file, and the remedy where a person has one."""
    if not isinstance(error, OSError):
        return str(error)
    where = error.filename or "a file"
    advice = {
        errno.ENOSPC: "The disk is full. Make room (df -h on the host) and run again.",
        errno.EDQUOT: "The quota is used up. Make room and run again.",
        errno.EROFS: "The file system is read-only. Look for disk errors (dmesg on the host).",
    }.get(error.errno, "")
    return f"{where}: {error.strerror or error}. {advice}".strip()
