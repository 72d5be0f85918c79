# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every file: it works from any checkout, on any machine, and gives no secret away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT, Tagged, files, load, texts

#: Hosts that serve images or packages. Which one is used is the machine's business (its engine's, pip's configuration).
REGISTRY = re.compile(
    r"\b(?:registry|index|hub|docker|quay|ghcr|gcr|k8s)(?:-\d)?(?:\.\w+)*\.(?:io|pkg\.dev)/|\bregistry\.[\w-]+\.(?:com|org|net)\b"
    r"|\bpythonhosted\.|^\s*(?:--)?(?:extra-)?index-url\b|^\s*--(?:find-links|trusted-host)\b",
    re.MULTILINE,
)
#: Where people keep their checkouts.
PERSONAL = re.compile(
    r"(?<![\w.}\])])/(?:Users|home)/(?!deploy/|ansible/)[a-z][\w.-]*/|(?<![\w.}\])/])/(?:work|workspace|root/[a-z][\w-]*/)"
)
#: Names of variables that hold a secret.
SECRET = re.compile(r"(?i)(password|passphrase|secret|token|(api|access|private|signing|role)_key)s?$")
#: What AWX takes for a playbook, at any indentation.
PLAYBOOK = re.compile(r"(?m)^\s*-?\s*(?:hosts|import_playbook|ansible\.builtin\.import_playbook):")

THIS = Path(__file__).name


def test_no_file_names_a_registry() -> None:
    found = [
        f"{name}: {match[0].strip()}"
        for name, text in texts()
        for match in REGISTRY.finditer(text)
        if not name.endswith(THIS)
    ]
    assert not found, "\n".join(found)


def test_no_file_depends_on_where_a_checkout_is() -> None:
    here = re.compile(rf"(?<![\w.]){re.escape(str(ROOT))}/")
    found = [
        f"{name}: {match[0]}"
        for name, text in texts()
        if not name.endswith(THIS)
        for pattern in ([PERSONAL, here] if len(ROOT.parts) > 2 else [PERSONAL])
        for match in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_sources_carry_their_licence() -> None:
    wanted = ("*.py", "roles/*/defaults/main.yml", "tools/*", ".ci/*", "*.sh")
    found = [
        str(path.relative_to(ROOT))
        for path in files()
        if any(path.relative_to(ROOT).match(pattern) for pattern in wanted) and path.stat().st_size > 0
        if "SPDX-License-Identifier: GPL-3.0-or-later"
        not in "".join(path.read_text(encoding="utf-8").splitlines(True)[:6])
    ]
    assert not found, f"files without an SPDX line at their beginning: {found}"


def test_tools_can_be_run() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.read_bytes().startswith(b"#!/usr/bin/env bash") and not path.stat().st_mode & 0o100
    ]
    assert not found, f"scripts that are not executable: {found}"


def inventory_files() -> list[Path]:
    return [path for path in files() if path.relative_to(ROOT).parts[0] == "inventories"]


def test_awx_takes_no_inventory_for_a_playbook() -> None:
    hidden = {"roles", "tasks", "group_vars", "host_vars"}
    found = [
        str(path.relative_to(ROOT))
        for path in inventory_files()
        if path.suffix in (".yml", ".yaml")
        and not hidden & set(path.parts)
        and PLAYBOOK.search(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"name the inventory `hosts`, without an extension; AWX lists these as playbooks: {found}"


def test_every_inventory_has_its_hosts_file() -> None:
    folders = sorted(
        {path.relative_to(ROOT).parts[1] for path in inventory_files() if len(path.relative_to(ROOT).parts) > 2}
    )
    missing = [name for name in folders if not (ROOT / "inventories" / name / "hosts").exists()]
    assert not missing, f"inventories without a file `hosts`: {missing}"


def test_awx_sees_each_verb() -> None:
    invisible = [
        path.name
        for path in (ROOT / "playbooks").glob("*.yml")
        if not PLAYBOOK.search(path.read_text(encoding="utf-8"))
    ]
    assert not invisible, f"playbooks without a play: {invisible}"


def literals(node: Any, name: str = "") -> Iterator[str]:
    """Names of secrets whose value is written out."""
    if isinstance(node, dict):
        for key, value in node.items():
            # Everything inside a mapping of secrets is one, whatever it is called.
            yield from literals(value, name if SECRET.search(name) and isinstance(value, str) else str(key))
    elif isinstance(node, list):
        for value in node:
            yield from literals(value, name)
    elif (
        isinstance(node, str)
        and node
        and SECRET.search(name)
        and not isinstance(node, Tagged)
        and not re.search(r"\{\{.*\}\}", node)
    ):
        yield name


def test_inventories_hold_references_to_secrets_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in inventory_files()
        if {"group_vars", "host_vars"} & set(path.parts) and path.suffix in (".yml", ".yaml")
        for name in literals(load(path))
    ]
    assert not found, f"secrets written out; take them from a vault, a file or the environment: {found}"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"stack_broker_password": "abc"}, ["stack_broker_password"]),
        ({"stack_broker_password": "{{ lookup('env', 'X') }}"}, []),
        ({"stack_broker_password": Tagged("3132")}, []),
        ({"stack_broker_password": ""}, []),
        ({"stack_token_seconds": 3600}, []),
        ({"stack_secrets": {"OPENAI": "abc"}}, ["stack_secrets"]),
        ({"stack_secrets": {"OPENAI": "{{ vault_openai }}"}}, []),
        ({"stack": {"api_key": "abc"}}, ["api_key"]),
        ({"stack_certificate_key": "files/key.pem"}, []),
    ],
)
def test_what_counts_as_written_out(variables: dict, found: list[str]) -> None:
    assert list(literals(variables)) == found


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("image: quay" + ".io/prometheus/prometheus:v3", True),
        ("FROM docker" + ".io/library/debian:bookworm", True),
        ("--extra-index-url https://mirror.example/simple", True),
        ("apt-get install docker.io", False),
        ("image: parity/debian:bookworm", False),
    ],
)
def test_what_counts_as_a_registry(line: str, counts: bool) -> None:
    assert bool(REGISTRY.search(line)) is counts


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("cd /home/" + "jane/parity", True),
        ("path: /work" + "/main/roles", True),
        ("cp /root" + "/parity/x", True),
        ("key: /root/.ssh/id_ed25519", False),
        ("{{ stack_home }}/home/x/", False),
        ("https://example.org/home/page/", False),
        ("framework/main", False),
    ],
)
def test_what_counts_as_a_place_of_one_machine(line: str, counts: bool) -> None:
    assert bool(PERSONAL.search(line)) is counts
