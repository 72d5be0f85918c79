# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's argument specification, its defaults and its README say the same."""

from __future__ import annotations

import re

import pytest
from checkout import Role, is_template, options_below, roles

#: Names of inputs that hold a secret: by what they are called, or because such a URL holds a password.
SECRET = re.compile(
    r"(password|passphrase|secret|token|(api|access|private|signing|role)_key)s?$|(database|broker|owner)_url$"
)
#: Types that can hold one. A path leads to a secret, and does not hold it.
HOLDS_TEXT = ("str", "raw", "dict", "list")


def words(description: object) -> list[str]:
    text = " ".join(description) if isinstance(description, list) else str(description or "")
    return text.split()


def test_there_are_roles() -> None:
    assert roles()


def test_every_entry_point_is_a_task_file_and_the_other_way_round(role: Role) -> None:
    assert "main" in role.entry_points, f"roles/{role.name}/meta/argument_specs.yml describes no entry point main"
    without_file = [name for name in role.entry_points if not (role.path / "tasks" / f"{name}.yml").exists()]
    assert not without_file, f"entry points without a file in tasks/: {without_file}"
    used = "\n".join(path.read_text(encoding="utf-8") for path in role.sources)
    undescribed = [
        path.name
        for path in role.task_files
        if path.stem not in role.entry_points and not re.search(rf"_tasks:.*\b{re.escape(path.name)}", used)
    ]
    assert not undescribed, f"task files that are neither an entry point nor used by another task file: {undescribed}"


def test_every_entry_point_and_option_is_described(role: Role) -> None:
    unnamed = [name for name, entry in role.entry_points.items() if not words(entry.get("short_description"))]
    assert not unnamed, f"entry points without short_description: {unnamed}"
    terse = [
        f"{entry_point}: {name}"
        for entry_point, entry in role.entry_points.items()
        for name, option in options_below(entry.get("options") or {})
        if len(words(option.get("description"))) < 3
    ]
    assert not terse, f"options whose description a stranger cannot understand (under three words): {terse}"
    untyped = [name for name, option in options_below(role.options) if "type" not in option]
    assert not untyped, f"options without type: {untyped}"


def test_every_default_is_an_option_and_the_other_way_round(role: Role) -> None:
    stray = [name for name in [*role.defaults, *role.options] if not name.startswith(f"{role.name}_")]
    assert not stray, f"inputs whose name does not start with {role.name}_: {stray}"
    undescribed = sorted(set(role.defaults) - set(role.options))
    assert not undescribed, f"in defaults/main.yml, and not in meta/argument_specs.yml: {undescribed}"
    undefined = sorted(
        name for name in set(role.options) - set(role.defaults) if not role.options[name].get("required")
    )
    assert not undefined, f"optional in meta/argument_specs.yml, and not in defaults/main.yml: {undefined}"


def test_defaults_and_specification_agree(role: Role) -> None:
    problems = []
    for entry_point, entry in role.entry_points.items():
        for name, option in (entry.get("options") or {}).items():
            if name not in role.defaults:
                continue
            problem = _disagreement(role.defaults[name], option)
            if problem:
                problems.append(f"{entry_point}: {name} {problem}")
    assert not problems, "\n".join(problems)


def _disagreement(default: object, option: dict) -> str:
    if is_template(default):
        if "default" in option and option["default"] != default:
            return f"has the default {option['default']!r} in the specification, and {default!r} in defaults/main.yml"
        text = " ".join(words(option.get("description")))
        if (
            not option.get("required")
            and "default" not in option
            and not re.search(r"(?i)default|when empty|stack_", text)
        ):
            return f"is {default!r} by default; say so in its description, or make it required"
    elif option.get("required"):
        return f"is required, and has the default {default!r}, with which it is never missing"
    elif "default" not in option:
        return f"has the default {default!r} in defaults/main.yml, and none in the specification"
    elif option["default"] != default or type(option["default"]) is not type(default):
        return f"has the default {option['default']!r} in the specification, and {default!r} in defaults/main.yml"
    return ""


def test_secrets_are_marked(role: Role) -> None:
    open_secrets = [
        f"{entry_point}: {name}"
        for entry_point, entry in role.entry_points.items()
        for name, option in options_below(entry.get("options") or {})
        if SECRET.search(name) and option.get("type") in HOLDS_TEXT and option.get("no_log") is not True
    ]
    assert not open_secrets, f"secrets without no_log: true: {open_secrets}"


def test_the_readme_names_every_input(role: Role) -> None:
    readme = role.path / "README.md"
    assert readme.exists(), f"roles/{role.name}/README.md is missing"
    text = readme.read_text(encoding="utf-8")
    missing = [name for name in role.options if f"`{name}`" not in text]
    assert not missing, f"inputs that roles/{role.name}/README.md does not name in backticks: {missing}"


@pytest.mark.parametrize(
    ("default", "option", "agrees"),
    [
        (1, {"default": 1}, True),
        (1, {"default": 2}, False),
        (1, {"default": "1"}, False),
        (1, {"default": True}, False),
        (1, {}, False),
        ([], {"required": True}, False),
        ({"a": 1}, {"default": {"a": 1}}, True),
        ("{{ stack_name }}", {"required": True}, True),
        ("{{ stack_name }}", {"description": "Name of the user."}, False),
        ("{{ stack_name }}", {"description": "Name of the user, by default that of the stack."}, True),
        ("{{ a }}", {"default": "{{ b }}"}, False),
        ({"a": "{{ b }}"}, {"description": "What is wanted."}, False),
    ],
)
def test_what_counts_as_agreement(default: object, option: dict, agrees: bool) -> None:
    assert (_disagreement(default, option) == "") is agrees


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("broker_password", True),
        ("release_secrets", True),
        ("validation_api_token", True),
        ("release_database_url", True),
        ("storage_service_role_key", True),
        ("api_health_url", False),
        ("validation_token_seconds", False),
        ("gateway_certificate_key", False),
    ],
)
def test_what_counts_as_a_secret(name: str, secret: bool) -> None:
    assert bool(SECRET.search(name)) is secret
