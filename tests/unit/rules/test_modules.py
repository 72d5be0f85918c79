# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules for modules that ansible-test does not know."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from checkout import ROOT, load

MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
#: Of what runs on the control node alone, only the documentation is here; its code is in plugins/action.
ON_TARGETS = [path for path in MODULES if "\ndef main(" in path.read_text(encoding="utf-8")]
ACTIONS = sorted((ROOT / "plugins" / "action").glob("*.py"))
#: Modules that say more than the error's text, or go on without an answer.
OWN_WORDS = {"error_counters", "journal_entries", "postgresql_report"}
UTILS = ROOT / "plugins" / "module_utils"
MODULE_UTILS = sorted(path for path in UTILS.rglob("*.py") if path.name != "__init__.py")
OURS = "ansible_collections.parity.stack.plugins.module_utils"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / "plugins").with_suffix(""))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def text(path: Path, name: str) -> str:
    """The value of a documentation variable such as EXAMPLES."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ast.literal_eval(node.value)
    return ""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def documented(path: Path, section: str) -> dict:
    """The options or attributes of a module with those of the fragments that it names. What the module says of one goes before."""
    documentation = yaml.safe_load(text(path, "DOCUMENTATION"))
    found = dict(documentation.get(section) or {})
    for name in documentation.get("extends_documentation_fragment") or []:
        fragment, *part = name.removeprefix("parity.stack.").split(".")
        module = importlib.import_module(f"ansible_collections.parity.stack.plugins.doc_fragments.{fragment}")
        words = yaml.safe_load(getattr(module.ModuleDocFragment, (*part, "documentation")[0].upper()))
        found |= {key: value | found.get(key, {}) for key, value in words.get(section, {}).items()}
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_documentation_is_complete(path: Path) -> None:
    attributes = documented(path, "attributes")
    missing = [name for name in ("check_mode", "diff_mode") if {"support", "description"} - set(attributes.get(name, {}))]
    assert not missing, f"attributes that DOCUMENTATION does not describe (doc fragment parity.stack.attributes does): {missing}"
    assert attributes["check_mode"]["support"] == "full", "every module supports check mode in full"
    examples = yaml.safe_load(text(path, "EXAMPLES"))
    used = {key for task in examples or () for key in task}
    assert f"parity.stack.{path.stem}" in used, "EXAMPLES shows no task with this module under its full name"
    assert yaml.safe_load(text(path, "RETURN")), "RETURN is empty; say what the module returns"


@pytest.mark.parametrize("path", ON_TARGETS, ids=name)
def test_check_mode_is_supported(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "AnsibleModule"
    ]
    assert calls, "no call of AnsibleModule"
    supported = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "supports_check_mode"]
    assert supported and all(isinstance(value, ast.Constant) and value.value is True for value in supported)


@pytest.mark.parametrize("path", ON_TARGETS, ids=name)
def test_main_turns_parity_errors_into_failures(path: Path) -> None:
    mains = [node for node in tree(path).body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    assert len(mains) == 1, "a module has one function main()"
    caught = list(handled(mains[0]))
    # A module whose logic raises nothing (it reports all it finds) has nothing to catch.
    wanted = 1 if raises_parity_error(path) else 0
    assert len(caught) == wanted and all(name == "errors_as_failures" or "ParityError" in name for name in caught), (
        "main() ends with answer(module, logic), has one `with errors_as_failures(module)`, or one except for ParityError that says "
        f"something else, where the module or its logic raises one; it has: {caught}"
    )
    assert "errors_as_failures" in caught or path.stem in OWN_WORDS or not wanted, "use errors_as_failures of module_utils/failures.py"


def handled(main: ast.FunctionDef) -> Iterator[str]:
    """What turns errors into failures: names of exceptions, and the helper."""
    for node in ast.walk(main):
        if isinstance(node, ast.ExceptHandler):
            yield ast.unparse(node.type) if node.type else "everything"
        if isinstance(node, ast.With):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            yield from (ast.unparse(call.func) for call in calls if ast.unparse(call.func) == "errors_as_failures")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "answer":
            yield "errors_as_failures"


def raises_parity_error(path: Path) -> bool:
    """Whether a module, or a library it imports, speaks of ParityError."""
    imported = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    names = {one for node in imported for one in [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]}
    libraries = [library for library in MODULE_UTILS if f"{OURS}.{'.'.join(library.relative_to(UTILS).with_suffix('').parts)}" in names]
    return any("ParityError" in library.read_text(encoding="utf-8") for library in [path, *libraries])


@pytest.mark.parametrize("path", [*MODULES, *MODULE_UTILS], ids=name)
def test_targets_need_nothing_but_python(path: Path) -> None:
    documented = yaml.safe_load(text(path, "DOCUMENTATION") or "{}").get("requirements", [])
    foreign = {
        name
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith((OURS, "ansible.module_utils."))
        and not any(re.search(rf"\b{re.escape(name.split('.')[0])}", str(item)) for item in documented)
    }
    # What a library needs beyond Python it may only need where a module says so.
    if path in MODULE_UTILS:
        foreign = {name for name in foreign if not _guarded(path, name)}
    assert not foreign, (
        f"imports beyond the standard library that no `requirements` of the module names: {sorted(foreign)}"
    )


def _guarded(path: Path, name: str) -> bool:
    """Whether an import stands in a try that catches ImportError, or inside a function."""
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.Try, ast.FunctionDef)):
            inner = [child for child in ast.walk(node) if isinstance(child, (ast.Import, ast.ImportFrom))]
            found = [alias.name for child in inner if isinstance(child, ast.Import) for alias in child.names]
            found += [child.module or "" for child in inner if isinstance(child, ast.ImportFrom)]
            caught = [ast.unparse(handler.type) for handler in getattr(node, "handlers", []) if handler.type]
            if name in found and (isinstance(node, ast.FunctionDef) or "ImportError" in caught):
                return True
    return False


@pytest.mark.parametrize("path", MODULE_UTILS, ids=name)
def test_logic_is_free_of_ansible_module(path: Path) -> None:
    used = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    assert "AnsibleModule" not in used and "ansible.module_utils.basic" not in set(imports(path))


def test_every_module_is_in_the_action_group() -> None:
    listed = load(ROOT / "meta" / "runtime.yml")["action_groups"]["all"]
    assert sorted(listed) == [path.stem for path in MODULES], "meta/runtime.yml, action_groups.all, lists every module"


def described(options: dict) -> dict:
    """The specification that a documentation's options stand for."""
    keys = ("type", "elements", "required", "default", "choices")
    return {
        name: {key: option[key] for key in keys if key in option}
        | ({"options": described(option["suboptions"])} if "suboptions" in option else {})
        for name, option in options.items()
    }


def without_no_log(spec: dict) -> dict:
    return {
        name: {key: without_no_log(value) if key == "options" else value for key, value in option.items() if key != "no_log"}
        for name, option in spec.items()
    }


@pytest.mark.parametrize("path", ACTIONS, ids=name)
def test_every_action_is_documented(path: Path) -> None:
    action = importlib.import_module(f"ansible_collections.parity.stack.plugins.action.{path.stem}")
    assert action.ActionModule._supports_check_mode
    spec = getattr(action, "_SPEC", None) or getattr(action.ActionModule, "SPEC", None)
    if spec:
        assert without_no_log(spec) == described(documented(ROOT / "plugins" / "modules" / path.name, "options"))
    else:  # It runs the module of its name, which has the specification.
        assert "_execute_module(" in path.read_text(encoding="utf-8")
