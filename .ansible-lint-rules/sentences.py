# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences of a file that people read: prose of Markdown, text of YAML, messages and documentation of Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import glossary
import yaml

# Code within prose: spans of Markdown, links' targets, Ansible's markup for options and values, and expressions of Jinja.
CODE = re.compile(r"`[^`\n]+`|\]\([^)\s]+\)|\b[COVMPER]\([^)\n]+\)|\{\{.*?\}\}", re.DOTALL)
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^\s*#\s?(.*)$")
# Code within the documentation of a plugin: keys, and lists of the values an option may have.
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")
NAMES = re.compile(r"^ *(?:- )?\w+:(?=\s)|(?<=choices: )\[[^\]]*\]", re.MULTILINE)


def files(root: Path) -> list[Path]:
    """Every file whose sentences the glossary holds for, except the glossary itself."""
    patterns = ("*.md", "docs/**/*.md", "roles/*/README.md", "examples/**/*.md", "plugins/**/*.py",
                "roles/**/*.yml", "playbooks/**/*.yml", "inventories/**/*.yml")  # fmt: skip
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path for path in found if path != glossary.GLOSSARY and ".venv" not in path.parts)


def findings(path: Path) -> list[glossary.Finding]:
    """Every banned word in what people read of a file, sorted by line."""
    text = path.read_text(encoding="utf-8")
    texts = {".md": _markdown, ".py": _python, ".yml": _yaml}[path.suffix](text)
    found = {finding for line, words in texts for finding in glossary.findings(_prose(words), line)}
    return sorted(found, key=lambda finding: (finding.line, finding.words))


def _prose(text: str) -> str:
    """A text without its code. Each piece of code becomes one word that is in no phrase, and keeps its lines."""
    return CODE.sub(_code, text)


def _code(match: re.Match) -> str:
    return "CODE" + "\n" * match.group().count("\n")


def _markdown(text: str) -> Iterator[tuple[int, str]]:
    yield 1, FENCE.sub(lambda match: "\n" * match.group().count("\n"), text)


def _python(text: str) -> Iterator[tuple[int, str]]:
    """String literals of more than one word: documentation, docstrings and messages."""
    tree = ast.parse(text)
    documentation = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in DOCUMENTATION
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, NAMES.sub(_code, node.value) if node in documentation else node.value


def _yaml(text: str) -> Iterator[tuple[int, str]]:
    """Scalars of more than one word, and comments."""
    for node in _nodes(yaml.compose(text, Loader=yaml.SafeLoader)):
        if isinstance(node, yaml.ScalarNode) and " " in node.value.strip():
            yield node.start_mark.line + 1, node.value
    for number, line in enumerate(text.splitlines(), start=1):
        if match := COMMENT.match(line):
            yield number, match.group(1)


def _nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if node is None:
        return
    yield node
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for one in pair:
                yield from _nodes(one)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _nodes(one)
