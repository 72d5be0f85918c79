# SPDX-License-Identifier: GPL-3.0-or-later
"""The same behaviour on each backend: a directory, a real S3 server, and Supabase as it was measured."""

import io
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from supabase_storage import Object, Service, serving, token
from support import Environment, bearer, finished, pdf, running_api, running_worker, submit

from docpipe.settings import Settings
from docpipe.storage import (
    InvalidKey,
    Limited,
    ObjectNotFound,
    ObjectStorage,
    StorageUnavailable,
    UploadRefused,
    create_storage,
    seekable,
)
from docpipe.storage_s3 import S3Storage
from docpipe.storage_supabase import SupabaseStorage

PDF = "application/pdf"


def s3_server() -> dict[str, str]:
    url = os.environ.get("DOCPIPE_TEST_S3_URL")
    if not url:
        pytest.fail(
            "DOCPIPE_TEST_S3_URL is not set; README.md, 'Tests', says what it has to point to", pytrace=False
        )
    parts = urlsplit(url)
    return {
        "S3_ENDPOINT_URL": f"{parts.scheme}://{parts.hostname}:{parts.port}",
        "S3_ACCESS_KEY_ID": parts.username or "",
        "S3_SECRET_ACCESS_KEY": parts.password or "",
    }


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[Environment]:
    """A bucket of its own, removed with all that is in it."""
    server, name = s3_server(), f"docpipe-test-{secrets.token_hex(4)}"
    client = boto3.client(
        "s3",
        endpoint_url=server["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=server["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=server["S3_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=name)
    yield {"STORAGE_BACKEND": "s3", "STORAGE_BUCKET": name, **server}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket=name, Key=entry["Key"])
    client.delete_bucket(Bucket=name)


@dataclass
class Supabase:
    service: Service
    environment: Environment


@pytest.fixture
def supabase() -> Iterator[Supabase]:
    service = Service()
    service.create_bucket({"name": "documents", "allowed_mime_types": [PDF]}, "service_role")
    with serving(service) as url:
        yield Supabase(service, {"STORAGE_BACKEND": "supabase", "SUPABASE_URL": url, "SUPABASE_KEY": token()})


def settings(environment: Environment, **changes: str) -> Settings:
    values = {name.lower(): value for name, value in {**environment, **changes}.items()}
    return Settings.model_validate(
        {
            "database_url": "postgresql://h/d",
            "broker_url": "redis://h",
            "jwt_secret_key": "x" * 32,
            "max_upload_bytes": 10_000_000,
            **values,
        }
    )


@pytest.fixture(params=["filesystem", "s3", "supabase"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    match request.param:
        case "filesystem":
            return create_storage(settings({"STORAGE_PATH": str(tmp_path)}))
        case "s3":
            return create_storage(settings(request.getfixturevalue("s3_environment")))
        case _:
            return create_storage(settings(request.getfixturevalue("supabase").environment))


@pytest.fixture
def prefix() -> str:
    return f"owners/{secrets.token_hex(8)}/"


def read(storage: ObjectStorage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


def test_put_open_list_delete(storage: ObjectStorage, prefix: str) -> None:
    for name in ("a/1.pdf", "a/2.pdf", "b/1.pdf"):
        storage.put(prefix + name, io.BytesIO(name.encode()), PDF)
    storage.put(f"{prefix}a/2.pdf", io.BytesIO(b"replaced"), PDF)
    assert read(storage, f"{prefix}a/2.pdf") == b"replaced"
    assert sorted(storage.list(f"{prefix}a/")) == [f"{prefix}a/1.pdf", f"{prefix}a/2.pdf"]
    assert sorted(storage.list(f"{prefix}a/1")) == [f"{prefix}a/1.pdf"]
    assert len(list(storage.list(prefix))) == 3
    storage.delete(f"{prefix}a/1.pdf")
    storage.delete(f"{prefix}a/1.pdf")
    with pytest.raises(ObjectNotFound):
        storage.open(f"{prefix}a/1.pdf")
    assert list(storage.list(f"{prefix}none/")) == []
    storage.check()


def test_large_objects_are_streamed(storage: ObjectStorage, prefix: str) -> None:
    """As FastAPI hands uploads over: a temporary file, which is not ours to close."""
    content = os.urandom(9_000_000)
    with tempfile.SpooledTemporaryFile(max_size=1024) as upload:
        upload.write(content)
        storage.put(f"{prefix}large.pdf", upload, PDF)  # type: ignore[arg-type]
        assert not upload.closed
    with storage.open(f"{prefix}large.pdf") as stream:
        first = stream.read(1000)
        rest = stream.read()
    assert first + rest == content
    with seekable(storage.open(f"{prefix}large.pdf")) as copy:
        copy.seek(5_000_000)
        assert copy.read(10) == content[5_000_000:5_000_010]


def test_limits_hold_before_anything_is_sent(storage: ObjectStorage, prefix: str) -> None:
    with pytest.raises(UploadRefused, match="10000000 bytes; this one has 10000001"):
        storage.put(f"{prefix}large.pdf", io.BytesIO(b"x" * 10_000_001), PDF)
    with pytest.raises(UploadRefused, match="text/html"):
        storage.put(f"{prefix}page.html", io.BytesIO(b"x"), "text/html")
    assert list(storage.list(prefix)) == []


@pytest.mark.parametrize("key", ["", "../a", "a/../b", "a//b", "/a", "ä"])
def test_bad_keys(storage: ObjectStorage, key: str) -> None:
    uses: list[Callable[[str], Any]] = [
        storage.open,
        storage.delete,
        lambda key: storage.put(key, io.BytesIO(b"x"), PDF),
        lambda key: storage.signed_url(key, 60),
    ]
    for use in uses:
        with pytest.raises(InvalidKey):
            use(key)


def test_signed_urls_of_stores_that_serve_themselves(
    s3_environment: Environment, supabase: Supabase, prefix: str
) -> None:
    for environment in (s3_environment, supabase.environment):
        storage = create_storage(settings(environment))
        storage.put(f"{prefix}a.pdf", io.BytesIO(b"content"), PDF)
        url = storage.signed_url(f"{prefix}a.pdf", 2)
        assert httpx.get(url).content == b"content"
        assert httpx.get(url.replace("a.pdf", "b.pdf")).status_code in (400, 403)
        time.sleep(3)
        assert httpx.get(url).status_code in (400, 403)


def test_a_bucket_that_is_not_there(s3_environment: Environment, supabase: Supabase) -> None:
    for environment in (s3_environment, supabase.environment):
        storage = create_storage(settings(environment, STORAGE_BUCKET="missing"))
        with pytest.raises(StorageUnavailable):
            storage.check()


@pytest.mark.parametrize("claims", [{"role": "anon"}, {"exp": 1}])
def test_supabase_keys_that_are_lied_to_are_not_ready(supabase: Supabase, claims: dict[str, Any]) -> None:
    storage = create_storage(settings(supabase.environment, SUPABASE_KEY=token(**claims)))
    with pytest.raises(StorageUnavailable):
        storage.check()


@pytest.fixture
def hasty(supabase: Supabase) -> SupabaseStorage:
    """Supabase with short pauses."""
    return SupabaseStorage(supabase.environment["SUPABASE_URL"], token(), "documents", pause=0.01)


FAULTS = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "http": 400},
    {"kind": "html"},
    {"kind": "close"},
    {"kind": "truncated"},
]


@pytest.mark.parametrize("fault", FAULTS)
def test_supabase_is_asked_again(supabase: Supabase, hasty: SupabaseStorage, fault: dict[str, Any]) -> None:
    supabase.service.faults.append({**fault, "times": 2, "match": "POST /storage/v1/object/documents"})
    hasty.put("a/b.pdf", io.BytesIO(b"content"), PDF)
    supabase.service.faults.append({**fault, "times": 2, "match": "POST /storage/v1/object/sign"})
    assert read(hasty, "a/b.pdf") == b"content"
    supabase.service.faults.append({**fault, "times": 2, "match": "DELETE"})
    hasty.delete("a/b.pdf")
    assert supabase.service.objects["documents"] == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_and_not_for_ever(supabase: Supabase, hasty: SupabaseStorage, fault: dict[str, Any]) -> None:
    supabase.service.faults.append({**fault, "times": 100})
    for use in (
        lambda: hasty.put("a", io.BytesIO(b"x"), PDF),
        lambda: hasty.open("a"),
        lambda: hasty.delete("a"),
    ):
        before = len(supabase.service.requests)
        with pytest.raises(StorageUnavailable):
            use()
        assert len(supabase.service.requests) - before == 4


def test_supabase_takes_the_wrong_type_for_no_passing_trouble(
    supabase: Supabase, hasty: SupabaseStorage
) -> None:
    with pytest.raises(StorageUnavailable, match="415"):
        hasty.put("a", io.BytesIO(b"x"), "text/html")
    assert len(supabase.service.requests) == 1


def test_supabase_that_only_says_it_removed(supabase: Supabase, hasty: SupabaseStorage) -> None:
    supabase.service.objects["documents"]["a"] = Object(b"x", PDF)
    supabase.service.faults.append({"kind": "json", "match": "DELETE", "body": []})
    with pytest.raises(StorageUnavailable, match="did not remove"):
        hasty.delete("a")


def test_supabase_lists_more_than_a_page(supabase: Supabase, hasty: SupabaseStorage) -> None:
    supabase.service.objects["documents"] = {f"a/{number}": Object(b"x", PDF) for number in range(1500)}
    assert len(list(hasty.list("a/"))) == 1500


def test_an_object_that_breaks_off(supabase: Supabase, hasty: SupabaseStorage) -> None:
    hasty.put("a", io.BytesIO(b"x"), PDF)
    supabase.service.faults.append({"kind": "cut", "match": "GET /storage/v1/object/sign"})
    with pytest.raises(StorageUnavailable, match="in the middle"):
        read(hasty, "a")


def test_s3_that_does_not_answer() -> None:
    environment = {
        "STORAGE_BACKEND": "s3",
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "S3_ACCESS_KEY_ID": "hidden",
        "S3_SECRET_ACCESS_KEY": "hidden",
    }
    storage = create_storage(settings(environment))
    assert isinstance(storage, Limited) and isinstance(storage._backend, S3Storage)
    for use in (lambda: storage.put("a", io.BytesIO(b"x"), PDF), lambda: storage.open("a"), storage.check):
        with pytest.raises(StorageUnavailable, match="does not answer") as caught:
            use()
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("kind", ["s3", "supabase"])
def test_a_document_from_upload_to_erasure(
    request: pytest.FixtureRequest, environment: Environment, queue: str, logs: Path, kind: str
) -> None:
    """API and worker as processes, with nothing but the object store between them."""
    store = (
        request.getfixturevalue("s3_environment")
        if kind == "s3"
        else request.getfixturevalue("supabase").environment
    )
    person = f"zoe-{kind}"
    base = {name: value for name, value in environment.items() if name != "STORAGE_PATH"}
    everything = {**base, **store, "TASK_QUEUE": queue}
    storage = create_storage(settings(store))
    with running_api(everything, logs) as (client, _), running_worker(everything, logs):
        assert client.get("/ready").json()["checks"]["storage"] == "ok"
        one, other = (submit(client, person, pdf(text)) for text in ("one", "other"))
        assert finished(client, person, one)["state"] == "complete"
        assert finished(client, person, other)["state"] == "complete"
        assert client.get(f"/documents/{one}/content", headers=bearer(person)).content == pdf("one")
        url = client.get(f"/documents/{one}/url", headers=bearer(person)).json()["url"]
        assert httpx.get(url).content == pdf("one")
        assert len([key for key in storage.list("owners/") if one in key]) == 1
        assert client.delete(f"/documents/{one}", headers=bearer(person)).status_code == 204
        assert httpx.get(url).status_code in (400, 404)
        assert client.delete("/account", headers=bearer(person)).json() == {"documents": 1, "objects": 1}
        assert [key for key in storage.list("owners/") if one in key or other in key] == []


def test_a_store_that_is_away_is_503(environment: Environment, supabase: Supabase, logs: Path) -> None:
    with running_api({**environment, **supabase.environment}, logs) as (client, _):
        document = submit(client, "bea", pdf())
        supabase.service.faults.append({"kind": "status", "status": 503, "times": 1000})
        files = {"file": ("a.pdf", pdf(), PDF)}
        assert client.post("/documents", files=files, headers=bearer("bea")).status_code == 503
        assert client.get("/ready").json()["checks"]["storage"] == "failed (StorageUnavailable)"
        assert client.delete(f"/documents/{document}", headers=bearer("bea")).status_code == 503
        supabase.service.faults.clear()
        # Neither was half done.
        [kept] = client.get("/documents", headers=bearer("bea")).json()["documents"]
        assert kept["id"] == document
        assert client.delete(f"/documents/{document}", headers=bearer("bea")).status_code == 204
        assert supabase.service.objects["documents"] == {}
