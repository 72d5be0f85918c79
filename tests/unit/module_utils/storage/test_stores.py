# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects on each backend: put, listed, fetched, removed, and what is refused."""

from __future__ import annotations

import time

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.storage import stores
from object_stores import FakeS3, parameters, put, read
from supabase_storage import serving, token


def test_put_list_fetch_remove(store):
    for key in ("owners/a/1.pdf", "owners/a/2 ä.pdf", "owners/b/1.pdf", "top"):
        put(store, key, key.encode())
    put(store, "top", b"replaced")
    found = {one.key: one for one in store.list()}
    assert set(found) == {"owners/a/1.pdf", "owners/a/2 ä.pdf", "owners/b/1.pdf", "top"}
    assert (found["top"].size, read(store, "top")) == (8, b"replaced")
    assert read(store, "owners/a/2 ä.pdf") == "owners/a/2 ä.pdf".encode()
    assert all(one.version and one.modified > 0 for one in found.values())
    for prefix, keys in (("owners/a/1", 1), ("owners/a/", 2), ("owners", 3), ("t", 1), ("own/", 0), ("none", 0)):
        assert [one.key.startswith(prefix) for one in store.list(prefix)] == [True] * keys, prefix
    store.remove("top")
    store.remove("top")
    with pytest.raises(stores.Missing):
        read(store, "top")


def test_a_version_says_whether_the_content_changed(store):
    put(store, "a", b"one")
    [first] = store.list()
    assert list(store.list()) == [first]
    time.sleep(0.01)
    put(store, "a", b"two")
    assert [found.version for found in store.list()] != [first.version]


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\0"])
def test_keys_that_lead_elsewhere(store, key):
    with pytest.raises(ParityError, match="is no key"):
        put(store, key)


def test_buckets_that_are_not_there(tmp_path, service):
    with pytest.raises(ParityError, match="no directory"):
        stores.open_store(parameters("filesystem", path=str(tmp_path)), "documents")
    with pytest.raises(ParityError, match="no bucket 'other'"):
        stores.S3(FakeS3(), "other")
    # Its list of a missing bucket is empty, and no error.
    with serving(service) as url, pytest.raises(ParityError, match="no bucket 'other'"):
        stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "other")


def test_supabase_s_s3_endpoint_is_refused():
    wanted = parameters("s3", s3_endpoint="https://abc.supabase.co/storage/v1/s3", s3_access_key="a", s3_secret_key="b")
    with pytest.raises(ParityError, match="Set the backend supabase"):
        stores.open_store(wanted, "documents")


def test_links_are_no_objects(tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "link").symlink_to("/etc/passwd")
    assert list(stores.Directory(tmp_path, "documents").list()) == []


def test_what_is_cut_off_on_the_way_is_fetched_again(service):
    with serving(service) as url:
        store = stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")
        put(store, "a", b"content")
        service.faults.append({"kind": "cut", "match": "/object/authenticated/"})
        assert read(store, "a") == b"content"
