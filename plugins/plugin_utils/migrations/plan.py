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
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import sql_judge
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.layout import without_mark
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.sql_judge import BLOCKS, Statement
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import pieces

#: Which reader has judged SQL.
PARSER = "PostgreSQL's parser"

_FILE = re.compile(r"([0-9]+)_(.*)\.sql")


def read_files(directory: Path) -> list[dict[str, str]]:
    """Name and text of each SQL file of a directory, by name. Raises ParityError for a file that is not UTF-8."""
    return [{"file": path.name, "sql": sql_judge.read(path)} for path in sorted(directory.glob("*.sql"))]


def judged(files: Iterable[dict[str, str]]) -> list[dict]:
    """The judged plan from `[{"file": ..., "sql": ...}]`, in the order of the versions, as plain data for a module.

    Raises ParityError for a name that is none of a migration, and for a version that two files have.
    """
    ordered = sorted((_named(entry["file"]), entry["file"], entry["sql"]) for entry in files)
    for ((one, _name), first, _sql), ((two, _other), second, _text) in itertools.pairwise(ordered):
        if one == two:
            raise ParityError(f"{first} and {second} have the same version. Give the later one a version of its own.")
    return [_judged(version, name, file, sql) for (version, name), file, sql in ordered]


def sha256(text: str) -> str:
    """What tells an edited file: its digest, whatever the ends of its lines."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def statement(one: Statement) -> dict:
    """A judged statement as plain data, with its lock in words and the index it leaves behind when it is killed."""
    locks = f"{one.lock} on {one.table or 'what it names'} (blocks {BLOCKS[one.lock]})" if one.lock else ""
    return {**asdict(one), "locks": locks, "index": "" if one.transactional else _built_index(one.text)}


def _named(file: str) -> tuple[str, str]:
    match = _FILE.fullmatch(file)
    if not match:
        raise ParityError(
            f"{file!r} is not the name of a migration; wanted is <version>_<name>.sql with digits for the version, for example "
            "20260102030405_documents.sql"
        )
    return match[1], match[2]


def _judged(version: str, name: str, file: str, sql: str) -> dict:
    answer, directives = sql_judge.judge(sql, file), sql_judge.directives(sql)
    return {
        "file": file,
        "version": version,
        "name": name,
        "sha256": sha256(sql),
        "text": without_mark(sql),
        "verdict": answer.verdict,
        "marked": "destructive" in directives,
        "transactional": answer.transactional,
        "statement_timeout": directives.get("statement_timeout", ""),
        "problems": answer.problems,
        "statements": [statement(one) for one in answer.statements],
        "parents": [],
        "judged_from": PARSER,
    }


def _built_index(text: str) -> str:
    """The name of the index that CREATE INDEX CONCURRENTLY or REINDEX INDEX CONCURRENTLY builds."""
    node = pieces(text)[0].node
    kind = type(node).__name__
    if kind == "IndexStmt":
        return node.idxname or ""
    return node.relation.relname if kind == "ReindexStmt" and node.relation else ""
