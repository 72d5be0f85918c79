# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that a bucket does what it is for, with one test object that is removed again."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.object_stores import Missing, Refused, Store

#: Without a slash: on a file system it would leave a directory behind.
PREFIX = "parity-check-"
_SIZE = 100_000
_WRONG_TYPE = "application/x-parity-check"


class Checks:
    """The checks of one bucket, in order. Where an object can be written, all are made, whatever fails."""

    def __init__(
        self,
        store: Store,
        get: Callable[[str], Answer],
        *,
        content_type: str,
        types_limited: bool,
        size_limit: int | None,
        public: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._get, self._sleep = store, get, sleep
        self._type, self._types_limited = content_type, types_limited
        self._size_limit, self._public = size_limit, public
        self._key = f"{PREFIX}{uuid.uuid4().hex}"
        self._content = os.urandom(_SIZE)
        self.results: list[dict] = []

    def run(self) -> list[dict]:
        try:
            self._check("an object is written", self._write)
            if not self.results[0]["complaint"]:
                self._check_written()
        finally:
            self._check("the objects of the check are removed", self._removed)
        return self.results

    def _check_written(self) -> None:
        self._check("it is read back as it was written", self._read)
        self._check("it is listed", self._listed)
        if self._store.signs:
            self._check("a signed URL reads it without a key", self._signed)
            self._check("an expired URL does not", self._expired)
        if self._store.plain_url(self._key) and not self._public:
            self._check("nobody reads it without a key", self._closed)
        if self._types_limited:
            self._check("another type is refused", self._wrong_type)
        if self._size_limit:
            self._check("a larger object is refused", self._too_large)

    def _check(self, name: str, check: Callable[[], str]) -> None:
        started = time.monotonic()
        try:
            complaint = check()
        except ParityError as error:
            complaint = str(error)
        self.results.append({"name": name, "complaint": complaint, "seconds": round(time.monotonic() - started, 4)})

    def _write(self) -> str:
        self._put(self._key, self._type, self._content)
        return ""

    def _put(self, key: str, content_type: str, content: bytes = b"", size: int | None = None) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.truncate(len(content) if size is None else size)
            file.flush()
            self._store.put(key, Path(file.name), content_type)

    def _read(self) -> str:
        with tempfile.TemporaryFile() as file:
            self._store.fetch(self._key, file)
            file.seek(0)
            return self._compared(file.read())

    def _compared(self, content: bytes) -> str:
        if hashlib.sha256(content).digest() == hashlib.sha256(self._content).digest():
            return ""
        return f"{len(content)} bytes came back, not the {len(self._content)} that were written"

    def _listed(self) -> str:
        return "" if any(found.key == self._key for found in self._store.list()) else "it is not in the list"

    def _signed(self) -> str:
        answer = self._get(self._store.sign(self._key, 60))
        return self._compared(answer.body) if answer.status == 200 else f"the URL gives {answer}"

    def _expired(self) -> str:
        url = self._store.sign(self._key, 1)
        self._sleep(2.5)
        answer = self._get(url)
        return "" if 400 <= answer.status < 500 else f"the URL gives {answer}, 1.5 s after it has expired"

    def _closed(self) -> str:
        answer = self._get(self._store.plain_url(self._key) or "")
        return "" if 400 <= answer.status < 500 else f"without a key, the object gives {answer}"

    def _wrong_type(self) -> str:
        return self._refused("type", _WRONG_TYPE, 415)

    def _too_large(self) -> str:
        try:
            return self._refused("size", self._type, 413, (self._size_limit or 0) + 1)
        except ParityError as error:
            # A server may close the connection instead of reading on; what counts is that nothing is there.
            return str(error) if self._there(f"{self._key}-size") else ""

    def _refused(self, what: str, content_type: str, status: int, size: int | None = None) -> str:
        try:
            self._put(f"{self._key}-{what}", content_type, b"x", size)
        except Refused as refused:
            return "" if refused.status == status else f"it was refused, but for another reason: {refused}"
        return "the store took it"

    def _there(self, key: str) -> bool:
        try:
            with tempfile.TemporaryFile() as file:
                self._store.fetch(key, file)
        except Missing:
            return False
        return True

    def _removed(self) -> str:
        for key in (self._key, f"{self._key}-type", f"{self._key}-size"):
            self._store.remove(key)
        return f"{self._key} can still be read after it was removed" if self._there(self._key) else ""
