# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a Procfile."""

from __future__ import annotations

import re

from ansible_collections.parity.stack.plugins.plugin_utils.discovery import commands
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import PREPARES, Findings

_LINE = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*:\s*(.+)")
_ONCE = ("release", "migrate", "postdeploy")


def read(text: str, file: str) -> Findings:
    """A process for each line `name: command`."""
    found = Findings()
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            found.notes.append(f"{file} has a line that is not written name: command")
            continue
        name, command = match[1], match[2]
        where = f"{file}, {name}"
        process, why = commands.process_of(command, name, where) if name not in _ONCE else (None, PREPARES)
        if process:
            found.processes.append(process)
        else:
            found.leave(where, why)
    return found
