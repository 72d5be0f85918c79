# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python an inventory has to name, because not every Debian has one that the application takes."""

from __future__ import annotations

import re

from ansible_collections.parity.stack.plugins.plugin_utils.bundle import python_versions
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

#: The Python of each Debian that hosts may have, the older one in front.
SUITES = {"bookworm": "3.11.2", "trixie": "3.13.5"}
_OLDEST, _NEWEST = SUITES.values()


def pinned(tree: Tree, directory: str) -> Found | None:
    """The version that a team develops or ships with: of .python-version, or of a Dockerfile's image."""
    folder = f"{directory}/" if directory else ""
    for file in dict.fromkeys((f"{folder}.python-version", ".python-version", *sorted(tree.named("Dockerfile")))):
        text = tree.text(file) or "" if tree.has(file) else ""
        pattern = r"(?im)^FROM\s+(?:\S*/)?python:(3\.\d+)" if file.endswith("Dockerfile") else r"(?m)^(?:cpython-|python-?)?(3\.\d+)"
        versions = re.findall(pattern, text)
        if versions:
            return Found(versions[-1], file)
    return None


def line(said: Found | None, pin: Found | None) -> str:
    """A line for stack.yml: stack_python where the application refuses the oldest, a comment where it only has another; or nothing."""
    wanted = python_versions.specifiers(said.value) if said else None
    if wanted is not None:
        if wanted.contains(_OLDEST):
            return ""
        version = ".".join(_NEWEST.split(".")[:2]) if wanted.contains(_NEWEST) else python_versions.suiting(said.value)
        return f'stack_python: "{version}"  # from {said.where}; Debian 12 has 3.11, Debian 13 has 3.13' if version else ""
    if pin and pin.value not in ("3.11", "3.13"):
        hosts = "Debian 12 has 3.11, Debian 13 has 3.13"
        return f'# {pin.where} says Python {pin.value}, and {hosts}. For exactly that one: stack_python: "{pin.value}"'
    return ""
