# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects on each backend: checks of a bucket, backups and the way back, and what belongs to nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.parity.stack.plugins.module_utils import object_backups, object_checks, object_stores, reports, second_place
from ansible_collections.parity.stack.plugins.module_utils.age import Age
from ansible_collections.parity.stack.plugins.module_utils.backups import Keep
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer
from ansible_collections.parity.stack.plugins.module_utils.object_checks import compare, complaint
from ansible_collections.parity.stack.plugins.module_utils.object_stores import Found
from ansible_collections.parity.stack.plugins.modules import storage_checks
from botocore.exceptions import ClientError
from module_runs import run
from supabase_storage import Service, serving, token

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)


class FakeS3:
    """As much of boto3's client as the store uses."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, str, int]] = {}
        self.count = 0

    def head_bucket(self, Bucket):
        if Bucket != "documents":
            raise ClientError({"Error": {"Code": "404"}}, "HeadBucket")

    def get_paginator(self, _operation):
        moment = datetime(2030, 1, 1, tzinfo=UTC)
        entries = [
            {"Key": key, "Size": len(content), "ETag": f'"{count}"', "LastModified": moment}
            for key, (content, _kind, count) in sorted(self.kept.items())
        ]

        def paginate(Bucket, Prefix):
            found = [entry for entry in entries if entry["Key"].startswith(Prefix)]
            return [{"Contents": found[:2]}, {"Contents": found[2:]}, {}]

        return SimpleNamespace(paginate=paginate)

    def get_object(self, Bucket, Key):
        if Key not in self.kept:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content, kind, _count = self.kept[Key]
        blocks = SimpleNamespace(iter_chunks=lambda size: iter([content[:size], content[size:]]))
        return {"Body": blocks, "ContentType": kind}

    def put_object(self, Bucket, Key, Body, ContentType=""):
        self.count += 1
        self.kept[Key] = (Body.read(), ContentType, self.count)

    def delete_object(self, Bucket, Key):
        self.kept.pop(Key, None)

    def generate_presigned_url(self, _operation, Params, ExpiresIn):
        return f"http://s3/{Params['Key']}?{ExpiresIn}"


@pytest.fixture
def service() -> Service:
    service = Service()
    service.create_bucket({"name": "documents"}, "service_role")
    return service


@pytest.fixture(params=["filesystem", "s3", "supabase"])
def store(request, tmp_path, service) -> Iterator[object_stores.Store]:
    if request.param == "filesystem":
        (tmp_path / "objects" / "documents").mkdir(parents=True)
        yield object_stores.open_store(parameters("filesystem", path=str(tmp_path / "objects")), "documents")
    elif request.param == "s3":
        yield object_stores.S3(FakeS3(), "documents", "http://s3")
    else:
        with serving(service) as url:
            yield object_stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")


def parameters(backend: str, **given: object) -> dict:
    defaults = {name: option.get("default") for name, option in object_stores.OPTIONS.items()}
    return {**defaults, "backend": backend, "timeout": 2, **given}


def put(store, key, content=b"content", kind="application/pdf"):
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"put-{os.getpid()}"
    path.write_bytes(content)
    try:
        store.put(key, path, kind)
    finally:
        path.unlink()


def read(store, key) -> bytes:
    file = io.BytesIO()
    store.fetch(key, file)
    return file.getvalue()


# --- The interface --------------------------------------------------------------------------------------------------


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
    with pytest.raises(object_stores.Missing):
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
        object_stores.open_store(parameters("filesystem", path=str(tmp_path)), "documents")
    with pytest.raises(ParityError, match="no bucket 'other'"):
        object_stores.S3(FakeS3(), "other")
    # Its list of a missing bucket is empty, and no error.
    with serving(service) as url, pytest.raises(ParityError, match="no bucket 'other'"):
        object_stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "other")


def test_supabase_s_s3_endpoint_is_refused():
    wanted = parameters("s3", s3_endpoint="https://abc.supabase.co/storage/v1/s3", s3_access_key="a", s3_secret_key="b")
    with pytest.raises(ParityError, match="Set the backend supabase"):
        object_stores.open_store(wanted, "documents")


def test_links_are_no_objects(tmp_path):
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "link").symlink_to("/etc/passwd")
    assert list(object_stores.Directory(tmp_path, "documents").list()) == []


def test_what_is_cut_off_on_the_way_is_fetched_again(service):
    with serving(service) as url:
        store = object_stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")
        put(store, "a", b"content")
        service.faults.append({"kind": "cut", "match": "/object/authenticated/"})
        assert read(store, "a") == b"content"


# --- Backups --------------------------------------------------------------------------------------------------------

PLAIN = Age(lambda _words, _stdin: (127, "", ""))


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


@pytest.fixture
def back_up(place, store):
    clock = Clock()
    return lambda check=False, label="", age=PLAIN: object_backups.create(place, "shop", label, [store], clock, age, check=check)


def newest(place):
    return object_backups.chosen(place, "shop", None)


def test_only_what_is_new_is_copied(place, store, back_up):
    put(store, "a", b"one")
    put(store, "b/c", b"two")
    predicted = back_up(check=True)
    assert (predicted["changed"], predicted["copied"], predicted["copied_bytes"], list(place.iterdir())) == (True, 2, 6, [])
    first = back_up()
    assert {**first, "file": None} == predicted and first["file"] == "shop-20300501T120002Z.manifest.json"
    for check in (True, False):
        again = back_up(check)
        assert (again["changed"], again["copied"], again["file"]) == (False, 0, first["file"])
    assert back_up(label="v1")["copied"] == 0
    put(store, "d", b"three")
    store.remove("a")
    later = back_up()
    assert (later["changed"], later["copied"], later["objects"]) == (True, 1, 2)
    assert len(object_backups.backups(place, "shop")) == 3
    assert object_backups.verify(place, newest(place), PLAIN) == {"objects": 2, "not_decrypted": 0}


def test_only_root_may_read_backups(place, store, back_up):
    put(store, "a")
    back_up()
    assert {path.stat().st_mode & 0o077 for path in place.rglob("*")} == {0}


def test_what_is_removed_while_it_is_copied(place, store, back_up, monkeypatch):
    put(store, "a", b"one")
    put(store, "b", b"two")
    real = store.fetch

    def fetch(key, into):
        if key == "a":
            raise object_stores.Missing("gone")
        return real(key, into)

    monkeypatch.setattr(store, "fetch", fetch)
    assert back_up()["objects"] == 1
    assert list(newest(place).buckets["documents"]) == ["b"]


def test_a_copy_that_breaks_off_leaves_no_backup(place, store, back_up, monkeypatch):
    put(store, "a", b"one")

    def fetch(_key, into):
        into.write(b"on")
        raise ParityError("the connection broke")

    monkeypatch.setattr(store, "fetch", fetch)
    with pytest.raises(ParityError):
        back_up()
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_no_room(place, store, back_up, monkeypatch):
    put(store, "a", b"one")
    monkeypatch.setattr(object_backups.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(ParityError, match="are free there"):
        back_up()


def test_the_way_back(place, store, back_up):
    for key in ("kept", "lost", "changed"):
        put(store, key, key.encode())
    back_up()
    store.remove("lost")
    put(store, "changed", b"CHANGED")
    put(store, "later", b"later")
    for check in (True, False):
        result = object_backups.restore(place, newest(place), [store], PLAIN, replace=False, check=check)
        assert result == {
            "changed": True,
            "restored": ["documents/lost"],
            "different": ["documents/changed"],
            "later": ["documents/later"],
        }
    assert (read(store, "lost"), read(store, "changed")) == (b"lost", b"CHANGED")
    assert not object_backups.restore(place, newest(place), [store], PLAIN, replace=False)["changed"]
    object_backups.restore(place, newest(place), [store], PLAIN, replace=True)
    assert read(store, "changed") == b"changed" and read(store, "later") == b"later"
    assert not object_backups.restore(place, newest(place), [store], PLAIN, replace=True)["changed"]


def test_types_come_back(place, service):
    with serving(service) as url:
        store = object_stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")
        put(store, "a", kind="image/png")
        object_backups.create(place, "shop", "", [store], Clock(), PLAIN)
        store.remove("a")
        object_backups.restore(place, newest(place), [store], PLAIN, replace=False)
        assert service.objects["documents"]["a"].mime == "image/png"


def test_a_store_that_gives_back_something_else(place, store, back_up, monkeypatch):
    put(store, "a", b"one")
    back_up()
    store.remove("a")
    monkeypatch.setattr(store, "fetch", lambda _key, into: into.write(b"two") and "")
    with pytest.raises(ParityError, match="something else can be read"):
        object_backups.restore(place, newest(place), [store], PLAIN, replace=False)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"eno")])
def test_damage_is_found_and_nothing_is_restored(place, store, back_up, damage):
    put(store, "a", b"one")
    put(store, "b", b"two")
    back_up()
    store.remove("a")
    store.remove("b")
    damage(object_backups.Data(place, PLAIN).path(newest(place).buckets["documents"]["b"]["sha256"]))
    with pytest.raises(ParityError, match="is damaged: documents/b"):
        object_backups.verify(place, newest(place), PLAIN)
    with pytest.raises(ParityError, match="Nothing was restored"):
        object_backups.restore(place, newest(place), [store], PLAIN, replace=False)
    assert list(store.list()) == []


def test_damage_is_mended_by_the_next_backup(place, store, back_up):
    put(store, "a", b"one")
    back_up()
    object_backups.Data(place, PLAIN).path(newest(place).buckets["documents"]["a"]["sha256"]).unlink()
    assert back_up()["copied"] == 1
    assert object_backups.verify(place, newest(place), PLAIN) == {"objects": 1, "not_decrypted": 0}


def test_old_backups_go_with_what_nobody_has(place, store, back_up):
    for number in range(3):
        put(store, "a", f"content {number}".encode())
        put(store, "same", b"same")
        back_up(label=f"v{number}")
    put(store, "only", b"in a backup of another name")
    object_backups.create(place, "other", "", [store], Clock(), PLAIN)
    store.remove("only")
    (place / "data" / ".partial-killed").touch()
    files = sorted(place.rglob("*"))
    predicted = object_backups.prune(place, "shop", Keep(2), check=True)
    assert sorted(place.rglob("*")) == files
    assert object_backups.prune(place, "shop", Keep(2)) == predicted
    assert predicted["changed"] and predicted["removed_contents"] == 1 and predicted["removed_bytes"] == 9
    assert [backup.manifest["label"] for backup in object_backups.backups(place, "shop")] == ["v1", "v2"]
    for backup in (*object_backups.backups(place, "shop"), *object_backups.backups(place, "other")):
        object_backups.verify(place, backup, PLAIN)
    assert not object_backups.prune(place, "shop", Keep(2))["changed"]
    announced = object_backups.prune(place, "shop", Keep(2), announced=1, check=True)["removed"]
    assert len(announced) == 1 and "-v1." in announced[0]


def test_backups_of_days_stay_as_dumps_do(place, store):
    clock = Clock()
    for number in range(4):
        put(store, "a", f"content {number}".encode())
        object_backups.create(place, "shop", "", [store], clock, PLAIN)
        clock.moment += timedelta(hours=12)
    # Made at noon of the first, midnight and noon of the second, midnight of the third.
    object_backups.prune(place, "shop", Keep(1, daily=2))
    assert [backup.finished.strftime("%d %H") for backup in object_backups.backups(place, "shop")] == ["02 12", "03 00"]


def test_contents_stay_while_a_manifest_cannot_be_read(place, store, back_up):
    put(store, "a")
    back_up()
    (place / "shop-20310101T000000Z.manifest.json").write_text("{")
    with pytest.raises(ParityError, match="cannot be read"):
        object_backups.prune(place, "shop", Keep(1))
    assert list(object_backups.Data(place, PLAIN).everything())


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 2, "buckets": {}}', '{"version": 1}', '{"version": 1, "buckets": {"a": {"k": {}}}}']
)
def test_manifests_that_are_none(tmp_path, content):
    (tmp_path / "m").write_text(content)
    with pytest.raises(ParityError, match="manifest"):
        object_backups.read(tmp_path / "m")


def test_one_at_a_time(place):
    with object_backups.locked(place), pytest.raises(ParityError, match="Another backup"), object_backups.locked(place):
        pass


def test_a_bucket_that_is_not_there_yet_has_nothing_to_lose(place, store, back_up):
    def open_(bucket):
        if bucket == "later":
            raise object_stores.NoBucket("There is no bucket 'later'.")
        return store

    found = object_backups.to_back_up(place, "shop", ["documents", "later"], open_)
    assert found == [store] and object_backups.to_back_up(place, "shop", ["later"], open_) == []
    nothing = object_backups.create(place, "shop", "", [], Clock(), PLAIN)
    assert not nothing["changed"] and list(place.iterdir()) == []
    # Once a backup has objects of it, its absence is a loss, or a file system that is not mounted.
    put(store, "a")
    back_up()

    def gone(bucket):
        raise object_stores.NoBucket(f"There is no bucket {bucket!r}.")

    with pytest.raises(ParityError, match="last backup has objects of it"):
        object_backups.to_back_up(place, "shop", ["documents"], gone)
    assert object_backups.to_back_up(place, "shop", ["later"], gone) == []


def test_a_bucket_the_backup_does_not_have(place, store, back_up):
    back_up()
    store.bucket = "other"
    with pytest.raises(ParityError, match="no bucket 'other'"):
        object_backups.restore(place, newest(place), [store], PLAIN, replace=False)


# --- Encrypted ------------------------------------------------------------------------------------------------------


class Tools:
    """As much of age and rclone as is used. What is encrypted begins with the key it can be decrypted with, and differs each time."""

    def __init__(self, remote: Path | None = None) -> None:
        self.remote = remote
        self.seen: list[list[str]] = []
        self.variables: dict[str, str] = {}
        self.count = 0
        self.broken = ""

    def age(self, words: list[str], stdin: str) -> tuple[int, str, str]:
        self.seen.append(words)
        if words == ["age-keygen", "-y"]:
            return 0, f"age1{stdin.strip().lower()}\n", ""
        to, source = Path(words[-2]), Path(words[-1])
        assert to.stat().st_mode & 0o077 == 0
        if "--encrypt" in words:
            self.count += 1
            to.write_bytes(f"{words[words.index('--recipient') + 1]} {self.count:04}|".encode() + source.read_bytes()[::-1])
            return 0, "", ""
        head, content = source.read_bytes().split(b"|", 1)
        if not head.startswith(f"age1{stdin.strip().lower()} ".encode()):
            return 1, "", "age: error: no identity matched any of the recipients"
        to.write_bytes(b"?" if self.broken == "decrypt" else content[::-1])
        return 0, "", ""

    def rclone(self, words: list[str], stdin: str, variables: dict[str, str]) -> tuple[int, str, str]:
        self.seen.append(words)
        self.variables = variables
        command, place = words[1], next(word for word in words if word.startswith("parity:")).removeprefix("parity:")
        if self.broken == command:
            return 1, "", "NOTICE: nothing\nERROR: it is broken"
        listed = stdin.splitlines()
        there = self.remote / place
        if command == "lsf":
            if not there.is_dir():
                return 3, "", "directory not found"
            files = [path for path in sorted(there.rglob("*")) if path.is_file()]
            return 0, "".join(f"{path.stat().st_size};{path.relative_to(there)}\n" for path in files), ""
        if command == "cat":
            return 0, there.read_text(), ""
        assert listed, "without a list, everything would be meant"
        for name in listed:
            if command == "copy":
                (there / name).parent.mkdir(parents=True, exist_ok=True)
                (there / name).write_bytes((Path(words[words.index("-") + 1]) / name).read_bytes())
                if name.endswith(object_backups.SUFFIX):
                    one = object_backups.read(there / name)
                    assert all(object_backups.Data(there, PLAIN).has(entry) for _bucket, _key, entry in one.entries()), "too early"
            if command == "delete":
                (there / name).unlink()
        return 0, "", ""


def both(tools: Tools) -> Age:
    return Age(tools.age, "", "KEY")


def test_what_is_kept_is_encrypted_and_comes_back(place, store, back_up):
    tools = Tools()
    put(store, "a", b"the content")
    put(store, "b", b"the content")
    first = back_up(age=both(tools))
    assert first["copied"] == 2
    kept = [path for path in place.rglob("data/*/*") if path.is_file()]
    assert len(kept) == 1 and b"the content" not in kept[0].read_bytes() and kept[0].read_bytes().startswith(b"age1key ")
    assert {path.stat().st_mode & 0o077 for path in place.rglob("*")} == {0}
    assert not any("KEY" in word for words in tools.seen for word in words)
    # A second run encrypts nothing, nor does the same content under another key, with the public key alone.
    count = tools.count
    assert not back_up(age=Age(tools.age, "age1key"))["changed"]
    put(store, "c", b"the content")
    assert back_up(age=Age(tools.age, "age1key"))["copied"] == 1 and tools.count == count
    assert object_backups.verify(place, newest(place), both(tools)) == {"objects": 3, "not_decrypted": 0}
    assert object_backups.verify(place, newest(place), Age(tools.age, "age1key")) == {"objects": 3, "not_decrypted": 3}
    store.remove("a")
    for age, words in ((Age(tools.age, "age1key"), "Give its secret key"), (Age(tools.age, "", "OTHER"), "not the one it was")):
        with pytest.raises(ParityError, match=words):
            object_backups.restore(place, newest(place), [store], age, replace=False)
    assert "a" not in {found.key for found in store.list()}
    assert object_backups.restore(place, newest(place), [store], both(tools), replace=False)["restored"] == ["documents/a"]
    assert read(store, "a") == b"the content"
    assert not list(place.rglob("data/.partial-*"))


def test_encryption_that_is_turned_on_or_gets_another_key_reaches_what_is_there(place, store, back_up):
    tools = Tools()
    put(store, "a", b"one")
    back_up()
    for age in (both(tools), Age(tools.age, "age1other")):
        assert back_up(check=True, age=age)["copied"] == 1
        assert back_up(age=age)["copied"] == 1 and not back_up(age=age)["changed"]
    # Where it is turned off again, what is encrypted still serves.
    assert not back_up()["changed"]
    object_backups.prune(place, "shop", Keep(1))
    [kept] = object_backups.Data(place, PLAIN).everything()
    assert kept.read_bytes().startswith(b"age1other ")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"age1key 0001|xno")])
def test_damage_of_what_is_encrypted_is_found_without_the_key(place, store, back_up, damage):
    tools = Tools()
    put(store, "a", b"one")
    back_up(age=both(tools))
    [kept] = object_backups.Data(place, PLAIN).everything()
    damage(kept)
    for age in (both(tools), Age(tools.age, "age1key")):
        with pytest.raises(ParityError, match="is damaged: documents/a"):
            object_backups.verify(place, newest(place), age)


def test_what_does_not_decrypt_is_not_kept(place, store, back_up):
    tools = Tools()
    tools.broken = "decrypt"
    put(store, "a", b"one")
    with pytest.raises(ParityError, match="was not kept"):
        back_up(age=both(tools))
    assert [path for path in place.rglob("*") if path.is_file()] == []
    with pytest.raises(ParityError, match="age is not installed"):
        back_up(age=Age(lambda _words, _stdin: (127, "", ""), "age1key"))


def test_a_backup_that_is_killed_leaves_none(place, store, back_up, monkeypatch):
    """By a signal nothing can be done about, in the middle of the second object."""
    put(store, "a", b"one")
    put(store, "b", b"two")
    real = store.fetch

    def fetch(key, into):
        if key == "b":
            into.write(b"tw")
            into.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return real(key, into)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(store, "fetch", fetch)
        back_up()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.name.startswith(".partial-") for path in place.rglob("data/.*")] == [True]
    assert object_backups.backups(place, "shop") == []
    assert back_up()["copied"] == 2
    assert not list(place.rglob("data/.*"))
    assert object_backups.verify(place, newest(place), PLAIN)["objects"] == 2


# --- The second place -----------------------------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path) -> Tools:
    (tmp_path / "remote").mkdir()
    return Tools(tmp_path / "remote")


def copied(place, remote, keep=3, **given):
    options = {"type": "s3", "secret_access_key": "geheim", "path": "b/shop-objects/"}
    return object_backups.copy(place, "shop", Keep(keep), second_place.SecondPlace(remote.rclone, options), **given)


def test_backups_are_in_the_second_place_too(place, store, back_up, remote):
    put(store, "a", b"one")
    file = back_up()["file"]
    predicted = copied(place, remote, check=True)
    assert not list(remote.remote.iterdir()) and predicted["sent"] == [file]
    assert copied(place, remote) == predicted
    assert not copied(place, remote)["changed"]
    there = remote.remote / "b/shop-objects"
    assert sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file() and path.name != ".lock") == sorted(
        path.relative_to(there) for path in there.rglob("*") if path.is_file()
    )
    assert remote.variables["RCLONE_CONFIG_PARITY_SECRET_ACCESS_KEY"] == "geheim"
    assert not any("geheim" in word for words in remote.seen for word in words)
    assert second_place.secrets({"type": "s3", "secret_access_key": "geheim", "pass": ""}) == ["geheim"]
    # Only what is new goes there, contents before the manifest.
    put(store, "b", b"two")
    back_up()
    remote.seen.clear()
    assert copied(place, remote)["sent_contents"] == 1
    assert [words[1] for words in remote.seen] == ["lsf", "copy", "check", "copy", "check"]


def test_the_second_place_has_its_own_retention_and_outlives_this_host(place, store, back_up, remote):
    files = []
    for number in range(3):
        put(store, "a", f"content {number}".encode())
        files.append(back_up()["file"])
        copied(place, remote)
    for path in place.rglob("*"):
        if path.is_file():
            path.unlink()
    put(store, "a", b"after the loss")
    files.append(back_up()["file"])
    result = copied(place, remote)
    assert result["removed"] == files[:1] and result["sent"] == files[3:]
    there = remote.remote / "b/shop-objects"
    assert [one.path.name for one in object_backups.backups(there, "shop")] == files[1:]
    for one in object_backups.backups(there, "shop"):
        object_backups.verify(there, one, PLAIN)
    assert len(list(object_backups.Data(there, PLAIN).everything())) == 3
    assert copied(place, remote, announced=1, check=True)["removed"] == files[1:2]


def test_what_is_not_whole_is_not_sent_and_what_was_cut_off_is_sent_again(place, store, back_up, remote):
    put(store, "a", b"one")
    copied_file = back_up()["file"]
    copied(place, remote)
    [kept] = (remote.remote / "b/shop-objects/data").glob("*/*")
    kept.write_bytes(b"o")
    assert copied(place, remote)["sent_contents"] == 1 and kept.read_bytes() == b"one"
    put(store, "b", b"two")
    broken = back_up()["file"]
    for path in object_backups.Data(place, PLAIN).everything():
        path.unlink()
    result = copied(place, remote)
    assert (result["sent"], result["left_out"]) == ([], [broken]) and copied_file != broken
    kept.unlink()
    with pytest.raises(ParityError, match="1 contents of backups in the second place are missing"):
        copied(place, remote)


def test_nothing_is_removed_there_while_a_manifest_cannot_be_read(place, store, back_up, remote):
    put(store, "a", b"one")
    back_up()
    copied(place, remote)
    (remote.remote / "b/shop-objects/shop-20290101T000000Z.manifest.json").write_text("{")
    with pytest.raises(ParityError, match="cannot be read"):
        copied(place, remote, keep=1)
    assert len(list((remote.remote / "b/shop-objects/data").glob("*/*"))) == 1


@pytest.mark.parametrize("command", ["lsf", "copy", "check"])
def test_a_second_place_that_is_away(place, store, back_up, remote, command):
    put(store, "a", b"one")
    back_up()
    remote.broken = command
    with pytest.raises(ParityError, match=r"cannot be used.*it is broken"):
        copied(place, remote)
    # A dry-run comes before rclone is there, and before the place is.
    assert copied(place, remote, check=True)["changed"]


# --- Checks of a bucket ---------------------------------------------------------------------------------------------


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
    if isinstance(store, object_stores.Supabase):
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
    if not isinstance(store, object_stores.Directory):
        assert "1 bytes came back" in results["a signed URL reads it without a key"]
        assert "after it has expired" in results["an expired URL does not"]
        assert "without a key" in results["nobody reads it without a key"]
    monkeypatch.setattr(store, "list", lambda prefix="": iter(()))
    assert "not in the list" in check(store, open_to_all)["it is listed"]


def test_a_refusal_for_another_reason(store, monkeypatch):
    real = store.put

    def put_(key, source, content_type):
        if key.endswith(("-type", "-size")):
            raise object_stores.Refused("the store is full", 507)
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
    store = object_stores.Directory(tmp_path, "documents")
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


def test_a_store_that_does_not_answer_is_told_check_by_check(store, monkeypatch):
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


# --- The checks of a report -----------------------------------------------------------------------------------------

ALL = ["bucket", "write", "read", "list", "signed_url", "expired_url", "no_key", "wrong_type", "too_large", "delete"]


def told(given: dict) -> dict[str, str]:
    """The status of each check, whose form every report takes."""
    found = storage_checks.make({"largest": 10**8, "query": "", "database_url": "", "grace": 3600, "host": "data1", **given})
    reports.build(head={"stack": "shop"}, checks=found)
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
def test_what_belongs_to_nothing_is_told_and_no_more(tmp_path, monkeypatch, found, rows, objects):
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
    report_ = reports.build(head={"stack": "shop"}, checks=checks)
    assert report_["verdict"] == ("passed" if (rows, objects) == ("passed", "passed") else "warning")


# --- What belongs to nothing ----------------------------------------------------------------------------------------


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


# --- The module as Ansible runs it ----------------------------------------------------------------------------------


def test_the_backup_module(tmp_path):
    (tmp_path / "objects" / "documents").mkdir(parents=True)
    (tmp_path / "objects" / "documents" / "a").write_text("one")
    given = {
        "backend": "filesystem",
        "path": str(tmp_path / "objects"),
        "buckets": ["documents"],
        "directory": str(tmp_path / "backups"),
        "name": "shop",
    }
    assert run("object_backup", check=True, **given)["copied"] == 1
    assert run("object_backup", check=True, **given, state="pruned")["changed"] is False
    assert "Make it with mode 0700" in run("object_backup", **given)["msg"]
    (tmp_path / "backups").mkdir()
    made = run("object_backup", **given)
    assert made["changed"] and not run("object_backup", **given)["changed"]
    assert run("object_backup", **{**given, "buckets": ["documents", "none"]})["left_out"] == ["none"]
    (tmp_path / "objects" / "documents" / "a").unlink()
    assert run("object_backup", **given, state="verified")["objects"] == 1
    assert run("object_backup", **given, state="restored", file=made["file"])["restored"] == ["documents/a"]
    assert (tmp_path / "objects" / "documents" / "a").read_text() == "one"
    assert json.loads((tmp_path / "backups" / made["file"]).read_text())["version"] == 1
    for bad in ({"name": "../x"}, {"label": "a/b"}, {"buckets": []}, {"buckets": ["../x"]}, {"state": "restored", "file": "../x"}):
        assert run("object_backup", **{**given, **bad})["failed"]
