# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that Parity ships say the same of the application, and their examples of secrets name all that they read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from checkout import ROOT

SHIPPED = ("production", "staging", "single")
#: Secrets that the files show in a comment, for those who need them.
_LOOKUP = re.compile(r"lookup\('parity\.stack\.secret', '(\w+)'")


def folder(environment: str) -> Path:
    return ROOT / "inventories" / environment / "group_vars"


def example(environment: str) -> list[str]:
    text = (ROOT / f".env.{environment}.example").read_text(encoding="utf-8")
    return re.findall(r"^(\w+)=", text, re.MULTILINE)


@pytest.mark.parametrize("environment", SHIPPED)
def test_the_example_of_the_secrets_names_all_that_the_inventory_reads(environment: str) -> None:
    read = {name for path in folder(environment).rglob("*.yml") for name in _LOOKUP.findall(path.read_text(encoding="utf-8"))}
    assert read and not read - set(example(environment))


@pytest.mark.parametrize("environment", SHIPPED)
def test_the_inventory_reads_the_file_whose_example_it_names(environment: str) -> None:
    text = (folder(environment) / "all" / "secrets.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\.env\.(\w+)", text)) == {environment}
    assert f".env.{environment}.example" in text


def test_the_examples_of_the_secrets_have_the_same_names() -> None:
    assert example("staging") == example("production") == example("single")


@pytest.mark.parametrize("environment", SHIPPED)
def test_addresses_of_the_example_are_those_of_the_hosts(environment: str) -> None:
    text = (ROOT / f".env.{environment}.example").read_text(encoding="utf-8")
    hosts = (ROOT / "inventories" / environment / "hosts").read_text(encoding="utf-8")
    database = re.search(r"^\[database\]\n\S+ .*stack_address=(\S+)", hosts, re.MULTILINE)[1]
    assert set(re.findall(r"^\w+_URL=.*@([\d.]+):", text, re.MULTILINE)) == {database}


def test_the_application_is_the_same_in_all() -> None:
    applications = [yaml.safe_load((folder(name) / "all" / "application.yml").read_text(encoding="utf-8")) for name in SHIPPED]
    assert applications[0] == applications[1] == applications[2]
