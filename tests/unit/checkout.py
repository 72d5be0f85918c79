# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the house rules read of the checkout: its files, and its roles taken apart."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class _Loader(yaml.SafeLoader):
    """Reads tags it does not know (!vault, !unsafe) as a value of class Tagged."""


class Tagged(str):
    """A scalar with a tag of its own."""


_Loader.add_multi_constructor("!", lambda loader, tag, node: Tagged(getattr(node, "value", "")))


def load(path: Path) -> Any:
    """The first YAML document of a file; None when it is empty."""
    # The loader is a safe one, under another name.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506


def files() -> list[Path]:
    """Files git knows or would add."""
    git = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text file."""
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content:
            yield str(path.relative_to(ROOT)), content.decode("utf-8", errors="replace")


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """All tasks of a task file or playbook, with plays and blocks themselves, the outer before the inner."""
    for task in node if isinstance(node, list) else ():
        if isinstance(task, dict):
            yield task
            for key in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                yield from tasks(task.get(key))


def is_template(value: object) -> bool:
    """Whether a value is found out only when Ansible runs."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_template(child) for child in children)


@dataclass(frozen=True)
class Role:
    """A role as its files describe it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def defaults(self) -> dict[str, Any]:
        path = self.path / "defaults" / "main.yml"
        return (load(path) or {}) if path.exists() else {}

    @cached_property
    def entry_points(self) -> dict[str, dict[str, Any]]:
        path = self.path / "meta" / "argument_specs.yml"
        return load(path)["argument_specs"] if path.exists() else {}

    @cached_property
    def options(self) -> dict[str, dict[str, Any]]:
        """Options of all entry points by name."""
        return {name: option for entry in self.entry_points.values() for name, option in _options(entry).items()}

    @cached_property
    def task_files(self) -> list[Path]:
        return sorted((self.path / "tasks").rglob("*.yml"))

    @cached_property
    def sources(self) -> list[Path]:
        """Files in which variables are used."""
        return sorted(
            path
            for folder in ("defaults", "vars", "tasks", "handlers", "templates")
            for path in (self.path / folder).rglob("*")
            if path.is_file()
        )


def _options(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return entry.get("options") or {}


def options_below(options: dict[str, dict[str, Any]], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Options and the options inside them, by their path."""
    for name, option in options.items():
        yield prefix + name, option
        yield from options_below(_options(option), f"{prefix}{name}.")


def roles() -> list[Role]:
    """Every folder below roles/ that holds a file."""
    return [
        Role(path) for path in sorted((ROOT / "roles").iterdir()) if any(item.is_file() for item in path.rglob("*"))
    ]


def plain(text: str) -> str:
    """A source without its comments, which may speak of anything."""
    return re.sub(r"(?m)^\s*#.*$|\s#\s.*$|\{#.*?#\}", "", text)
