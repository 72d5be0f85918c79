# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints for people: their documents, their search, their data."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, BinaryIO
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Response, UploadFile
from fastapi.responses import StreamingResponse

from docpipe import audit, documents, faults, metrics
from docpipe.audit import Action
from docpipe.db import Connection
from docpipe.documents import Document
from docpipe.errors import PermanentError, TransientError
from docpipe.middleware import too_large
from docpipe.models import (
    ChunkList,
    DocumentDetail,
    DocumentList,
    DocumentOut,
    Erasure,
    Export,
    SearchResult,
    SignedUrl,
)
from docpipe.queue import send
from docpipe.services import WithCaller, WithRequestId, WithServices
from docpipe.states import PARSE, State
from docpipe.storage import InvalidKey, ObjectNotFound, ObjectStorage, owner_prefix

log = logging.getLogger(__name__)
router = APIRouter(dependencies=[Depends(faults.on_request)])

PDF = "application/pdf"
_MAGIC = b"%PDF-"
_MAGIC_WITHIN = 1024  # readers accept some bytes before the mark, and so do we
_BLOCK = 64 * 1024
_URL_SECONDS = 15 * 60


@router.post("/documents", status_code=202)
def upload(
    file: UploadFile,
    response: Response,
    services: WithServices,
    caller: WithCaller,
    request_id: WithRequestId,
) -> DocumentOut:
    """Take in a PDF. It is safe (row and file stored) before the answer; the work on it comes later."""
    size = file.size or 0
    if file.content_type != PDF:
        raise HTTPException(415, "only application/pdf is accepted")
    if size == 0:
        raise HTTPException(400, "the file is empty")
    if size > services.settings.max_upload_bytes:
        raise too_large()
    if _MAGIC not in file.file.read(_MAGIC_WITHIN):
        raise HTTPException(415, "the file is not a PDF")

    file.file.seek(0)
    checksum = hashlib.file_digest(file.file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.file.seek(0)

    document_id = uuid4()
    with services.database.transaction() as connection:
        document = documents.insert(
            connection,
            document_id,
            services.settings.app_release,
            owner=caller.subject,
            filename=_safe_filename(file.filename),
            content_type=PDF,
            size_bytes=size,
            sha256=checksum,
            object_key=f"{owner_prefix(caller.subject)}{document_id}.pdf",
        )
        audit.record(connection, caller.subject, Action.UPLOAD, request_id, document_id)
    try:
        services.storage.put(document.object_key, file.file, PDF)
    except OSError as error:
        log.error("%s: cannot store the file (%s)", document_id, type(error).__name__)
        with services.database.transaction() as connection:
            documents.delete(connection, document_id)
        raise HTTPException(503, "the file could not be stored, try again later") from None
    if caller.subject != services.settings.probe_subject:
        metrics.count_transition(None, State.UPLOADED)

    send(services.celery, PARSE, document_id, queue=caller.queue)
    response.headers["Location"] = f"/documents/{document_id}"
    return DocumentOut.model_validate(document)


@router.get("/documents")
def list_documents(
    services: WithServices,
    caller: WithCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> DocumentList:
    """The caller's documents, newest first."""
    with services.database.transaction() as connection:
        found = documents.list_for(connection, caller.subject, limit, offset)
    return DocumentList(documents=[DocumentOut.model_validate(document) for document in found])


@router.get("/documents/{document_id}")
def get_document(document_id: UUID, services: WithServices, caller: WithCaller) -> DocumentDetail:
    """How far a document is, how it got there, and why it failed if it did."""
    with services.database.transaction() as connection:
        return _detail(connection, _own(connection, document_id, caller.subject))


@router.get("/documents/{document_id}/chunks")
def get_chunks(
    document_id: UUID, services: WithServices, caller: WithCaller, request_id: WithRequestId
) -> ChunkList:
    """The text of a document, as it was cut for search."""
    with services.database.transaction() as connection:
        _own(connection, document_id, caller.subject)
        audit.record(connection, caller.subject, Action.READ, request_id, document_id)
        chunks = documents.load_chunks(connection, document_id)
    return ChunkList.model_validate({"document_id": document_id, "chunks": chunks})


@router.get("/documents/{document_id}/content")
def get_content(
    document_id: UUID, services: WithServices, caller: WithCaller, request_id: WithRequestId
) -> StreamingResponse:
    """The uploaded file."""
    with services.database.transaction() as connection:
        document = _own(connection, document_id, caller.subject)
        audit.record(connection, caller.subject, Action.READ, request_id, document_id)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.filename, safe='')}"}
    return _stream(services.storage, document.object_key, headers)


@router.get("/documents/{document_id}/url")
def get_url(
    document_id: UUID, services: WithServices, caller: WithCaller, request_id: WithRequestId
) -> SignedUrl:
    """A link to the uploaded file that works without a token, for a while."""
    with services.database.transaction() as connection:
        document = _own(connection, document_id, caller.subject)
        audit.record(connection, caller.subject, Action.READ, request_id, document_id)
    return SignedUrl(
        url=services.storage.signed_url(document.object_key, _URL_SECONDS), expires_in=_URL_SECONDS
    )


@router.get("/objects/{key:path}")
def get_object(key: str, expires: int, signature: str, services: WithServices) -> StreamingResponse:
    """What a signed URL points to, where the storage backend cannot serve it itself."""
    if not services.signer.valid(key, expires, signature):
        raise HTTPException(403, "the link is not valid, or has expired")
    return _stream(services.storage, key, {"Content-Disposition": "attachment"})


@router.delete("/documents/{document_id}", status_code=204)
def delete_document(
    document_id: UUID, services: WithServices, caller: WithCaller, request_id: WithRequestId
) -> None:
    """Delete a document, everything made from it, and its file: all of it or, on an error, nothing."""
    with services.database.transaction() as connection:
        document = _own(connection, document_id, caller.subject, lock=True)
        documents.delete(connection, document_id)
        audit.record(connection, caller.subject, Action.DELETE, request_id, document_id)
        services.storage.delete(document.object_key)


@router.get("/search")
def search(
    services: WithServices,
    caller: WithCaller,
    request_id: WithRequestId,
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    limit: Annotated[int, Query(ge=1, le=50)] = 5,
) -> SearchResult:
    """The caller's chunks that resemble the query most."""
    try:
        [vector] = services.embedder.embed([q])
    except (PermanentError, TransientError) as error:
        raise HTTPException(503, f"the query could not be embedded: {error}") from None
    with services.database.transaction() as connection:
        audit.record(connection, caller.subject, Action.SEARCH, request_id)
        hits = documents.search(connection, caller.subject, vector, limit)
    return SearchResult.model_validate({"query": q, "hits": hits})


@router.get("/export")
def export(services: WithServices, caller: WithCaller, request_id: WithRequestId) -> Export:
    """Everything stored about the caller."""
    with services.database.transaction() as connection:
        audit.record(connection, caller.subject, Action.EXPORT, request_id)
        content = [
            {
                **vars(document),
                "transitions": documents.transitions(connection, document.id),
                "content_url": f"/documents/{document.id}/content",
                "chunks": documents.load_chunks(connection, document.id),
            }
            for document in documents.list_for(connection, caller.subject)
        ]
        actions = audit.entries_for(connection, caller.subject)
    return Export.model_validate(
        {
            "subject": caller.subject,
            "exported_at": datetime.now(UTC),
            "documents": content,
            "audit": actions,
        }
    )


@router.delete("/account")
def erase(services: WithServices, caller: WithCaller, request_id: WithRequestId) -> Erasure:
    """Erase everything of the caller. The audit log keeps that it happened, and nothing of what there was."""
    with services.database.transaction() as connection:
        keys = set(documents.delete_for(connection, caller.subject))
        audit.record(connection, caller.subject, Action.ERASE, request_id)
        objects = keys | set(services.storage.list(owner_prefix(caller.subject)))
        for key in objects:
            services.storage.delete(key)
    return Erasure(documents=len(keys), objects=len(objects))


def _own(connection: Connection, document_id: UUID, owner: str, lock: bool = False) -> Document:
    document = documents.find(connection, document_id, owner, lock)
    if document is None:
        # The same answer for other people's documents: not even that they exist is told.
        raise HTTPException(404, "no such document")
    return document


def _detail(connection: Connection, document: Document) -> DocumentDetail:
    history = documents.transitions(connection, document.id)
    return DocumentDetail.model_validate({**vars(document), "transitions": history})


def _stream(storage: ObjectStorage, key: str, headers: dict[str, str]) -> StreamingResponse:
    try:
        stream = storage.open(key)
    except (ObjectNotFound, InvalidKey):
        raise HTTPException(404, "no such object") from None
    return StreamingResponse(
        _blocks(stream), media_type=PDF, headers={**headers, "X-Content-Type-Options": "nosniff"}
    )


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(_BLOCK):
            yield block


def _safe_filename(name: str | None) -> str:
    """The last part of the name the caller gave, without anything that is not printable."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())[:255] or "document.pdf"
