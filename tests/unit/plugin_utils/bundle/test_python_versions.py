# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory asks for, what an application takes, and what its hosts have."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import pack, python_versions


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("", ""), (None, ""), ("3.13", ""), ("3.13.2", ""), ("/opt/python3.13/bin/python3", ""),
        (3.13, 'stack_python: "3.13"'), (3.1, 'stack_python: "3.10"'), (3, "is a number"),
        ("3", "has to be a version"), ("3.x", "has to be a version"), (">=3.13", "has to be a version"),
    ],
)  # fmt: skip
def test_what_may_be_asked_for(value: object, wrong: str) -> None:
    said = python_versions.complaint(value)
    assert wrong in said if wrong else said == ""


@pytest.mark.parametrize(
    ("said", "version", "good"),
    [
        (">=3.11", "3.11.2", True), (">=3.13", "3.11.2", False), (">=3.12,<3.14", "3.13.0", True), ("^3.12", "3.13.0", True),
        ("^3.12", "3.11.9", False), ("~3.12", "3.13.0", False), ("3.12.*", "3.12.1", True), ("3.12", "3.13.0", False),
        ("", "3.11.2", True), (">= three", "3.11.2", False),
    ],
)  # fmt: skip
def test_what_an_application_takes(said: str, version: str, good: bool) -> None:
    found = python_versions.problems(said, {"app1": version})
    assert (not found) is good
    assert good or said == ">= three" or (version in found[0] and "app1" in found[0] and "stack_python" in found[0])


def test_hosts_with_the_same_python_are_one_problem() -> None:
    found = python_versions.problems(">=3.13", {"app1": "3.11.2", "app2": "3.11.2", "app3": "3.13.5"})
    assert len(found) == 1 and "app1, app2" in found[0] and 'Set stack_python: "3.13"' in found[0]


@pytest.mark.parametrize(
    ("said", "wanted"), [(">=3.11", "3.11"), (">=3.13", "3.13"), (">=3.12.4", "3.12"), ("<3.11", "3.10"), ("==3.7.*", ""), (">= three", "")]
)
def test_what_is_proposed(said: str, wanted: str) -> None:
    assert python_versions.suiting(said) == wanted


def _application(folder: Path, kind: str) -> Path:
    metadata = "Metadata-Version: 2.1\nName: shop\nVersion: 1\nRequires-Python: >=3.13\n"
    if kind == "wheel":
        path = folder / "shop-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("shop-1.dist-info/METADATA", metadata)
    elif kind == "sdist":
        path = folder / "shop-1.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("shop-1/PKG-INFO")
            member.size = len(metadata)
            archive.addfile(member, io.BytesIO(metadata.encode()))
    else:
        path = folder / "shop"
        path.mkdir()
        text = {
            "project": '[project]\nname = "shop"\nrequires-python = ">=3.13"',
            "poetry": '[tool.poetry.dependencies]\npython = ">=3.13"',
        }
        (path / "pyproject.toml").write_text(text.get(kind, ""), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "said"), [("wheel", ">=3.13"), ("sdist", ">=3.13"), ("project", ">=3.13"), ("poetry", ">=3.13"), ("none", "")]
)
def test_where_an_application_says_it(tmp_path: Path, kind: str, said: str) -> None:
    assert python_versions.required(str(_application(tmp_path, kind))) == said


def test_of_what_is_elsewhere_nothing_is_said(tmp_path: Path) -> None:
    assert python_versions.required("git+https://git.example/shop.git@v1") == ""
    assert python_versions.required(str(tmp_path / "absent")) == ""


def test_uv_knows_its_builds_without_a_network() -> None:
    uv = commands.beside_python("uv")
    found = python_versions.downloads("3.13", commands.run, uv)
    assert found["x86_64"]["version"].startswith("3.13.") and found["x86_64"]["url"].endswith(".tar.gz")
    assert python_versions.downloads("/opt/python", commands.run, uv) == {}
    assert python_versions.downloads("3.99", commands.run, uv) == {}


def test_another_python_is_another_release(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("", encoding="utf-8")
    digests = {pack.Source(str(tmp_path), tmp_path / "lock", python=python).sha256 for python in ("", "3.12", "3.13")}
    assert len(digests) == 3
