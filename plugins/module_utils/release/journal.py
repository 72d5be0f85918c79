# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The append-only record of runs on a host, and the deployment lock that keeps two runs apart.

An entry is one JSON object a line: `at` (UTC, ISO 8601), `run`, `phase` (`begun`, `staged`, `promoted`, `finished`, `rolled back`,
`stale lock replaced`), `release`, `slot`, `host`, `operator`, under AWX `job`. `begun` also has the state that a rollback
restores (`live_slot`, `live_release`) and what begins (`kind`: deployment or rollback).

On the host that migrates, each migration is noted before it is applied and after (`migrating`, then `migrated`, or `not migrated`
where it failed and left nothing behind), with its `file`. `checked` has the result of the check after a rollback: `result` (passed or
failed), `live` (the live release), and where it failed a `reason`. A release command is noted in the same way (`command begun`, then
`command finished` or `command failed`), with its `command` in words and the `key` that tells it from others.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Phases after which a run needs nothing more.
ROLLED_BACK = "rolled back"
ENDED = ("finished", ROLLED_BACK)
COMMAND_BEGUN, COMMAND_FINISHED, COMMAND_FAILED = "command begun", "command finished", "command failed"
MIGRATING, MIGRATED, NOT_MIGRATED, CHECKED = "migrating", "migrated", "not migrated", "checked"
#: Follows the name of a migration whose end is not in the journal.
UNCERTAIN = " (may be applied)"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def new_run() -> str:
    """An identifier for a deployment that sorts by time and does not repeat."""
    return time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + secrets.token_hex(3)


def append(path: Path, entry: dict) -> None:
    """Write one line and force it to disk; the journal is readable by the service's group, writable by root."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": now(), **entry}, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        if _ends_torn(path):
            line = "\n" + line
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> list[dict]:
    """All entries, oldest first. A last line cut off by a crash is left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    return [entry for entry in map(_parse, lines) if entry]


def of_run(path: Path, run: str) -> list[dict]:
    """The entries of one run, oldest first."""
    return [entry for entry in read(path) if entry.get("run") == run]


def unfinished(entries: list[dict]) -> dict | None:
    """The `begun` entry of the latest run when it has not ended, else None."""
    begun = None
    for entry in entries:
        if entry.get("phase") == "begun":
            begun = entry
        elif begun and entry.get("phase") in ENDED and entry.get("run") == begun["run"]:
            begun = None
    return begun


def promoted_releases(entries: list[dict]) -> set[str]:
    """Releases that have had the traffic, whatever came of it."""
    return {entry["release"] for entry in entries if entry.get("phase") == "promoted" and entry.get("release")}


def finished_releases(entries: list[dict]) -> list[str]:
    """Releases that were promoted by a run that finished, oldest first, each once, by their last time."""
    promoted = {(entry.get("run"), entry.get("release")) for entry in entries if entry.get("phase") == "promoted"}
    result: list[str] = []
    for entry in entries:
        name = entry.get("release")
        if entry.get("phase") == "finished" and (entry.get("run"), name) in promoted:
            result = [*(release for release in result if release != name), name]
    return result


def good_releases(entries: list[dict]) -> list[str]:
    """`finished_releases` without those that an operator rolled back, until they are deployed or named for a rollback again."""
    promoted = {(entry.get("run"), entry.get("release")) for entry in entries if entry.get("phase") == "promoted"}
    rollbacks = {entry.get("run") for entry in entries if entry.get("phase") == "begun" and entry.get("kind") == "rollback"}
    result: list[str] = []
    for entry in entries:
        run, name = entry.get("run"), entry.get("release")
        if entry.get("phase") != "finished" or (run, name) not in promoted:
            continue
        if run in rollbacks and name in result:
            del result[result.index(name) + 1 :]
        else:
            result = [*(release for release in result if release != name), name]
    return result


def last_finished(entries: list[dict]) -> str | None:
    """The release of the last run that finished, on a host with or without services."""
    return next((entry["release"] for entry in reversed(entries) if _finished_release(entry)), None)


def finished_runs(entries: list[dict], last: int = 50) -> list[str]:
    """The runs that finished, the latest ones."""
    return [entry["run"] for entry in entries if entry.get("phase") == "finished" and entry.get("run")][-last:]


@contextlib.contextmanager
def applying(path: Path, run: str, file: str, now_is: Callable[[], str | None]) -> Iterator[None]:
    """Note a migration before it is applied and after.

    Where it fails, `now_is` returns which of `MIGRATED` and `NOT_MIGRATED` is true now, or None where that cannot be judged.
    """
    _note_migration(path, run, MIGRATING, file)
    try:
        yield
    except Exception:
        phase = now_is()
        if phase:
            _note_migration(path, run, phase, file)
        raise
    _note_migration(path, run, MIGRATED, file)


def _note_migration(path: Path, run: str, phase: str, file: str) -> None:
    begun = next((entry for entry in of_run(path, run) if entry.get("phase") == "begun"), {})
    author = {key: begun[key] for key in ("release", "host", "operator", "job") if begun.get(key)}
    append(path, {"run": run, "phase": phase, **author, "file": file})


def applied_migrations(entries: list[dict], run: str) -> list[str]:
    """The migrations of a run that are applied, in order. A migration without an end in the journal is named with `UNCERTAIN`."""
    phases: dict[str, str] = {}
    for entry in entries:
        if entry.get("run") == run and entry.get("file") and entry.get("phase") in (MIGRATING, MIGRATED, NOT_MIGRATED):
            phases[entry["file"]] = entry["phase"]
    return [file + UNCERTAIN * (phase == MIGRATING) for file, phase in phases.items() if phase != NOT_MIGRATED]


def commands(entries: list[dict]) -> dict[str, dict]:
    """The last entry of each release command, by its key. One that is `COMMAND_BEGUN` runs now, or was interrupted."""
    return {entry["key"]: entry for entry in entries if entry.get("key") and str(entry.get("phase")).startswith("command ")}


def commands_of(entries: list[dict], run: str) -> list[str]:
    """The release commands that a run has run, in words; one without an end in the journal is named as such."""
    found = commands([entry for entry in entries if entry.get("run") == run]).values()
    ends = {COMMAND_FINISHED: "", COMMAND_BEGUN: " (interrupted)"}
    return [f"{entry['command']}{ends[entry['phase']]}" for entry in found if entry["phase"] in ends]


def last_check(entries: list[dict]) -> dict | None:
    """The check of the live release after the last rollback; None where there was none, or a migration came after it."""
    last = next((entry for entry in reversed(entries) if entry.get("phase") in (CHECKED, MIGRATING, "begun")), None)
    return last if last and last["phase"] == CHECKED else None


def staying_migrations(entries: list[dict]) -> list[dict]:
    """The migrations that unfinished runs left applied since the last deployment that finished: `run`, `release`, `migrations`.

    The schema is never rolled back, so they stay until a deployment finishes with them.
    """
    rollbacks = {entry.get("run") for entry in entries if entry.get("phase") == "begun" and entry.get("kind") == "rollback"}
    finished = {entry.get("run") for entry in entries if entry.get("phase") == "finished"}
    ends = [number for number, entry in enumerate(entries) if entry.get("phase") == "finished" and entry.get("run") not in rollbacks]
    since = entries[ends[-1] + 1 :] if ends else entries
    runs: dict[str, str | None] = {}
    for entry in since:
        if entry.get("run") and entry["run"] not in finished:
            # Entries before `begun` name no release, and a later one may name the release that is live again.
            named = entry.get("release") if entry.get("phase") in ("begun", MIGRATING, MIGRATED) else None
            runs[entry["run"]] = runs.get(entry["run"]) or named
    found = [{"run": run, "release": release, "migrations": applied_migrations(since, run)} for run, release in runs.items()]
    return [one for one in found if one["migrations"]]


def _finished_release(entry: dict) -> bool:
    return entry.get("phase") == "finished" and bool(entry.get("release"))


def take_lock(path: Path, holder: dict, *, seconds: int, force: bool = False, processes: list[str] | None = None) -> dict | None:
    """Lock the stack, or raise ParityError with the holder of the lock. The same run may lock it again.

    `holder` has `run` and `operator`, and may have `machine` and `process`, which name the control node and its process;
    `processes` are those that run there now. Replaces a stale lock (its process has ended on this very control node), and with
    `force` any other. Returns the lock that it replaced, if any; the caller journals that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    content = json.dumps({**holder, "since": now(), "expires": expires}) + "\n"
    with _one_at_a_time(path.parent):
        held = read_lock(path)
        if held is not None and held.get("run") == holder["run"]:
            return None
        if held is not None and not force and not _orphaned(held, holder, processes or []):
            raise ParityError(_refusal(held), lock=held)
        _replace(path, content)
    return held


def _orphaned(held: dict, holder: dict, processes: list[str]) -> bool:
    """Whether the process that holds the lock has certainly ended: only its own control node can show that."""
    machine, process = held.get("machine"), held.get("process")
    return bool(machine and process) and machine == holder.get("machine") and process not in processes


def _refusal(held: dict) -> str:
    job = f", AWX job {held['job']}" if held.get("job") else ""
    words = f"{held.get('operator')} holds the lock since {held.get('since')} (run {held.get('run')}{job}, expires {held.get('expires')})"
    if held.get("expires", "unknown") > now():
        return (
            f"a deployment is running: {words}. Wait for it, or, when it is certain that it has died, run again with "
            "-e stack_force_unlock=true"
        )
    return (
        f"a deployment has not unlocked the stack: {words}. The lock has expired. Make sure that the deployment does not run any more, "
        "then run again with -e stack_force_unlock=true"
    )


def read_lock(path: Path) -> dict | None:
    """The lock, or None when nobody holds it. An unreadable lock counts as held by somebody unknown."""
    try:
        held = _parse(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None
    return held or dict.fromkeys(("operator", "run", "since", "expires"), "unknown")


def release_lock(path: Path, run: str) -> bool:
    """Unlock the stack if `run` holds the lock. Returns whether it did."""
    if read_lock(path) is None:
        return False
    with _one_at_a_time(path.parent):
        held = read_lock(path)
        if held is None or held.get("run") != run:
            return False
        path.unlink()
    return True


@contextlib.contextmanager
def alone(path: Path, *, seconds: float = 900) -> Iterator[None]:
    """Let one process at a time change this host; the kernel lets the next one in when it ends, however it ends.

    When a control node dies, the module that it started goes on. The next process waits here for its end, at most `seconds`, and then
    raises ParityError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("a", encoding="utf-8") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ParityError(
                        f"a process that an earlier run started on this host still runs after {seconds:.0f} s. Find it with: "
                        f"fuser -v {path}"
                    ) from None
                time.sleep(0.05)
        yield


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep other processes from the lock while this one reads and changes it; the kernel ends this with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: str) -> None:
    """Write the lock in one step, so that nobody ever reads half a lock."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    os.replace(temporary, path)


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        if stream.tell() == 0:
            return False
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) != b"\n"


def _parse(line: str) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
