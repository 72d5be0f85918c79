# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of an application that are no processes: those that build a release on each host, and those that run once for a release.

A command runs as the application's user, in the release's `app` and with its virtual environment, the way its processes do. It gets the
environment of the host's first process. Its home and its temporary files are in a folder of its own that is removed afterwards.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import pwd
import re
import shlex
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, last_lines, values_of

#: In a word or in a value of an environment, the directory of the release that build commands write to.
BUILD = "{build}"
BEFORE, AFTER = "before", "after"
SECONDS = 900
#: The options of a command, as modules take them.
OPTIONS = {
    "command": {"type": "list", "elements": "str", "required": True},
    "environment": {"type": "dict", "default": {}},
    "seconds": {"type": "int", "default": SECONDS},
}
_SET_PDEATHSIG = 1  # prctl(2)
_TRACEBACK = "Traceback (most recent call last):"
#: Runs words with an environment in a directory, for at most some seconds: (exit status, standard output, standard error).
Execute = Callable[["list[str]", "dict[str, str]", Path, int], "tuple[int, str, str]"]


@dataclass(frozen=True)
class Command:
    """The words of a command, with variables of its own and the time it may take. `when` and `as_owner` are for release commands."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    seconds: int = SECONDS
    when: str = BEFORE
    as_owner: bool = False

    @property
    def shown(self) -> str:
        return shlex.join(self.command)


def digest(commands: Iterable[Command]) -> str:
    """What tells other commands apart: their words and their variables; empty where there are none."""
    found = [(command.command, command.environment) for command in commands]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() if found else ""


def expanded(values: Mapping[str, object], build: Path) -> dict[str, object]:
    """Variables with the build directory where they name it."""
    return {name: value.replace(BUILD, str(build)) if isinstance(value, str) else value for name, value in values.items()}


@dataclass(frozen=True)
class Place:
    """Where commands run: the directory of a release, its build directory, and the user."""

    release: Path
    build: Path
    user: str


def run(command: Command, place: Place, environment: Mapping[str, object], execute: Execute | None = None) -> tuple[int, str, str]:
    """Run a command with `environment`; returns exit status, output and errors; 124 where it took too long."""
    account = pwd.getpwnam(place.user)
    execute = execute or (lambda *given: _execute(account, *given))
    with tempfile.TemporaryDirectory(prefix="parity-command-") as home:
        os.chown(home, account.pw_uid, account.pw_gid)
        variables = {
            **expanded({**environment, **command.environment}, place.build),
            "APP_RELEASE": place.release.name,
            "HOME": home,
            "TMPDIR": home,
            "PATH": f"{place.release}/venv/bin:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": f"{place.release}/app",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        words = [word.replace(BUILD, str(place.build)) for word in command.command]
        return execute(words, {name: str(value) for name, value in variables.items()}, place.release / "app", command.seconds)


def _execute(account: pwd.struct_passwd, words: list[str], environment: dict[str, str], directory: Path, seconds: int) -> tuple:
    """Run it in a session of its own, so that nothing of it is left after its time."""
    try:
        started = subprocess.Popen(
            words, env=environment, cwd=directory, user=account.pw_uid, group=account.pw_gid, extra_groups=[], umask=0o022,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
    except OSError as error:
        return 127, "", f"{words[0]} cannot be run: {error.strerror}"
    try:
        out, err = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return 124, "", f"it did not end within {seconds} s"
    return started.returncode, out, err


def _end_with_parent() -> None:
    """Where this module is killed, its command ends too: the next run starts it again, and two must not run at one time."""
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)


def failure(what: str, command: Command, answer: tuple[int, str, str], secrets: Iterable[object]) -> ParityError:
    """The error of a command that failed: its telling line first, then its last lines, without any of `secrets`."""
    code, out, err = answer
    mask = Mask(values_of(list(secrets)))
    said = mask.text(err.strip() or out.strip())
    tail = last_lines(said)
    more = f" Its last lines:\n{tail}" if "\n" in tail else ""
    return ParityError(f"{what} `{mask.text(command.shown)}` failed with exit status {code}: {telling_line(said)}.{more}")


def telling_line(text: str) -> str:
    """The last line of the last traceback, or the last line that has words."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if _TRACEBACK in line]
    after = [line.strip() for line in lines[starts[-1] + 1 :] if line[:1].strip()] if starts else []
    told = after[:1] or [line.strip() for line in reversed(lines) if re.search(r"\w", line)][:1]
    return (told or ["it says nothing"])[0].removesuffix(".")[:500]


# --- Building a release ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Build:
    """How a release is built once its files are there: `environment` and `secrets` are those of the host's first process."""

    commands: list[Command]
    user: str
    environment: dict[str, object] = field(default_factory=dict)
    secrets: dict[str, object] = field(default_factory=dict, repr=False)

    def run(self, release: Path, directory: Path, execute: Execute | None = None) -> None:
        """Run every command, with nothing but `directory` to write to; what they wrote is root's afterwards, and never changes."""
        if not self.commands:
            return
        account = pwd.getpwnam(self.user)
        directory.mkdir(mode=0o755)
        os.chown(directory, account.pw_uid, account.pw_gid)
        for command in self.commands:
            answer = run(command, Place(release, directory, self.user), {**self.environment, **self.secrets}, execute)
            if answer[0] != 0:
                raise failure("The build command", command, answer, self.secrets.values())
        _seal(directory, account.pw_uid)


def _seal(directory: Path, owner: int) -> None:
    """Give all that `owner` wrote to root, readable for everybody. A link is changed itself, never what it leads to."""
    for _root, folders, files, place in os.fwalk(directory, topdown=False):
        for name in (*folders, *files):
            _take(name, place, owner)
    _take(str(directory), None, owner)


def _take(name: str, place: int | None, owner: int) -> None:
    found = os.stat(name, dir_fd=place, follow_symlinks=False)
    if found.st_uid != owner:
        return
    os.chown(name, 0, 0, dir_fd=place, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        os.chmod(name, 0o755, dir_fd=place)  # noqa: S103 - the proxy and the processes read it
    elif stat.S_ISREG(found.st_mode):
        os.chmod(name, 0o755 if found.st_mode & 0o100 else 0o644, dir_fd=place)
