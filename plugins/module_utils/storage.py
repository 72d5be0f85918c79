# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where buckets may stand on a file system, and what is wrong with the place that was named."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

BACKENDS = ("filesystem",)
BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,62}$")
_SYSTEM_NAMES = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr")
_TOP_NAMES = ("home", "media", "mnt", "opt", "srv", "var")
_VAR_NAMES = ("backups", "cache", "lib", "log", "tmp", "www")
#: Directories of the system: neither they nor anything below is a place for documents.
SYSTEM = tuple(f"/{name}" for name in _SYSTEM_NAMES)
#: Directories that hold the data of many: something below them is fine, they themselves are not.
SHARED = (
    *(f"/{name}" for name in _TOP_NAMES),
    *(f"/var/{name}" for name in _VAR_NAMES),
)


def problems(
    *, backend: str, path: str, buckets: list, mode: str, owner: int, group: int, warn_percent: int
) -> list[str]:
    """What is wrong with the inputs, whatever the host."""
    found = []
    if backend not in BACKENDS:
        found.append(f"storage_backend is {backend!r}, which is not supported. Supported: {', '.join(BACKENDS)}.")
    found.append(path_problem(path))
    names = [bucket.get("name") if isinstance(bucket, dict) else bucket for bucket in buckets]
    found += [
        f"storage_buckets has the name {name!r}. "
        "Use 2 to 63 lower-case letters, digits and . _ -, a letter or digit first."
        for name in names
        if not isinstance(name, str) or not BUCKET.match(name) or ".." in name
    ]
    if not names:
        found.append("storage_buckets is empty. Name at least one bucket, such as [{name: documents}].")
    found += [
        f"storage_buckets has {name!r} more than once."
        for name in sorted({str(n) for n in names if names.count(n) > 1})
    ]
    if not re.match(r"^0?[0-7]{3}$", mode):
        found.append(f'storage_mode is {mode!r}. Give an octal mode in quotes, such as "0750".')
    elif int(mode, 8) & 0o002:
        found.append(f'storage_mode is {mode!r}, which lets everyone on the host write. Use "0750" or stricter.')
    elif int(mode, 8) & 0o700 != 0o700:
        found.append(f"storage_mode is {mode!r}, with which the owner itself cannot work. The first digit has to be 7.")
    found += [f"{option} is {number}. Give the number of a service user, 1 or more." for option, number in
              (("storage_owner_id", owner), ("storage_group_id", group)) if number < 1]  # fmt: skip
    if not 0 <= warn_percent <= 100:
        found.append(f"storage_free_space_warning_percent is {warn_percent}. Give a number between 0 and 100.")
    return [problem for problem in found if problem]


def path_problem(path: str) -> str | None:
    """Why buckets must not stand at `path`, or None."""
    advice = "Give a directory of its own, such as /srv/documents."
    if not path.startswith("/"):
        return f"storage_path is {path!r}, which is not absolute. {advice}"
    if ".." in path.split("/"):
        return f"storage_path is {path!r}. Write it without '..'."
    plain = str(PurePosixPath("/" + path.lstrip("/")))
    if plain == "/" or plain in SHARED or any(plain == top or plain.startswith(f"{top}/") for top in SYSTEM):
        return f"storage_path is {path!r}, a directory of the system. {advice}"
    return None


def place_problem(path: Path, buckets: list[str]) -> str | None:
    """What stands in the way on this host: a part of the path, or a bucket, that is no directory."""
    for part in (*reversed(path.parents), path, *(path / bucket for bucket in buckets)):
        if part.is_symlink() and not part.exists():
            return f"{part} is a symbolic link to something that does not exist. Is the file system mounted?"
        if part.exists() and not part.is_dir():
            return f"{part} is a file and has to be a directory. Move it away, or set storage_path to another place."
    real = path.resolve()
    if real != path and path_problem(str(real)):
        return (
            f"{path} leads to {real}, a directory of the system. Give a directory of its own, such as /srv/documents."
        )
    return None


def nearest(path: Path) -> Path:
    """The directory itself or, before it exists, the nearest one above it."""
    return next(part for part in (path, *path.parents) if part.is_dir())
