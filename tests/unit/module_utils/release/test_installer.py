# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes to a host is installed exactly as the lock file names it, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import installer
from ansible_collections.parity.stack.plugins.module_utils.release.installer import Artifact, Installer
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from release_host import Stack, key, tar
from tiny_wheels import wheel


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_an_archive_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParityError, match="is no plain file below it"):
        installer._unpack(tar(tmp_path / "a.tar", name), tmp_path / "to")


def test_a_cut_off_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"x" * 100)
    with pytest.raises(ParityError, match="cannot be unpacked"):
        installer._unpack(tmp_path / "a.tar", tmp_path / "to")


def wheels(folder: Path, lock: str, **contents: bytes) -> Artifact:
    """What comes to a host: a lock file, and wheels with these contents."""
    files = {f"{name}-1-py3-none-any.whl": content for name, content in contents.items()} | {"requirements.lock": lock.encode()}
    with tarfile.open(folder / "wheels.tar", "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Artifact(folder / "a.tar", "sha", folder / "wheels.tar", key(lock.encode()))


HASH = f"--hash=sha256:{hashlib.sha256(b'good').hexdigest()}"


@pytest.mark.parametrize(
    ("lock", "content", "words"),
    [
        (f"a==1 {HASH}\n", b"bad", "a-1-py3-none-any.whl has no hash of the lock file"),
        (f"a==1 --hash=sha256:{'a' * 64}\n", b"good", "a-1-py3-none-any.whl has no hash of the lock file"),
        (f"a==1  # {HASH}\n", b"good", "a-1-py3-none-any.whl has no hash of the lock file"),
    ],
)
def test_a_wheel_that_the_lock_file_does_not_name_is_not_installed(
    stack: Stack, tmp_path: Path, lock: str, content: bytes, words: str
) -> None:
    with pytest.raises(ParityError, match=words):
        stack.installer._make_venv(wheels(tmp_path, lock, a=content))
    assert not list(stack.layout.root.glob("venvs/*/bin"))


def test_another_lock_file_than_the_one_asked_for_is_not_installed(stack: Stack, tmp_path: Path) -> None:
    other_lock = dataclasses.replace(wheels(tmp_path, f"a==1 {HASH}\n", a=b"good"), venv_key=key(b"another"))
    with pytest.raises(ParityError, match="Nothing was installed"):
        stack.installer._make_venv(other_lock)
    artifact = dataclasses.replace(stack.artifact("v1"), application=stack.artifact("v2").application)
    with pytest.raises(ParityError, match="Nothing was installed"):
        stack.installer._unpack("v1", artifact)


def test_a_tar_without_a_lock_file_is_not_installed(stack: Stack, tmp_path: Path) -> None:
    empty = tar(tmp_path / "empty.tar", "notes.txt")
    artifact = dataclasses.replace(stack.artifact("v1"), application=empty, wheels=empty)
    with pytest.raises(ParityError, match="Nothing was installed"):
        stack.installer._make_venv(artifact)
    with pytest.raises(ParityError, match="Nothing was installed"):
        stack.installer._unpack("v1", artifact)


@pytest.mark.parametrize(
    ("installed", "good"), [(["a-1.dist-info"], True), ([], False), (["a-2.dist-info"], False), (["a-1.dist-info", "b-1.dist-info"], False)]
)
def test_what_is_installed_is_what_the_lock_file_names(stack: Stack, tmp_path: Path, installed: list[str], good: bool) -> None:
    def install(words: list[str]) -> tuple[int, str, str]:
        for name in installed if "install" in words else []:
            (Path(words[words.index("--python") + 1]).parents[1] / "lib/python3.11/site-packages" / name).mkdir(parents=True)
        return 0, "", ""

    stack.host.run = install
    artifact = wheels(tmp_path, f"a==1 {HASH}\n", a=b"good")
    stack.layout.venv(artifact.venv_key).mkdir(parents=True)
    with contextlib.nullcontext() if good else pytest.raises(ParityError, match="does not hold exactly what the lock file names"):
        stack.installer._make_venv(artifact)
    assert stack.layout.has_venv(artifact.venv_key) is good


def real_wheels(folder: Path, *, needs: str = "") -> Artifact:
    """Tiny wheels and the lock file that names them, and one that only Windows needs: as they come to a host."""
    there = folder / "wheels"
    there.mkdir()
    lock = "".join([
        f"under-score==1 \\\n    --hash=sha256:{wheel(there, 'under_score', needs=needs)}\n",
        f"b==1.0 ; python_version > '3' --hash=sha256:{wheel(there, 'b', '1.0', file_version='1.0.0')}\n",
        f"c==1 ; sys_platform == 'win32' --hash=sha256:{'0' * 64}\n",
    ])
    (there / "requirements.lock").write_text(lock, encoding="utf-8")
    return Artifact(folder / "a.tar", "sha", packed(there), key(lock.encode()))


def real_installer(stack: Stack) -> Installer:
    return Installer(stack.layout, commands.run, python=sys.executable, uv=commands.beside_python("uv"))


def packed(there: Path) -> Path:
    with tarfile.open(there.with_suffix(".tar"), "w") as archive:
        for path in filter(Path.is_file, there.rglob("*")):
            archive.add(path, str(path.relative_to(there)))
    return there.with_suffix(".tar")


def test_uv_installs_exactly_what_the_lock_file_names(stack: Stack, tmp_path: Path) -> None:
    artifact = real_wheels(tmp_path)
    real_installer(stack)._make_venv(artifact)
    site = next(stack.layout.venv(artifact.venv_key).glob("lib/python*/site-packages"))
    assert {path.name for path in site.glob("*.py")} >= {"under_score.py", "b.py"}
    assert stack.layout.has_venv(artifact.venv_key)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda there: (there / "b-1.0.0-py3-none-any.whl").unlink(), "there is no version of b==1.0"),
        (lambda there: wheel(there, "b", "1.0", "other", file_version="1.0.0"), "b-1.0.0-py3-none-any.whl has no hash"),
        (lambda there: wheel(there, "d"), "d-1-py3-none-any.whl has no hash"),
        (lambda there: (there / "requirements.lock").write_text(""), "is not the one of"),
    ],
)
def test_uv_installs_nothing_of_what_was_changed_on_its_way(stack: Stack, tmp_path: Path, change: Callable, words: str) -> None:
    artifact = real_wheels(tmp_path)
    change(tmp_path / "wheels")
    packed(tmp_path / "wheels")
    with pytest.raises(ParityError) as error:
        real_installer(stack)._make_venv(artifact)
    assert words in " ".join(str(error.value).split())
    assert not stack.layout.has_venv(artifact.venv_key)


def test_uv_installs_nothing_where_a_dependency_is_not_in_the_lock_file(stack: Stack, tmp_path: Path) -> None:
    artifact = real_wheels(tmp_path, needs="Requires-Dist: d\n")
    with pytest.raises(ParityError, match="uv pip install failed"):
        real_installer(stack)._make_venv(artifact)
    assert not stack.layout.has_venv(artifact.venv_key)


def test_an_application_that_is_no_wheel_is_installed_as_it_is(stack: Stack, tmp_path: Path) -> None:
    """Python imports it from the release's directory, already compiled; a file for another Python harms nobody."""
    artifact, there = real_wheels(tmp_path), tmp_path / "tar"
    for name, text in {"app/shop/main.py": "VALUE = 'shop'\n", "app/old.py": "print 'x'\n", "requirements.lock": None}.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text(text or (tmp_path / "wheels/requirements.lock").read_text(), encoding="utf-8")
    installed = dataclasses.replace(artifact, application=packed(there))
    real_installer(stack).install("v1", installed)
    release = stack.layout.release("v1")
    program = "from shop import main; print(main.VALUE, main.__cached__)"
    code, out, err = commands.run(["env", f"PYTHONPATH={release}/app", str(release / "venv/bin/python"), "-B", "-c", program])
    assert code == 0, err
    assert out.startswith("shop ") and Path(out.split()[1]).is_file()
    assert str(release / "app/shop/main.py").encode() in Path(out.split()[1]).read_bytes()  # what a traceback names
    assert not list((release / "app").glob("__pycache__/old*"))
