# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups of both kinds have in common: names, retention, the lock, free space."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup import repository
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import Keep
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)  # noon on a Wednesday


def made(*hours: int) -> list[repository.Backup]:
    """Backups that are so many hours old, oldest first."""
    moments = [NOW - timedelta(hours=age) for age in sorted(hours, reverse=True)]
    return [
        repository.Backup(Path(repository.file_name("shop", "", moment, ".dump")), {"finished": moment.isoformat()}) for moment in moments
    ]


def ages(backups: list[repository.Backup]) -> list[int]:
    return sorted(int((NOW - backup.finished).total_seconds() // 3600) for backup in backups)


@pytest.mark.parametrize(
    ("label", "moment", "suffix", "expected"),
    [
        ("", NOW, ".dump", "shop-20300501T120000Z.dump"),
        ("v1.0+2", NOW, ".dump", "shop-20300501T120000Z-v1.0+2.dump"),
        ("v1", NOW, ".manifest.json", "shop-20300501T120000Z-v1.manifest.json"),
        ("", NOW.astimezone(timezone(timedelta(hours=2))), ".dump", "shop-20300501T120000Z.dump"),
    ],
)
def test_names_of_files(label, moment, suffix, expected):
    name = repository.file_name("shop", label, moment, suffix)
    assert name == expected
    assert repository.is_own(name, "shop", suffix) and repository.moment_of(name, "shop", suffix) == NOW


@pytest.mark.parametrize(
    "file",
    [
        "shop-two-20300501T120000Z.dump",
        "shop-20300501T120000Z.dump.partial",
        "shop-20300501T120000Z.json",
        "shop-20300501.dump",
        "shop-20300501T120000Zv1.dump",
        "xshop-20300501T120000Z.dump",
    ],
)
def test_names_of_something_else(tmp_path, file):
    assert not repository.is_own(file, "shop", ".dump") and repository.moment_of(file, "shop", ".dump") is None
    (tmp_path / file).touch()
    assert repository.own_files(tmp_path, "shop", ".dump") == []


def test_own_files_are_oldest_first(tmp_path):
    names = ["shop-20300501T120000Z.dump", "shop-20300501T130000Z-a.dump", "shop-20300502T110000Z.dump"]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [path.name for path in repository.own_files(tmp_path, "shop", ".dump")] == names
    assert repository.own_files(tmp_path / "absent", "shop", ".dump") == []


@pytest.mark.parametrize(
    ("keep", "announced", "stay"),
    [(7, 0, 3), (3, 0, 3), (2, 0, 2), (1, 0, 1), (0, 0, 1), (3, 1, 2), (1, 1, 0)],
)
def test_the_newest_stay(keep, announced, stay):
    backups = made(3, 2, 1)
    assert repository.superfluous(backups, Keep(keep), announced) == backups[: 3 - stay]


@pytest.mark.parametrize(
    ("keep", "stay"),
    [
        (Keep(1), [0]),
        (Keep(2, daily=2), [0, 1, 30]),
        (Keep(1, weekly=2), [0, 100]),
        (Keep(1, monthly=3), [0, 30, 2000]),
        (Keep(1, daily=9, weekly=9, monthly=9), [0, 30, 100, 2000]),
    ],
)
def test_one_of_each_period_stays(keep, stay):
    backups = made(0, 1, 30, 100, 101, 2000)
    gone = repository.superfluous(backups, keep)
    assert ages([backup for backup in backups if backup not in gone]) == stay


@pytest.mark.parametrize(
    ("there", "here", "keep", "announced", "sent", "removed"),
    [
        ([], [], Keep(2), 0, [], []),
        ([], [3, 2, 1], Keep(9), 0, [1, 2, 3], []),
        ([3, 2], [3, 2, 1], Keep(9), 0, [1], []),
        ([3, 2], [3, 2, 1], Keep(2), 0, [1], [3]),
        ([], [3, 2, 1], Keep(2), 0, [1, 2], []),  # what retention does not keep is not copied first
        ([3, 2], [], Keep(2), 0, [], []),  # the loss of this host removes nothing
        ([3, 2], [], Keep(2), 1, [], [3]),
        ([30, 2], [1], Keep(1, daily=2), 0, [1], [2]),
    ],
)
def test_off_site_copies(there, here, keep, announced, sent, removed):
    new, gone = repository.off_site(made(*there), made(*here), keep, announced)
    assert (ages(new), ages(gone)) == (sent, removed)


@pytest.mark.parametrize(("file", "left"), [("", []), (".lock", [".lock"])])
def test_one_run_at_a_time(tmp_path, file, left):
    with (
        repository.locked(tmp_path, file),
        pytest.raises(ParityError, match=f"Another backup is being made in {tmp_path}"),
        repository.locked(tmp_path, file),
    ):
        pass
    with repository.locked(tmp_path, file):
        assert [path.name for path in tmp_path.iterdir()] == left


def test_the_lock_ends_where_the_work_fails(tmp_path):
    with pytest.raises(BlockingIOError), repository.locked(tmp_path):
        raise BlockingIOError  # of the work, not of the lock
    with repository.locked(tmp_path):
        pass


@pytest.mark.parametrize(("needed", "enough"), [(3 * 2**20, True), (3 * 2**20 + 1, False)])
def test_free_space(tmp_path, monkeypatch, needed, enough):
    monkeypatch.setattr(repository.shutil, "disk_usage", lambda _path: SimpleNamespace(free=3 * 2**20))
    if enough:
        repository.check_space(tmp_path, needed, "backup_directory")
    else:
        with pytest.raises(ParityError, match=rf"3 MiB in {tmp_path}, and 3 MiB are free there.*set backup_directory"):
            repository.check_space(tmp_path, needed, "backup_directory")


def test_a_private_file_is_empty(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"of a killed run")
    old = os.umask(0)
    try:
        repository.make_private(file)
        repository.make_private(tmp_path / "new")
    finally:
        os.umask(old)
    assert file.read_bytes() == b"" and (tmp_path / "new").stat().st_mode & 0o777 == 0o600
