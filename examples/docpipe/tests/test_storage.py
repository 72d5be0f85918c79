# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, atomic writes, signed URLs."""

import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from docpipe.storage import FilesystemStorage, InvalidKey, ObjectNotFound, UrlSigner, check_key, owner_prefix

GOOD = ["a", "a/b.pdf", "owners/0f/1.pdf", "A-b_c.1/d"]
BAD = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "a/.b",
    "a\\b",
    "a b",
    "a\0",
    "ä",
    "a\n",
]


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path, UrlSigner("secret", "https://files.example"))


@pytest.mark.parametrize("key", GOOD)
def test_good_keys(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", [*BAD, "x" * 513])
def test_bad_keys(key: str, storage: FilesystemStorage) -> None:
    for use in (check_key, storage.open, storage.delete, lambda key: storage.put(key, io.BytesIO(), "")):
        with pytest.raises(InvalidKey):
            use(key)


def test_put_open_list_delete(storage: FilesystemStorage) -> None:
    for key in ("p/a/1", "p/a/2", "q/1"):
        storage.put(key, io.BytesIO(key.encode()), "text/plain")
    storage.put("p/a/2", io.BytesIO(b"replaced"), "text/plain")
    with storage.open("p/a/2") as stream:
        assert stream.read() == b"replaced"
    assert sorted(storage.list("p/a/")) == ["p/a/1", "p/a/2"]
    storage.delete("p/a/1")
    storage.delete("p/a/1")
    assert sorted(storage.list("")) == ["p/a/2", "q/1"]
    with pytest.raises(ObjectNotFound):
        storage.open("p/a/1")


def test_an_interrupted_put_leaves_nothing(storage: FilesystemStorage, tmp_path: Path) -> None:
    class Interrupted(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ConnectionError

    storage.put("a/b", io.BytesIO(b"old"), "")
    with pytest.raises(ConnectionError):
        storage.put("a/b", Interrupted(), "")
    with storage.open("a/b") as stream:
        assert stream.read() == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_check(storage: FilesystemStorage, tmp_path: Path) -> None:
    storage.check()
    with pytest.raises(OSError, match="missing or not writable"):
        FilesystemStorage(tmp_path / "missing", UrlSigner("", "")).check()


def test_signed_urls(storage: FilesystemStorage) -> None:
    signer = UrlSigner("secret", "")
    url = urlsplit(storage.signed_url("a/b.pdf", 60))
    assert (url.netloc, url.path) == ("files.example", "/objects/a/b.pdf")
    query = parse_qs(url.query)
    expires, signature = int(query["expires"][0]), query["signature"][0]
    assert signer.valid("a/b.pdf", expires, signature)
    assert not signer.valid("a/c.pdf", expires, signature)
    assert not signer.valid("a/b.pdf", expires + 1, signature)
    assert not signer.valid("a/b.pdf", expires, "ä" + signature)
    assert not UrlSigner("other", "").valid("a/b.pdf", expires, signature)
    old = parse_qs(urlsplit(signer.sign("a/b.pdf", -1)).query)
    assert not signer.valid("a/b.pdf", int(old["expires"][0]), old["signature"][0])


def test_owner_prefix() -> None:
    assert check_key(owner_prefix("../../ann") + "x") and owner_prefix("ann") != owner_prefix("Ann")
