# SPDX-License-Identifier: GPL-3.0-or-later
"""Where uploaded files live: one small interface, and the backends behind it."""

import hashlib
import hmac
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import quote, urlencode

from docpipe.settings import Settings

# No segment may start with a dot: that excludes "..", and keeps half-written files out of listings.
_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_SEGMENT}(/{_SEGMENT})*")
_MAX_KEY_LENGTH = 512
CONTENT_TYPES = frozenset({"application/pdf"})


class InvalidKey(ValueError):
    """The key is not one this application could have made."""


class ObjectNotFound(LookupError):
    """There is no object with this key."""


class StorageUnavailable(OSError):
    """The object store does not answer, or not as it should; trying again later may help."""


class UploadRefused(ValueError):
    """The object breaks a limit; it was not sent."""


class ObjectStorage(Protocol):
    """What the application needs from an object store."""

    def put(self, key: str, stream: BinaryIO, content_type: str) -> None:
        """Store an object whole or not at all; an existing one is replaced."""

    def open(self, key: str) -> BinaryIO:
        """The object's content, to be closed by the caller. Raises ObjectNotFound."""

    def signed_url(self, key: str, expires_in: int) -> str:
        """A URL that anybody may read the object from, for so many seconds."""

    def delete(self, key: str) -> None:
        """Remove the object; that it is gone already is no error."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with the prefix."""

    def check(self) -> None:
        """Raise unless objects can be stored."""


class Limited:
    """Any backend, with limits that hold before a byte is sent: not every backend knows them itself."""

    def __init__(self, backend: ObjectStorage, max_bytes: int, content_types: frozenset[str]) -> None:
        self._backend = backend
        self._max_bytes = max_bytes
        self._content_types = content_types
        self.open, self.signed_url = backend.open, backend.signed_url
        self.delete, self.list, self.check = backend.delete, backend.list, backend.check

    def put(self, key: str, stream: BinaryIO, content_type: str) -> None:
        if content_type not in self._content_types:
            raise UploadRefused(f"objects of the type {content_type} are not taken")
        size = stream.seek(0, os.SEEK_END)
        if size > self._max_bytes:
            raise UploadRefused(f"an object may have {self._max_bytes} bytes; this one has {size}")
        stream.seek(0)
        self._backend.put(key, stream, content_type)


class BlockStream(io.RawIOBase):
    """What comes in blocks over a connection, as a file that is read from the beginning to the end."""

    def __init__(self, blocks: Iterator[bytes], close: Callable[[], object]) -> None:
        self._blocks = blocks
        self._close = close
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._blocks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            with suppress(Exception):  # what was wrong with the connection has been said by now
                self._close()
        super().close()


def seekable(stream: BinaryIO) -> BinaryIO:
    """The stream itself or, where one cannot move in it, a copy in which one can."""
    if stream.seekable():
        return stream
    with stream:
        copy = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115
        shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return cast(BinaryIO, copy)


class UrlSigner:
    """Signs URLs of objects that this application serves itself, for backends that cannot."""

    def __init__(self, secret: str, public_url: str) -> None:
        # A key of its own: a signature must never be good for anything but a URL.
        self._key = hmac.digest(secret.encode(), b"docpipe object url", "sha256")
        self._public_url = public_url

    def sign(self, key: str, expires_in: int) -> str:
        expires = int(time.time()) + expires_in
        query = urlencode({"expires": expires, "signature": self._signature(key, expires)})
        return f"{self._public_url}/objects/{quote(key)}?{query}"

    def valid(self, key: str, expires: int, signature: str) -> bool:
        expected = self._signature(key, expires)
        return hmac.compare_digest(expected.encode(), signature.encode()) and expires > time.time()

    def _signature(self, key: str, expires: int) -> str:
        return hmac.new(self._key, f"{expires}:{key}".encode(), hashlib.sha256).hexdigest()


def check_key(key: str) -> str:
    """The key itself if it is well-formed; otherwise raises InvalidKey."""
    if len(key) > _MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InvalidKey("malformed object key")
    return key


class FilesystemStorage:
    """Objects as files below one directory, which all API and worker hosts share."""

    def __init__(self, root: Path, signer: UrlSigner) -> None:
        self._root = root
        self._signer = signer

    def put(self, key: str, stream: BinaryIO, content_type: str) -> None:
        # A file system has no place for the content type; the database knows it.
        target = self._path(key)
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=".put-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(stream, file)
                file.flush()
                os.fchmod(file.fileno(), 0o640)
                os.fsync(file.fileno())
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise ObjectNotFound(key) from None

    def signed_url(self, key: str, expires_in: int) -> str:
        return self._signer.sign(check_key(key), expires_in)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        files = (path for path in self._root.rglob("*") if path.is_file() and not path.name.startswith("."))
        keys = (path.relative_to(self._root).as_posix() for path in files)
        return (key for key in keys if key.startswith(prefix))

    def check(self) -> None:
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise OSError("the storage directory is missing or not writable")

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def url_signer(settings: Settings) -> UrlSigner:
    return UrlSigner(settings.jwt_secret_key.get_secret_value(), settings.public_url)


def create_storage(settings: Settings) -> ObjectStorage:
    """The backend STORAGE_BACKEND asks for, within the limits of uploads."""
    return Limited(_backend(settings), settings.max_upload_bytes, CONTENT_TYPES)


def _backend(settings: Settings) -> ObjectStorage:
    # A client library is loaded where its backend is used; it costs memory and time at start.
    match settings.storage_backend:
        case "s3":
            from docpipe import storage_s3

            return storage_s3.create(settings)
        case "supabase":
            from docpipe import storage_supabase

            return storage_supabase.create(settings)
        case "filesystem":
            assert settings.storage_path is not None
            return FilesystemStorage(settings.storage_path, url_signer(settings))


def owner_prefix(owner: str) -> str:
    """All objects of one person share a prefix, so that erasure finds also those without a row."""
    return f"owners/{hashlib.sha256(owner.encode()).hexdigest()[:40]}/"
