# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Supabase Storage by its REST interface: the meaning of its answers, keys that show the truth, and buckets.

The service answers HTTP 400 for nearly every error, and the body has the meaning. To a key that is not service_role it answers that
nothing exists, so "missing" counts only with a service_role key.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.parity.stack.plugins.module_utils import http_client, urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client

#: The options of modules that talk to it. Documented in plugins/doc_fragments/supabase.py.
SPEC = {
    **http_client.TIMEOUT,
    "url": {"type": "str", "required": True},
    "service_role_key": {"type": "str", "required": True, "no_log": True},
    "ca_file": {"type": "path"},
    "attempts": {"type": "int", "default": 5},
}
SETTINGS = ("public", "file_size_limit", "allowed_mime_types")
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d+)\s*([A-Za-z]*)")
_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?")
_MIME = re.compile(r"(\*|[a-z]+)/(\*|[A-Za-z0-9][A-Za-z0-9.+-]*)")
_PAGE = 1000
_MOST_COUNTED = 10_000
_LONGEST_WAIT = 30.0


# --- Inputs ---------------------------------------------------------------------------------------------------------


def key_problem(key: object, now: float, name: str = "service_role_key") -> str | None:
    """Why the answers to this key cannot be trusted, or None. Never quotes the key."""
    if not isinstance(key, str) or not key.strip():
        return f"{name} is empty. Give the project's service_role key."
    if key.startswith(("sb_secret_", "sb_publishable_")):
        kind = key[: key.index("_", 3) + 1]
        return (
            f"{name} is a key of the kind {kind}..., which the storage service does not take as a token (it answers "
            "'Invalid Compact JWS'). Give the project's legacy service_role key (a JWT: three parts with dots between)."
        )
    claims = _claims(key)
    if claims is None:
        return f"{name} is no JWT (three parts of base64 with dots between). Give the project's service_role key whole."
    role = claims.get("role")
    if role != "service_role":
        seen = f"has the role {role!r}" if role else "has no role"
        return (
            f"{name} {seen}, wanted is 'service_role'. The storage service answers such a key that buckets do not exist, "
            "even where they do. Give the project's service_role key."
        )
    return _time_problem(claims, now, name)


def _time_problem(claims: dict, now: float, name: str) -> str | None:
    expires, begins = claims.get("exp"), claims.get("nbf")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)):
        return f"{name} does not say when it expires (claim exp). Give a key that does."
    if expires <= now:
        return f"{name} expired {_ago(now - expires)} ago. Make a new one in the project's settings, and give that."
    if isinstance(begins, (int, float)) and begins > now:
        return f"{name} is valid only in {_ago(begins - now)} (claim nbf). Check the clock of this machine, or give another key."
    return None


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} seconds"


def _claims(key: str) -> dict | None:
    parts = key.strip().split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def url_problem(url: object, name: str = "url") -> str | None:
    """Why this cannot be a project's address."""
    parts = urls.web_address(url)
    if parts is None:
        return f"{name} is {url!r}. Give the project's address, such as https://abcdefgh.supabase.co."
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"{name} holds more than an address. Give it without user, query and fragment: https://{parts.hostname}."
    if parts.path.rstrip("/") not in ("", "/storage/v1"):
        return f"{name} has the path {parts.path!r}. Give the project's address without one: https://{parts.netloc}."
    return None


def base_url(url: str) -> str:
    return url.rstrip("/").removesuffix("/storage/v1") + "/storage/v1"


def name_problem(name: object, option: str = "name") -> str | None:
    """Why the service would not take a bucket of this name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or "/" in name or name in (".", ".."):
        return f"{option} is {name!r}. Use 1 to 100 ASCII characters without a slash and without a space at either end."
    return None


def size_in_bytes(value: object, option: str = "file_size_limit") -> int | None:
    """`50MB`, `50000000` or none, as the number of bytes the service keeps. Its units are decimal."""
    if value is None or str(value).strip().lower() in ("none", "null", ""):
        return None
    match = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    unit = (match[2] or "B").upper() if match else ""
    if unit in ("KIB", "MIB", "GIB", "TIB"):
        exact = int(match[1]) * 1024 ** ("KMGT".index(unit[0]) + 1)
        raise ParityError(
            f"{option} is {value!r}, but the service's units are decimal. Write {exact} for exactly that many bytes, or "
            f"{match[1]}{unit[0]}B."
        )
    if unit not in _UNITS:
        raise ParityError(f"{option} is {value!r}. Write a number and B, KB, MB, GB or TB, such as 50MB, or none.")
    size = int(match[1]) * _UNITS[unit]
    if size < 1:
        raise ParityError(f"{option} is {value!r}, with which nothing could be stored. Write none for no limit.")
    return size


def mime_types(value: object, option: str = "allowed_mime_types") -> list[str] | None:
    """A list of types in one order, or None for any."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "any"):
        return None
    if not isinstance(value, list):
        raise ParityError(f"{option} is {value!r}. Give a list such as [application/pdf, image/*], or the word any.")
    for one in value:
        if not isinstance(one, str) or not _MIME.fullmatch(one):
            raise ParityError(f"{option} has {one!r}. Write types as application/pdf or image/*.")
    return sorted(set(value))


# --- Answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What an answer means. `status` is 0 when there is none that could be the service's."""

    status: int
    message: str = ""
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def passing(self) -> bool:
        """Whether the same request may get another answer a little later."""
        return self.status in (0, 429) or self.status >= 500


def verdict(answer: Answer, *, wants_json: bool = True) -> Verdict:
    """The meaning of an answer: the body's `statusCode` (text or number) comes before the HTTP status."""
    if not answer.status:
        return Verdict(0, f"no answer ({answer.error})")
    content = answer.json()
    if 300 <= answer.status < 400:
        place = urlsplit(answer.headers.get("location", ""))
        where = f"{place.scheme}://{place.netloc}{place.path}" if place.netloc else "another path"
        return Verdict(answer.status, f"a redirect to {where}, which the storage service never sends")
    if answer.status < 300:
        if wants_json and not isinstance(content, (dict, list)):
            return Verdict(0, f"status {answer.status} with {_kind(answer)} instead of JSON", content)
        return Verdict(answer.status, "", content, answer.headers)
    if not isinstance(content, dict):
        return Verdict(answer.status, f"status {answer.status} with {_kind(answer)} instead of JSON")
    meant = str(content.get("statusCode", ""))
    status = int(meant) if meant.isdigit() and 400 <= int(meant) <= 599 else answer.status
    words = content.get("message") or content.get("error") or "no reason given"
    return Verdict(status, f"{status}: {str(words)[:200]}", content)


def _kind(answer: Answer) -> str:
    if not answer.body:
        return "an empty body"
    if answer.body.lstrip()[:1] == b"<":
        return "an HTML or XML page"
    return "a cut-off or malformed body" if answer.body.lstrip()[:1] in (b"{", b"[") else "something"


def advice(status: int, message: str) -> str:
    """What to do about an answer that is none of those expected."""
    if "Invalid Compact JWS" in message:
        return "The key is no JWT: give the project's legacy service_role key."
    if "signature" in message:
        return "The key belongs to another project, or was replaced. Compare it with the project's settings."
    if status in (401, 403):
        return "The service refuses the key. Compare it with the project's settings."
    if status == 413:
        return "The limit is above the one of the whole project: lower it, or raise the project's."
    if status == 415:
        return "A type in allowed_mime_types is none the service knows."
    if 300 <= status < 400:
        return "Give the address of the project itself, not one that forwards to it."
    if status == 0:
        return "Is the address right, the project running, and is something else in between (a proxy, a login page)?"
    return "Check the project's storage logs."


# --- Requests -------------------------------------------------------------------------------------------------------


class Storage:
    """Sends requests to the service, again where that may help, and raises ParityError for every unexpected answer."""

    def __init__(self, client: Client, *, attempts: int = 5, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._attempts = max(1, attempts)
        self._sleep = sleep
        self.base = client.base

    def call(self, method: str, path: str, payload: object = None, *, expect: tuple[int, ...] = (), **options: Any) -> Verdict:
        """The answer to a request, which is good or one of the errors in `expect`."""
        body = None if payload is None else json.dumps(payload).encode()
        kind = "" if payload is None else "application/json"
        return self.exchange(method, path, expect, body=body, content_type=kind, **options)

    def exchange(
        self, method: str, path: str, expect: tuple[int, ...] = (), *, wants_json: bool = True, rewind=None, **options: Any
    ) -> Verdict:
        for attempt in range(1, self._attempts + 1):
            if rewind:
                rewind()
            answer = self._client.send(method, path, **options)
            meant = verdict(answer, wants_json=wants_json)
            if meant.good or meant.status in expect:
                return meant
            if not meant.passing or attempt == self._attempts:
                break
            self._sleep(self._pause(attempt, answer))
        tried = f" The last of {attempt} attempts." if meant.passing and attempt > 1 else ""
        raise ParityError(
            f"{method} {self._client.base}{path}: the storage service answered {meant.message}.{tried} "
            f"{advice(meant.status, meant.message)}",
            status=meant.status,
        )

    @staticmethod
    def _pause(attempt: int, answer: Answer) -> float:
        asked = answer.headers.get("retry-after", "")
        return min(max(0.5 * 2 ** (attempt - 1), float(asked) if asked.isdigit() else 0.0), _LONGEST_WAIT)

    # --- Buckets

    def buckets(self) -> list[dict]:
        content = self.call("GET", "/bucket").content
        if not isinstance(content, list) or not all(isinstance(one, dict) and "name" in one for one in content):
            raise self._odd("GET", "/bucket")
        return content

    def bucket(self, name: str) -> dict | None:
        """The bucket, or None. Trust the None only with a key that key_problem() accepts."""
        path = f"/bucket/{quote(name, safe='')}"
        content = self.call("GET", path, expect=(404,))
        if content.status == 404:
            return None
        if not isinstance(content.content, dict) or content.content.get("name") != name:
            raise self._odd("GET", path)
        return content.content

    def create(self, name: str, settings: dict) -> bool:
        """Make the bucket. False when it exists: another client was faster, or an earlier attempt had worked without an answer."""
        return self.call("POST", "/bucket", {"id": name, "name": name, **settings}, expect=(409,)).good

    def update(self, name: str, settings: dict) -> None:
        self.call("PUT", f"/bucket/{quote(name, safe='')}", settings)

    def delete(self, name: str) -> bool:
        """Whether the bucket is gone; false when it holds objects."""
        return self.call("DELETE", f"/bucket/{quote(name, safe='')}", expect=(404, 409)).status != 409

    def empty(self, name: str) -> None:
        self.call("POST", f"/bucket/{quote(name, safe='')}/empty", {})

    def entries(self, name: str, prefix: str = "") -> list[dict]:
        """What lies directly below a prefix: objects, and folders (whose id is null)."""
        path, result = f"/object/list/{quote(name, safe='')}", []
        while True:
            wanted = {"prefix": prefix, "limit": _PAGE, "offset": len(result), "sortBy": {"column": "name", "order": "asc"}}
            page = self.call("POST", path, wanted).content
            if not isinstance(page, list) or not all(isinstance(one, dict) and one.get("name") for one in page):
                raise self._odd("POST", path)
            result += page
            if len(page) < _PAGE:
                return result

    def count(self, name: str, *, exact: bool = False) -> int:
        """How many objects a bucket holds. Stops beyond ten thousand, unless the number has to be `exact`."""
        number, folders = 0, [""]
        while folders and (exact or number < _MOST_COUNTED):
            prefix = folders.pop()
            for entry in self.entries(name, prefix):
                if entry.get("id") is None:
                    folders.append(f"{prefix}{entry['name']}/")
                else:
                    number += 1
        return number

    def _odd(self, method: str, path: str) -> ParityError:
        return ParityError(
            f"{method} {self._client.base}{path}: what came back is JSON, but none the storage service would send. "
            "Is the address the project's?"
        )


# --- Buckets as they should be --------------------------------------------------------------------------------------


def view(bucket: dict | None) -> dict:
    """A bucket's settings in the form they are compared in."""
    if bucket is None:
        return {}
    types = bucket.get("allowed_mime_types")
    return {
        "name": bucket.get("name"),
        "public": bool(bucket.get("public")),
        "file_size_limit": bucket.get("file_size_limit"),
        "allowed_mime_types": sorted(set(types)) if isinstance(types, list) else None,
    }


def difference(seen: dict, wanted: dict) -> dict:
    """The settings of a bucket (as view() gives them) that have to be written."""
    return {name: value for name, value in wanted.items() if seen[name] != value}


def ensure_present(storage: Storage, name: str, wanted: dict, *, check: bool = False) -> dict:
    """Make the bucket exist with these settings; what is not in `wanted` stays as it is."""
    bucket = storage.bucket(name)
    before = view(bucket)
    if bucket is None and check:
        return _result(before, {**view({"name": name}), **wanted})
    if bucket is None:
        # Refused as a duplicate: an attempt whose answer was lost, or somebody at the same moment. Either way it is there now.
        created = storage.create(name, {"public": False, **wanted})
        change = {} if created else difference(_seen(storage, name), wanted)
    else:
        change = difference(before, wanted)
        if check or not change:
            return _result(before, {**before, **change}, bucket)
    if change:
        storage.update(name, change)
    after = _seen(storage, name)
    if difference(after, wanted):
        raise ParityError(
            f"The service took the settings of bucket {name!r}, but shows {after}; wanted is {wanted}. Check what else changes it."
        )
    return _result(before, after)


def _seen(storage: Storage, name: str) -> dict:
    """The settings of a bucket that has just been written."""
    bucket = storage.bucket(name)
    if bucket is None:
        raise ParityError(f"The service accepted bucket {name!r}, and then says that it is missing. Check what else removes it.")
    return view(bucket)


def ensure_absent(
    storage: Storage,
    name: str,
    *,
    force_empty: bool,
    patience: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
    check: bool = False,
    note: Callable[[str], None] = lambda _words: None,
) -> dict:
    """Remove the bucket. With `force_empty`, remove its objects first; without it, refuse a bucket that has objects."""
    bucket = storage.bucket(name)
    if bucket is None:
        return _result({}, {})
    if check or not storage.delete(name):
        number = storage.count(name)
        if number and not force_empty:
            raise ParityError(
                f"Bucket {name!r} holds {_number(number)}; it was not removed. Set force_empty to remove them all with it.",
                objects=number,
            )
        if not check:
            # Each removed object shows progress, so the count has to be exact, also for a large bucket.
            _empty(storage, name, storage.count(name, exact=True), patience, sleep, clock, note)
    return _result(view(bucket), {})


def _empty(storage, name, number, patience, sleep, clock, note) -> None:
    """Let the service empty the bucket, which takes time, and remove it. Waits as long as the number of objects falls."""
    storage.empty(name)
    left, moved = number, clock()
    while not storage.delete(name):
        found = storage.count(name, exact=True)
        if found < left:
            left, moved = found, clock()
            note(f"bucket {name}: {_number(left)} left of {number}")
        elif clock() - moved > patience:
            raise ParityError(
                f"Bucket {name!r} is being emptied, but no object was removed for {patience:g} s: {_number(found)} of {number} left. "
                "The bucket is still there; run this again later.",
                objects=found,
            )
        sleep(min(2.0, max(0.2, patience / 50)))


def _number(objects: int) -> str:
    return f"{'more than ' if objects >= _MOST_COUNTED else ''}{objects} object{'' if objects == 1 else 's'}"


def _result(before: dict, after: dict, bucket: dict | None = None) -> dict:
    return {"changed": before != after, "diff": {"before": before, "after": after}, "bucket": bucket or after or None}


def connect(url: str, key: str, *, ca_file: str | None, timeout: float, attempts: int, now: float, sleep) -> Storage:
    """The service at this address; raises ParityError for an address or a key that cannot be used."""
    problems = [words for words in (url_problem(url), key_problem(key, now)) if words]
    if problems:
        raise ParityError(" | ".join(problems), problems=problems)
    client = Client(base_url(url), ca_file=ca_file, token=key.strip(), timeout=timeout, redirects=False)
    return Storage(client, attempts=attempts, sleep=sleep)


def connect_with(params: dict) -> Storage:
    """The service that the options of `SPEC` name."""
    how = {name: params[name] for name in ("ca_file", "timeout", "attempts")}
    return connect(params["url"], params["service_role_key"], **how, now=time.time(), sleep=time.sleep)
