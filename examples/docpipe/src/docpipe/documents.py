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
from docpipe.states import WAITING, State, check_transition

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


def find(
    connection: Connection, document_id: UUID, owner: str | None = None, lock: bool = False
) -> Document | None:
    """The document, if it exists and, where an owner is given, is theirs."""
    query = f"SELECT {COLUMNS} FROM documents WHERE id = %s AND (%s::text IS NULL OR owner = %s)"
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(query + (" FOR UPDATE" if lock else ""), (document_id, owner, owner)).fetchone()


def list_for(connection: Connection, owner: str, limit: int | None = None, offset: int = 0) -> list[Document]:
    """The owner's documents, newest first."""
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM documents WHERE owner = %s"
            " ORDER BY created_at DESC, id LIMIT %s OFFSET %s",
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
    """Note one more try at this stage: here, not in the broker, so that it survives a killed worker."""
    document.attempt += 1
    connection.execute(
        "UPDATE documents SET attempt = %s, updated_at = clock_timestamp() WHERE id = %s",
        (document.attempt, document.id),
    )


def advance(
    connection: Connection, document: Document, to: State, release: str, detail: str | None = None
) -> bool:
    """Move the document on if it is still where we saw it, and record it; false if another was faster."""
    check_transition(document.state, to)
    changed = connection.execute(
        "UPDATE documents SET state = %(to)s, reason = %(reason)s, attempt = %(attempt)s,"
        " updated_at = clock_timestamp() WHERE id = %(id)s AND state = %(seen)s",
        {
            "to": to,
            "reason": detail if to is State.FAILED else None,
            "attempt": 0 if to in WAITING else document.attempt,
            "id": document.id,
            "seen": document.state,
        },
    )
    if changed.rowcount == 0:
        return False
    _record(connection, document.id, document.state, to, document.attempt, detail, release)
    return True


def _record(
    connection: Connection,
    document_id: UUID,
    before: State | None,
    after: State,
    attempt: int,
    detail: str | None,
    release: str,
) -> None:
    connection.execute(
        "INSERT INTO transitions (document_id, from_state, to_state, attempt, detail, release)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (document_id, before, after, attempt, detail, release),
    )


def transitions(connection: Connection, document_id: UUID) -> list[dict[str, Any]]:
    """The document's history, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            'SELECT from_state AS "from", to_state AS "to", at, attempt, detail, release'
            " FROM transitions WHERE document_id = %s ORDER BY at",
            (document_id,),
        ).fetchall()


def store_pages(connection: Connection, document_id: UUID, pages: Sequence[Page]) -> None:
    """Store the parsed text; storing it again changes nothing."""
    connection.cursor().executemany(
        "INSERT INTO pages (document_id, page_number, content) VALUES (%s, %s, %s)"
        " ON CONFLICT (document_id, page_number) DO UPDATE SET content = excluded.content",
        [(document_id, page.number, page.text) for page in pages],
    )
    connection.execute("UPDATE documents SET pages = %s WHERE id = %s", (len(pages), document_id))


def load_pages(connection: Connection, document_id: UUID) -> list[Page]:
    rows = connection.execute(
        "SELECT page_number, content FROM pages WHERE document_id = %s ORDER BY page_number", (document_id,)
    )
    return [Page(number, text) for number, text in rows]


def store_chunks(connection: Connection, document_id: UUID, chunks: Iterable[Chunk]) -> None:
    """Store the chunks; storing them again changes nothing, and keeps embeddings already paid for."""
    connection.cursor().executemany(
        "INSERT INTO chunks (document_id, chunk_index, page_number, content) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (document_id, chunk_index)"
        " DO UPDATE SET page_number = excluded.page_number, content = excluded.content",
        [(document_id, chunk.index, chunk.page, chunk.text) for chunk in chunks],
    )


def load_chunks(connection: Connection, document_id: UUID) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            'SELECT chunk_index AS "index", page_number AS page, content AS text,'
            " embedding IS NOT NULL AS embedded FROM chunks WHERE document_id = %s ORDER BY chunk_index",
            (document_id,),
        ).fetchall()


def chunks_without_embedding(connection: Connection, document_id: UUID) -> list[tuple[int, str]]:
    return connection.execute(
        "SELECT chunk_index, content FROM chunks"
        " WHERE document_id = %s AND embedding IS NULL ORDER BY chunk_index",
        (document_id,),
    ).fetchall()


def store_embeddings(connection: Connection, document_id: UUID, embeddings: dict[int, list[float]]) -> None:
    connection.cursor().executemany(
        "UPDATE chunks SET embedding = %s WHERE document_id = %s AND chunk_index = %s",
        [(vector, document_id, index) for index, vector in embeddings.items()],
    )


def search(connection: Connection, owner: str, query: list[float], limit: int) -> list[dict[str, Any]]:
    """The owner's chunks most similar to the query, best first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            'SELECT document_id, chunk_index AS "index", page_number AS page, content AS text, similarity'
            " FROM search_chunks(%s, %s::real[], %s)",
            (owner, query, limit),
        ).fetchall()


def claim_stuck(connection: Connection, older_than_seconds: float, limit: int) -> list[tuple[UUID, State]]:
    """Documents nothing has happened to for too long; touched, so that the next sweep passes over them."""
    rows = connection.execute(
        "UPDATE documents SET updated_at = clock_timestamp() WHERE id IN ("
        " SELECT id FROM documents WHERE state NOT IN ('complete', 'failed')"
        " AND updated_at < clock_timestamp() - make_interval(secs => %s)"
        " ORDER BY updated_at LIMIT %s FOR UPDATE SKIP LOCKED"
        ") RETURNING id, state",
        (older_than_seconds, limit),
    )
    return [(document_id, State(state)) for document_id, state in rows]
