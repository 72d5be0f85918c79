# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pylock.toml is read by its standard; uv, which installs from it, is the oracle for what a target needs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file, locks, pylock
from package_index import write_index
from tiny_wheels import wheel

HEAD = 'lock-version = "1.0"\ncreated-by = "test"\n'
UV = commands.beside_python("uv")
TARGET = lock_file.environment("3.11.2", "x86_64")


def entry(name: str, more: str = "", *, version: str = 'version = "1"\n', digest: str = "1" * 64, path: str = "") -> str:
    place = f'path = "{path}"' if path else f'url = "https://example.org/{name}-1-py3-none-any.whl"'
    return f'[[packages]]\nname = "{name}"\n{version}{more}wheels = [{{{place}, hashes = {{sha256 = "{digest}"}}}}]\n'


def pins(folder: Path, text: str, target: dict | None = None) -> list[str]:
    (folder / "pylock.toml").write_text(text, encoding="utf-8")
    found = pylock.read(folder / "pylock.toml", target or TARGET, {folder.resolve()})
    return [f"{pin.name}=={pin.version}" for pin in found]


GOOD = [
    (HEAD + entry("a") + entry("B.c"), ["a==1", "b-c==1"]),
    (HEAD + entry("a", "marker = \"sys_platform == 'win32'\"\n") + entry("b"), ["b==1"]),
    (HEAD + entry("a", "marker = \"python_full_version < '3.11.7'\"\n"), ["a==1"]),
    (HEAD + entry("a", "marker = \"python_version < '3.11'\"\n") + entry("a", "marker = \"python_version >= '3.11'\"\n"), ["a==1"]),
    (HEAD + entry("a", "marker = \"'dev' in dependency_groups\"\n") + entry("b"), ["b==1"]),
    (HEAD + 'default-groups = ["main"]\n' + entry("a", "marker = \"'main' in dependency_groups or 'x' in extras\"\n"), ["a==1"]),
    (HEAD + entry("a", "marker = \"'web' in extras and python_version > '3'\"\n") + entry("b"), ["b==1"]),
    (HEAD + entry("a", version=""), ["a==1"]),
    (HEAD + 'requires-python = ">=3.11"\n' + entry("a"), ["a==1"]),
    (HEAD + "environments = [\"sys_platform == 'win32'\", \"sys_platform == 'linux'\"]\n" + entry("a"), ["a==1"]),
    (HEAD + '[[packages]]\nname = "shop"\ndirectory = {path = ".", editable = true}\n' + entry("a"), ["a==1"]),
    (HEAD.replace("1.0", "1.7") + entry("a"), ["a==1"]),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_read(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert pins(tmp_path, text) == expected


BAD = [
    ("packages = 1", "has no list of packages"),
    ("x = [", "is no TOML"),
    (entry("a"), "has the version None of the standard"),
    (HEAD.replace("1.0", "2.0") + entry("a"), "has the version '2.0' of the standard"),
    (HEAD + 'requires-python = ">=3.12"\n' + entry("a"), "is for Python >=3.12, and the target has 3.11.2"),
    (HEAD + 'requires-python = "new"\n' + entry("a"), "a requires-python that cannot be judged"),
    (HEAD + "environments = [\"sys_platform == 'win32'\"]\n" + entry("a"), "was made for other machines"),
    (HEAD + entry("a", 'requires-python = ">=3.12"\n'), "a is for Python >=3.12"),
    (HEAD + entry("a", 'marker = "colour == 1"\n'), "cannot be judged"),
    (HEAD + entry("a", "marker = \"platform_release > '5'\"\n"), "cannot be judged"),
    (HEAD + entry("a", "marker = 5\n"), "cannot be judged"),
    (HEAD + entry("a") + entry("A"), "several entries of a apply"),
    (HEAD + '[[packages]]\nname = "a"\ndirectory = {path = "packages/a"}\n', "a comes from the directory packages/a, which no host has"),
    (HEAD + '[[packages]]\nname = "a"\nversion = "1"\nvcs = {type = "git", url = "https://h/a"}\n', "a comes from a repository"),
    (HEAD + '[[packages]]\nname = "a"\nversion = "1"\narchive = {url = "https://h/a.zip"}\n', "a comes from an address"),
    (HEAD + '[[packages]]\nname = "a"\nversion = "1"\n', "a has no wheel"),
    (HEAD + entry("a", version='version = "1.*"\n'), "a has no exact version ('1.*')"),
    (HEAD + entry("a", version="").replace("a-1-py3-none-any.whl", "a.whl"), "a has no exact version (None)"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_what_cannot_be_judged_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ParityError, match=re.escape(words)) as error:
        pins(tmp_path, text)
    assert error.value.details["problems"]


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_a_package_without_a_hash_is_refused_as_in_every_lock_file(tmp_path: Path, digest: str) -> None:
    (tmp_path / "pylock.toml").write_text(HEAD + entry("a", digest=digest) + entry("b"), encoding="utf-8")
    assert "has no hashes of a" in locks.problems(tmp_path / "pylock.toml", locks.Context(commands.run, UV))[0]


def test_names_of_the_standard() -> None:
    assert all(map(pylock.is_one, ("pylock.toml", "pylock.api.toml")))
    assert not any(map(pylock.is_one, ("pylock.a.b.toml", "xpylock.toml", "pylock.json", "uv.lock")))


MARKERS = [
    "", "sys_platform == 'win32'", "python_version >= '3.11' and sys_platform != 'darwin'", "platform_machine == 'aarch64'",
    "python_full_version < '3.11.5'", "implementation_name == 'pypy'",
]  # fmt: skip


@pytest.mark.parametrize(("python", "machine"), [("3.11.2", "x86_64"), ("3.13.1", "aarch64")])
def test_what_a_target_needs_is_what_uv_installs_there(tmp_path: Path, python: str, machine: str) -> None:
    text = HEAD
    for number, marker in enumerate(MARKERS):
        name = f"p{number}"
        digest = wheel(tmp_path, name)
        text += entry(name, f'marker = "{marker}"\n' if marker else "", digest=digest, path=f"{name}-1-py3-none-any.whl")
    ours = pins(tmp_path, text, lock_file.environment(python, machine))
    code, out, err = commands.run([
        UV, "--no-cache", "--no-config", "--offline", "--preview", "pip", "install", "--dry-run", "--python", sys.executable,
        "--target", str(tmp_path / "to"), "--python-version", python, "--python-platform", f"{machine}-manylinux_2_36",
        "-r", str(tmp_path / "pylock.toml"),
    ])  # fmt: skip
    assert code == 0, err
    assert ours == sorted(re.findall(r"(?m)^ \+ (p\d==1)", out + err)) and 1 < len(ours) < len(MARKERS)


def test_what_uv_exports_is_read(tmp_path: Path, served: str) -> None:
    """Both ways from one uv.lock come to the same packages and hashes for a target."""
    there = tmp_path / "wheels"
    there.mkdir()
    for name in ("a", "win"):
        wheel(there, name)
    write_index(there, tmp_path / "simple")
    needs = "[\"a\", \"win ; sys_platform == 'win32'\"]"
    text = f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {needs}\n'
    text += f'[[tool.uv.index]]\nname = "here"\nurl = "{served}/simple"\ndefault = true\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    for words in (["lock"], ["export", "--frozen", "--format", "pylock.toml", "--output-file", str(tmp_path / "pylock.toml")]):
        code, _out, err = commands.run([UV, "--no-cache", words[0], "--project", str(tmp_path), *words[1:]])
        assert code == 0, err
    context = locks.Context(commands.run, UV)
    one, other = (locks.read(tmp_path / name, context).lock for name in ("pylock.toml", "uv.lock"))
    assert [(pin.name, pin.hashes) for pin in one.pins] == [(pin.name, pin.hashes) for pin in lock_file.needed(other.pins, TARGET)]
    assert [pin.name for pin in one.pins] == ["a"]
