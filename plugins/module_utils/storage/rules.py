# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the inputs of the role storage, and where buckets may stand on a file system."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.storage import s3, supabase

#: What each backend can keep for a bucket besides its name.
SETTINGS = {
    "filesystem": ("quota",),
    "s3": (
        "public",
        "grants",
        "block_public_access",
        "versioning",
        "encryption",
        "encryption_key_id",
        "lifecycle",
        "cors_origins",
    ),
    "supabase": ("public", "file_size_limit", "allowed_mime_types"),
}
#: What to do where a backend cannot.
_INSTEAD = {
    "public": "Objects are read with signed URLs.",
    "file_size_limit": "The application itself has to refuse larger objects before it uploads them.",
    "allowed_mime_types": "The application itself has to refuse other types before it uploads them.",
    "quota": "Limit what is stored at the provider.",
    "versioning": "Keep older versions with backups.",
    "lifecycle": "Let the application remove what is old.",
    "encryption": "Encrypt the disks, or choose a provider that encrypts.",
    "grants": "Give the services keys, or users, of their own.",
    "cors_origins": "Set it where the requests arrive: at the gateway, or in the project's settings.",
}
_LIFECYCLE = ("prefix", "expire_after_days", "expire_old_versions_after_days", "abort_uploads_after_days")
BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,62}$")
_SYSTEM_NAMES = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr")
_TOP_NAMES = ("home", "media", "mnt", "opt", "srv", "var")
_VAR_NAMES = ("backups", "cache", "lib", "log", "tmp", "www")
#: Directories of the system: neither they nor anything below is a place for documents.
SYSTEM = tuple(f"/{name}" for name in _SYSTEM_NAMES)
#: Directories with the data of many programs: a directory below them is allowed, they themselves are not.
SHARED = (
    *(f"/{name}" for name in _TOP_NAMES),
    *(f"/var/{name}" for name in _VAR_NAMES),
)


def problems(inputs: dict, now: float) -> list[str]:
    """What is wrong with the role's inputs (named without the storage_ in front), whatever the host. Never quotes a key."""
    backend = inputs.get("backend")
    if backend not in SETTINGS:
        return [f"storage_backend is {backend!r}, which is not supported. Supported: {', '.join(SETTINGS)}."]
    buckets = inputs.get("buckets")
    if not isinstance(buckets, list) or not buckets:
        return [f"storage_buckets is {buckets!r}. Name at least one bucket, such as [{{name: documents}}]."]
    found: list[str | None] = []
    if backend == "filesystem":
        found += place_problems(inputs)
    elif backend == "supabase":
        found.append(supabase.url_problem(inputs.get("supabase_url"), "storage_supabase_url"))
        found.append(supabase.key_problem(inputs.get("supabase_key"), now, "storage_supabase_key"))
    else:
        found.append(s3.endpoint_problem(inputs.get("s3_endpoint"), "storage_s3_endpoint"))
        found += [
            f"storage_s3_{part} is empty. Take it from a vault or the environment of the control node."
            for part in ("access_key", "secret_key")
            if not inputs.get(f"s3_{part}")
        ]
    return [words for words in (*found, *bucket_problems(backend, buckets)) if words]


def bucket_problems(backend: str, buckets: list) -> list[str]:
    """What is wrong with the list of buckets, where they are to be kept by this backend."""
    found = []
    names = [bucket.get("name") if isinstance(bucket, dict) else bucket for bucket in buckets]
    found += [
        f"storage_buckets has the name {name!r}. "
        "Use 2 to 63 lower-case letters, digits and . _ -, a letter or digit first."
        for name in names
        if not isinstance(name, str) or not BUCKET.match(name) or ".." in name
    ]
    found += [
        f"storage_buckets has {name!r} more than once."
        for name in sorted({str(n) for n in names if names.count(n) > 1})
    ]
    for bucket in (one for one in buckets if isinstance(one, dict) and isinstance(one.get("name"), str)):
        found += _setting_problems(backend, bucket)
    return found


def _setting_problems(backend: str, bucket: dict) -> list[str]:
    given = {name: value for name, value in bucket.items() if name != "name" and value not in (None, False) and value != []}
    known = {name for settings in SETTINGS.values() for name in settings}
    where = f"storage_buckets, {bucket['name']}:"
    found = [
        f"{where} there is no setting {name!r}. Settings of the backend {backend}: {', '.join(SETTINGS[backend])}."
        for name in given
        if name not in known
    ]
    found += [
        f"{where} the backend {backend} cannot do {name} ({given[name]!r} was given). {_INSTEAD.get(name, 'Take it away.')}"
        for name in given
        if name in known and name not in SETTINGS[backend]
    ]
    able = {name: value for name, value in given.items() if name in SETTINGS[backend]}
    for name, value in able.items():
        try:
            _READ.get(name, lambda _value, _name: None)(value, f"{where} {name}")
        except ParityError as error:
            found.append(str(error))
    if backend == "s3" and (len(bucket["name"]) < 3 or "_" in bucket["name"]):
        found.append(f"{where} S3 takes names of 3 letters or more, without _.")
    if able.get("encryption_key_id") and able.get("encryption") != "aws:kms":
        found.append(f"{where} encryption_key_id is given, and encryption is {bucket.get('encryption')!r}. Only aws:kms takes a key.")
    return found


def _one_of(*choices: str):
    def read(value: object, name: str) -> None:
        for one in value if isinstance(value, list) else [value]:
            if one not in choices:
                raise ParityError(f"{name} has {one!r}. Supported: {', '.join(choices)}.")

    return read


def _grants(value: object, name: str) -> None:
    for grant in value if isinstance(value, list) else [value]:
        if not isinstance(grant, dict) or not grant.get("principal") or not isinstance(grant.get("may"), list) or not grant["may"]:
            raise ParityError(f"{name} has {grant!r}. Write {{principal: arn:aws:iam::..., may: [read, write]}}.")
        _one_of(*s3.ACTIONS)(grant["may"], f"{name}, may")


def _lifecycle(value: object, name: str) -> None:
    if not isinstance(value, dict) or set(value) - set(_LIFECYCLE):
        raise ParityError(f"{name} is {value!r}. Give a dict of {', '.join(_LIFECYCLE)}.")
    for part, days in value.items():
        if part != "prefix" and (isinstance(days, bool) or not isinstance(days, int) or days < 1):
            raise ParityError(f"{name}, {part} is {days!r}. Give a number of days, 1 or more.")


def _boolean(value: object, name: str) -> None:
    if not isinstance(value, bool):
        raise ParityError(f"{name} is {value!r}. Write true or false.")


_READ = {
    "public": _boolean,
    "versioning": _boolean,
    "quota": supabase.size_in_bytes,
    "file_size_limit": supabase.size_in_bytes,
    "allowed_mime_types": supabase.mime_types,
    "grants": _grants,
    "lifecycle": _lifecycle,
    "block_public_access": _one_of(*s3.BLOCKS),
    "encryption": _one_of("none", "AES256", "aws:kms"),
}


def place_problems(inputs: dict) -> list[str]:
    """What is wrong with the inputs that only directories have."""
    mode, warn_percent = inputs.get("mode"), inputs.get("warn_percent")
    found = [path_problem(inputs.get("path"))]
    if not isinstance(mode, str) or not re.match(r"^0?[0-7]{3}$", mode):
        found.append(f'storage_mode is {mode!r}. Give an octal mode in quotes, such as "0750".')
    elif int(mode, 8) & 0o002:
        found.append(f'storage_mode is {mode!r}, which lets everyone on the host write. Use "0750" or stricter.')
    elif int(mode, 8) & 0o700 != 0o700:
        found.append(f"storage_mode is {mode!r}, with which the owner itself cannot work. The first digit has to be 7.")
    found += [f"{option} is {number}. Give the number of a service user, 1 or more." for option, number in
              (("storage_owner_id", inputs.get("owner")), ("storage_group_id", inputs.get("group"))) if _less_than(number, 1)]  # fmt: skip
    if _less_than(warn_percent, 0) or not _less_than(warn_percent, 101):
        found.append(f"storage_free_space_warning_percent is {warn_percent}. Give a number between 0 and 100.")
    return [problem for problem in found if problem]


def _less_than(number: object, limit: int) -> bool:
    """Whether this is no whole number from `limit` on; inputs may come as text."""
    text = str(number)
    return isinstance(number, bool) or not text.lstrip("-").isdigit() or int(text) < limit


def path_problem(path: object) -> str | None:
    """Why buckets must not stand at `path`, or None."""
    advice = "Give a directory of its own, such as /srv/documents."
    if not isinstance(path, str) or not path:
        return f"storage_path is {path!r}. {advice}"
    if not path.startswith("/"):
        return f"storage_path is {path!r}, which is not absolute. {advice}"
    if ".." in path.split("/"):
        return f"storage_path is {path!r}. Write it without '..'."
    plain = str(PurePosixPath("/" + path.lstrip("/")))
    if plain == "/" or plain in SHARED or any(plain == top or plain.startswith(f"{top}/") for top in SYSTEM):
        return f"storage_path is {path!r}, a directory of the system. {advice}"
    return None


def place_problem(path: Path, buckets: list[str]) -> str | None:
    """Why the path cannot be used on this host, or None: a part of it, or a bucket, is no directory."""
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


def used(bucket: Path) -> int:
    """Bytes that the objects below a directory take; an object that disappears meanwhile does not count."""
    total = 0
    for directory, _folders, names in os.walk(bucket):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                continue
    return total


def quota_warnings(path: Path, buckets: list[dict], warn_percent: int) -> list[str]:
    """Which buckets have used up their quota but for `warn_percent` of it."""
    found = []
    for bucket in buckets:
        quota = supabase.size_in_bytes(bucket.get("quota"), "quota")
        if quota is not None:
            taken = used(path / bucket["name"])
            if taken > quota * (100 - warn_percent) / 100:
                found.append(
                    f"{path / bucket['name']} takes {taken} of {quota} bytes ({taken * 100 // quota} %). "
                    "Remove what is not needed, or raise its quota."
                )
    return found
