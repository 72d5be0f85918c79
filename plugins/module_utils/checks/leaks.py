# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find secrets where they must not be: in a journal, a log file, the arguments of a process.

A finding has the secret's name and the place. It never shows the line itself: the secret is in it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import anchor, forms, parts

#: Shorter values stand in every log by chance.
SHORTEST = 8
_TOKEN = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")
_WHO = re.compile(rb"^(\S+) \S+ ([\w@.-]+)(?:\[\d+\])?:")
_BLOCK = 1 << 20
_MOST_BYTES = 512 << 20
_MOST_FOUND = 200


class Needles:
    """Secrets to search for, each in the forms it may stand in."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._forms: dict[bytes, str] = {}
        for name, value in secrets.items():
            for secret in parts(str(value)):
                for form in forms(secret) if len(secret) >= SHORTEST else ():
                    self._forms.setdefault(form.encode(errors="surrogateescape"), name)
        # Forms of a secret share their letters: a block without those letters needs one search instead of many.
        self._anchors: dict[bytes, list[bytes]] = {}
        for form in self._forms:
            self._anchors.setdefault(anchor(form.decode(errors="replace")).encode() or form, []).append(form)

    def __len__(self) -> int:
        return len(set(self._forms.values()))

    def in_(self, text: bytes) -> list[str]:
        """Names of the secrets that stand in the text, and a token of any user."""
        worth = (form for run, forms_of_it in self._anchors.items() if run in text for form in forms_of_it)
        found = sorted({self._forms[form] for form in worth if form in text})
        return [*found, *(["a token (JWT)"] if _TOKEN.search(text) else [])]


def in_journal(needles: Needles, units: list[str], hours: float, *, seconds: float = 60) -> tuple[list[str], int]:
    """Where secrets stand in the journal of some units, or in all of it, and how many bytes were read."""
    words = ["journalctl", "--no-pager", "--quiet", "--all", "--output", "short-iso", "--since", f"-{int(hours * 60)} minutes"]
    words += [word for unit in units for word in ("--unit", unit)]
    with tempfile.TemporaryFile() as complaints, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=complaints) as process:
        try:
            found, read = _search(needles, lambda size: process.stdout.read(size) if process.stdout else b"", _who, seconds)
            if process.wait() != 0:
                complaints.seek(0)
                raise ParityError(f"the journal cannot be read: {complaints.read().decode(errors='replace').strip()}")
        finally:
            process.kill()
    return found, read


def in_file(needles: Needles, path: Path, *, seconds: float = 30) -> tuple[list[str], int]:
    """The same for a log file: its end, where it is very long."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_BYTES))
        return _search(needles, file.read, lambda _line: str(path), seconds)


def in_process_list(needles: Needles, proc: Path = Path("/proc")) -> list[str]:
    """Processes that have a secret in their arguments, which every user of the host can read."""
    found = []
    for process in proc.iterdir():
        if process.name.isdigit():
            try:
                arguments = (process / "cmdline").read_bytes()
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:  # it has just ended
                continue
            found += [f"{name}: {secret}" for secret in needles.in_(arguments)]
    return found


def _who(line: bytes) -> str:
    found = _WHO.match(line)
    return f"{found[2].decode(errors='replace')} at {found[1].decode(errors='replace')}" if found else "a line of several"


def _search(needles: Needles, read: Callable[[int], bytes], place: Callable[[bytes], str], seconds: float) -> tuple[list[str], int]:
    """Search whole lines, because logs consist of lines. Raises ParityError where there is more than can be read in time."""
    deadline, found, total, rest = time.monotonic() + seconds, [], 0, b""
    while block := read(_BLOCK):
        total += len(block)
        block = rest + block
        whole, _newline, rest = block.rpartition(b"\n")
        if len(rest) > _BLOCK:  # a line without an end
            whole, rest = block, b""
        if needles.in_(whole):
            found += [f"{place(line)}: {name}" for line in whole.split(b"\n") for name in needles.in_(line)]
        if time.monotonic() > deadline or total > _MOST_BYTES:
            read_so_far = f"{total >> 20} MiB in {seconds:.0f} s"
            raise ParityError(f"there is more to read than {read_so_far}. Search fewer hours (validation_log_hours).")
    found += [f"{place(rest)}: {name}" for name in needles.in_(rest)]
    return found[:_MOST_FOUND], total
