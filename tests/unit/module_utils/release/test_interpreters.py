# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interpreter a host has for an application, and what is said of the places that have none."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import interpreters

DOWNLOADS = {platform.machine(): {"version": "3.13.9", "url": "https://builds.example/3.13.9.tar.gz"}}
BOOKWORM = {"usr/bin/python3": "CPython 3.11.2"}


class Host:
    """A host in a folder: interpreters with what they answer, packages with their versions, and whether a download is reachable."""

    def __init__(self, root: Path, programs: dict[str, str], packages: dict[str, str] | None = None, refused: str = "") -> None:
        self.root, self.programs, self.packages, self.refused = root, programs, packages or {}, refused
        for name in programs:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)

    def run(self, words: list[str]) -> tuple[int, str, str]:
        if "apt-cache" in words:
            version = self.packages.get(words[-1], "")
            return 0, f"{words[-1]}:\n  Installed: (none)\n  Candidate: {version or '(none)'}\n" if version else "", ""
        if words[-1].startswith("https:"):
            return (1, "", self.refused) if self.refused else (0, "", "")
        said = self.programs[str(Path(words[0]).relative_to(self.root))]
        return (0, f"{said}\n", "") if said.startswith(("CPython", "PyPy")) else (1, "", said)

    def places(self) -> interpreters.Places:
        places = interpreters.Places(self.run, "shop", self.root)
        places.closed = lambda _path: ""  # who may enter a test's folder is the machine's affair
        return places


@pytest.mark.parametrize(
    ("programs", "packages", "wanted", "source", "path", "version"),
    [
        (BOOKWORM, {}, "3.11", "packages", "usr/bin/python3", "3.11.2"),
        (BOOKWORM, {}, "3.11.2", "packages", "usr/bin/python3", "3.11.2"),
        # 3.1 is not the beginning of 3.11, and 3.11.2 not that of 3.11.20.
        ({**BOOKWORM, "usr/bin/python3.12": "CPython 3.12.4"}, {}, "3.12", "packages", "usr/bin/python3.12", "3.12.4"),
        ({**BOOKWORM, "usr/local/bin/python3.13": "CPython 3.13.1"}, {}, "3.13", "packages", "usr/local/bin/python3.13", "3.13.1"),
        (BOOKWORM, {"python3.13": "3.13.5-2"}, "3.13", "packages", "/usr/bin/python3.13", "3.13.5"),
        (BOOKWORM, {}, "3.13", "uv", "3.13.9", "3.13.9"),
        (BOOKWORM, {"python3.13": "3.13.5-2"}, "3.13.9", "uv", "3.13.9", "3.13.9"),
        # What uv has installed before stands before what a package could bring; the newest of them counts.
        (
            {
                **BOOKWORM,
                "opt/shop/python/cpython-3.13.9-linux-x86_64-gnu/bin/python3": "CPython 3.13.9",
                "opt/shop/python/cpython-3.13.10-linux-x86_64-gnu/bin/python3": "CPython 3.13.10",
            },
            {"python3.13": "3.13.5-2"},
            "3.13",
            "uv",
            "opt/shop/python/cpython-3.13.10-linux-x86_64-gnu/bin/python3",
            "3.13.10",
        ),
    ],
)
def test_a_version_is_looked_for_in_order(tmp_path, programs, packages, wanted, source, path, version) -> None:
    found = interpreters.choose(wanted, Host(tmp_path, programs, packages).places(), DOWNLOADS)
    assert (found.source, found.version) == (source, version)
    assert path in found.path
    assert bool(found.package) is (path == "/usr/bin/python3.13") and bool(found.download) is (path == "3.13.9")
    assert f"Python {version} from " in found.line()


def test_where_there_is_none_each_place_is_named(tmp_path: Path) -> None:
    host = Host(tmp_path, {**BOOKWORM, "usr/bin/python3.13": "cannot execute binary file"}, {}, "Name or service not known")
    with pytest.raises(ParityError) as caught:
        interpreters.choose("3.13", host.places(), DOWNLOADS)
    said = str(caught.value)
    for words in ("python3 is 3.11.2", "does not run as Python 3: cannot execute", "apt has no package python3.13", "Name or service not"):
        assert words in said
    assert "stack_python: /opt/python3.13/bin/python3" in said
    with pytest.raises(ParityError, match="uv of the control node knows no Python"):
        interpreters.choose("3.13", host.places(), {})


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("CPython 3.13.1", ""),
        ("PyPy 3.10.14", "is PyPy, and wheels are packed for CPython"),
        ("CPython 2.7.18", "does not run as Python 3"),
        ("", "does not run as Python 3: exit code 1"),
        (None, "is no program on this host"),
    ],
)
def test_a_path_is_taken_as_it_is(tmp_path: Path, said: str | None, wrong: str) -> None:
    host = Host(tmp_path, {} if said is None else {"opt/python/bin/python3": said})
    path = str(tmp_path / "opt/python/bin/python3")
    if not wrong:
        assert interpreters.choose(path, host.places()).version == "3.13.1"
        return
    with pytest.raises(ParityError, match=wrong):
        interpreters.choose(path, host.places())


def test_a_path_that_only_its_owner_may_enter_is_refused(tmp_path: Path) -> None:
    host = Host(tmp_path, {"root/python/bin/python3": "CPython 3.13.1"})
    (tmp_path / "root").chmod(0o700)
    places = interpreters.Places(host.run, "shop", tmp_path)
    with pytest.raises(ParityError, match="only its owner may enter or run"):
        interpreters.choose(str(tmp_path / "root/python/bin/python3"), places)


@pytest.mark.parametrize("wanted", ["3", "3.x", "python3.13", "../python", "2.7"])
def test_other_words_are_refused(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ParityError, match="has to be a version such as"):
        interpreters.choose(wanted, Host(tmp_path, BOOKWORM).places())


def test_without_a_wish_it_is_the_python_of_the_host(tmp_path: Path) -> None:
    found = interpreters.choose("", Host(tmp_path, {}).places())
    assert (found.source, found.path, found.version) == ("host", "/usr/bin/python3", platform.python_version())
