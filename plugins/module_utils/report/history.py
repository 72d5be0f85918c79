# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of the last runs in one directory, with a page that lists them. The directory is served as it is."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.report.style import CSS

INDEX = "index.html"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MARKS = {"passed": ("good", "✓"), "warning": ("unsure", "!"), "failed": ("bad", "✕")}


def keep(directory: Path, name: str, files: dict[str, str], most: int) -> list[str]:
    """Write a report, remove those that are too many (the oldest names), and list what is left. Returns what was removed."""
    if not _NAME.fullmatch(name) or f"{name}.html" == INDEX:
        raise ParityError(f"a report cannot be called {name!r}: letters, digits, dots, dashes and underscores are allowed.")
    if most < 1:
        raise ParityError(f"keep is {most}; at least one report is kept.")
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    for kind, content in files.items():
        write_atomically(directory / f"{name}.{kind}", content)
    names = sorted({path.stem for path in directory.glob("*.json")})
    removed = names[:-most]
    for path in (path for old in removed for path in directory.glob(f"{old}.*")):
        path.unlink()
    write_atomically(directory / INDEX, page([_entry(directory, each) for each in reversed(names[-most:])]))
    return removed


def _entry(directory: Path, name: str) -> dict:
    try:
        report = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
        return {**report["head"], "name": name, "verdict": report["verdict"], "headline": report["headline"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": name, "verdict": "warning", "headline": "this report cannot be read"}


def page(entries: list[dict]) -> str:
    """The list, newest first."""
    rows = "".join(_row(entry) for entry in entries) or '<tr><td colspan="5">No deployment has been reported yet.</td></tr>'
    stack = next((entry["stack"] for entry in entries if entry.get("stack")), "")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Deployments{' of ' + escape(stack) if stack else ''}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f'<section><div class="head"><h2>Deployments{" of " + escape(stack) if stack else ""}</h2>'
        f'<span class="soft small">the last {len(entries)}</span></div>'
        "<table><thead><tr><th></th><th>when</th><th>release</th><th>what came of it</th><th>by</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></section>\n</main>\n</body>\n</html>\n"
    )


def _row(entry: dict) -> str:
    tone, mark = _MARKS.get(entry["verdict"], _MARKS["warning"])
    cells = (entry.get("at", ""), entry.get("release", ""))
    told = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
    link = f'<a href="{escape(entry["name"])}.html">{escape(str(entry["headline"]))}</a>'
    return (
        f'<tr><td><b class="{tone}" style="color: var(--tone)" aria-label="{escape(entry["verdict"])}">{mark}</b></td>{told}'
        f"<td>{link}</td><td>{escape(str(entry.get('by', '')))}</td></tr>"
    )
