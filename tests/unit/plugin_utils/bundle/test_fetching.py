# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A commit of a real repository, and a file of a real server, come whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import fetching, sources
from repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """main has what v1.0 (annotated), v1.1 (light) and the branch `next` had before it."""
    made = Repository(tmp_path / "shop")
    made.commit({"app.py": "1", "backend/shop.py": "1", "old.py": "1"})
    made.git("tag", "--annotate", "v1.0", "--message", "x")
    made.git("rm", "--quiet", "old.py")
    made.commit({"app.py": "2"})
    made.git("tag", "v1.1")
    made.git("branch", "next")
    made.commit({"app.py": "3"})
    return made


def fetch(repository: Repository, folder: Path, release: str, more: str = "") -> fetching.Fetched:
    (folder / release).mkdir(parents=True)
    given = sources.read(f"git+{repository.address}@{{release}}{more}", release)
    return fetching.fetch(given, folder / "cache", folder / release, commands.run)


def test_a_release_is_a_tag_a_branch_or_a_commit(repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "v1.0^{commit}")
    for name, text in {"v1.0": "1", "v1.1": "2", "next": "2", "main": "3", first: "1", first[:9]: "1"}.items():
        found = fetch(repository, tmp_path, name)
        assert (found.path / "app.py").read_text() == text
        assert found.commit == repository.git("rev-parse", f"{name}^{{commit}}")
        assert (found.path / "old.py").exists() is (text == "1")  # nothing of another commit
        assert not (found.path / ".git").exists()


def test_a_branch_that_moved_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    fetch(repository, tmp_path / "one", "main")
    newest = repository.commit({"app.py": "4"})
    (tmp_path / "one/cache").rename(tmp_path / "cache")
    found = fetch(repository, tmp_path, "main")
    assert found.commit == newest and (found.path / "app.py").read_text() == "4"


def test_a_tag_comes_before_a_branch_of_its_name(repository: Repository, tmp_path: Path) -> None:
    repository.git("branch", "v1.0", "main")
    assert (fetch(repository, tmp_path, "v1.0").path / "app.py").read_text() == "1"
    given = sources.read(f"git+{repository.address}@v1.0")
    assert fetching.commit_of(given, commands.run) == repository.git("rev-parse", "refs/tags/v1.0^{commit}")


def test_a_commit_that_no_branch_has_any_more_is_fetched_by_its_name(repository: Repository, tmp_path: Path) -> None:
    lost = repository.commit({"app.py": "lost"})
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert (fetch(repository, tmp_path, lost).path / "app.py").read_text() == "lost"


def test_an_application_may_be_below_the_top(repository: Repository, tmp_path: Path) -> None:
    assert [path.name for path in fetch(repository, tmp_path, "main", "#subdirectory=backend").path.iterdir()] == ["shop.py"]


@pytest.mark.parametrize(
    ("release", "more", "words"),
    [
        ("v2.0", "", "has no tag, branch or commit v2.0"),
        ("abcdef1", "", "has no tag, branch or commit abcdef1"),
        ("main", "#subdirectory=none", "has no directory none in main"),
        ("linked", "", "links that lead out of its directory: secret.py"),
        ("modules", "", "has submodules"),
    ],
)
def test_what_is_not_there_is_named(repository: Repository, tmp_path: Path, release: str, more: str, words: str) -> None:
    for name, change in {"linked": lambda: (repository.folder / "secret.py").symlink_to("/etc/passwd"), "modules": None}.items():
        repository.git("checkout", "--quiet", "-B", name, "main")
        if change:
            change()
        repository.commit({".gitmodules": "x"} if name == "modules" else {})
    with pytest.raises(ParityError, match=words):
        fetch(repository, tmp_path, release, more)


def test_unreachable_asks_the_repository(repository: Repository, tmp_path: Path) -> None:
    def ask(address: str, release: str) -> str:
        return fetching.unreachable(sources.read(f"git+{address}@{{release}}", release), commands.run)

    assert ask(repository.address, "v1.1") == ask(repository.address, "next") == ask(repository.address, "abcdef123") == ""
    assert "has no tag and no branch of this name" in ask(repository.address, "v9") and "v1.0, v1.1" in ask(repository.address, "v9")
    assert "git cannot read" in ask(f"file://{tmp_path}/none", "v1.1")


@pytest.fixture
def server(tmp_path: Path, served: str) -> str:
    (tmp_path / "shop-1-py3-none-any.whl").write_bytes(b"a wheel")
    return served


DIGEST = hashlib.sha256(b"a wheel").hexdigest()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("shop-1-py3-none-any.whl", ""),
        (f"shop-1-py3-none-any.whl#sha256={DIGEST}", ""),
        (f"shop-1-py3-none-any.whl#sha256={'0' * 64}", f"has the sha256 {DIGEST}, and the inventory wants 0000"),
        ("shop-2-py3-none-any.whl", "cannot be downloaded from .*404"),
    ],
)
def test_a_url_is_downloaded_and_held_against_its_digest(server: str, tmp_path: Path, path: str, words: str) -> None:
    given, work = sources.read(f"{server}/{path}"), tmp_path / "work"
    work.mkdir()
    if words:
        with pytest.raises(ParityError, match=words):
            fetching.fetch(given, tmp_path, work, commands.run)
        return
    found = fetching.fetch(given, tmp_path, work, commands.run)
    assert found.path.name == "shop-1-py3-none-any.whl" and found.path.read_bytes() == b"a wheel"


def test_unreachable_asks_the_server(server: str) -> None:
    assert fetching.unreachable(sources.read(f"{server}/shop-1-py3-none-any.whl"), commands.run) == ""
    assert "cannot be downloaded" in fetching.unreachable(sources.read(f"{server}/shop-9-py3-none-any.whl"), commands.run)
    assert "cannot be downloaded" in fetching.unreachable(sources.read("http://127.0.0.1:1/shop-9-py3-none-any.whl"), commands.run)
