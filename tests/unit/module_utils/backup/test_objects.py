# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of objects: only what is new is copied, and what was copied can be restored."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import objects as object_backups
from ansible_collections.parity.stack.plugins.module_utils.backup import repository
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Keep
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.storage import stores
from object_stores import PLAIN, Clock, newest, parameters, put, read
from supabase_storage import serving, token


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
            raise stores.Missing("gone")
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
    monkeypatch.setattr(repository.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(ParityError, match="are free there"):
        back_up()


def test_rollback(place, store, back_up):
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
        store = stores.open_store(parameters("supabase", supabase_url=url, supabase_key=token()), "documents")
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
    with pytest.raises(ParityError, match="but reads differently afterwards"):
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
            raise stores.NoBucket("There is no bucket 'later'.")
        return store

    found = object_backups.to_back_up(place, "shop", ["documents", "later"], open_)
    assert found == [store] and object_backups.to_back_up(place, "shop", ["later"], open_) == []
    nothing = object_backups.create(place, "shop", "", [], Clock(), PLAIN)
    assert not nothing["changed"] and list(place.iterdir()) == []
    # Once a backup has objects of it, its absence is a loss, or a file system that is not mounted.
    put(store, "a")
    back_up()

    def gone(bucket):
        raise stores.NoBucket(f"There is no bucket {bucket!r}.")

    with pytest.raises(ParityError, match="last backup has objects of it"):
        object_backups.to_back_up(place, "shop", ["documents"], gone)
    assert object_backups.to_back_up(place, "shop", ["later"], gone) == []


def test_a_bucket_the_backup_does_not_have(place, store, back_up):
    back_up()
    store.bucket = "other"
    with pytest.raises(ParityError, match="no bucket 'other'"):
        object_backups.restore(place, newest(place), [store], PLAIN, replace=False)
