# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the database on disk and off-site: what needs no server. molecule/backup has the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import database, repository
from ansible_collections.parity.stack.plugins.module_utils.backup import manifest as manifests
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from object_stores import Tools

RECIPIENT = "age1" + "q" * 58
IDENTITY = "AGE-SECRET-KEY-1" + "Q" * 58
OPTIONS = {"type": "s3", "secret_access_key": "geheim", "path": "b/shop/"}
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "RCLONE_CONFIG_PARITY_TYPE": "s3",
    "RCLONE_CONFIG_PARITY_SECRET_ACCESS_KEY": "geheim",
}


class Host:
    """A host with the programs age and rclone, unless they are `missing`."""

    def __init__(self, remote: Path, check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.tools = Tools(remote)
        self.missing: set[str] = set()
        self.hidden: list[str] = []
        self.said: list[str] = []
        self.calls: list[tuple[list[str], dict[str, str], str | None]] = []

    def find(self, tool: str) -> str | None:
        return None if tool in self.missing else f"/usr/bin/{tool}"

    def run(self, words: list[str], variables: dict[str, str], stdin: str | None = None) -> tuple[int, str, str]:
        name = words[0].removeprefix("/usr/bin/")
        self.calls.append(([name, *words[1:]], variables, stdin))
        if name == "rclone":
            return self.tools.rclone([name, *words[1:]], stdin or "", variables)
        return self.tools.age([name, *words[1:]], stdin or "")

    def hide(self, secret: str) -> None:
        self.hidden.append(secret)

    def progress(self, words: str) -> None:
        self.said.append(words)

    def commands(self) -> list[str]:
        """The commands of rclone that ran, each with the files it was about."""
        found = []
        for words, _variables, stdin in self.calls:
            about = [Path(word).name for word in words if Path(word).suffix in (".dump", ".json")][-1:] or (stdin or "").split()
            found.append(" ".join([words[1], *about]))
        return found


@pytest.fixture
def host(tmp_path) -> Host:
    (tmp_path / "remote").mkdir()
    return Host(tmp_path / "remote")


def make(directory: Path, day: int, content: bytes = b"dump") -> str:
    """A good backup that was made at noon of a day; returns the name of its dump."""
    moment = datetime(2030, 5, 1, 12, tzinfo=UTC) + timedelta(days=day - 1)
    dump = directory / repository.file_name("shop", f"v{day}", moment, manifests.DUMP)
    dump.write_bytes(content)
    manifest = {"size": len(content), "sha256": repository.sha256(dump), "tables": {}, "finished": manifests.timestamp(moment)}
    manifests.manifest_path(dump).write_text(json.dumps(manifest))
    return dump.name


def perform(host: Host, state: str, directory: Path, **given: object) -> dict:
    copy_to = OPTIONS if state == "copied" else {}
    return database.perform(host, state, database.Wanted(directory=str(directory), name="shop", copy_to=copy_to, **given))


def beside(dump: str) -> str:
    return dump.removesuffix(".dump") + ".json"


def test_each_good_backup_gets_an_off_site_copy(place, host):
    one, two = make(place, 1), make(place, 2)
    (place / "shop-20300509T120000Z.dump").write_bytes(b"without a manifest")
    host.check_mode = True
    predicted = perform(host, "copied", place)
    assert predicted["changed"] and not list(host.tools.remote.iterdir())
    host.check_mode = False
    host.calls.clear()
    assert perform(host, "copied", place) == predicted
    assert predicted["reason"] == "2 backups have an off-site copy" and predicted["diff"]["after"] == f"{one}\n{two}\n"
    there = host.tools.remote / "b/shop"
    assert {path.name for path in there.iterdir()} == {one, beside(one), two, beside(two)}
    # The manifest says that the dump is there, so it is second.
    each = [[f"copyto {name}", f"check {name}", f"copyto {beside(name)}"] for name in (one, two)]
    assert host.commands() == ["lsf", *each[0], *each[1]]
    assert all(variables == ENVIRONMENT for _words, variables, _stdin in host.calls)
    assert not any("geheim" in word for words, _variables, _stdin in host.calls for word in words) and "geheim" in host.hidden
    assert not perform(host, "copied", place)["changed"]


def test_off_site_copies_have_their_own_retention_and_outlive_this_host(place, host):
    dumps = []
    for day in (1, 2, 3):
        dumps.append(make(place, day))
        perform(host, "copied", place, keep=2)
    there = host.tools.remote / "b/shop"
    assert {path.name for path in there.glob("*.dump")} == set(dumps[1:])
    for path in place.iterdir():
        path.unlink()
    assert not perform(host, "copied", place, keep=2)["changed"]
    dumps.append(make(place, 4))
    host.calls.clear()
    result = perform(host, "copied", place, keep=2)
    assert result["removed"] == [dumps[1]] and result["reason"] == "2 backups have an off-site copy"
    assert {path.name for path in there.glob("*.dump")} == set(dumps[2:])
    # Without its manifest, a dump is no backup: the manifest goes first.
    assert [words.split()[-1] for words in host.commands()[-2:]] == [beside(dumps[1]), dumps[1]]
    host.check_mode = True
    assert perform(host, "copied", place, keep=2, announced=1)["removed"] == [dumps[2]]


def test_what_retention_does_not_keep_is_not_copied(place, host):
    dumps = [make(place, day) for day in (1, 2, 3)]
    assert perform(host, "copied", place, keep=2)["diff"] == {"before": "", "after": "".join(f"{name}\n" for name in dumps[1:])}


def test_an_off_site_copy_without_a_manifest_is_copied_again(place, host):
    dump = make(place, 1)
    perform(host, "copied", place)
    (host.tools.remote / "b/shop" / beside(dump)).unlink()
    assert perform(host, "copied", place)["diff"]["after"] == f"{dump}\n"


@pytest.mark.parametrize(
    ("fault", "words"),
    [("lsf", "cannot be used.*it is broken"), ("copyto", "it is broken"), ("check", "it is broken"), ("missing", "apt-get install rclone")],
)
def test_off_site_copies_that_cannot_be_used(place, host, fault, words):
    make(place, 1)
    host.tools.broken = fault
    host.missing = {"rclone"} if fault == "missing" else set()
    with pytest.raises(ParityError, match=words):
        perform(host, "copied", place)
    # A dry run comes before rclone and the directory exist.
    host.check_mode = True
    if fault in ("lsf", "missing"):
        assert perform(host, "copied", place)["changed"]


def test_off_site_copy_that_differs_is_made_again(place, host):
    dump = make(place, 1)
    host.tools.broken = "check"
    with pytest.raises(ParityError, match="it is broken"):
        perform(host, "copied", place)
    host.tools.broken = ""
    assert perform(host, "copied", place)["diff"]["after"] == f"{dump}\n"
    assert perform(host, "copied", place)["changed"] is False


def test_old_backups_and_remains_go(place, host):
    dumps = [make(place, day) for day in (1, 2, 3)]
    partial, foreign = place / "shop-20300501T110000Z.dump.partial", place / "other-20300501T110000Z.dump.partial"
    partial.touch()
    foreign.touch()
    host.check_mode = True
    predicted = perform(host, "pruned", place, keep=2)
    assert len(list(place.iterdir())) == 8
    host.check_mode = False
    assert perform(host, "pruned", place, keep=2) == predicted
    assert predicted["removed"] == [str(place / name) for name in (partial.name, dumps[0], beside(dumps[0]))]
    assert predicted["reason"] == "2 good backups stay" and foreign.exists()


def test_one_run_at_a_time(place, host, tmp_path):
    work = database.Work(host, database.Wanted(directory=str(place), name="shop"))
    with database._only_one(work), pytest.raises(ParityError, match="Another backup is being made"):
        perform(host, "pruned", place)
    perform(host, "pruned", place)
    assert list(place.iterdir()) == []
    with pytest.raises(ParityError, match="does not exist"):
        perform(host, "pruned", tmp_path / "absent")


@pytest.mark.parametrize(
    ("keys", "words", "stdin"),
    [
        ({"age_recipient": RECIPIENT}, [["--encrypt", "--recipient", RECIPIENT]], [None]),
        ({"age_identity": IDENTITY}, [["--encrypt", "--identity", "-"], ["--decrypt", "--identity", "-"]], [f"{IDENTITY}\n"] * 2),
    ],
)
def test_a_dump_is_encrypted(place, host, keys, words, stdin):
    work = database.Work(host, database.Wanted(directory=str(place), name="shop", **keys))
    plain, partial = place / "plain.partial", place / "dump.partial"
    plain.write_bytes(b"the dump")
    assert database._encrypt(work, plain, partial, repository.sha256(plain)) == "age"
    assert b"the dump" not in partial.read_bytes() and partial.stat().st_mode & 0o077 == 0
    assert [call[:-3] for call, _variables, _stdin in host.calls] == [["age", *each] for each in words]
    assert [given for _words, _variables, given in host.calls] == stdin
    assert all(variables == {"LC_ALL": "C.UTF-8"} for _words, variables, _stdin in host.calls)
    assert not any(IDENTITY in word for call, _variables, _stdin in host.calls for word in call)


def test_a_dump_without_a_key_stays_as_it_is(place, host):
    work = database.Work(host, database.Wanted(directory=str(place), name="shop"))
    plain, partial = place / "plain.partial", place / "dump.partial"
    plain.write_bytes(b"the dump")
    assert database._encrypt(work, plain, partial, "") == "none"
    assert partial.read_bytes() == b"the dump" and not plain.exists() and host.calls == []


def test_a_dump_that_does_not_decrypt_is_not_kept(place, host):
    host.tools.broken = "decrypt"
    work = database.Work(host, database.Wanted(directory=str(place), name="shop", age_identity=IDENTITY))
    plain = place / "plain.partial"
    plain.write_bytes(b"the dump")
    with pytest.raises(ParityError, match=r"encrypted dump does not decrypt to .*\. It was not kept"):
        database._encrypt(work, plain, place / "dump.partial", repository.sha256(plain))


@pytest.mark.parametrize(
    ("identity", "missing", "words"),
    [
        (IDENTITY, "", None),
        ("AGE-SECRET-KEY-1" + "Z" * 58, "", "the key is not the one it was encrypted with"),
        ("", "", "Give its secret key: backup_age_identity"),
        (IDENTITY, "age", "age is not installed on this host. Install it: apt-get install age"),
    ],
)
def test_an_encrypted_backup_needs_its_key(place, host, identity, missing, words):
    dump = place / "shop-20300501T120000Z.dump"
    dump.write_bytes(f"age1{IDENTITY.lower()} 0001|".encode() + b"dump"[::-1])
    host.missing = {missing}
    work = database.Work(host, database.Wanted(directory=str(place), name="shop", age_identity=identity))
    backup = repository.Backup(dump, {"encryption": "age"})
    if words:
        with pytest.raises(ParityError, match=words), database._opened(work, backup):
            pass
    else:
        with database._opened(work, backup) as plain:
            assert plain.read_bytes() == b"dump" and plain.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == [dump]
