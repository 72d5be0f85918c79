# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups of objects: restored with the key, verified without it."""

from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import objects as object_backups
from ansible_collections.parity.stack.plugins.module_utils.backup.age import Age
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Keep
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from object_stores import PLAIN, Tools, both, newest, put, read


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
