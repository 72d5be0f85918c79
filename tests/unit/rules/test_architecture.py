# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of plugins/ may import which, and what may be copied to a target. docs/architecture.md shows the layers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT, load

PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.parity.stack.plugins."

#: Each domain with those it may import. A domain names only domains above it here, so the imports have no circle.
ALLOWED = {
    "module_utils": [],
    "module_utils/postgresql": ["module_utils"],
    "module_utils/storage": ["module_utils"],
    "module_utils/migrations": ["module_utils", "module_utils/postgresql"],
    "module_utils/release": ["module_utils"],
    "module_utils/probing": ["module_utils"],
    "module_utils/report": ["module_utils"],
    "module_utils/backup": ["module_utils", "module_utils/postgresql", "module_utils/storage"],
    "module_utils/checks": [
        "module_utils",
        "module_utils/postgresql",
        "module_utils/storage",
        "module_utils/release",
        "module_utils/probing",
        "module_utils/backup",
    ],
    "plugin_utils": ["module_utils"],
    "plugin_utils/migrations": ["module_utils", "module_utils/migrations", "module_utils/postgresql"],
    "plugin_utils/bundle": ["module_utils", "module_utils/release", "plugin_utils", "plugin_utils/migrations"],
    "plugin_utils/inputs": ["module_utils", "module_utils/postgresql", "plugin_utils", "plugin_utils/bundle"],
    "plugin_utils/discovery": ["module_utils", "plugin_utils/bundle", "plugin_utils/inputs"],
    "plugin_utils/doctor": ["module_utils", "plugin_utils/bundle", "plugin_utils/discovery", "plugin_utils/inputs"],
    "plugin_utils/comparison": ["module_utils", "module_utils/probing"],
    "plugin_utils/report": ["module_utils", "module_utils/release", "module_utils/report", "plugin_utils/comparison"],
}
#: What Ansible loads by name stands on top: nothing imports it, and a module takes nothing along that no target needs.
LOADED = {
    "modules": ("module_utils",),
    "action": ("module_utils", "plugin_utils"),
    "filter": ("module_utils", "plugin_utils"),
    "lookup": ("module_utils", "plugin_utils"),
    "doc_fragments": (),
}


def sources(folder: str) -> list[Path]:
    """The Python files directly in a folder of plugins/."""
    return sorted(path for path in (PLUGINS / folder).glob("*.py") if path.name != "__init__.py")


def domain(path: Path) -> str:
    return str(path.parent.relative_to(PLUGINS))


def imported(path: Path) -> Iterator[Path]:
    """The collection's own files that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(OURS):
            place = PLUGINS / node.module.removeprefix(OURS).replace(".", "/")
            modules = [place / f"{alias.name}.py" for alias in node.names]
            found = [module for module in modules if module.exists()] or [place.with_suffix(".py")]
            assert all(module.exists() for module in found), f"{path}: nothing of this name is there: {node.module}"
            yield from found


def domains_imported(folder: str) -> dict[str, str]:
    """Other domains that a folder imports, each with one file of the folder that does."""
    return {domain(target): path.name for path in sources(folder) for target in imported(path) if domain(target) != folder}


def test_each_domain_is_in_the_table() -> None:
    folders = {domain(path) for kind in ("module_utils", "plugin_utils") for path in (PLUGINS / kind).rglob("*.py")}
    assert folders == set(ALLOWED), "add a new folder to ALLOWED, and remove one that is gone"


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_domain_imports_what_the_table_allows(folder: str) -> None:
    found = domains_imported(folder)
    refused = {name: file for name, file in found.items() if name not in ALLOWED[folder]}
    assert not refused, f"{folder} imports what it may not; the file that does: {refused}"
    assert set(ALLOWED[folder]) <= set(found) | {"module_utils"}, "the table allows what is not used; remove it there"


@pytest.mark.parametrize("folder", ALLOWED)
def test_the_table_has_no_circle(folder: str) -> None:
    above = list(ALLOWED)[: list(ALLOWED).index(folder)]
    assert set(ALLOWED[folder]) <= set(above), f"{folder} may import only domains that stand above it in the table"
    if folder.startswith("module_utils"):
        assert not [name for name in ALLOWED[folder] if name.startswith("plugin_utils")], "plugin_utils never reaches a target"


@pytest.mark.parametrize("kind", LOADED)
def test_what_ansible_loads_imports_downwards(kind: str) -> None:
    refused = {name: file for name, file in domains_imported(kind).items() if name.split("/")[0] not in LOADED[kind]}
    assert not refused, f"plugins/{kind} may import {LOADED[kind]} only; the file that does more: {refused}"


def reached(start: list[Path]) -> set[Path]:
    """The files that these import, directly or through others."""
    found: set[Path] = set()
    todo = list(start)
    while todo:
        new = set(imported(todo.pop())) - found
        found |= new
        todo += new
    return found


def test_module_utils_reach_a_target() -> None:
    modules = [path for path in sources("modules") if "\ndef main(" in path.read_text(encoding="utf-8")]
    folders = [folder for folder in ALLOWED if folder.startswith("module_utils")]
    lost = {path for folder in folders for path in sources(folder)} - reached(modules)
    names = sorted(str(path.relative_to(PLUGINS)) for path in lost)
    assert not names, f"no module imports these, so they belong to plugin_utils: {names}"


def test_each_folder_is_a_package() -> None:
    missing = [folder for folder in ALLOWED if "/" in folder and not (PLUGINS / folder / "__init__.py").exists()]
    assert not missing, f"folders without an __init__.py (the licence's lines are enough): {missing}"


def test_names_do_not_repeat_their_folder() -> None:
    repeated = [path for folder in ALLOWED for path in sources(folder) if path.stem.startswith(path.parent.name.rstrip("s") + "_")]
    assert not repeated, f"the folder says it already: {repeated}"


def test_unit_tests_stand_in_the_folders_of_plugins() -> None:
    unit = ROOT / "tests" / "unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")} - {Path("fixtures"), Path("rules"), Path("tools")}
    assert not [str(folder) for folder in sorted(folders) if folder == Path() or not (PLUGINS / folder).is_dir()]


def test_the_timer_has_every_file_it_imports() -> None:
    # The role copies single files; the timer's program fails at night where one is missing.
    entries = load(ROOT / "roles/backup/vars/main.yml")["__backup_program"]
    sources = [re.search(r"__backup_source ~ '/(.+?)'", entry["content"]) for entry in entries]
    copied = {f"module_utils/{source[1]}": entry["path"] for source, entry in zip(sources, entries) if source}
    needed = {str(path.relative_to(PLUGINS)) for path in reached([ROOT / "roles/backup/files/backup.py"])}
    assert set(copied) == needed, "roles/backup/vars/main.yml, __backup_program: list what roles/backup/files/backup.py imports, no more"
    wrong = {name: path for name, path in copied.items() if path != f"{{{{ __backup_library }}}}/{name.removeprefix('module_utils/')}"}
    assert not wrong, "copied to where nobody imports it from"
