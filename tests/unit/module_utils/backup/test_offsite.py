# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backups elsewhere: complete, retained on their own, never half deleted."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import objects as object_backups
from ansible_collections.parity.stack.plugins.module_utils.backup import offsite
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Keep
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from object_stores import PLAIN, Tools, put


@pytest.fixture
def remote(tmp_path) -> Tools:
    (tmp_path / "remote").mkdir()
    return Tools(tmp_path / "remote")


def copied(place, remote, keep=3, **given):
    options = {"type": "s3", "secret_access_key": "geheim", "path": "b/shop-objects/"}
    return object_backups.copy(place, "shop", Keep(keep), offsite.OffSitePlace(remote.rclone, options), **given)


def test_backups_have_off_site_copies(place, store, back_up, remote):
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
    assert offsite.secrets({"type": "s3", "secret_access_key": "geheim", "pass": ""}) == ["geheim"]
    # Only what is new goes there, contents before the manifest.
    put(store, "b", b"two")
    back_up()
    remote.seen.clear()
    assert copied(place, remote)["sent_contents"] == 1
    assert [words[1] for words in remote.seen] == ["lsf", "copy", "check", "copy", "check"]


def test_off_site_copies_have_their_own_retention_and_outlive_this_host(place, store, back_up, remote):
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
    with pytest.raises(ParityError, match="1 contents of off-site copies are missing there and on this host"):
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
def test_an_off_site_place_that_is_away(place, store, back_up, remote, command):
    put(store, "a", b"one")
    back_up()
    remote.broken = command
    with pytest.raises(ParityError, match=r"cannot be used.*it is broken"):
        copied(place, remote)
    # A dry run comes before rclone and the directory exist.
    assert copied(place, remote, check=True)["changed"]


@pytest.mark.parametrize("work", ["send", "compare", "remove"])
def test_without_a_list_nothing_is_touched(tmp_path, work):
    ran = []
    place = offsite.OffSitePlace(lambda *given: ran.append(given) or (0, "", ""), {"type": "local", "path": str(tmp_path)})
    getattr(place, work)(*([[]] if work == "remove" else [tmp_path, []]))
    assert ran == []
