# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL about documents. Every function works inside the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from docpipe.chunking import Chunk
from docpipe.db import Connection
from docpipe.parsing import Page
from docpipe.states import FINAL, State, check_transition

COLUMNS = (
    "id, owner, filename, content_type, size_bytes, sha256, object_key,"
    " state, reason, pages, attempt, created_at, updated_at"
)


@dataclass
class Document:
    """A row of `documents`."""

    id: UUID
    owner: str
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    object_key: str
    state: State
    reason: str | None
    pages: int | None
    attempt: int
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        self.state = State(self.state)


def insert(connection: Connection, document_id: UUID, release: str, **values: Any) -> Document:
    """A new document, with its first transition."""
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        document = cursor.execute(
            "INSERT INTO documents (id, owner, filename, content_type, size_bytes, sha256, object_key, state)"
            " VALUES (%(id)s, %(owner)s, %(filename)s, %(content_type)s, %(size_bytes)s, %(sha256)s,"
            f" %(object_key)s, %(state)s) RETURNING {COLUMNS}",
            {**values, "id": document_id, "state": State.UPLOADED},
        ).fetchone()
    assert document is not None
    _record(connection, document_id, None, State.UPLOADED, attempt=1, detail=None, release=release)
    return document


def find(connection: Connection, document_id: UUID, owner: str | None = None, lock: bool = False) -> Document | None:
    """The document, if it exists and, where an owner is given, is theirs."""
    query = f"SELECT {COLUMNS} FROM documents WHERE id = %s AND (%s::text IS NULL OR owner = %s)"
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(query + (" FOR UPDATE" if lock else ""), (document_id, owner, owner)).fetchone()


def list_for(connection: Connection, owner: str, limit: int | None = None, offset: int = 0) -> list[Document]:
    """The owner's documents, newest first."""
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM documents WHERE owner = %s ORDER BY created_at DESC, id LIMIT %s OFFSET %s",
            (owner, limit, offset),
        ).fetchall()


def delete(connection: Connection, document_id: UUID) -> None:
    """Remove the document and, by cascade, everything made from it."""
    connection.execute("DELETE FROM documents WHERE id = %s", (document_id,))


def delete_for(connection: Connection, owner: str) -> list[str]:
    """Remove all documents of the owner; returns the keys of their objects."""
    rows = connection.execute("DELETE FROM documents WHERE owner = %s RETURNING object_key", (owner,))
    return [key for (key,) in rows]


def count_attempt(connection: Connection, document: Document) -> None:
    """One more try at the current stage. Kept here, not in the broker, so that it survives a killed worker."""
    document.attempt += 1
    connection.execute(
        "UPDATE documents SET attempt = %s, updated_at = clock_timestamp() WHERE id = %s",
        (document.attempt, document.id),
    )


def advance(
    connection: Connection,
    document: Document,
    to: State,
    release: str,
    detail: str | None = None,
) -> bool:
    """Move the document on if it is still where we saw it, and record that; false if somebody else was faster."""
    check_transition(document.state, to)
    entered_done_state = to.name.endswith("ED") and to is not State.FAILED
    changed = connection.execute(
        "UPDATE documents SET state = %s, reason = %s, attempt = %s, updated_at = clock_timestamp()"
        " WHERE id = %s AND state = %s",
        (
            to,
            detail if to is State.FAILED else None,
            0 if entered_done_state else document.attempt,
            document.id,
            document.state,
        ),
    )
    if changed.rowcount == 0:
        return False
    _record(connection, document.id, document.state, to, document.attempt, detail, release)
    return True
