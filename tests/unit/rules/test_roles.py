# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules for roles and playbooks (CONTRIBUTING.md) that no linter knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT, Role, is_template, load, plain, roles, tasks
from jinja2 import Environment

LONGEST_TASK_FILE = 80
LONGEST_EXPRESSION = 200


def yaml_files() -> list[Path]:
    """Task files, handlers and playbooks: everything that holds tasks for hosts of an inventory."""
    folders = ("roles/*/tasks", "roles/*/handlers", "playbooks")
    return sorted(path for folder in folders for path in ROOT.glob(f"{folder}/**/*.yml"))


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def forbidden(node: Any) -> Iterator[str]:
    """What the rules forbid in a task, wherever it stands."""
    for task in tasks(node):
        label = task.get("name", "a task without a name")
        for module in ("set_fact", "shell"):
            if {module, f"ansible.builtin.{module}", f"ansible.legacy.{module}"} & set(task):
                yield f"{label}: {module}"
        if task.get("ignore_errors") not in (None, False):
            yield f"{label}: ignore_errors"
        if task.get("failed_when") is False or str(task.get("failed_when")).strip().lower() == "false":
            yield f"{label}: failed_when: false"


@pytest.mark.parametrize("path", yaml_files(), ids=names)
def test_nothing_forbidden_is_used(path: Path) -> None:
    assert not list(forbidden(load(path)))


@pytest.mark.parametrize("path", yaml_files(), ids=names)
def test_includes_in_a_loop_are_the_same_for_every_host(path: Path) -> None:
    """Ansible works through includes that differ by host in the order the hosts answer, and not in that of the loop."""
    looped = [task for task in tasks(load(path)) if "loop" in task and any("include_" in key for key in task)]
    variable = [str(task.get("loop_control", {}).get("loop_var", "item")) for task in looped]
    wrong = [task["name"] for task, name in zip(looped, variable) if re.search(rf"\b{name}\b", str(task.get("when", "")))]
    assert not wrong, f"the condition belongs inside (apply): {wrong}"


@pytest.mark.parametrize("path", yaml_files(), ids=names)
def test_a_failure_is_told_by_its_headline(path: Path) -> None:
    """The filter first_failure finds the reason, and masks secrets; a result's own message may have neither."""
    assert "ansible_failed_result" not in plain(path.read_text(encoding="utf-8")), "write `| parity.stack.first_failure(secrets=...)`"


def environments(node: Any) -> Iterator[str]:
    """Where `environment` of a play, a block, a task or what an include applies is found out only when Ansible runs."""
    for task in tasks(node):
        applied = [each.get("apply") for key, each in task.items() if "include_" in str(key) and isinstance(each, dict)]
        for keywords in [task, *filter(None, applied)]:
            if is_template(keywords.get("environment")):
                yield str(task.get("name", "a task without a name"))


@pytest.mark.parametrize("path", yaml_files(), ids=names)
def test_no_secret_is_in_the_environment_of_a_task(path: Path) -> None:
    """With sudo the variables stand in the command line, which it writes to the host's journal."""
    found = list(environments(load(path)))
    assert not found, f"give values to the module by an option, by stdin or by a file, and only constants by environment: {found}"


@pytest.mark.parametrize(
    ("task", "count"),
    [
        ({"name": "a", "environment": {"LC_ALL": "C"}}, 0),
        ({"name": "a", "environment": {"PGPASSWORD": "{{ database_password }}"}}, 1),
        ({"name": "a", "environment": "{{ as_owner }}"}, 1),
        ({"name": "a", "environment": [{"LC_ALL": "C"}, "{{ as_owner }}"]}, 1),
        ({"name": "a", "block": [{"name": "b", "environment": "{{ c }}"}]}, 1),
        ({"hosts": "all", "environment": "{{ c }}", "tasks": []}, 1),
        ({"name": "a", "include_role": {"name": "b", "apply": {"environment": "{{ c }}"}}}, 1),
        ({"name": "a", "include_tasks": "b.yml"}, 0),
        ({"name": "a", "parity.stack.baseline_compare": {"environment": "{{ c }}"}}, 0),
    ],
)
def test_what_counts_as_an_environment(task: dict, count: int) -> None:
    assert len(list(environments([task]))) == count


def test_task_files_are_short(role: Role) -> None:
    length = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in role.task_files}
    long = {name: lines for name, lines in length.items() if lines > LONGEST_TASK_FILE}
    assert not long, f"task files of more than {LONGEST_TASK_FILE} lines: {long}"


def expressions(node: Any, condition: bool = False) -> Iterator[str]:
    """The Jinja expressions of a task file, each on one line: those in braces, and conditions, which have none."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from expressions(value, key in ("when", "that", "until", "failed_when", "changed_when"))
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value, condition)
    elif isinstance(node, str):
        found = [node] if condition and "{{" not in node else in_braces(node)
        yield from (" ".join(expression.split()) for expression in found)


def in_braces(text: str) -> Iterator[str]:
    """Jinja's own lexer finds them: a dictionary in an expression has braces too."""
    expression = ""
    for _line, kind, words in Environment(autoescape=True).lex(text):
        expression += words if expression or kind in ("variable_begin", "block_begin") else ""
        if kind in ("variable_end", "block_end"):
            yield expression
            expression = ""


def files_with_expressions() -> list[Path]:
    """What Ansible evaluates: tasks and variables of roles, playbooks and their files, and the inventories that are shipped."""
    folders = [f"roles/*/{name}" for name in ("tasks", "handlers", "vars", "defaults")]
    return sorted(path for folder in [*folders, "playbooks", "inventories"] for path in ROOT.glob(f"{folder}/**/*.yml"))


def test_the_statement_of_a_deployment_is_a_table_of_contents() -> None:
    lines = (ROOT / "playbooks/applications.yml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120, "what a step consists of belongs to playbooks/tasks, what is derived to playbooks/vars"


@pytest.mark.parametrize("path", files_with_expressions(), ids=names)
def test_expressions_are_short(path: Path) -> None:
    long = {expression for expression in expressions(load(path)) if len(expression) > LONGEST_EXPRESSION}
    assert not long, (
        f"expressions of more than {LONGEST_EXPRESSION} characters; write data as YAML, and make the rest a filter with a test: {long}"
    )


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"when": "a and b"}, ["a and b"]),
        ({"when": ["a", "b\n  or c"]}, ["a", "b or c"]),
        ({"debug": {"msg": "a {{ b }} {% if c %}\n{{ d\n   + e }}{% endif %}"}}, ["{{ b }}", "{% if c %}", "{{ d + e }}", "{% endif %}"]),
        ({"block": [{"assert": {"that": "a", "fail_msg": "no {{ b }}"}}]}, ["a", "{{ b }}"]),
        ({"vars": {"a": "{{ {'b': {'c': 1}} | d }}"}}, ["{{ {'b': {'c': 1}} | d }}"]),
        ({"name": "a", "loop": [1, True, None]}, []),
    ],
)
def test_what_counts_as_an_expression(task: dict, found: list[str]) -> None:
    assert list(expressions([task])) == found


def internal_names(node: Any) -> Iterator[str]:
    """Names a task gives to a variable."""
    for task in tasks(node):
        for key in ("register", "loop_var", "index_var"):
            if isinstance(task.get(key), str):
                yield task[key]
        if isinstance(task.get("vars"), dict) and not any(str(key).endswith("_role") for key in task):
            yield from task["vars"]


def test_internal_names_carry_the_role_s_name(role: Role) -> None:
    wrong = [
        f"{path.name}: {name}"
        for path in role.task_files
        for name in internal_names(load(path))
        if not name.startswith((f"__{role.name}_", f"{role.name}_", "ansible_"))
    ]
    assert not wrong, f"names that do not start with __{role.name}_: {wrong}"
    registered = [task["register"] for path in role.task_files for task in tasks(load(path)) if "register" in task]
    readme = (role.path / "README.md").read_text(encoding="utf-8")
    wrong = [name for name in registered if not name.startswith(f"__{role.name}_") and f"`{name}`" not in readme]
    assert not wrong, f"registered without __, and not in README.md as a result: {wrong}"


def test_a_role_reads_no_other_role_s_variables(role: Role) -> None:
    foreign = {name for other in roles() if other.name != role.name for name in other.defaults}
    prefixes = tuple(f"__{other.name}_" for other in roles() if other.name != role.name)
    found = []
    for path in role.sources:
        text = re.sub(r"\bparity\.stack\.\w+", "", plain(path.read_text(encoding="utf-8")))  # plugins may be called like an input
        for word in set(re.findall(r"\b\w+\b", text)):
            if word in foreign or word.startswith(prefixes):
                found.append(f"{path.relative_to(role.path)}: {word}")
    assert not found, f"variables of other roles: {sorted(found)}"


def test_a_role_knows_no_inventory_groups(role: Role) -> None:
    pattern = re.compile(r"\bgroups\s*[\[.]|\bgroup_names\b")
    found = [path.name for path in role.sources if pattern.search(plain(path.read_text(encoding="utf-8")))]
    assert not found, f"files that ask for groups of the inventory: {found}"


def test_only_defaults_refer_to_the_inventory_s_names(role: Role) -> None:
    found = [
        f"{path.relative_to(role.path)}: {name}"
        for path in role.sources
        if path.parent.name != "defaults"
        for name in set(re.findall(r"\bstack_\w+", plain(path.read_text(encoding="utf-8")).replace("-e stack_", "")))
    ]
    assert not found, f"read stack_* in defaults/main.yml and use the role's own name elsewhere: {sorted(found)}"


def test_a_role_is_complete(role: Role) -> None:
    wanted = ["defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml", "README.md"]
    missing = [name for name in wanted if not (role.path / name).exists()]
    missing += [
        f"molecule/{role.name}/{name}" for name in ("molecule.yml", "verify.yml") if not (ROOT / "molecule" / role.name / name).exists()
    ]
    assert not missing, f"missing: {missing}"


@pytest.mark.parametrize(
    ("task", "count"),
    [
        ({"name": "a", "ansible.builtin.set_fact": {"b": 1}}, 1),
        ({"name": "a", "shell": "ls"}, 1),
        ({"name": "a", "block": [{"name": "b", "ansible.builtin.shell": "ls"}]}, 1),
        ({"name": "a", "ansible.builtin.command": "ls", "ignore_errors": True}, 1),
        ({"name": "a", "ansible.builtin.command": "ls", "ignore_errors": "{{ ansible_check_mode }}"}, 1),
        ({"name": "a", "ansible.builtin.command": "ls", "failed_when": False}, 1),
        ({"name": "a", "ansible.builtin.command": "ls", "failed_when": "false"}, 1),
        ({"name": "a", "ansible.builtin.command": "ls", "failed_when": "x.rc > 1"}, 0),
        ({"name": "a", "ansible.builtin.user": {"name": "b", "shell": "/bin/sh"}}, 0),
    ],
)
def test_what_counts_as_forbidden(task: dict, count: int) -> None:
    assert len(list(forbidden([task]))) == count
