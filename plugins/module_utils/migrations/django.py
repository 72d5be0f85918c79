# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Django's migrations beside the database's own record of them: what is applied, and what has drifted apart."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import (
    Applied,
    Migration,
    edited_after,
    in_words,
    not_additive,
)


def history(local: list[Migration], recorded: Iterable[str], records: dict[str, Applied]) -> dict[str, Applied]:
    """What is applied: what Django has recorded, and a squashed migration once all that it replaces is applied."""
    applied = set(recorded)
    applied |= {one.version for one in local if one.replaces and applied.issuperset(one.replaces)}
    return {version: records.get(version, Applied()) for version in applied}


def drift(local: list[Migration], applied: dict[str, Applied], accepted: Iterable[str]) -> list[str]:
    """How files and database have drifted apart, each with its repair. Applications that the release does not have are none of it."""
    known = {one.version: one for one in local}
    result = []
    if refused := not_additive(missing(local, applied), applied):
        result.append(
            f"The database has migrations that this release does not, and {in_words(refused)}. Deploy a release that has their files; or, "
            f"where a file went with a squashed migration, tell Django: python -m django migrate {_app(min(refused))} --prune"
        )
    edited = sorted(
        version
        for version, state in applied.items()
        if version in known and known[version].sha256 and version not in accepted and state.sha256 not in (None, known[version].sha256)
    )
    if edited:
        result.append(edited_after([known[version].file for version in edited], edited))
    return result


def missing(local: list[Migration], applied: dict[str, Applied]) -> list[str]:
    """The versions that the database has and the release does not, of the applications that it has."""
    known = {version for one in local for version in (one.version, *one.replaces)}
    apps = {_app(one.version) for one in local}
    return sorted(version for version in applied if _app(version) in apps and version not in known)


def _app(version: str) -> str:
    return version.partition(".")[0]
