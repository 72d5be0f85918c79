# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log: who did what to which document, in which request. Never what was in it."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from docpipe.db import Connection


class Action(StrEnum):
    """What is worth a line. Asking how far a document is, is not."""

    UPLOAD = "upload"
    READ = "read"
    SEARCH = "search"
    DELETE = "delete"
    EXPORT = "export"
    ERASE = "erase"


def record(
    connection: Connection, actor: str, action: Action, request_id: str, document_id: UUID | None = None
) -> None:
    """Write a line, in the transaction of the action itself: one is never there without the other."""
    connection.execute(
        "INSERT INTO audit_log (actor, action, document_id, request_id) VALUES (%s, %s, %s, %s)",
        (actor, action, document_id, request_id),
    )


def entries_for(connection: Connection, actor: str) -> list[dict[str, Any]]:
    """The lines about one person's actions, for their export."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT at, action, document_id, request_id FROM audit_log WHERE actor = %s ORDER BY at, id",
            (actor,),
        ).fetchall()
