# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same source gives the same digest and the same bytes; what is missing is named at once."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import bundle
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


def source(folder: Path) -> bundle.Source:
    for name, text in {"app/a.py": "1", "app/b/c.py": "2", "sql/1_a.sql": "3", "lock": "x --hash=y"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return bundle.Source(str(folder / "app"), folder / "lock", folder / "sql")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"application": "https://h/x.whl"}, []),
        ({"migrations": None}, []),
        ({"application": "/none"}, ["the application /none"]),
        ({"application": "/none", "lock": Path("/no")}, ["the lock file /no", "the application /none"]),
        ({"migrations": Path("/no")}, ["the directory of migrations /no"]),
        ({"lock": Path(__file__).parent / "checkout.py"}, ["has no hashes"]),
    ],
)
def test_check(tmp_path: Path, changes: dict, words: list[str]) -> None:
    good = source(tmp_path)
    wanted = {"application": good.application, "lock": good.lock, "migrations": good.migrations, **changes}
    if not words:
        bundle.Source(**wanted).check()
        return
    with pytest.raises(ParityError) as error:
        bundle.Source(**wanted).check()
    assert all(word in str(error.value) for word in words)


def write(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("changed", encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda folder: os.utime(folder / "app/a.py", (1, 1)), True),
        (write("app/.git/x"), True),
        (write("app/b/__pycache__/c.pyc"), True),
        (write("app/build/x.py"), True),
        (write("app/src/app.egg-info/PKG-INFO"), True),  # what building leaves behind
        (write("app/a.py"), False),
        (write("app/new.py"), False),
        (write("sql/2_b.sql"), False),
        (write("lock"), False),
        (lambda folder: (folder / "app/a.py").rename(folder / "app/z.py"), False),
    ],
)
def test_sha256(tmp_path: Path, change: Callable[[Path], object], same: bool) -> None:
    before = source(tmp_path / "one").sha256
    other = source(tmp_path / "two")
    change(tmp_path / "two")
    assert (other.sha256 == before) is same


def test_pack_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        source(tmp_path / name)
        bundle._pack(tmp_path / name, tmp_path / f"{name}.tar")
        os.utime(tmp_path / "one/lock", (1, 1))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert sorted(tar.getnames()) == ["app/a.py", "app/b/c.py", "lock", "sql/1_a.sql"]
    assert not list(tmp_path.glob(".*"))


def test_a_failing_build_says_why(tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="failed on the control node:\nno compiler"):
        bundle.build_application(lambda _words: (1, "", "no compiler"), ["pip"], source(tmp_path), tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


def wheelhouse(folder: Path) -> tuple[Path, Path]:
    """Two wheels, and a lock file that names them and one that only Windows needs."""
    there = folder / "wheelhouse"
    there.mkdir()
    lines = ['c==1 ; sys_platform == "win32" --hash=sha256:' + "0" * 64]
    for name in ("a", "b"):
        (there / f"{name}-1-py3-none-any.whl").write_text(name, encoding="utf-8")
        lines.append(f"{name}[x]==1 \\\n    --hash=sha256:{'1' * 64} \\\n    --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}")
    (folder / "lock").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return there, folder / "lock"


def test_a_wheelhouse_is_packed_with_its_lock_file(tmp_path: Path) -> None:
    there, lock = wheelhouse(tmp_path)
    bundle.pack_wheelhouse(there, lock, tmp_path / "w.tar")
    with tarfile.open(tmp_path / "w.tar") as tar:
        assert tar.getnames() == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "requirements.lock"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda there: (there / "b-1-py3-none-any.whl").unlink(), "for b. Add it"),
        (lambda there: (there / "a-1-py3-none-any.whl").write_text("another", encoding="utf-8"), "for a. Add it"),
        (lambda there: [wheel.unlink() for wheel in there.glob("*")], "for a, b. Add them"),
        (lambda there: there.rename(there.with_name("elsewhere")), "is no directory"),
    ],
)
def test_a_wheelhouse_that_is_not_complete_is_not_packed(tmp_path: Path, change: Callable, words: str) -> None:
    there, lock = wheelhouse(tmp_path)
    change(there)
    with pytest.raises(ParityError, match=words):
        bundle.pack_wheelhouse(there, lock, tmp_path / "w.tar")
    assert not (tmp_path / "w.tar").exists()
