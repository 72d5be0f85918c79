# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that a bucket does what it is for, with one test object that is removed again, and what in it belongs to nothing."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.parity.stack.plugins.module_utils.checks import collect
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import explain
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.storage.stores import Found, Missing, Refused, Store

#: Without a slash: on a file system it would leave a directory behind.
PREFIX = "parity-check-"
_SIZE = 100_000
_WRONG_TYPE = "application/x-parity-check"
#: A check that was killed has left its objects when they are this old (seconds).
_LEFT_BEHIND = 3600


@dataclass(frozen=True)
class About:
    """What a report says of a check beside its name."""

    id: str
    expected: str
    severity: str = "major"


ABOUT = {
    "an object is written": About("storage.write", "the store takes it", "critical"),
    "it is read back as it was written": About("storage.read", "the same bytes come back", "critical"),
    "it is listed": About("storage.list", "it is in the list"),
    "a signed URL reads it without a key": About("storage.signed_url", "the same bytes come back"),
    "an expired URL does not": About("storage.expired_url", "a status from 400 to 499", "critical"),
    "nobody reads it without a key": About("storage.no_key", "a status from 400 to 499", "critical"),
    "another type is refused": About("storage.wrong_type", "refused for its type"),
    "a larger object is refused": About("storage.too_large", "refused for its size"),
    "the objects of the check are removed": About("storage.delete", "nothing can be read any more", "critical"),
}


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
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._get, self._sleep, self._now = store, get, sleep, now
        self._type, self._types_limited = content_type, types_limited
        self._size_limit, self._public = size_limit, public
        self._key = f"{PREFIX}{uuid.uuid4().hex}"
        self._content = os.urandom(_SIZE)
        self.results: list[dict] = []

    def run(self) -> list[dict]:
        self._clear()
        try:
            self._check("an object is written", self._write)
            if not self.results[0]["complaint"]:
                self._check_written()
        finally:
            self._check("the objects of the check are removed", self._removed)
        return self.results

    def _clear(self) -> None:
        """Remove what a check has left that was killed."""
        with suppress(ParityError, OSError):  # a store that does not answer is told by the checks themselves
            for found in list(self._store.list(PREFIX)):
                if found.modified < self._now() - _LEFT_BEHIND:
                    self._store.remove(found.key)

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
        started, made = time.monotonic(), True
        try:
            complaint = check()
        except Refused as error:
            complaint = str(error)
        except (ParityError, OSError) as error:
            complaint, made = explain(error), False
        seconds = round(time.monotonic() - started, 4)
        self.results.append({"name": name, "complaint": complaint, "made": made, "seconds": seconds})

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
        return "" if any(found.key == self._key for found in self._store.list(PREFIX)) else "it is not in the list"

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


# --- What belongs to nothing ----------------------------------------------------------------------------------------

MOST = 1000
SHOWN = 10


def compare(before: set[str], objects: list[Found], after: set[str], *, now: float, grace: float, ignore: Iterable[str]) -> dict:
    """What belongs to nothing. `before` and `after` are the rows' keys around the listing of the objects."""
    there = {found.key for found in objects}
    orphans = [
        found
        for found in objects
        if found.key not in before | after
        and found.modified <= now - grace
        and not found.key.startswith(tuple(ignore))
        # Supabase's own mark of a folder.
        and found.key.rpartition("/")[2] != ".emptyFolderPlaceholder"
    ]
    lost = sorted((before & after) - there)
    size = sum(found.size for found in orphans)
    return {
        "objects_without_row": sorted(found.key for found in orphans)[:MOST],
        "rows_without_object": lost[:MOST],
        "objects": len(there),
        "rows": len(after),
        "orphaned_bytes": size,
        "summary": f"{len(orphans)} of {len(there)} objects have no row ({size} bytes), {len(lost)} of {len(after)} rows have no object.",
    }


def complaint(bucket: str, found: dict) -> str:
    """What is wrong, with the first keys; empty when nothing is."""
    parts = [
        f"{kind} ({words}): {', '.join(found[name][:SHOWN])}{', ...' if len(found[name]) > SHOWN else ''}"
        for name, kind, words in (
            ("rows_without_object", "Rows without an object", "restore it from a backup, or remove the row"),
            ("objects_without_row", "Objects without a row", "remove them once nobody misses them"),
        )
        if found[name]
    ]
    return f"Bucket {bucket}: {found['summary']} {'. '.join(parts)}" if parts else ""


def report(store: Store, database_url: str, query: str, *, grace: float, ignore: Iterable[str]) -> dict:
    """The comparison with the keys a query gives, asked before and after the objects are listed."""
    target = postgresql.parse_url(database_url, "database_url")
    with closing(postgresql.connect(target)) as connection:
        # Each query sees what is there when it begins, and none of them can change anything. A transaction of its own says so: a
        # setting of the session would stay with a pooler's connection, and meet the application there.
        connection.set_session(readonly=True)
        before = _keys(connection, query)
        objects = list(store.list())
        after = _keys(connection, query)
    return compare(before, objects, after, now=time.time(), grace=grace, ignore=ignore)


def _keys(connection: Any, query: str) -> set[str]:
    try:
        return {str(row[0]) for row in postgresql.rows(connection, query) if row[0] is not None}
    finally:
        connection.rollback()


# --- As checks of a report ------------------------------------------------------------------------------------------


def of_bucket(
    store: Store, *, content_type: str, public: bool, largest: int, ca_file: str | None, timeout: float
) -> Checks:
    """The checks of a bucket, by what the store says of it."""
    settings = getattr(store, "settings", {"public": public})
    limit = settings.get("file_size_limit")
    client = Client(ca_file=ca_file, timeout=timeout, redirects=False)
    return Checks(
        store,
        lambda url: client.send("GET", url),
        content_type=content_type,
        types_limited=bool(settings.get("allowed_mime_types")),
        size_limit=limit if limit and limit <= largest else None,
        public=bool(settings.get("public")),
    )


def content_type_for(allowed: object) -> str:
    """A type of objects that a bucket with these allowed ones takes."""
    types = allowed if isinstance(allowed, list) else [allowed]
    return next((str(kind) for kind in types if re.fullmatch(r"[^*/]+/[^*/]+", str(kind))), "application/pdf")


def records(bucket: str, results: list[dict], host: str) -> list[dict]:
    """Results of a bucket as a report takes them."""
    return [
        {
            "id": ABOUT[result["name"]].id,
            "group": "storage",
            "title": f"Bucket {bucket}: {result['name']}",
            "severity": ABOUT[result["name"]].severity,
            "expected": ABOUT[result["name"]].expected,
            "host": host,
            "status": collect.ERROR if not result["made"] else collect.FAILED if result["complaint"] else collect.PASSED,
            "seen": result["complaint"] or "so it is",
            "evidence": "",
            "seconds": result["seconds"],
        }
        for result in results
    ]


def belonging(bucket: str, find: Callable[[], dict]) -> list[collect.Check]:
    """Checks of what belongs to nothing. Minor ones: they tell of a crash or a loss some time ago, not of this release."""
    found: dict = {}

    def all_rows() -> collect.Seen:
        found.update(find())
        return _seen(found, "rows_without_object", f"{found['rows']} rows")

    def all_objects() -> collect.Seen:
        if not found:
            raise ParityError("rows and objects could not be compared")
        size = f", {found['orphaned_bytes']} bytes without a row" if found["objects_without_row"] else ""
        return _seen(found, "objects_without_row", f"{found['objects']} objects{size}")

    return [
        collect.Check("storage.rows", f"Bucket {bucket}: every row has its object", "no row without an object", all_rows, "minor"),
        collect.Check("storage.objects", f"Bucket {bucket}: every object has its row", "no object without a row", all_objects, "minor"),
    ]


def _seen(found: dict, name: str, of: str) -> collect.Seen:
    keys = found[name]
    return collect.Seen(not keys, f"{len(keys)}{' or more' if len(keys) == MOST else ''} of {of}", "\n".join(keys))
