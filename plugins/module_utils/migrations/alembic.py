# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions beside the database's own table of versions: what is applied, and what has drifted apart."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import (
    Applied,
    Migration,
    edited_after,
    in_words,
    missing,
    not_additive,
)


def history(revisions: list[Migration], current: Iterable[str], records: dict[str, Applied]) -> dict[str, Applied]:
    """What is applied: Alembic's table names the newest ones, and all they are built on is applied too.

    What a revision is built on that the release does not have is in its record.
    """
    known = {revision.version: revision for revision in revisions}
    todo, result = list(current), {}
    while todo:
        version = todo.pop()
        if version not in result:
            result[version] = records.get(version, Applied())
            todo += known[version].parents if version in known else result[version].parents
    return result


def drift(revisions: list[Migration], applied: dict[str, Applied], accepted: Iterable[str]) -> list[str]:
    """How files and database have drifted apart, each with its repair."""
    known = {revision.version: revision for revision in revisions}
    result = []
    ahead = missing(revisions, applied)
    own = [revision.file for revision in revisions if revision.version not in applied]
    if refused := not_additive(ahead, applied):
        result.append(
            f"The database is at {', '.join(ahead)}, which this release does not have, and {in_words(refused)}. Deploy a release that has "
            "its file; or, if what it did was undone by hand, tell Alembic: alembic stamp REVISION"
        )
    elif ahead and own:
        result.append(
            f"The database is at {', '.join(ahead)}, which this release does not have, and the release has {', '.join(own)}, which the "
            "database does not. Alembic applies nothing there. Deploy a release that has both files."
        )
    edited = sorted(
        version
        for version, state in applied.items()
        if version in known and version not in accepted and state.sha256 not in (None, known[version].sha256)
    )
    if edited:
        result.append(edited_after([known[version].file for version in edited], edited))
    return result


def words(error: dict) -> str:
    """What went wrong, from the driver's answer: PostgreSQL's own error where there is one, and the place in the project's code."""
    server = error["server"]
    said = error["words"]
    if server.get("message"):
        parts = [server["message"], *(f"{key}: {server[key]}" for key in ("detail", "hint", "context") if key in server)]
        said = f"{' / '.join(parts)} [{server.get('code', 'no code')}]"
    return said + (f" ({error['place']})" if error["place"] else "")


def explain(revision: Migration, error: dict, tool: str = "Alembic") -> str:
    """Why a revision was not applied, without a traceback."""
    who = "PostgreSQL" if error["server"].get("message") else tool
    needs = ""
    if error["place"].startswith("env.py"):
        needs = ". env.py gets the environment of the release's services; what else it needs goes into release_migration_environment"
    return f"{revision.file} failed and left nothing behind; the revisions before it stay applied. {who} says: {words(error)}{needs}"
