# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions beside the database's own table of versions: what is applied, and what has drifted apart."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.parity.stack.plugins.module_utils.migrations import Applied, Migration, edited_after

CONFIGURATION = """\
[alembic]
script_location = {place}
sqlalchemy.url = {url}
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


def history(revisions: list[Migration], current: Iterable[str], checksums: dict[str, str]) -> dict[str, Applied]:
    """What is applied: Alembic's table names the newest ones, and all they are built on is applied too."""
    known = {revision.version: revision for revision in revisions}
    todo, result = list(current), {}
    while todo:
        version = todo.pop()
        if version not in result:
            result[version] = Applied(sha256=checksums.get(version))
            todo += known[version].parents if version in known else ()
    return result


def drift(revisions: list[Migration], applied: dict[str, Applied], accepted: Iterable[str]) -> list[str]:
    """How files and database have drifted apart, each with its repair."""
    known = {revision.version: revision for revision in revisions}
    result = []
    missing = sorted(set(applied) - set(known))
    if missing:
        result.append(
            f"The database is at {', '.join(missing)}, which this release does not have. Deploy a release that has its file; or, if "
            "what it did was undone by hand, tell Alembic: alembic stamp REVISION"
        )
    edited = sorted(
        version
        for version, state in applied.items()
        if version in known and version not in accepted and state.sha256 not in (None, known[version].sha256)
    )
    if edited:
        result.append(edited_after([known[version].file for version in edited], edited))
    return result


def explain(revision: Migration, output: str) -> str:
    """What a failed `alembic upgrade` says, without its traceback."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    said = [number for number, line in enumerate(lines) if re.match(r"^[\w.]+(Error|Exception|\w+): |^FAILED", line)]
    words = lines[said[-1] :] if said else lines[-8:]
    words = [line for line in words if not line.startswith(("(Background", "[parameters"))]
    return f"{revision.file} failed and left nothing behind; the revisions before it stay. Alembic says: {' / '.join(words)[:1200]}"
