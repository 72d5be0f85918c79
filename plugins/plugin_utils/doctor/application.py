# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application offers, what Parity does with it, and what it gains by each part that is missing. Nothing of it is needed."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import source_files
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import project
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree
from ansible_collections.parity.stack.plugins.plugin_utils.doctor import snippets
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import contract

#: With the eight columns that Ansible puts in front, 80.
WIDTH = 72
_SETTINGS = ("acks_late", "reject_on_worker_lost")
#: Parts that somebody has to have for a purpose; without it there is nothing to gain.
_OF_THE_STACK = ("database", "broker", "storage", "migrations", "monitoring", "queue")
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Part:
    """A part that an application has, or may have: what is done with it, or what it would gain, and the lines that add it."""

    name: str
    there: bool
    says: str
    snippet: snippets.Snippet | None = None


def framework(application: str, processes: list[dict]) -> tuple[str, str]:
    """The framework of an application, and what tells it: what it depends on, or else what runs it."""
    try:
        dependencies = project.read(Tree(Path(application))).dependencies if application and "://" not in application else set()
    except (ParityError, OSError):
        dependencies = set()
    found = next((name for name in snippets.FRAMEWORKS if name in dependencies), "")
    if found:
        return found, f"it depends on {found}"
    runs = [process.get("run") for process in processes if process.get("web")]
    if "gunicorn" in runs and "uvicorn" not in runs:
        return "flask", "gunicorn runs it, and none of its dependencies says more"
    return "fastapi", "uvicorn runs it, and none of its dependencies says more" if runs else "nothing says more"


def parts(processes: list[dict], settings: dict, application: str) -> list[Part]:
    """All parts: those of the contract, a health path for each process, and what a worker's tasks survive."""
    kind = framework(application, processes)[0]
    found = []
    for offer, said in zip(contract.OFFERS, contract.offered(processes, settings)):
        whole = said["offered"] and "not checked: " not in said["line"]
        says = f"{offer.does}." if whole else f"not checked without it: {said['line'].rpartition('not checked: ')[2]}"
        found.append(Part(offer.name, whole, says, None if whole or offer.name in _OF_THE_STACK else snippets.of(offer.name, kind)))
    return [*_health(processes, kind), *found, *_celery(processes, application)]


def _health(processes: list[dict], kind: str) -> list[Part]:
    found = []
    for process in processes:
        name = f"health of {process['name']}"
        if process.get("health_path"):
            found.append(Part(name, True, f"{process['health_path']} has to answer 200 before a release is promoted."))
            continue
        part = "health" if process.get("web") else "worker health" if process.get("run") == "celery" else "command health"
        if process.get("run") == "celery-beat":
            found.append(Part(name, True, "it has none, and is healthy when it has run for 2 seconds; it sends and does no work."))
            continue
        how = "has run for 2 seconds" + (" and answers a ping" if process.get("run") == "celery" else "")
        says = f"it is healthy when it {how}. With a health path, one that hangs or has lost what it needs is seen."
        found.append(Part(name, False, says, snippets.of(part, kind)))
    return found


def _celery(processes: list[dict], application: str) -> list[Part]:
    if not any(process.get("run") == "celery" for process in processes):
        return []
    set_there = _names_in(application, _SETTINGS)
    if set_there is None:
        says = "whether a task survives the end of its worker cannot be judged from here: the sources are not on the control node."
        return [Part("celery settings", False, says, snippets.of("celery settings", ""))]
    missing = [f"task_{name}" for name in _SETTINGS if name not in set_there]
    if not missing:
        says = "the sources name task_acks_late and task_reject_on_worker_lost. Each deployment asks the worker whether it runs with them."
        return [Part("celery settings", True, says)]
    says = f"no source names {' and '.join(missing)}: a task is lost when its worker is killed. With both, another worker runs it again."
    return [Part("celery settings", False, says, snippets.of("celery settings", ""))]


def _names_in(application: str, names: tuple[str, ...]) -> set[str] | None:
    """Which of the names stand in a Python source of a directory; None where there is no directory."""
    if not application or "://" in application or not Path(application).is_dir():
        return None
    found = set()
    for name, path in source_files.below(Path(application)).items():
        if name.endswith(".py") and path.stat().st_size < _LARGEST:
            text = path.read_text(encoding="utf-8", errors="replace").lower()
            found |= {one for one in names if re.search(rf"(?m)^[^#\n]*{one}", text)}
    return found


def page(found: list[Part], why: tuple[str, str]) -> str:
    """What a person reads, no line longer than WIDTH."""
    lines = [*_wrapped(f"Nothing below is needed to deploy. The lines are for {why[0]}: {why[1]}."), "", "OFFERED"]
    lines += [line for part in found if part.there for line in _wrapped(f"{part.name}: {part.says}", "  ")]
    missing = [part for part in found if not part.there]
    lines += ["", "NOT OFFERED, AND WHAT IT WOULD GAIN" if missing else "Nothing is missing."]
    for part in missing:
        lines += ["", *_wrapped(f"{part.name}: {part.says}", "  ")]
        lines += _shown(part.snippet) if part.snippet else []
    return "\n".join(lines)


def _shown(snippet: snippets.Snippet) -> list[str]:
    lines = [f"    It needs the package {snippet.needs}"] if snippet.needs else []
    lines += [f"  | {line}".rstrip() for line in snippet.code.splitlines()]
    if snippet.inventory:
        lines += ["    In application.yml:", *(f"  | {line}" for line in snippet.inventory.splitlines())]
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
