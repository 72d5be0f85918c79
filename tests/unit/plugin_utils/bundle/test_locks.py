# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of lock file becomes what its own tool makes of it; uv is the oracle where it reads the same file."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file, locks
from package_index import write_index
from tiny_wheels import wheel

UV = commands.beside_python("uv")
CONTEXT = locks.Context(commands.run, UV)
HASH = f"--hash=sha256:{'1' * 64}"


def project(folder: Path, name: str, *needs: str, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {list(needs)}\n{more}'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def uv(folder: Path, *words: str) -> str:
    code, out, err = commands.run([UV, "--no-cache", "--no-python-downloads", words[0], "--project", str(folder), *words[1:]])
    assert code == 0, err
    return out


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    there = tmp_path / "wheels"
    there.mkdir()
    for name in ("a", "b", "win", "dev"):
        wheel(there, name)
    write_index(there, tmp_path / "simple")
    return there


@pytest.fixture
def index(wheels: Path, served: str) -> str:
    """What a project says of the only index that it has."""
    return f'\n[[tool.uv.index]]\nname = "here"\nurl = "{served}/simple"\ndefault = true\n'


@pytest.fixture
def shop(tmp_path: Path, index: str) -> Path:
    """A project that uv has locked: a dependency of Linux, one of Windows, one for development."""
    groups = '[dependency-groups]\ndev = ["dev"]\n'
    folder = project(tmp_path / "shop", "shop", "a", "win ; sys_platform == 'win32'", more=groups + index)
    uv(folder, "lock")
    return folder


def test_uv_lock_is_what_uv_exports(shop: Path, tmp_path: Path) -> None:
    path, proved = locks.prepare(shop / "uv.lock", CONTEXT, tmp_path)
    said = uv(shop, "export", "--frozen", "--no-emit-project", "--no-dev", "--format", "requirements-txt")
    assert proved and lock_file.load(path).written == lock_file.read(said, "x").written
    pins = {pin.name: pin.marker for pin in lock_file.load(path).pins}
    assert pins == {"a": "", "win": 'sys_platform == "win32"'}
    assert locks.problems(shop / "uv.lock", CONTEXT) == []


def test_uv_lock_is_read_without_a_cache_and_leaves_the_project_alone(shop: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    first, second = (locks.prepare(shop / "uv.lock", CONTEXT, tmp_path)[0].read_bytes() for _time in range(2))
    assert first == second
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


def test_uv_lock_without_its_project_says_so(shop: Path) -> None:
    (shop / "pyproject.toml").unlink()
    assert "needs the pyproject.toml it was made from" in locks.problems(shop / "uv.lock", CONTEXT)[0]


def test_uv_lock_that_uv_refuses_says_what_uv_says(shop: Path) -> None:
    (shop / "uv.lock").write_text("version = 99", encoding="utf-8")
    assert re.search(r"cannot be exported by uv .*uv says: .+", locks.problems(shop / "uv.lock", CONTEXT)[0])


@pytest.fixture
def workspace(tmp_path: Path, index: str) -> Path:
    """A root that depends on nothing, `api` that depends on `common`, and `common`, which depends on a package."""
    more = '[tool.uv.workspace]\nmembers = ["packages/*"]\n' + index
    root = project(tmp_path / "work", "root", more=more)
    project(root / "packages/common", "common", "a")
    project(root / "packages/api", "api", "common", more="[tool.uv.sources]\ncommon = {workspace = true}\n")
    project(root / "packages/rooted", "rooted", "root", more="[tool.uv.sources]\nroot = {workspace = true}\n")
    project(root / "packages/alone", "alone", "b")
    uv(root, "lock")
    return root


def test_a_member_of_a_workspace_is_the_application(workspace: Path, tmp_path: Path) -> None:
    context = dataclasses.replace(CONTEXT, application=workspace / "packages/alone")
    path, _proved = locks.prepare(workspace / "uv.lock", context, tmp_path)
    assert [pin.name for pin in lock_file.load(path).pins] == ["b"]


@pytest.mark.parametrize(("member", "other"), [("api", "packages/common"), ("rooted", r"\.")])
def test_another_part_of_a_workspace_is_refused(workspace: Path, member: str, other: str) -> None:
    """The root of the workspace, too: it is beside the lock file, and it is not the application."""
    found = locks.problems(workspace / "uv.lock", dataclasses.replace(CONTEXT, application=workspace / "packages" / member))
    assert len(found) == 1
    assert re.search(rf"line 1: (\./)?{other} is a directory of this machine, which no host has\. Build a wheel of it", found[0])


@pytest.mark.parametrize("own", ["-e .", "-e.", "--editable=.", ".", "./", ".[web]", "-e file://{shop}", "-e {shop}", "file:."])
def test_the_project_itself_is_left_out_of_requirements(shop: Path, tmp_path: Path, own: str) -> None:
    (shop / "requirements.txt").write_text(f"{own.format(shop=shop)}\na==1 {HASH}\n", encoding="utf-8")
    path, proved = locks.prepare(shop / "requirements.txt", CONTEXT, tmp_path)
    assert proved and [(pin.name, pin.line) for pin in lock_file.load(path).pins] == [("a", 1)]


@pytest.mark.parametrize("other", ["-e ./packages/other", "../common", "-e {shop}/..", "file:///srv/common"])
def test_other_directories_are_refused(shop: Path, other: str) -> None:
    (shop / "requirements.txt").write_text(f"a==1 {HASH}\n{other.format(shop=shop)}\n", encoding="utf-8")
    found = locks.problems(shop / "requirements.txt", CONTEXT)
    assert len(found) == 1 and "requirements.txt, line 2: " in found[0] and "which no host has" in found[0]


def test_requirements_with_hashes_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(f"# made by hand\na==1 {HASH}\n", encoding="utf-8")
    assert locks.prepare(path, CONTEXT, tmp_path) == (path, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a==1\nb==1\n", "has no hashes, so nobody can check what it installs. Make them: uv pip compile --universal --generate-hashes"),
        (f"a==1 {HASH}\nb==1\n", "has no hashes of b, so nobody"),
        ("a>=1\n", "a is not pinned"),
        ("a\n", "a is not pinned (no version)"),
        ("-e git+https://h/x#egg=x\n", "a path or an address"),
        ("-r base.txt\n", "reads another file"),
        ("a==1 --hash=md5:abc\n", "a hash of the kind 'md5'"),
        ("", "names no package"),
    ],
)
def test_what_proves_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(text, encoding="utf-8")
    assert words in locks.problems(path, CONTEXT)[0]
    if "no hashes" not in words:  # nobody allows these
        assert words in locks.problems(path, dataclasses.replace(CONTEXT, allowed=True))[0]


@pytest.mark.parametrize("place", ["index", "wheelhouse"])
def test_without_hashes_it_is_those_of_today(tmp_path: Path, wheels: Path, served: str, place: str) -> None:
    """The wheel with the hash it has now, and nothing that the target does not need."""
    path, digest = tmp_path / "requirements.txt", wheel(wheels, "a")
    path.write_text(f"-i {served}/simple\na==1.0\nb==1 {HASH}\nwin==1 ; sys_platform == 'win32'\n", encoding="utf-8")
    context = dataclasses.replace(CONTEXT, allowed=True, wheelhouse=wheels if place == "wheelhouse" else None)
    assert locks.problems(path, context) == []
    prepared, proved = locks.prepare(path, context, tmp_path)
    assert not proved
    assert {pin.name: pin.hashes for pin in lock_file.load(prepared).pins} == {
        "a": {f"sha256:{digest}"},
        "b": {f"sha256:{'1' * 64}"},  # what the lock file proves stays proved
    }
    path.write_text(f"-i {served}/simple\na==2\n", encoding="utf-8")
    with pytest.raises(ParityError, match=r"uv finds no hashes for the packages of requirements.txt|there is no hash of a 2"):
        locks.prepare(path, context, tmp_path)


def test_poetry_lock_without_poetry_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text("", encoding="utf-8")
    if commands.beside_python("poetry"):
        pytest.skip("poetry is there")
    said = locks.problems(tmp_path / "poetry.lock", CONTEXT)[0]
    assert "the control node has no poetry. Make a requirements file, and name it: uvx --from poetry" in said


def test_poetry_lock_is_what_poetry_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what poetry 2.5 said for a project with one dependency."""
    (tmp_path / "poetry.lock").write_text("", encoding="utf-8")
    monkeypatch.setattr(locks.commands, "beside_python", lambda _name: "/opt/bin/poetry")
    asked, said = [], f'six==1.16.0 ; python_version >= "3.11" \\\n    {HASH}\n'
    context = dataclasses.replace(CONTEXT, run=lambda words: asked.append(words) or (0, said, ""))
    path, proved = locks.prepare(tmp_path / "poetry.lock", context, tmp_path)
    assert proved and path.read_text(encoding="utf-8") == said
    assert asked == [["/opt/bin/poetry", "--no-interaction", "--directory", str(tmp_path), "export", "--format", "requirements.txt"]]
    failing = dataclasses.replace(CONTEXT, run=lambda _words: (1, "", "The requested command export does not exist."))
    assert "uvx --from poetry" in locks.problems(tmp_path / "poetry.lock", failing)[0]


def test_pipfile_lock_names_its_export(tmp_path: Path) -> None:
    (tmp_path / "Pipfile.lock").write_text("{}", encoding="utf-8")
    assert "pipenv requirements --hash" in locks.problems(tmp_path / "Pipfile.lock", CONTEXT)[0]
