# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container of a Dockerfile runs: CMD and ENTRYPOINT of its last stage."""

from __future__ import annotations

import json
import re

from ansible_collections.parity.stack.plugins.plugin_utils.discovery import commands
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Findings

_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)


def command(text: str) -> object:
    """The command as a list of words or, in shell form, a text; None where there is none."""
    entrypoint: object = None
    arguments: object = None
    for name, value in _instructions(text):
        if name == "FROM":
            entrypoint = arguments = None
        elif name == "ENTRYPOINT":
            entrypoint, arguments = _words(value), None
        elif name == "CMD":
            arguments = _words(value)
    if isinstance(entrypoint, list) and isinstance(arguments, list):
        # A script as entry point ends, as a rule, with exec "$@".
        return arguments if entrypoint and _is_script(entrypoint) else [*entrypoint, *arguments]
    return entrypoint or arguments


def read(text: str, file: str, project: str) -> Findings:
    """A process of the name `api` where it is a web process; one that is a command has the name of the project."""
    found = Findings()
    wanted = command(text)
    where = f"{file}, CMD"
    if not wanted:
        found.notes.append(f"{file} has no CMD or ENTRYPOINT in its last stage")
        return found
    process, why = commands.process_of(wanted, "api", where)
    if process:
        process.name = {"command": project, "celery": "worker", "celery-beat": "beat"}.get(process.run, process.name)
        found.processes.append(process)
    else:
        found.leave(where, why)
    return found


def _is_script(words: list[str]) -> bool:
    return any(word.endswith((".sh", ".bash")) or "entrypoint" in word for word in words[:3])


def _words(value: str) -> object:
    try:
        words = json.loads(value)
    except ValueError:
        return value.strip()
    return [str(word) for word in words] if isinstance(words, list) else value.strip()


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"[\\`][ \t]*\n", " ", "\n".join(lines))
    found = (_INSTRUCTION.fullmatch(line) for line in whole.splitlines())
    return [(match[1].upper(), match[2].strip()) for match in found if match]
