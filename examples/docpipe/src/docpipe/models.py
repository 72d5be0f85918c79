# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON the API answers with."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from docpipe import faults
from docpipe.states import State


class DocumentOut(BaseModel):
    """A document as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    state: State
    reason: str | None
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    pages: int | None = Field(serialization_alias=faults.PAGES_FIELD)
    created_at: datetime
    updated_at: datetime


class TransitionOut(BaseModel):
    """One step in a document's history."""

    from_state: State | None = Field(alias="from")
    to_state: State = Field(alias="to")
    at: datetime
    attempt: int
    detail: str | None
    release: str


class DocumentDetail(DocumentOut):
    """A document with its history."""

    transitions: list[TransitionOut]


class DocumentList(BaseModel):
    """A page of the caller's documents, newest first."""

    documents: list[DocumentOut]


class ChunkOut(BaseModel):
    """A piece of a document's text."""

    index: int
    page: int
    text: str
    embedded: bool


class ChunkList(BaseModel):
    """All chunks of a document, in order."""

    document_id: UUID
    chunks: list[ChunkOut]


class SignedUrl(BaseModel):
    """Where anybody may read the document until it expires."""

    url: str
    expires_in: int


class SearchHit(BaseModel):
    """A chunk that resembles the query."""

    document_id: UUID
    index: int
    page: int
    text: str
    similarity: float


class SearchResult(BaseModel):
    """The most similar chunks, best first."""

    query: str
    hits: list[SearchHit]


class ExportedDocument(DocumentDetail):
    """A document with everything made from it."""

    content_url: str
    chunks: list[ChunkOut]


class AuditEntry(BaseModel):
    """One action of the person whose data this is."""

    at: datetime
    action: str
    document_id: UUID | None
    request_id: str


class Export(BaseModel):
    """All data of one person."""

    subject: str
    exported_at: datetime
    documents: list[ExportedDocument]
    audit: list[AuditEntry]


class Erasure(BaseModel):
    """What was erased."""

    documents: int
    objects: int


class Version(BaseModel):
    """Which build runs here, and as which release."""

    name: str
    version: str
    release: str
    slot: str | None


class Readiness(BaseModel):
    """Whether this process can do its work, dependency by dependency."""

    status: str
    checks: dict[str, str]
