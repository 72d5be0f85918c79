# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same source gives the same digest and the same bytes; what is missing is named at once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import pack
from tiny_wheels import wheel

TARGET = pack.Target("3.11.2", "x86_64")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated"]
TOOLS = pack.Tools(commands.run, PIP, commands.beside_python("uv"))


def source(folder: Path) -> pack.Source:
    for name, text in {"app/a.py": "1", "app/b/c.py": "2", "sql/1_a.sql": "3", "lock": f"x==1 --hash=sha256:{'0' * 64}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return pack.Source(str(folder / "app"), folder / "lock", folder / "sql")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"application": "", "identity": "https://h/x.whl 1"}, []),
        ({"migrations": None}, []),
        ({"application": "/none"}, ["the application /none"]),
        ({"application": "/none", "lock": Path("/no")}, ["the lock file /no", "the application /none"]),
        ({"migrations": Path("/no")}, ["the directory of migrations /no"]),
    ],
)
def test_check(tmp_path: Path, changes: dict, words: list[str]) -> None:
    good = source(tmp_path)
    wanted = dataclasses.replace(good, **changes)
    if not words:
        wanted.check()
        return
    with pytest.raises(ParityError) as error:
        wanted.check()
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
        (write("app/b/build/x.py"), False),  # a package
        (write("app/b/tests/test_c.py"), True),
        (write("app/.env"), True),
        (write("app/b/production.env"), True),
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
        pack._pack(tmp_path / name, tmp_path / f"{name}.tar")
        os.utime(tmp_path / "one/lock", (1, 1))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert sorted(tar.getnames()) == ["app/a.py", "app/b/c.py", "lock", "sql/1_a.sql"]
    assert not list(tmp_path.glob(".*"))


def test_a_failing_build_says_why(tmp_path: Path) -> None:
    given = source(tmp_path)
    (tmp_path / "app/setup.py").write_text("raise SystemExit('no compiler')", encoding="utf-8")
    with pytest.raises(ParityError, match=r"(?s)cannot be built on the control node:.*no compiler"):
        pack.build_application(TOOLS, given, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()


#: A build system of a few lines that needs nothing from an index, and one that wants a version from Git as setuptools-scm does.
BACKEND = """
import hashlib, os, pathlib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    assert os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] and os.environ["SOURCE_DATE_EPOCH"]
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / "shop-1-py3-none-any.whl", "w") as archive:
        for path in sorted(path for path in pathlib.Path().rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(str(path)), path.read_bytes())
        archive.writestr(zipfile.ZipInfo("shop-1.dist-info/METADATA"), "Metadata-Version: 2.1\\nName: shop\\nVersion: 1\\n")
        wheel = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        archive.writestr(zipfile.ZipInfo("shop-1.dist-info/WHEEL"), wheel)
        archive.writestr(zipfile.ZipInfo("shop-1.dist-info/RECORD"), "")
    return "shop-1-py3-none-any.whl"
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "shop"
version = "1"
"""
NEVER = [
    "tests/test_a.py", "b/tests/x.py", ".git/config", ".venv/bin/python", "__pycache__/a.pyc", "node_modules/x.js", ".env",
    "b/.env.local", "b/production.env", "own/pyvenv.cfg", "own/lib/x.py", "build/old.py",
]  # fmt: skip


def directory(folder: Path, *, built: bool) -> pack.Source:
    """A directory with all that must not leave it."""
    given = source(folder)
    for name in NEVER:
        write(f"app/{name}")(folder)
    if built:
        (folder / "app/pyproject.toml").write_text(PROJECT, encoding="utf-8")
        (folder / "app/backend.py").write_text(BACKEND, encoding="utf-8")
    return given


def test_a_directory_without_a_project_is_packed_as_it_is(tmp_path: Path) -> None:
    pack.build_application(TOOLS, directory(tmp_path, built=False), tmp_path / "a.tar", {"kind": "directory"})
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getnames() == ["app/a.py", "app/b/c.py", "migrations/1_a.sql", "requirements.lock", "source.json"]
        assert json.load(tar.extractfile("source.json")) == {"kind": "directory"}
    assert pack.application_problem(tmp_path / "a.tar", tmp_path / "lock") == ""


def test_a_project_is_built_from_what_belongs_to_it(tmp_path: Path) -> None:
    packed = []
    for name in ("one", "two"):
        given = directory(tmp_path / name, built=True)
        pack.build_application(TOOLS, given, tmp_path / f"{name}.tar")
        packed.append((given.sha256, (tmp_path / f"{name}.tar").read_bytes()))
        before = sorted(path.name for path in (tmp_path / name / "app").iterdir())
        assert "shop.egg-info" not in before  # the directory itself is left alone
    assert packed[0] == packed[1]
    with tarfile.open(tmp_path / "one.tar") as tar:
        wheel_file = tar.extractfile("wheel/shop-1-py3-none-any.whl")
        names = zipfile.ZipFile(io.BytesIO(wheel_file.read())).namelist()
    assert {"a.py", "b/c.py"} <= set(names) and not set(names) & set(NEVER)


@pytest.mark.parametrize(
    ("modules", "packed"),
    [
        (("a",), "app/a.py"),  # at the top of the directory, and in no package that the wheel takes
        (("b.c", "a"), "app/b/c.py"),
        (("a.made",), "app/a.py"),  # an object of Celery behind a dot
        (("b.c",), "wheel/shop-1-py3-none-any.whl"),
        (("elsewhere.main",), "wheel/shop-1-py3-none-any.whl"),  # a dependency's
        ((), "wheel/shop-1-py3-none-any.whl"),
    ],
)
def test_a_wheel_without_what_runs_is_no_release(tmp_path: Path, modules: tuple[str, ...], packed: str) -> None:
    given = dataclasses.replace(directory(tmp_path, built=True), modules=modules)
    text = BACKEND.replace("if path.is_file()", "if path.is_file() and path.name != 'a.py'")
    (tmp_path / "app/backend.py").write_text(text, encoding="utf-8")
    pack.build_application(TOOLS, given, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        names = tar.getnames()
    assert packed in names
    assert {name.partition("/")[0] for name in names} & {"app", "wheel"} == {packed.partition("/")[0]}
    assert ("the release is the directory as it is" in pack.directory_remark(given, tmp_path / "a.tar")) is packed.startswith("app/")


def test_what_has_to_be_in_it_makes_another_artifact(tmp_path: Path) -> None:
    given = source(tmp_path)
    other = dataclasses.replace(given, modules=("a",))
    assert given.sha256 == other.sha256 and given.artifact != other.artifact


def test_a_project_for_another_python_is_built_for_its_hosts(tmp_path: Path) -> None:
    given = directory(tmp_path, built=True)
    text = BACKEND.replace("Version: 1\\n", "Version: 1\\nRequires-Python: >=3.99\\n")
    assert text != BACKEND
    (tmp_path / "app/backend.py").write_text(text, encoding="utf-8")
    (tmp_path / "app/pyproject.toml").write_text(f'{PROJECT}requires-python = ">=3.99"\n', encoding="utf-8")
    pack.build_application(TOOLS, given, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert "wheel/shop-1-py3-none-any.whl" in tar.getnames()


def test_an_sdist_is_built_as_it_is(tmp_path: Path) -> None:
    given = directory(tmp_path, built=True)
    with tarfile.open(tmp_path / "shop-1.tar.gz", "w:gz") as sdist:
        for name in ("pyproject.toml", "backend.py", "a.py"):
            sdist.add(tmp_path / "app" / name, f"shop-1/{name}")
    pack.build_application(TOOLS, dataclasses.replace(given, application=str(tmp_path / "shop-1.tar.gz")), tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert "wheel/shop-1-py3-none-any.whl" in tar.getnames()


def test_a_commit_and_the_lock_file_it_was_made_from_tell_sources_apart(tmp_path: Path) -> None:
    one = source(tmp_path)
    assert dataclasses.replace(one, identity="commit").sha256 != one.sha256
    other = tmp_path / "uv.lock"
    other.write_text("other", encoding="utf-8")
    exported = dataclasses.replace(one, locked=other)
    assert exported.sha256 != one.sha256 and exported.artifact != dataclasses.replace(exported, lock=other).artifact


def wheelhouse(folder: Path) -> tuple[Path, Path]:
    """Two wheels, one nobody names, and a lock file with a package that only Windows needs."""
    there = folder / "wheelhouse"
    there.mkdir()
    lines = ['c==1 ; sys_platform == "win32" --hash=sha256:' + "0" * 64]
    for name in ("a", "b"):
        lines.append(f"{name}[x]==1 \\\n    --hash=sha256:{'1' * 64} \\\n    --hash=sha256:{wheel(there, name)}")
    wheel(there, "unnamed")
    (folder / "lock").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return there, folder / "lock"


def test_a_wheelhouse_is_packed_with_its_lock_file(tmp_path: Path) -> None:
    there, lock = wheelhouse(tmp_path)
    pack.pack_wheelhouse(TOOLS, there, lock, TARGET, tmp_path / "w.tar")
    with tarfile.open(tmp_path / "w.tar") as tar:
        assert tar.getnames() == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "requirements.lock"]
    assert pack.wheels_problem(tmp_path / "w.tar", lock, TARGET) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda there: (there / "b-1-py3-none-any.whl").unlink(), "for b. Where .*, add it"),
        (
            lambda there: (there / "a-1-py3-none-any.whl").write_text("another", encoding="utf-8"),
            "for a. Where .*, add it",
        ),
        (lambda there: [wheel.unlink() for wheel in there.glob("*")], "for a, b. Where .*, add them"),
        (lambda there: there.rename(there.with_name("elsewhere")), "is no directory"),
    ],
)
def test_a_wheelhouse_that_is_not_complete_is_not_packed(tmp_path: Path, change: Callable, words: str) -> None:
    there, lock = wheelhouse(tmp_path)
    change(there)
    alone = dataclasses.replace(TOOLS, run=lambda _words: (1, "", "NewConnectionError"))
    with pytest.raises(ParityError, match=words):
        pack.pack_wheelhouse(alone, there, lock, TARGET, tmp_path / "w.tar")
    assert not (tmp_path / "w.tar").exists()


def test_what_a_wheelhouse_has_not_is_downloaded(tmp_path: Path) -> None:
    """One wheel that was built by hand, of a package that exists only as source, is enough."""
    there, lock = wheelhouse(tmp_path)
    asked = []

    def index(words: list[str]) -> tuple[int, str, str]:
        if "download" not in words:
            return commands.run(words)
        asked.append(Path(words[-1]).read_text(encoding="utf-8"))
        wheel(Path(words[words.index("--dest") + 1]), "b")
        return 0, "", ""

    (there / "b-1-py3-none-any.whl").unlink()
    pack.pack_wheelhouse(dataclasses.replace(TOOLS, run=index), there, lock, TARGET, tmp_path / "w.tar")
    assert len(asked) == 1 and "b[x]==1" in asked[0] and "a[x]" not in asked[0]
    assert pack.wheels_problem(tmp_path / "w.tar", lock, TARGET) == ""


def build(there: Path, lock: Path, to: Path, *, find: Path | None = None) -> None:
    """Pack from a folder instead of an index."""

    def run(words: list[str]) -> tuple[int, str, str]:
        if "download" not in words:
            return commands.run(words)
        place = words.index("download") + 1
        return commands.run([*words[:place], "--no-index", "--find-links", str(find or there), *words[place:]])

    pack.build_wheels(dataclasses.replace(TOOLS, run=run), lock, TARGET, to)


def test_wheels_are_those_of_the_lock_file_by_its_own_hashes(tmp_path: Path) -> None:
    there, lock = wheelhouse(tmp_path)
    build(there, lock, tmp_path / "w.tar")
    with tarfile.open(tmp_path / "w.tar") as tar:
        assert tar.getnames() == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "requirements.lock"]
        assert tar.extractfile("requirements.lock").read() == lock.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: re.sub(r"sha256:\w+", "sha256:" + "a" * 64, text), r"no file of a 1 \(line 2\) has a hash of lock"),
        (lambda text: text.replace("[x]==1", "==2", 1), "pip finds no wheel of a==2 that fits the target"),
        (lambda text: text + "six==1.16.0\n", "six has no hash"),
    ],
)
def test_a_lock_file_that_names_other_wheels_packs_nothing(tmp_path: Path, change: Callable[[str], str], words: str) -> None:
    there, lock = wheelhouse(tmp_path)
    lock.write_text(change(lock.read_text()))
    with pytest.raises(ParityError, match=words):
        build(there, lock, tmp_path / "w.tar")
    assert not (tmp_path / "w.tar").exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("connection broken by NewConnectionError\nERROR: No matching distribution found for a==1", "index cannot be reached"),
        ("connection broken\nERROR: No matching distribution found for a==1", "index cannot be reached"),
        ("ERROR: No matching distribution found for other==1", "cannot be downloaded on the control node:"),
        ("ERROR: unknown", "cannot be downloaded on the control node:\nERROR: unknown"),
    ],
)
def test_a_failed_download_says_what_pip_says(tmp_path: Path, said: str, words: str) -> None:
    _there, lock = wheelhouse(tmp_path)
    with pytest.raises(ParityError, match=re.escape(words)) as error:
        pack.build_wheels(dataclasses.replace(TOOLS, run=lambda _words: (1, "", said)), lock, TARGET, tmp_path / "w.tar")
    assert said in str(error.value)


def test_all_packages_without_a_wheel_are_named_together(tmp_path: Path) -> None:
    _there, lock = wheelhouse(tmp_path)
    asked = []

    def index(words: list[str]) -> tuple[int, str, str]:
        asked.append(Path(words[-1]).read_text(encoding="utf-8"))
        lacking = next((name for name in "ab" if f"{name}[x]==1" in asked[-1]), None)
        return (1, "", f"ERROR: No matching distribution found for {lacking}[x]==1") if lacking else (0, "", "")

    with pytest.raises(ParityError, match=r"no wheel of a==1, b==1 that fits .*pip wheel --no-deps --wheel-dir wheels a==1 b==1"):
        pack.build_wheels(dataclasses.replace(TOOLS, run=index), lock, TARGET, tmp_path / "w.tar")
    assert len(asked) == 3


def test_a_package_that_exists_only_as_source_packs_nothing(tmp_path: Path) -> None:
    there, lock = tmp_path / "there", tmp_path / "lock"
    there.mkdir()
    (there / "a-1.tar.gz").write_bytes(b"source")
    lock.write_text(f"a==1 --hash=sha256:{hashlib.sha256(b'source').hexdigest()}\n")
    with pytest.raises(ParityError, match="pip finds no wheel of a==1"):
        build(there, lock, tmp_path / "w.tar")


def test_a_downloaded_file_that_the_lock_file_does_not_name_packs_nothing(tmp_path: Path) -> None:
    """Whatever pip says: each file is held against the lock file here, too."""
    there, lock = wheelhouse(tmp_path)

    def download(words: list[str]) -> tuple[int, str, str]:
        shutil.copytree(there, words[words.index("--dest") + 1], dirs_exist_ok=True)
        return 0, "", ""

    with pytest.raises(ParityError, match=r"unnamed-1-py3-none-any.whl has no hash of lock. Nothing was packed"):
        pack.build_wheels(dataclasses.replace(TOOLS, run=download), lock, TARGET, tmp_path / "w.tar")
    assert not (tmp_path / "w.tar").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda there, lock: lock.write_text(lock.read_text() + "# more\n"), "made from another lock file"),
        (lambda there, lock: wheel(there, "a", content="changed"), "a-1-py3-none-any.whl has no hash of the lock file"),
        (lambda there, lock: (there / "b-1-py3-none-any.whl").unlink(), "it has no wheel of b"),
        (lambda there, lock: (there / "requirements.lock").unlink(), "it has no lock file"),
        (lambda there, lock: (there / "notes.txt").write_text("x"), "notes.txt has no hash of the lock file"),
    ],
)
def test_a_tar_that_is_not_the_lock_file_s_is_not_used_again(tmp_path: Path, change: Callable, words: str) -> None:
    there, lock = packed_wheels(tmp_path)
    change(there, lock)
    pack._pack(there, tmp_path / "w.tar")
    assert words in pack.wheels_problem(tmp_path / "w.tar", lock, TARGET)


def packed_wheels(folder: Path) -> tuple[Path, Path]:
    """What a tar of wheels is made of, and the lock file it is held against."""
    there, lock = wheelhouse(folder)
    (there / "unnamed-1-py3-none-any.whl").unlink()
    shutil.copy(lock, there / "requirements.lock")
    return there, lock


def add_link(tar: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("b-1-py3-none-any.whl")
    member.type, member.linkname = tarfile.SYMTYPE, "/nowhere"
    tar.addfile(member)


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (add_link, "b-1-py3-none-any.whl is no file"),
        (lambda tar: tar.add(__file__, "requirements.lock"), "made from another lock file"),
        (lambda tar: tar.add(__file__, "c-1-py3-none-any.whl"), "c-1-py3-none-any.whl has no hash of the lock file"),
    ],
)
def test_a_tar_that_something_was_added_to_is_not_used_again(tmp_path: Path, add: Callable, words: str) -> None:
    there, lock = packed_wheels(tmp_path)
    pack._pack(there, tmp_path / "w.tar")
    assert pack.wheels_problem(tmp_path / "w.tar", lock, TARGET) == ""
    with tarfile.open(tmp_path / "w.tar", "a") as tar:
        add(tar)
    assert words in pack.wheels_problem(tmp_path / "w.tar", lock, TARGET)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _given, _to: None, ""),
        (lambda given, _to: given.lock.write_text("other"), "made from another lock file"),
        (lambda _given, to: to.write_bytes(to.read_bytes()[:700]), "it cannot be used"),
        (lambda _given, to: to.unlink(), "it cannot be used"),
        (lambda given, to: pack._pack(given.lock.parent / "sql", to), "it has no lock file"),
    ],
)
def test_an_application_s_tar_is_whole_and_has_the_lock_file(tmp_path: Path, change: Callable, words: str) -> None:
    wheel(tmp_path, "app")
    given = dataclasses.replace(source(tmp_path), application=str(tmp_path / "app-1-py3-none-any.whl"))
    pack.build_application(TOOLS, given, tmp_path / "a.tar")
    change(given, tmp_path / "a.tar")
    said = pack.application_problem(tmp_path / "a.tar", given.lock)
    assert words in said and bool(said) is bool(words)


def test_an_application_s_tar_without_its_wheel_is_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/requirements.lock").write_text("x")
    pack._pack(tmp_path / "in", tmp_path / "a.tar")
    assert pack.application_problem(tmp_path / "a.tar", tmp_path / "in/requirements.lock") == "it has no wheel of the application"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"needs": "Requires-Dist: b\n"}, ""),
        ({"needs": 'Requires-Dist: x ; sys_platform == "win32"\n'}, ""),
        ({"needs": "Requires-Dist: unnamed\n"}, "unnamed was not found in the provided package locations"),
        ({"needs": "Requires-Dist: b>=2\n"}, "all versions of a depend on b>=2"),
        ({"tag": "cp311-cp311-macosx_11_0_arm64"}, "no wheels with a matching platform tag"),
        ({"tag": "cp312-cp312-manylinux_2_28_x86_64"}, "no wheels with a matching Python"),
        ({"tag": "cp311-cp311-linux_x86_64"}, ""),
    ],
)
def test_wheels_are_packed_where_uv_installs_them_on_the_target(tmp_path: Path, made: dict, words: str) -> None:
    there, lock = tmp_path / "wheels", tmp_path / "lock"
    there.mkdir()
    wheel(there, "unnamed")
    lock.write_text(f"a==1 --hash=sha256:{wheel(there, 'a', **made)}\nb==1 --hash=sha256:{wheel(there, 'b')}\n")
    with pytest.raises(ParityError, match=re.escape(words)) if words else contextlib.nullcontext():
        pack.pack_wheelhouse(TOOLS, there, lock, TARGET, tmp_path / "w.tar")
    assert (tmp_path / "w.tar").exists() is not bool(words)


def test_wheels_are_not_packed_where_uv_reads_the_lock_file_otherwise(tmp_path: Path) -> None:
    there, lock = packed_wheels(tmp_path)
    tools = dataclasses.replace(TOOLS, run=lambda _words: (0, "", "Would install 1 package\n + a==1\n"))
    with pytest.raises(ParityError, match=r"it differs in b 1\. Nothing was packed"):
        pack.pack_wheelhouse(tools, there, lock, TARGET, tmp_path / "w.tar")


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\0" * 2048])
def test_a_tar_that_cannot_be_read_is_not_used_again(tmp_path: Path, content: bytes) -> None:
    _there, lock = wheelhouse(tmp_path)
    (tmp_path / "w.tar").write_bytes(content)
    assert pack.wheels_problem(tmp_path / "w.tar", lock, TARGET)


@pytest.mark.parametrize(("hashes", "code"), [("1", 0), ("2", 1), ("", 1)])
def test_uv_holds_wheels_against_the_lock_file_as_hosts_install_it(tmp_path: Path, hashes: str, code: int) -> None:
    """What the host relies on: uv itself refuses a wheel without the lock's hash, and a line without one."""
    there, lock = tmp_path / "wheels", tmp_path / "lock"
    there.mkdir()
    digest = wheel(there, "a")
    line = {"1": f"a==1 --hash=sha256:{digest}", "2": f"a==1 --hash=sha256:{'a' * 64}", "": "a==1"}[hashes]
    lock.write_text('--index-url https://nowhere.invalid/simple\nb==1 ; sys_platform == "win32" --hash=sha256:' + f"{'0' * 64}\n{line}\n")
    uv = commands.beside_python("uv")
    commands.run([uv, "venv", "--quiet", "--offline", str(tmp_path / "venv")])
    words = [uv, "--no-cache", "--no-config", "--offline", "pip", "install", "--quiet", "--no-index", "--find-links", str(there)]
    done = commands.run([*words, "--require-hashes", "--python", str(tmp_path / "venv/bin/python"), "-r", str(lock)])
    assert bool(done[0]) is bool(code), done
