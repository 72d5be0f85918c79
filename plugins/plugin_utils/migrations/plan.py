# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of SQL migrations as the host gets it: files in order, each judged, with what keeps it from running."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import sql_judge, texts
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.sql_judge import Known

#: Which reader has judged SQL.
PARSER = "PostgreSQL's parser"

_FILE = re.compile(r"([0-9]+)_(.*)\.sql")
_DIRECTIVES = ("destructive", "no-transaction", "statement_timeout")
_DURATION = re.compile(r"^\d+(us|ms|s|min|h|d)?$")


def read_files(directory: Path) -> list[dict[str, str]]:
    """Name and text of each SQL file of a directory, by name. Raises ParityError for a file that is not UTF-8."""
    return [{"file": path.name, "sql": texts.read(path)} for path in sorted(directory.glob("*.sql"))]


def judged(files: Iterable[dict[str, str]]) -> list[dict]:
    """The judged plan from `[{"file": ..., "sql": ...}]`, in the order of the versions, as plain data for a module.

    Raises ParityError for a name that is none of a migration, and for a version that two files have.
    """
    ordered = sorted((_named(entry["file"]), entry) for entry in files)
    for ((one, _name), first), ((two, _other), second) in itertools.pairwise(ordered):
        if one == two:
            raise ParityError(f"{first['file']} and {second['file']} have the same version. Give the later one a version of its own.")
    known, result = Known(), []
    for (version, name), entry in ordered:
        result.append(_judged(version, name, entry, known))
        sql_judge.learn(known, entry["sql"])
    return result


def directive_problems(file: str, directives: dict[str, str], allowed: Iterable[str] = _DIRECTIVES) -> list[str]:
    """What is wrong with what a file says of itself."""
    known = list(allowed)
    found = [
        f"{file} says {name!r} in a line `parity:`, which means nothing. Known are: {', '.join(known)}."
        for name in directives
        if name not in known
    ]
    limit = directives.get("statement_timeout")
    if limit is not None and not _DURATION.match(limit):
        found.append(f"{file} sets statement_timeout={limit!r}. Write a number with a unit, such as 30min or 2h.")
    return found


def sha256(text: str) -> str:
    """What tells an edited file: its digest, whatever the ends of its lines."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def _named(file: str) -> tuple[str, str]:
    match = _FILE.fullmatch(file)
    if not match:
        raise ParityError(
            f"{file!r} is not the name of a migration; wanted is <version>_<name>.sql with digits for the version, for example "
            "20260102030405_documents.sql"
        )
    return match[1], match[2]


def _judged(version: str, name: str, entry: dict[str, str], known: Known) -> dict:
    file, text = entry["file"], entry["sql"]
    answer, directives = sql_judge.judge(text, file, known), sql_judge.directives(text)
    return {
        "file": file,
        "version": version,
        "name": name,
        "sha256": sha256(text),
        "text": answer.text,
        "verdict": answer.verdict,
        "marked": "destructive" in directives,
        "transactional": answer.transactional,
        "statement_timeout": directives.get("statement_timeout", ""),
        "problems": directive_problems(file, directives) + answer.problems,
        "statements": [{**asdict(one), "locks": one.locks} for one in answer.statements],
        "parents": [],
        "judged_from": PARSER,
    }
