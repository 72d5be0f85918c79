# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a bucket on a file system, on S3 or in Supabase Storage, behind one interface."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.storage import s3, supabase

#: The options of modules that work with objects, as argument_spec takes them.
OPTIONS: dict[str, dict] = {
    "backend": {"type": "str", "choices": ["filesystem", "s3", "supabase"], "required": True},
    "path": {"type": "path"},
    "owner_id": {"type": "int", "default": -1},
    "group_id": {"type": "int", "default": -1},
    "supabase_url": {"type": "str"},
    "supabase_key": {"type": "str", "no_log": True},
    "s3_endpoint": {"type": "str", "default": ""},
    "s3_region": {"type": "str", "default": "us-east-1"},
    "s3_access_key": {"type": "str", "no_log": False},
    "s3_secret_key": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "timeout": {"type": "float", "default": 30},
}
#: The option of those that work with one bucket.
BUCKET = {"bucket": {"type": "str", "required": True}}
REQUIRED_IF = [
    ("backend", "filesystem", ["path"]),
    ("backend", "supabase", ["supabase_url", "supabase_key"]),
    ("backend", "s3", ["s3_access_key", "s3_secret_key"]),
]
_ONE_REQUEST = 5 * 10**9
_ATTEMPTS = 5


class Missing(ParityError):
    """There is no such object, or no longer."""


class NoBucket(ParityError):
    """There is no such bucket (yet)."""


class Refused(ParityError):
    """The store does not take an object: `status` says why, as Supabase counts (413, 415)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Found:
    """An object as a list shows it. `version` differs when the content does; empty when nobody knows."""

    key: str
    size: int
    version: str
    modified: float


class Store(Protocol):
    """One bucket."""

    bucket: str
    #: Whether the store serves signed URLs itself; where it does not, the application does.
    signs: bool

    def list(self, prefix: str = "") -> Iterator[Found]:
        """All objects, or those whose keys begin so."""

    def fetch(self, key: str, into: BinaryIO) -> str:
        """Write the content to a file at its beginning; the type of the content. Raises Missing."""

    def put(self, key: str, source: Path, content_type: str) -> None:
        """Store a file's content, whole or not at all. Raises Refused."""

    def remove(self, key: str) -> None:
        """That it is gone already is no error."""

    def sign(self, key: str, seconds: int) -> str:
        """A URL that needs no key."""

    def plain_url(self, key: str) -> str | None:
        """Where somebody without a key would ask."""


def open_store(params: dict, bucket: str) -> Store:
    """The store that a module's options name. Raises NoBucket where there is no such bucket."""
    if params["backend"] == "filesystem":
        return Directory(Path(params["path"]), bucket, params["owner_id"], params["group_id"])
    if params["backend"] == "s3":
        problem = s3.endpoint_problem(params["s3_endpoint"], "s3_endpoint")
        if problem:
            raise ParityError(problem)
        client = s3.client(
            endpoint=params["s3_endpoint"],
            region=params["s3_region"],
            access_key=params["s3_access_key"],
            secret_key=params["s3_secret_key"],
            ca_file=params["ca_file"],
            timeout=params["timeout"],
            attempts=_ATTEMPTS,
        )
        return S3(client, bucket, params["s3_endpoint"])
    storage = supabase.connect(
        params["supabase_url"],
        params["supabase_key"],
        ca_file=params["ca_file"],
        timeout=params["timeout"],
        attempts=_ATTEMPTS,
        now=time.time(),
        sleep=time.sleep,
    )
    return Supabase(storage, bucket)


def check_key(key: str) -> str:
    """The key, if nothing in it leads elsewhere."""
    parts = key.split("/")
    if not key or "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise ParityError(f"{key!r} is no key of an object: it is empty, or a part of it is empty, '.' or '..'.")
    return key


class Directory:
    """A bucket is a directory, a key the path of a file below it."""

    signs = False

    def __init__(self, root: Path, bucket: str, uid: int = -1, gid: int = -1) -> None:
        self.bucket = bucket
        self._place = root / check_key(bucket)
        self._ids = (uid, gid)
        if not self._place.is_dir():
            raise NoBucket(f"There is no directory {self._place}. Is the file system mounted, and has the role storage been applied?")

    def list(self, prefix: str = "") -> Iterator[Found]:
        for directory, folders, names in os.walk(self._place, onerror=_raise):
            above = Path(directory).relative_to(self._place)
            folders[:] = sorted(name for name in folders if _leads((above / name).as_posix() + "/", prefix))
            for name in sorted(names):
                path, key = Path(directory, name), (above / name).as_posix()
                if not key.startswith(prefix):
                    continue
                try:
                    state = path.lstat()
                except FileNotFoundError:
                    continue
                if path.is_file() and not path.is_symlink():
                    yield Found(key, state.st_size, _version(state), state.st_mtime)

    def fetch(self, key: str, into: BinaryIO) -> str:
        try:
            with self._path(key).open("rb") as source:
                _rewind(into)
                shutil.copyfileobj(source, into)
        except FileNotFoundError:
            raise Missing(f"there is no object {key!r}") from None
        return ""

    def put(self, key: str, source: Path, content_type: str) -> None:
        target = self._path(key)
        self._make(target.parent)
        descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=".put-")
        try:
            with os.fdopen(descriptor, "wb") as file, source.open("rb") as content:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fchmod(file.fileno(), 0o640)
                os.fchown(file.fileno(), *self._ids)
                os.fsync(file.fileno())
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise

    def remove(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def sign(self, key: str, seconds: int) -> str:
        raise ParityError("A file system signs no URLs; the application does.")

    def plain_url(self, key: str) -> str | None:
        return None

    def _path(self, key: str) -> Path:
        return self._place / check_key(key)

    def _make(self, directory: Path) -> None:
        """The directory and those above it, as the service itself would make them."""
        if not directory.is_dir():
            self._make(directory.parent)
            directory.mkdir(mode=0o750)
            os.chown(directory, *self._ids)


def _leads(folder: str, prefix: str) -> bool:
    """Whether keys that begin with `prefix` may be below a folder."""
    return folder.startswith(prefix) or prefix.startswith(folder)


def _raise(error: OSError) -> None:
    raise error


def _version(state: os.stat_result) -> str:
    return f"{state.st_mtime_ns}-{state.st_size}"


def _rewind(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


class S3:
    """A bucket of a server that speaks S3, asked with boto3's client."""

    signs = True

    def __init__(self, client: Any, bucket: str, endpoint: str = "") -> None:
        self.bucket = bucket
        self._client = client
        self._endpoint = endpoint.rstrip("/")
        if not s3.Bucket(client, bucket).exists():
            raise NoBucket(f"There is no bucket {bucket!r}. Has the role storage been applied?")

    def list(self, prefix: str = "") -> Iterator[Found]:
        with s3.explained(f"listing bucket {self.bucket!r}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield Found(entry["Key"], entry["Size"], entry.get("ETag", ""), entry["LastModified"].timestamp())

    def fetch(self, key: str, into: BinaryIO) -> str:
        with s3.explained(f"reading {key!r} of bucket {self.bucket!r}"):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
            except Exception as error:
                if s3.error_code(error) in ("NoSuchKey", "404"):
                    raise Missing(f"there is no object {key!r}") from None
                raise
            _rewind(into)
            for block in answer["Body"].iter_chunks(1 << 16):
                into.write(block)
        return answer.get("ContentType", "")

    def put(self, key: str, source: Path, content_type: str) -> None:
        size = source.stat().st_size
        if size > _ONE_REQUEST:
            raise ParityError(f"{key!r} has {size} bytes; more than {_ONE_REQUEST} cannot be sent in one request.")
        kind = {"ContentType": content_type} if content_type else {}
        # In one request: objects put together from parts came back damaged from Ceph's gateway 18 with its file store.
        with s3.explained(f"writing {key!r} to bucket {self.bucket!r}"), source.open("rb") as content:
            self._client.put_object(Bucket=self.bucket, Key=check_key(key), Body=content, **kind)

    def remove(self, key: str) -> None:
        with s3.explained(f"removing {key!r} from bucket {self.bucket!r}"):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def sign(self, key: str, seconds: int) -> str:
        wanted = {"Bucket": self.bucket, "Key": key}
        return self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)

    def plain_url(self, key: str) -> str | None:
        return f"{self._endpoint}/{self.bucket}/{quote(key)}" if self._endpoint else None


class Supabase:
    """A bucket of Supabase Storage, asked by its REST interface."""

    signs = True

    def __init__(self, storage: supabase.Storage, bucket: str) -> None:
        self.bucket = bucket
        self._storage = storage
        # Listing a bucket that is not there would be answered with nothing, and 200.
        self.settings = storage.bucket(bucket)
        if self.settings is None:
            raise NoBucket(f"There is no bucket {bucket!r}. Has the role storage been applied?")

    def list(self, prefix: str = "") -> Iterator[Found]:
        folders = [""]
        while folders:
            folder = folders.pop()
            for entry in self._storage.entries(self.bucket, folder):
                key = f"{folder}{entry['name']}"
                if entry.get("id") is None and _leads(f"{key}/", prefix):
                    folders.append(f"{key}/")
                elif entry.get("id") is not None and key.startswith(prefix):
                    yield self._found(key, entry)

    @staticmethod
    def _found(key: str, entry: dict) -> Found:
        about = entry.get("metadata") or {}
        changed = str(entry.get("updated_at") or entry.get("created_at") or "")
        try:
            modified = datetime.fromisoformat(changed).timestamp()
        except ValueError:
            modified = 0.0
        version = f"{about['eTag']} {changed}" if about.get("eTag") else ""
        return Found(key, int(about.get("size") or 0), version, modified)

    def fetch(self, key: str, into: BinaryIO) -> str:
        path = f"/object/authenticated/{quote(self.bucket, safe='')}/{quote(key)}"
        found = self._storage.exchange(
            "GET", path, (404,), wants_json=False, into=into, rewind=lambda: _rewind(into)
        )
        if found.status == 404:
            raise Missing(f"there is no object {key!r}")
        return found.headers.get("content-type", "")

    def put(self, key: str, source: Path, content_type: str) -> None:
        path = f"/object/{quote(self.bucket, safe='')}/{quote(check_key(key))}"
        headers = {"x-upsert": "true", "Content-Length": str(source.stat().st_size)}
        with source.open("rb") as content:
            meant = self._storage.exchange(
                "POST",
                path,
                (413, 415),
                body=content,
                content_type=content_type or "application/octet-stream",
                headers=headers,
                rewind=lambda: content.seek(0),
            )
        if not meant.good:
            raise Refused(f"the store does not take {key!r}: {meant.message}", meant.status)

    def remove(self, key: str) -> None:
        self._storage.call("DELETE", f"/object/{quote(self.bucket, safe='')}/{quote(key)}", expect=(404,))

    def sign(self, key: str, seconds: int) -> str:
        path = f"/object/sign/{quote(self.bucket, safe='')}/{quote(key)}"
        content = self._storage.call("POST", path, {"expiresIn": seconds}).content
        if not isinstance(content, dict) or not str(content.get("signedURL", "")).startswith("/"):
            raise ParityError(f"the store gave no signed URL for {key!r}")
        return f"{self._storage.base}{content['signedURL']}"

    def plain_url(self, key: str) -> str | None:
        return f"{self._storage.base}/object/public/{quote(self.bucket, safe='')}/{quote(key)}"
