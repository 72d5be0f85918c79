# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application is, and why something is none."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import release_names, source_files, sources
from ansible_collections.parity.stack.plugins.plugin_utils.bundle.sources import Given
from repositories import Repository
from tiny_wheels import wheel


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        ("https://h/a/x-1-py3-none-any.whl", Given("url", "https://h/a/x-1-py3-none-any.whl")),
        (f"https://h/x-1.tar.gz#sha256={'a' * 64}", Given("url", "https://h/x-1.tar.gz", sha256="a" * 64)),
        ("https://h/x-1-py3-none-any.whl?token=1", Given("url", "https://h/x-1-py3-none-any.whl?token=1")),
        ("git+https://h/team/shop.git@{release}", Given("git", "https://h/team/shop.git", "v1.0")),
        ("git+ssh://git@h:22/team/shop@{release}", Given("git", "ssh://git@h:22/team/shop", "v1.0")),
        ("git+file:///srv/shop@release-{release}", Given("git", "file:///srv/shop", "release-v1.0")),
        ("git+https://h/shop@main#subdirectory=backend/api", Given("git", "https://h/shop", "main", "backend/api")),
    ],
)
def test_read(application: str, expected: Given) -> None:
    assert sources.read(application, "v1.0") == expected


@pytest.mark.parametrize(
    ("application", "words"),
    [
        ("/none/at/all.whl", "does not exist on the control node"),
        ("https://h/x.whl\n", "has a space or a line break"),
        ("https://h/x y.whl", "has a space or a line break"),
        (" /srv/x", "has a space or a line break"),
        ("https://h/x.zip", "no wheel and no sdist"),
        ("https://h/x", "no wheel and no sdist"),
        ("ftp://h/x.whl", "is no address that can be used"),
        ("file:///x.whl", "is no address that can be used"),
        ("https://u:hunter2@h/x.whl", "has a user or a password in it"),
        ("https://hunter2@h/x.whl", "has a user or a password in it"),
        ("https://h/x.whl#md5=abc", "nothing but sha256=... may follow"),
        ("https://h/x.whl#sha256=abc", "not 64 hexadecimal digits"),
        ("git+https://h/shop", "End it with @{release}"),
        ("git+https://h/shop@", "End it with @{release}"),
        ("git+https://h/shop@-x", "has no name of a tag"),
        ("git+https://h/shop@a..b", "has no name of a tag"),
        ("git+https://hunter2@h/shop@v1", "has a user or a password in it"),
        ("git+ssh://git:hunter2@h/shop@v1", "has a user or a password in it"),
        ("git+http://h/shop@v1", "is no address of a Git repository"),
        ("git+ext::sh@v1", "is no address of a Git repository"),
        ("git+https:///shop@v1", "is no address of a Git repository"),
        ("git+https://h/shop@v1#egg=shop", "nothing but subdirectory=... may follow"),
        ("git+https://h/shop@v1#subdirectory=../x", "not below the repository"),
    ],
)
def test_what_is_no_application_says_why(application: str, words: str) -> None:
    found = sources.problem(application, "v1.0")
    assert words in found and "hunter2" not in found


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://u:hunter2@h/x.whl", "https://...@h/x.whl"),
        ("https://u:hunter2@", "https://...@"),
        ("https://h/x.whl?token=hunter2#sha256=a", "https://h/x.whl?...#sha256=a"),
        ("git+ssh://git@h/shop@v1", "git+ssh://...@h/shop@v1"),
        ("git+https://h/shop@v1", "git+https://h/shop@v1"),
        ("/srv/what?", "/srv/what?"),
    ],
)
def test_shown_has_no_secret(address: str, expected: str) -> None:
    assert sources.shown(address) == expected


def test_a_git_address_needs_the_name_of_the_release() -> None:
    assert "needs the name of the release" in sources.problem("git+https://h/shop@{release}")


def project(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def config(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "setup.cfg").write_text(text, encoding="utf-8")


def files(*names: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("", encoding="utf-8")

    return write


@pytest.mark.parametrize(
    ("changes", "built", "words"),
    [
        ([project("[build-system]\nrequires = []")], True, ""),
        ([files("setup.py")], True, ""),
        ([config("[metadata]\nname = shop")], True, ""),
        ([config("[options]\npackages = find:")], True, ""),
        # Linters and pytest have their settings in such a file, too.
        ([config("[flake8]\nignore = [metadata]\n[tool:pytest]"), files("main.py")], False, ""),
        ([files("main.py", "requirements.txt")], False, ""),
        ([files("shop/main.py")], False, ""),
        ([project("[tool.ruff]"), files("main.py")], False, ""),
        # uv and poetry call these no packages: they run in their directory.
        ([project("[project]\nname = 'shop'"), files("main.py")], False, ""),
        ([project("[build-system]\n[tool.uv]\npackage = false"), files("main.py")], False, ""),
        ([project("[build-system]\n[tool.poetry]\npackage-mode = false"), files("main.py")], False, ""),
        ([project("[project]\nname = 'shop'\n[tool.uv]\npackage = true")], True, ""),
        ([project("[project]\nname = 'shop'"), files("src/shop/main.py")], True, ""),
        ([files("src/shop/main.py")], False, "Its modules are in src"),
        ([files("requirements.txt")], False, "Name the directory that has one of these"),
        ([files("tests/test_a.py", ".venv/a.py")], False, "Name the directory that has one of these"),
        ([project("[project")], None, "has a pyproject.toml that cannot be read"),
    ],
)
def test_a_directory(tmp_path: Path, changes: list, built: bool | None, words: str) -> None:
    for change in changes:
        change(tmp_path)
    said = sources.problem(str(tmp_path))
    assert words in said and bool(said) is bool(words)
    assert built is None or source_files.is_built(tmp_path) is built


def test_links_to_directories_are_followed_and_circles_end(tmp_path: Path) -> None:
    files("app/main.py", "shared/a.py")(tmp_path)
    (tmp_path / "app/shared").symlink_to("../shared")
    (tmp_path / "shared/again").symlink_to("..")
    assert [name for name in source_files.below(tmp_path / "app") if "again" not in name] == ["main.py", "shared/a.py"]


def sdist(path: Path, *names: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(__file__, name)


def test_files(tmp_path: Path) -> None:
    wheel(tmp_path, "good")
    (tmp_path / "bad-1-py3-none-any.whl").write_bytes(b"PK")
    sdist(tmp_path / "good-1.tar.gz", "good-1/pyproject.toml", "good-1/a.py")
    sdist(tmp_path / "bad-1.tar.gz", "pyproject.toml")
    (tmp_path / "cut-1.tar.gz").write_bytes((tmp_path / "good-1.tar.gz").read_bytes()[:100])
    (tmp_path / "x.zip").write_bytes(b"")
    wanted = {
        "good-1-py3-none-any.whl": "", "bad-1-py3-none-any.whl": "is a wheel that cannot be read", "good-1.tar.gz": "",
        "bad-1.tar.gz": "so it is no sdist", "cut-1.tar.gz": "is an sdist that cannot be read", "x.zip": "no wheel and no sdist",
    }  # fmt: skip
    for name, words in wanted.items():
        said = sources.problem(str(tmp_path / name))
        assert words in said and bool(said) is bool(words), name


@pytest.mark.parametrize(
    ("lock", "root", "expected"),
    [
        ("/srv/uv.lock", "", "/srv/uv.lock"),
        ("{application}/uv.lock", "", "{top}/backend/uv.lock"),
        ("{application}/../uv.lock", ".", "{top}/backend/../uv.lock"),
        ("{application}/../uv.lock", "", None),
        ("{application}/../../uv.lock", ".", None),
        ("{application}//etc/passwd", ".", None),
    ],
)
def test_a_lock_file_may_come_with_the_application(tmp_path: Path, lock: str, root: str, expected: str | None) -> None:
    files("backend/main.py", "uv.lock")(tmp_path)
    given = (lock, tmp_path / "backend", tmp_path / root if root else None)
    if expected is None:
        with pytest.raises(sources.ParityError, match="is no path inside a directory or a repository"):
            sources.lock_of(*given)
    else:
        assert str(sources.lock_of(*given)) == expected.format(top=tmp_path)
    with pytest.raises(sources.ParityError, match="is no path inside a directory or a repository"):
        sources.lock_of("{application}/uv.lock", tmp_path / "shop.whl")


def test_git_names_the_checkout(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    with pytest.raises(sources.ParityError, match=r"Git cannot describe .*Commit once"):
        release_names.of("git", repository.folder, commands.run)
    first = repository.commit({"backend/a.py": "1"})
    assert first.startswith(release_names.of("git", repository.folder / "backend", commands.run))
    repository.git("tag", "2026.11.27")
    assert release_names.of("git", repository.folder, commands.run) == "2026.11.27"
    (repository.folder / "backend/a.py").write_text("2", encoding="utf-8")
    assert release_names.of("git", repository.folder, commands.run) == "2026.11.27-dirty"
    repository.git("commit", "--quiet", "--all", "--message", "x")
    repository.git("tag", "--force", "backend/v2")
    with pytest.raises(sources.ParityError, match="Git calls the checkout 'backend/v2'"):
        release_names.of("git", repository.folder, commands.run)
    for application in ("git+https://h/shop@{release}", None, tmp_path / "none"):
        with pytest.raises(sources.ParityError, match="is no directory in a checkout"):
            release_names.of("git", application, commands.run)
    assert [release_names.of(name, None, commands.run) for name in ("v1", 1.1, None)] == ["v1", 1.1, None]
