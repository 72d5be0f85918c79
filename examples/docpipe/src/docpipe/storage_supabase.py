# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in Supabase Storage, with Supabase's own client."""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

import httpx
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError
from storage3.utils import StorageException

from docpipe.settings import Settings
from docpipe.storage import BlockStream, ObjectNotFound, StorageUnavailable, check_key

_ATTEMPTS = 4
_PAUSE = 0.5
_BLOCK = 64 * 1024
_PAGE = 1000
_READ_SECONDS = 60

T = TypeVar("T")


class SupabaseStorage:
    """One bucket. The client makes each request once; trying again is done here."""

    def __init__(self, url: str, key: str, bucket: str, pause: float = _PAUSE) -> None:
        # No redirects: the service sends none, and the key is for nobody else.
        self._http = httpx.Client(timeout=30, follow_redirects=False)
        headers = {"Authorization": f"Bearer {key}", "apikey": key}
        self._client = SyncStorageClient(f"{url}/storage/v1/", headers, http_client=self._http)
        self._name = bucket
        self._bucket = self._client.from_(bucket)
        self._pause = pause

    def put(self, key: str, stream: BinaryIO, content_type: str) -> None:
        check_key(key)
        # The client asks for this very class; ours may be a temporary file of another one.
        reader: Any = io.BufferedReader(cast(io.RawIOBase, stream))

        def upload() -> None:
            reader.seek(0)
            self._bucket.upload(key, reader, {"content-type": content_type, "upsert": "true"})

        try:
            self._attempt(upload)
        finally:
            reader.detach()  # or it would close the stream, which is not ours

    def open(self, key: str) -> BinaryIO:
        url = self.signed_url(key, _READ_SECONDS)

        def get() -> httpx.Response:
            response = self._http.send(self._http.build_request("GET", url), stream=True)
            if response.status_code != 200:
                response.close()
                raise StorageApiError("not readable", "", response.status_code)
            return response

        response = self._attempt(get)
        return BlockStream(_blocks(response), response.close)  # type: ignore[return-value]

    def signed_url(self, key: str, expires_in: int) -> str:
        check_key(key)
        url = self._attempt(lambda: self._bucket.create_signed_url(key, expires_in)["signedURL"], key)
        if not url:
            raise StorageUnavailable("the object storage gave no signed URL")
        return str(url)

    def delete(self, key: str) -> None:
        check_key(key)
        # To a key that may not remove, the service says 200 and that nothing was removed, as if there were
        # nothing.
        if not self._attempt(lambda: self._bucket.remove([key])) and self._exists(key):
            raise StorageUnavailable("the object storage did not remove an object; may the key remove any?")

    def list(self, prefix: str) -> Iterator[str]:
        folders = [prefix.rpartition("/")[0]]
        while folders:
            folder = folders.pop()
            for entry in self._entries(folder):
                key = f"{folder}/{entry['name']}".lstrip("/")
                if entry.get("id") is None:
                    folders.append(key)
                elif key.startswith(prefix):
                    yield key

    def check(self) -> None:
        # Listing would not do: of a missing bucket it says 200 and that nothing is in it.
        self._attempt(lambda: self._client.get_bucket(self._name), attempts=1)

    def _entries(self, folder: str) -> Iterator[dict[str, Any]]:
        start = 0
        while True:
            wanted: Any = {"limit": _PAGE, "offset": start}
            page = self._attempt(partial(self._bucket.list, folder, wanted))
            yield from page
            if len(page) < _PAGE:
                return
            start += len(page)

    def _exists(self, key: str) -> bool:
        try:
            self.signed_url(key, 1)
        except ObjectNotFound:
            return False
        return True

    def _attempt(self, call: Callable[[], T], key: str = "", attempts: int = _ATTEMPTS) -> T:
        """The outcome of a call, made again after what may pass."""
        for attempt in range(1, attempts + 1):
            try:
                return call()
            except StorageApiError as error:
                # The status that is meant stands in the body, as text; HTTP's own is mostly 400.
                status = str(error.status)
                if key and status == "404":
                    raise ObjectNotFound(key) from None
                if attempt == attempts or not (status == "429" or status.startswith("5")):
                    raise StorageUnavailable(f"the object storage answers {status}") from None
            except (httpx.HTTPError, StorageException, ValueError, LookupError, TypeError) as error:
                # The last four: an answer that is not what the service sends.
                if attempt == attempts:
                    words = f"the object storage does not answer ({type(error).__name__})"
                    raise StorageUnavailable(words) from None
            time.sleep(self._pause * 2 ** (attempt - 1))
        raise AssertionError("unreachable")


def _blocks(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes(_BLOCK)
    except httpx.HTTPError as error:
        words = f"the object storage stopped in the middle ({type(error).__name__})"
        raise StorageUnavailable(words) from None


def create(settings: Settings) -> SupabaseStorage:
    assert settings.supabase_key is not None
    return SupabaseStorage(
        settings.supabase_url, settings.supabase_key.get_secret_value(), settings.storage_bucket
    )
