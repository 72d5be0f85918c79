# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Supabase Storage's answers mean, as recorded, and buckets against a server that gives them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.storage import supabase
from module_runs import run
from supabase_storage import Object, Service, serving, token

NOW = 1_900_000_000


# --- Keys and other inputs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (token(exp=NOW + 60), None),
        (token(exp=NOW + 60, nbf=NOW - 60), None),
        (token(exp=NOW + 60) + "\n", None),
        ("", "is empty"),
        (None, "is empty"),
        ("sb_secret_abcdefgh", "sb_secret_"),
        ("sb_publishable_abcdefgh", "sb_publishable_"),
        ("geheim", "is no JWT"),
        ("a.b.c", "is no JWT"),
        ("a.b", "is no JWT"),
        (token(exp=NOW + 60, role="anon"), "has the role 'anon'"),
        (token(exp=NOW + 60, role=None), "has no role"),
        (token(exp=NOW - 200_000), "expired 2 days ago"),
        (token(exp=NOW), "expired 0 seconds ago"),
        (token(exp=None), "does not say when it expires"),
        (token(exp="soon"), "does not say when it expires"),
        (token(exp=NOW + 60, nbf=NOW + 7200), "valid only in 2 hours"),
    ],
)
def test_keys(key, words):
    problem = supabase.key_problem(key, NOW)
    assert problem is None if words is None else words in problem
    assert "abcdefgh" not in str(problem) and "geheim" not in str(problem)
    assert not key or len(key) < 40 or not any(part in str(problem) for part in key.strip().split("."))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://abc.supabase.co", None),
        ("https://abc.supabase.co/", None),
        ("http://127.0.0.1:8000/storage/v1", None),
        ("abc.supabase.co", "Give the project's address"),
        ("https://", "Give the project's address"),
        ("https://h:x", "Give the project's address"),
        (None, "Give the project's address"),
        ("https://u:geheim@abc.supabase.co", "without user"),
        ("https://abc.supabase.co/?apikey=geheim", "without user"),
        ("https://abc.supabase.co/storage/v1/s3", "'/storage/v1/s3'"),
        ("https://abc.supabase.co/rest/v1", "'/rest/v1'"),
    ],
)
def test_urls(url, words):
    problem = supabase.url_problem(url)
    assert problem is None if words is None else words in problem
    assert "geheim" not in str(problem)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("50MB", 50_000_000),
        ("50 MB", 50_000_000),
        ("50mb", 50_000_000),
        ("1GB", 10**9),
        ("7", 7),
        ("7B", 7),
        (52_428_800, 52_428_800),
        ("none", None),
        ("", None),
        (None, None),
        ("50MiB", "52428800"),
        ("2GiB", "2147483648"),
        ("1XiB", "such as 50MB"),
        ("much", "such as 50MB"),
        ("-1", "such as 50MB"),
        ("1.5MB", "such as 50MB"),
        (True, "such as 50MB"),
        ("0", "nothing could be stored"),
    ],
)
def test_sizes(value, size):
    if isinstance(size, str):
        with pytest.raises(ParityError, match=size):
            supabase.size_in_bytes(value)
    else:
        assert supabase.size_in_bytes(value) == size


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (["image/*", "application/pdf", "image/*"], ["application/pdf", "image/*"]),
        ([], []),
        ("any", None),
        (None, None),
        ("application/pdf", "Give a list"),
        (["pdf"], "'pdf'"),
        (["application/pdf; q=1"], "application/pdf; q=1"),
        ([1], "has 1"),
    ],
)
def test_mime_types(value, types):
    if isinstance(types, str):
        with pytest.raises(ParityError, match=types.replace("*", r"\*")):
            supabase.mime_types(value)
    else:
        assert supabase.mime_types(value) == types


@pytest.mark.parametrize("name", ["documents", "a", "My bucket", "a.b_c-1", "x" * 100])
def test_names(name):
    assert supabase.name_problem(name) is None


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "ä", ".", "..", "a\n", "x" * 101, None, 7])
def test_names_that_are_refused(name):
    assert supabase.name_problem(name)


# --- Recorded answers -----------------------------------------------------------------------------------------------


def body(status: object, message: str, **more: object) -> bytes:
    return json.dumps({"statusCode": status, "error": "Error", "message": message, **more}).encode()


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        # HTTP 400 for everything; what is meant is in the body.
        (Answer(400, body("404", "Bucket not found", code="NoSuchBucket")), 404, "Bucket not found"),
        (Answer(400, body("404", "Bucket not found")), 404, "Bucket not found"),
        (Answer(400, body("409", "The resource already exists", code="ResourceAlreadyExists")), 409, "already exists"),
        (Answer(400, body("409", "The bucket you tried to delete is not empty")), 409, "not empty"),
        (Answer(400, body("413", "The object exceeded the maximum allowed size", code="EntityTooLarge")), 413, "exceeded"),
        (Answer(400, body("415", "mime type pdf is not supported", code="InvalidMimeType")), 415, "not supported"),
        (Answer(400, body("403", "Invalid Compact JWS", code="AccessDenied")), 403, "Invalid Compact JWS"),
        (Answer(400, body("400", "Bucket name invalid")), 400, "name invalid"),
        # Some routes answer with the real status, and a number instead of text.
        (Answer(404, body(404, "Bucket not found")), 404, "Bucket not found"),
        (Answer(403, body(403, "new row violates row-level security policy")), 403, "row-level"),
        (Answer(403, b'{"message": "forbidden"}'), 403, "403: forbidden"),
        # A status that is none: the one of HTTP counts.
        (Answer(404, body("gone", "odd")), 404, "404: odd"),
        (Answer(400, body("200", "odd")), 400, "400: odd"),
        (Answer(500, b"{}"), 500, "no reason given"),
        (Answer(429, body("429", "Too many requests")), 429, "Too many"),
        # Not the service's words.
        (Answer(502, b"<html>Bad Gateway</html>"), 502, "HTML or XML"),
        (Answer(200, b"<!doctype html>"), 0, "HTML or XML"),
        (Answer(200, b'{"id": "documents", "na'), 0, "cut-off"),
        (Answer(200, b""), 0, "an empty body"),
        (Answer(200, b'"text"'), 0, "instead of JSON"),
        (Answer(404, b""), 404, "an empty body"),
        (Answer(404, b"[1]"), 404, "instead of JSON"),
        (Answer(302, b"", headers={"location": "https://login.example.org/in?token=geheim"}), 302, "https://login.example.org/in,"),
        (Answer(301, b"", headers={"location": "/else"}), 301, "another path"),
        (Answer(0, error="timed out"), 0, "timed out"),
        (Answer(200, b"[]"), 200, ""),
    ],
)
def test_what_an_answer_means(answer, status, words):
    meant = supabase.verdict(answer)
    assert meant.status == status and words in meant.message
    assert "geheim" not in meant.message


@pytest.mark.parametrize(
    ("status", "passing"), [(0, True), (429, True), (500, True), (503, True), (404, False), (409, False), (302, False), (200, False)]
)
def test_what_may_pass(status, passing):
    assert supabase.Verdict(status).passing is passing


class Replay:
    """A client that gives recorded answers, one after another."""

    base = "https://abc.supabase.co/storage/v1"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def send(self, *_request, **_options) -> Answer:
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "waits", "outcome"),
    [
        ([Answer(200, b"[]")], [], []),
        ([Answer(503, b"{}"), Answer(0, error="x"), Answer(200, b"[]")], [0.5, 1.0], []),
        ([Answer(429, b"{}", headers={"retry-after": "7"}), Answer(200, b"[]")], [7.0], []),
        ([Answer(429, b"{}", headers={"retry-after": "900"}), Answer(200, b"[]")], [30.0], []),
        ([Answer(400, body("429", "slow down")), Answer(200, b"[]")], [0.5], []),
        ([Answer(400, body("500", "odd"))] * 3, [0.5, 1.0], "last of 3 attempts"),
        ([Answer(0, error="refused")] * 3, [0.5, 1.0], "no answer \\(refused\\). The last of 3 attempts"),
        ([Answer(200, b"<html>")] * 3, [0.5, 1.0], "HTML or XML page instead of JSON"),
        ([Answer(400, body("403", "Invalid Compact JWS"))], [], "is no JWT"),
        ([Answer(400, body("403", "signature verification failed"))], [], "another project"),
        ([Answer(302, b"")], [], "one that forwards"),
        ([Answer(200, b"{}")], [], "none the storage service would send"),
        ([Answer(200, b'[{"id": 1}]')], [], "none the storage service would send"),
    ],
)
def test_attempts(answers, waits, outcome):
    waited: list[float] = []
    storage = supabase.Storage(Replay(*answers), attempts=3, sleep=waited.append)
    if isinstance(outcome, str):
        with pytest.raises(ParityError, match=outcome):
            storage.buckets()
    else:
        assert storage.buckets() == outcome
    assert waited == waits


# --- Buckets, against a server --------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture
def storage(url: str) -> supabase.Storage:
    return connect(url)


def connect(url: str, key: str = "", timeout: float = 1) -> supabase.Storage:
    return supabase.connect(url, key or token(), ca_file=None, timeout=timeout, attempts=3, now=time.time(), sleep=lambda _s: None)


WANTED = {"public": False, "file_size_limit": 1000, "allowed_mime_types": ["application/pdf", "image/*"]}


@pytest.mark.parametrize("codes", [True, False])
def test_a_bucket_comes_and_stays(service, storage, codes):
    service.codes = codes
    assert supabase.ensure_present(storage, "documents", WANTED, check=True)["changed"] and not service.buckets
    result = supabase.ensure_present(storage, "documents", WANTED)
    assert result["changed"] and result["diff"] == {"before": {}, "after": {"name": "documents", **WANTED}}
    writes = service.writes
    for check in (True, False):
        assert not supabase.ensure_present(storage, "documents", WANTED, check=check)["changed"]
    assert service.writes == writes == 1


@pytest.mark.parametrize(
    ("seen", "wanted", "change"),
    [
        ({}, {}, {}),
        ({"public": True}, {}, {}),
        ({"public": True}, {"public": False}, {"public": False}),
        ({"file_size_limit": 5}, {"file_size_limit": None}, {"file_size_limit": None}),
        ({"file_size_limit": 5}, {"file_size_limit": 5}, {}),
        ({"allowed_mime_types": ["b/b", "a/a"]}, {"allowed_mime_types": ["a/a", "b/b"]}, {}),
        ({"allowed_mime_types": []}, {"allowed_mime_types": None}, {"allowed_mime_types": None}),
        ({"allowed_mime_types": None}, {"allowed_mime_types": []}, {"allowed_mime_types": []}),
    ],
)
def test_only_a_difference_is_written(service, storage, seen, wanted, change):
    service.create_bucket({"name": "documents", **seen}, "service_role")
    service.writes = 0
    before = dict(service.buckets["documents"])
    assert supabase.ensure_present(storage, "documents", wanted, check=True)["changed"] is bool(change)
    assert service.buckets["documents"] == before
    result = supabase.ensure_present(storage, "documents", wanted)
    assert (result["changed"], service.writes) == (bool(change), int(bool(change)))
    assert service.buckets["documents"] == {**before, **change}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [({"file_size_limit": 10**12}, "above the one of the whole project"), ({"allowed_mime_types": ["odd/PDF"]}, "none the service knows")],
)
def test_what_the_service_refuses(service, storage, wanted, words):
    with pytest.raises(ParityError, match=words):
        supabase.ensure_present(storage, "documents", wanted)
    assert not service.buckets


def test_a_creation_whose_answer_was_lost(service, storage):
    service.faults.append({"kind": "late", "match": "POST"})
    assert supabase.ensure_present(storage, "documents", WANTED)["changed"]
    assert service.writes == 1


def test_somebody_else_was_faster(service, storage):
    service.create_bucket({"name": "documents", "public": True}, "service_role")
    service.faults.append({"kind": "json", "status": 400, "match": "GET", "body": {"statusCode": "404", "message": "x"}})
    assert supabase.ensure_present(storage, "documents", WANTED)["changed"]
    assert supabase.view(service.buckets["documents"]) == {"name": "documents", **WANTED}


def test_a_change_that_does_not_stick(service, storage):
    service.create_bucket({"name": "documents"}, "service_role")
    service.faults.append({"kind": "json", "match": "PUT", "body": {"message": "Successfully updated"}})
    with pytest.raises(ParityError, match="Check what else changes it"):
        supabase.ensure_present(storage, "documents", {"public": True})


@pytest.mark.parametrize("claims", [{"role": "anon"}, {"role": None}, {"exp": 1}])
def test_a_key_that_is_lied_to_is_not_asked_with(service, url, claims):
    service.create_bucket({"name": "documents"}, "service_role")
    with pytest.raises(ParityError):
        connect(url, token(**claims))
    assert not service.requests


def test_the_lies_themselves(service, url):
    """What the server of these tests tells a key of another role: nothing exists."""
    service.create_bucket({"name": "documents"}, "service_role")
    client = supabase.Client(supabase.base_url(url), token=token(role="anon"))
    anon = supabase.Storage(client, attempts=1, sleep=lambda _s: None)
    assert anon.buckets() == [] and anon.bucket("documents") is None and anon.entries("documents") == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "html"}, "HTML or XML page"),
        ({"kind": "html", "status": 200}, "HTML or XML page"),
        ({"kind": "truncated"}, "cut-off"),
        ({"kind": "cut"}, "IncompleteRead"),
        ({"kind": "redirect"}, "a redirect to https://login.example.org/,"),
        ({"kind": "slow", "seconds": 0.5}, "timed out"),
        ({"kind": "drip", "seconds": 1}, "timed out"),
        ({"kind": "close"}, "no answer"),
        ({"kind": "status", "status": 503}, "503: busy"),
        ({"kind": "status", "status": 429, "http": 400}, "429: busy"),
        ({"kind": "json", "body": {"odd": 1}}, "none the storage service would send"),
        ({"kind": "json", "body": []}, "none the storage service would send"),
    ],
)
def test_garbage_is_an_error_and_nothing_is_written(service, url, fault, words):
    service.faults.append({**fault, "times": 3})
    with pytest.raises(ParityError, match=words) as caught:
        supabase.ensure_present(connect(url, timeout=0.2), "documents", WANTED)
    assert service.writes == 0 and "geheim" not in str(caught.value)
    service.faults.clear()


@pytest.mark.parametrize("fault", [{"kind": "html"}, {"kind": "truncated"}, {"kind": "close"}, {"kind": "status", "status": 429}])
def test_what_passes_is_outlasted(service, storage, fault):
    service.faults.append({**fault, "times": 2})
    assert supabase.ensure_present(storage, "documents", WANTED)["changed"]


def remove(storage, **options):
    moments = iter(range(10_000))
    options = {"force_empty": False, "patience": 20, "sleep": lambda _s: None, "clock": lambda: next(moments), **options}
    return supabase.ensure_absent(storage, "documents", **options)


def test_a_bucket_goes(service, storage):
    assert not remove(storage)["changed"]
    service.create_bucket({"name": "documents"}, "service_role")
    predicted = remove(storage, check=True)
    assert predicted["changed"] and "documents" in service.buckets
    assert predicted["diff"]["before"]["name"] == "documents" and predicted["diff"]["after"] == {}
    assert remove(storage) == predicted and not service.buckets
    assert not remove(storage)["changed"]


def filled(service, number=5):
    service.create_bucket({"name": "documents"}, "service_role")
    for key in range(number):
        service.objects["documents"][f"owners/{key % 2}/{key}.pdf"] = Object(b"x", "application/pdf")


@pytest.mark.parametrize("check", [True, False])
def test_a_bucket_with_objects_stays(service, storage, check):
    filled(service)
    with pytest.raises(ParityError, match="holds 5 objects; it was not removed"):
        remove(storage, check=check)
    assert len(service.objects["documents"]) == 5


def test_emptying_takes_its_time(service, storage):
    filled(service)
    service.empties_per_request = 1
    notes: list[str] = []
    assert remove(storage, force_empty=True, check=True)["changed"] and service.buckets
    assert remove(storage, force_empty=True, note=notes.append)["changed"] and not service.buckets
    assert notes and notes[0].endswith("left of 5")


def test_progress_of_the_module_is_in_its_answer(service, url):
    filled(service)
    service.empties_per_request = 1
    answer = run("supabase_bucket", url=url, service_role_key=token(), name="documents", state="absent", force_empty=True)
    assert answer["changed"] and any(words.endswith("left of 5") for words in answer["progress"]), answer


def test_emptying_that_does_not_go_on(service, storage):
    filled(service)
    service.empties_per_request = 0
    with pytest.raises(ParityError, match=r"no object was removed for .*: 5 objects of 5 left"):
        remove(storage, force_empty=True)


def test_emptying_more_than_is_counted_otherwise(service, storage, monkeypatch):
    """Each object that goes counts, or a bucket of many would look as if it did not get on."""
    monkeypatch.setattr(supabase, "_MOST_COUNTED", 2)
    filled(service, 30)
    service.empties_per_request = 1
    notes: list[str] = []
    assert remove(storage, force_empty=True, patience=2, note=notes.append)["changed"] and not service.buckets
    assert notes[0].endswith("of 30 objects") or notes[0].endswith("of 30"), notes[0]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "html"}, "HTML or XML page"),
        ({"kind": "truncated"}, "cut-off"),
        ({"kind": "redirect"}, "a redirect to"),
        ({"kind": "slow", "seconds": 0.5}, "timed out"),
        ({"kind": "status", "status": 429, "http": 400}, "429: busy"),
        ({"kind": "status", "status": 503}, "503: busy"),
    ],
)
@pytest.mark.parametrize("request_", ["GET /storage/v1/bucket/", "DELETE", "POST /storage/v1/bucket/documents/empty", "/object/list"])
def test_garbage_on_the_way_out_removes_no_bucket(service, url, fault, words, request_):
    filled(service)
    service.empties_per_request = 0
    service.faults.append({**fault, "times": 3, "match": request_})
    with pytest.raises(ParityError, match=words):
        remove(connect(url, timeout=0.2), force_empty=True)
    assert "documents" in service.buckets and len(service.objects["documents"]) == 5
    service.faults.clear()


def test_what_passes_while_a_bucket_is_emptied_is_outlasted(service, storage):
    filled(service)
    service.empties_per_request = 1
    for request_ in ("/empty", "DELETE", "/object/list"):
        service.faults.append({"kind": "status", "status": 503, "times": 2, "match": request_})
    assert remove(storage, force_empty=True)["changed"] and not service.buckets


def test_a_removal_whose_answer_was_lost(service, storage):
    service.create_bucket({"name": "documents"}, "service_role")
    service.faults.append({"kind": "late", "match": "DELETE"})
    assert remove(storage)["changed"] and not service.buckets


def test_more_objects_than_one_page(service, storage):
    filled(service, 2500)
    assert storage.count("documents") == 2500


# --- The modules as Ansible runs them -------------------------------------------------------------------------------


def test_the_module(service, url):
    key = token()
    given = {"url": url, "service_role_key": key, "name": "documents"}
    created = run("supabase_bucket", **given, file_size_limit="50MB", allowed_mime_types=["application/pdf"])
    assert created["changed"] and created["bucket"]["file_size_limit"] == 50_000_000, created
    assert not run("supabase_bucket", **given, file_size_limit="50000000", public=False)["changed"]
    cleared = run("supabase_bucket", **given, file_size_limit="none", allowed_mime_types="any")
    assert (cleared["bucket"]["file_size_limit"], cleared["bucket"]["allowed_mime_types"]) == (None, None)
    [found] = run("supabase_bucket_info", url=url, service_role_key=key)["buckets"]
    assert found == {"name": "documents", "public": False, "file_size_limit": None, "allowed_mime_types": None}
    assert run("supabase_bucket_info", **{**given, "name": "other"})["buckets"] == []
    assert run("supabase_bucket", **given, state="absent")["changed"]
    for bad in ({"service_role_key": token(role="anon")}, {"url": "nonsense"}, {"name": "a/b"}, {"file_size_limit": "5MiB"}):
        failed = run("supabase_bucket", **{**given, **bad})
        assert failed["failed"] and "Traceback" not in failed["msg"], failed
        assert key not in json.dumps({**failed, "invocation": None})
