# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.parity.stack.plugins.filter.backup_problems import backup_problems
from ansible_collections.parity.stack.plugins.module_utils.backup import manifest as manifests
from ansible_collections.parity.stack.plugins.module_utils.backup import repository
from ansible_collections.parity.stack.plugins.module_utils.backup.scratch import Contents
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

NOW = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)


def make(directory, *, name="shop", label="", age=0, content=b"dump", **changes):
    moment = NOW - timedelta(seconds=age)
    dump = directory / repository.file_name(name, label, moment, manifests.DUMP)
    dump.write_bytes(content)
    manifest = {
        "label": label,
        "size": len(content),
        "sha256": repository.sha256(dump),
        "tables": {},
        "finished": manifests.timestamp(moment),
        **changes,
    }
    manifests.manifest_path(dump).write_text(json.dumps(manifest))
    return dump


def test_only_whole_backups_with_a_manifest_are_good(tmp_path):
    good = make(tmp_path, label="v1.0", age=50)
    make(tmp_path, age=40, size=3)
    no_manifest = make(tmp_path, age=30)
    manifests.manifest_path(no_manifest).unlink()
    broken = make(tmp_path, age=20)
    manifests.manifest_path(broken).write_text("{")
    make(tmp_path, name="shop-two", age=10)
    (tmp_path / "shop-20300501T115959Z.dump.partial").touch()
    assert [backup.path for backup in manifests.good_backups(tmp_path, "shop")] == [good]
    assert manifests.good_backups(tmp_path / "absent", "shop") == []


def test_samples_and_structures_are_compared():
    one = Contents({"a": 2}, {"a": "2:77"})
    assert manifests.differences(one, Contents({"a": 2}, {"a": "2:78"})) == ["table a has other values in the rows that were compared"]
    assert manifests.differences(Contents({"a": 2}, {"a": ""}), one) == []
    text = manifests.normal_schema("--\n-- x\n\n\\restrict abc\nSET a = b;\nCREATE TABLE a (\n    id int\n);\n")
    assert text == "CREATE TABLE a (\n    id int\n);"
    assert manifests.schema_differences(text, text) == []
    assert "id bigint" in manifests.schema_differences(text, text.replace("int", "bigint"))[0]


@pytest.mark.parametrize(
    ("label", "max_age", "found"),
    [("v1", 0, False), ("v1", 59, False), ("v1", 60, True), ("v2", 600, False), ("", 600, False)],
)
def test_a_fresh_backup_has_the_same_label(tmp_path, label, max_age, found):
    make(tmp_path, label="v1", age=60)
    assert (manifests.fresh(manifests.good_backups(tmp_path, "shop"), label, max_age, NOW) is not None) is found


def test_remains_of_killed_runs(tmp_path):
    make(tmp_path)
    partial = tmp_path / "shop-20300501T110000Z-v1.dump.partial"
    orphan = tmp_path / "shop-20300501T100000Z.json"
    foreign = tmp_path / "other-20300501T110000Z.dump.partial"
    for path in (partial, orphan, foreign):
        path.touch()
    assert manifests.remains(tmp_path, "shop") == [partial, orphan]


@pytest.mark.parametrize(
    ("source", "restored", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 2}, {"a": 1}, ["table a has 1 rows instead of 2"]),
        ({"a": 1, "b": 0}, {"a": 1}, ["table b is missing"]),
        ({}, {"a": 0}, ["table a was not in the source"]),
    ],
)
def test_differences(source, restored, expected):
    assert manifests.differences(Contents(source), Contents(restored)) == expected


def test_a_damaged_dump_is_refused(tmp_path):
    dump = make(tmp_path, content=b"a long dump")
    backup = manifests.good_backups(tmp_path, "shop")[0]
    manifests.check_whole(backup)
    dump.write_bytes(b"a lung dump")
    with pytest.raises(ParityError, match="another checksum"):
        manifests.check_whole(backup)
    dump.write_bytes(b"a long")
    with pytest.raises(ParityError, match="6 bytes instead of 11"):
        manifests.check_whole(backup)


def test_space_is_reckoned_from_the_last_backup(tmp_path):
    assert manifests.space_needed(1000, []) == 1000 + 16 * 2**20
    make(tmp_path, content=b"x" * 100)
    assert manifests.space_needed(1000, manifests.good_backups(tmp_path, "shop")) == 150 + 16 * 2**20


@pytest.mark.parametrize(
    ("words", "version"), [("pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)", 17), ("pg_dump (PostgreSQL) 9.6.24", 9)]
)
def test_tool_version(words, version):
    assert manifests.tool_version(words) == version


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("pg_dump: error: could not write: No space left on device", "the disk is full"),
        ("pg_dump: error: query failed: ERROR:  permission denied for table t", "use the owner"),
        ("pg_restore: error: could not read from input file: end of file", "cut off or damaged"),
        ("pg_restore: error: input file does not appear to be a valid archive", "is no dump"),
        ("noise\npg_dump: error: something new", "pg_dump: error: something new"),
        ("", "no reason given"),
    ],
)
def test_words_of_a_failed_tool(words, meaning):
    assert meaning in manifests.explain_tool("pg_dump", words)


INPUTS = {
    "database_url": "postgresql://u:geheim@h/d",
    "directory": "/var/backups/shop",
    "name": "shop",
    "label": "v1.2.3+4",
    "keep": 7,
    "max_age": 0,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"database_url": "postgresql://u:ge/heim@h/d"}, "backup_database_url"),
        ({"directory": "backups"}, "absolute"),
        ({"directory": "/"}, "absolute"),
        ({"directory": "/etc"}, "two parts"),
        ({"directory": "/var/../etc"}, "backup_directory"),
        ({"name": "../x"}, "backup_name"),
        ({"name": ""}, "backup_name"),
        ({"age_recipient": "age1x"}, "no public key of age"),
        ({"age_identity": "AGE-SECRET-KEY-1"}, "no secret key of age"),
        ({"age_recipient": "age1" + "q" * 58, "age_identity": "AGE-SECRET-KEY-1" + "Q" * 58}, None),
        ({"label": "a/b"}, "backup_label"),
        ({"label": 1.1}, "backup_label"),
        ({"keep": 0}, "backup_keep"),
        ({"keep": "many"}, "backup_keep"),
        ({"max_age": -1}, "backup_max_age"),
    ],
)
def test_inputs(change, words):
    problems = backup_problems({**INPUTS, **change})
    assert problems == [] if words is None else len(problems) == 1 and words in problems[0]
    assert "heim" not in " ".join(problems)
