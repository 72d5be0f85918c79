# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a bucket, in a probe and in a report, and objects that belong to nothing."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.checks import objects as object_checks
from ansible_collections.parity.stack.plugins.module_utils.checks.objects import compare, complaint
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.storage import stores
from ansible_collections.parity.stack.plugins.module_utils.storage.stores import Found
from ansible_collections.parity.stack.plugins.modules import storage_checks
from ansible_collections.parity.stack.plugins.plugin_utils.report import outcome
from module_runs import run
from object_stores import parameters, put, read
from supabase_storage import serving, token


def check(store, get=None, **options) -> dict[str, str]:
    def found(url: str) -> Answer:
        if "parity-check" in url and url.endswith("?60"):
            return Answer(200, read(store, url.rpartition("/")[2].partition("?")[0]))
        return Answer(403)

    given = {"content_type": "application/pdf", "types_limited": False, "size_limit": None, "public": False, **options}
    checks = object_checks.Checks(store, get or found, sleep=lambda _s: None, **given)
    results = {result["name"]: result["complaint"] for result in checks.run()}
    assert list(store.list()) == []
    return results


def test_what_works_has_no_complaint(store):
    if isinstance(store, stores.Supabase):
        # The fake of this test answers no signed URL.
        results = check(store, get=lambda _url: Answer(400))
        assert "400" in results.pop("a signed URL reads it without a key")
    else:
        results = check(store)
    assert set(results.values()) == {""}


def test_what_is_wrong_is_said(store, monkeypatch):
    def open_to_all(_url: str) -> Answer:
        return Answer(200, b"x")

    results = check(store, open_to_all, types_limited=True, size_limit=5)
    assert results["another type is refused"] == "the store took it"
    assert results["a larger object is refused"] == "the store took it"
    if not isinstance(store, stores.Directory):
        assert "1 bytes came back" in results["a signed URL reads it without a key"]
        assert "after it has expired" in results["an expired URL does not"]
        assert "without a key" in results["nobody reads it without a key"]
    monkeypatch.setattr(store, "list", lambda prefix="": iter(()))
    assert "not in the list" in check(store, open_to_all)["it is listed"]


def test_a_refusal_for_another_reason(store, monkeypatch):
    real = store.put

    def put_(key, source, content_type):
        if key.endswith(("-type", "-size")):
            raise stores.Refused("the store is full", 507)
        real(key, source, content_type)

    monkeypatch.setattr(store, "put", put_)
    results = check(store, types_limited=True, size_limit=5, get=lambda _url: Answer(403))
    assert "another reason: the store is full" in results["another type is refused"]
    assert "another reason: the store is full" in results["a larger object is refused"]


def test_a_store_that_hangs_up_on_large_objects(store, monkeypatch):
    real = store.put

    def put_(key, source, content_type):
        if key.endswith("-size"):
            raise ParityError("no answer (Broken pipe)")
        real(key, source, content_type)

    monkeypatch.setattr(store, "put", put_)
    assert check(store, size_limit=5, get=lambda _url: Answer(403))["a larger object is refused"] == ""
    monkeypatch.setattr(store, "put", lambda *given: real(*given) or (given[0].endswith("-size") and _broken()))
    assert "Broken pipe" in check(store, size_limit=5, get=lambda _url: Answer(403))["a larger object is refused"]


def _broken():
    raise ParityError("no answer (Broken pipe)")


def test_a_store_that_keeps_what_was_removed(tmp_path):
    (tmp_path / "documents").mkdir()
    store = stores.Directory(tmp_path, "documents")
    store.remove = lambda _key: None
    checks = object_checks.Checks(
        store, lambda _url: Answer(0), content_type="", types_limited=False, size_limit=None, public=False
    )
    assert "can still be read" in checks.run()[-1]["complaint"]


def test_the_probe_against_a_bucket_with_limits(service):
    service.create_bucket({"name": "limited", "file_size_limit": 200_000, "allowed_mime_types": ["application/pdf"]}, "service_role")
    with serving(service) as url:
        given = {"backend": "supabase", "supabase_url": url, "supabase_key": token(), "bucket": "limited"}
        assert run("storage_probe", check=True, **given)["results"] == [] and service.objects["limited"] == {}
        result = run("storage_probe", **given)
        assert [one["complaint"] for one in result["results"]] == [""] * 9, result
        failed = run("storage_probe", **given, content_type="text/html")
        assert failed["failed"] and "415" in failed["msg"] and "1 of 2 checks failed" in failed["msg"]
        assert service.objects["limited"] == {}


def test_what_a_killed_check_left_goes_and_what_another_one_needs_stays(store):
    """Only an hour later: another check may be at work."""
    left = f"{object_checks.PREFIX}left"
    put(store, left)
    put(store, "mine")
    [found] = store.list(left)
    for later, stays in ((60, True), (3700, False)):
        checks = object_checks.Checks(
            store, lambda _url: Answer(403), content_type="application/pdf", types_limited=False, size_limit=None, public=False,
            sleep=lambda _s: None, now=lambda later=later: found.modified + later,
        )  # fmt: skip
        checks.run()
        assert [one.key for one in store.list()] == ["mine", *([left] if stays else [])]


def test_a_store_that_does_not_answer_is_reported_check_by_check(store, monkeypatch):
    def away(*_given, **_options):
        raise OSError(28, "No space left on device", "/srv/objects")

    monkeypatch.setattr(store, "put", away)
    monkeypatch.setattr(store, "list", away)
    results = object_checks.Checks(
        store, lambda _url: Answer(403), content_type="a/b", types_limited=False, size_limit=None, public=False
    ).run()
    assert [(one["name"], one["made"]) for one in results] == [
        ("an object is written", False),
        ("the objects of the check are removed", True),
    ]
    assert "The disk is full" in results[0]["complaint"]


ALL = ["bucket", "write", "read", "list", "signed_url", "expired_url", "no_key", "wrong_type", "too_large", "delete"]


def told(given: dict) -> dict[str, str]:
    """The status of each check, whose form every report takes."""
    found = storage_checks.make({"largest": 10**8, "query": "", "database_url": "", "grace": 3600, "host": "data1", **given})
    outcome.build(head={"stack": "shop"}, checks=found)
    assert all(one["group"] == "storage" and one["host"] == "data1" and one["expected"] and one["seen"] for one in found)
    assert list(dict.fromkeys(one["id"].split(".")[0] for one in found)) == ["storage"]
    return {one["id"].removeprefix("storage."): one["status"] for one in found}


def test_what_a_bucket_with_limits_has_to_do(service):
    types = ["image/*", "text/css"]
    service.create_bucket({"name": "limited", "file_size_limit": 200_000, "allowed_mime_types": types}, "service_role")
    with serving(service) as url:
        buckets = [{"name": "limited", "allowed_mime_types": types}]
        given = parameters("supabase", supabase_url=url, supabase_key=token(), buckets=buckets)
        assert told(given) == dict.fromkeys(ALL, "passed")
        service.buckets["limited"]["file_size_limit"] = None
        service.buckets["limited"]["public"] = True
        assert told(given) == dict.fromkeys([name for name in ALL if name not in ("no_key", "too_large")], "passed")
        # Another setting than the inventory's is one that refuses.
        service.buckets["limited"]["allowed_mime_types"] = ["application/pdf"]
        assert told(given) == {"bucket": "passed", "write": "failed", "delete": "passed"}
        assert told({**given, "buckets": [{"name": "none"}]}) == {"bucket": "error"}
        assert told({**given, "supabase_key": token(role="anon")}) == {"bucket": "error"}
        assert service.objects["limited"] == {}


@pytest.mark.parametrize(
    ("found", "rows", "objects"),
    [
        ({"rows_without_object": [], "objects_without_row": []}, "passed", "passed"),
        ({"rows_without_object": ["a"], "objects_without_row": []}, "failed", "passed"),
        ({"rows_without_object": [], "objects_without_row": ["b"]}, "passed", "failed"),
        (ParityError("PostgreSQL refuses"), "error", "error"),
    ],
)
def test_orphaned_objects_are_reported_and_no_more(tmp_path, monkeypatch, found, rows, objects):
    (tmp_path / "documents").mkdir()

    def report(_store, url, query, *, grace, ignore):
        assert (url, query, grace, ignore) == ("postgresql://x", "SELECT", 3600, [object_checks.PREFIX])
        if isinstance(found, Exception):
            raise found
        return {"rows": 3, "objects": 2, "orphaned_bytes": 10, **found}

    monkeypatch.setattr(object_checks, "report", report)
    given = parameters("filesystem", path=str(tmp_path), buckets=[{"name": "documents"}], query="SELECT", database_url="postgresql://x")
    seen = told(given)
    assert seen == {**dict.fromkeys(["bucket", "write", "read", "list", "delete"], "passed"), "rows": rows, "objects": objects}
    checks = storage_checks.make({"largest": 0, "grace": 3600, "host": "", **given})
    report_ = outcome.build(head={"stack": "shop"}, checks=checks)
    assert report_["verdict"] == ("passed" if (rows, objects) == ("passed", "passed") else "warning")


@pytest.mark.parametrize(
    ("before", "objects", "after", "orphans", "lost"),
    [
        ({"a"}, ["a"], {"a"}, [], []),
        ({"a"}, ["a", "b"], {"a"}, ["b"], []),
        ({"a", "b"}, ["a"], {"a", "b"}, [], ["b"]),
        # On its way: the row came, or went, while the objects were listed.
        ({"a"}, ["a", "b"], {"a", "b"}, [], []),
        ({"a", "b"}, ["a"], {"a"}, [], []),
        ({"a"}, ["a"], {"a", "b"}, [], []),
        (set(), ["young"], set(), [], []),
        (set(), ["parity-check-1", "x/.emptyFolderPlaceholder"], set(), [], []),
    ],
)
def test_what_belongs_to_nothing(before, objects, after, orphans, lost):
    listed = [Found(key, 10, "v", 99_990 if key == "young" else 1000) for key in objects]
    found = compare(before, listed, after, now=100_000, grace=60, ignore=["parity-check-"])
    assert (found["objects_without_row"], found["rows_without_object"]) == (orphans, lost)
    assert found["orphaned_bytes"] == 10 * len(orphans)


def test_what_is_said_of_it():
    listed = [Found(f"key-{number:02}", 10, "v", 0) for number in range(11)]
    found = compare({"lost"}, listed, {"lost"}, now=100, grace=0, ignore=[])
    words = complaint("documents", found)
    assert words.startswith("Bucket documents: 11 of 11 objects have no row (110 bytes), 1 of 1 rows have no object.")
    assert "remove the row): lost." in words and words.endswith("key-09, ...")
    assert complaint("documents", compare({"a"}, [Found("a", 1, "v", 0)], {"a"}, now=100, grace=0, ignore=[])) == ""
