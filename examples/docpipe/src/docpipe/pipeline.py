# SPDX-License-Identifier: GPL-3.0-or-later
"""What each stage does to a document, and how it moves from state to state.

A stage is: note the attempt, work without holding a transaction, then store the result and the new state in
one transaction, if the document is still where this attempt found it. So a stage that is interrupted,
repeated, or run by two workers at once leaves the same rows as one that ran once.
"""

import logging
import traceback
from collections.abc import Callable
from uuid import UUID

import psycopg
from celery.exceptions import SoftTimeLimitExceeded

from docpipe import documents, faults, metrics
from docpipe.chunking import chunk_pages
from docpipe.db import Connection, Database
from docpipe.documents import Document
from docpipe.embedding import BATCH_SIZE, Embedder, create_embedder
from docpipe.errors import PermanentError, TransientError
from docpipe.parsing import Parser, create_parser
from docpipe.settings import Settings
from docpipe.states import CHUNK, COMPLETE, EMBED, PARSE, Stage, State, Step, decide, stage_for
from docpipe.storage import ObjectNotFound, ObjectStorage, StorageUnavailable, create_storage, seekable

log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 60.0

Store = Callable[[Connection], None]
"""Writes what a stage worked out; called inside the transaction that ends the stage."""


class Pipeline:
    """The stages, with everything they need."""

    def __init__(
        self,
        database: Database,
        storage: ObjectStorage,
        parser: Parser,
        embedder: Embedder,
        release: str,
        max_attempts: int,
        probe_subject: str = "",
    ) -> None:
        self._database = database
        self._storage = storage
        self._parser = parser
        self._embedder = embedder
        self._release = release
        self._max_attempts = max_attempts
        self._probe_subject = probe_subject
        self._work = {
            PARSE.name: self._parse,
            CHUNK.name: self._chunk,
            EMBED.name: self._embed,
            COMPLETE.name: self._complete,
        }

    @classmethod
    def from_settings(cls, settings: Settings) -> "Pipeline":
        return cls(
            Database(settings.database_url.get_secret_value(), max_size=2),
            create_storage(settings),
            create_parser(settings),
            create_embedder(settings),
            settings.app_release,
            settings.max_attempts,
            settings.probe_subject,
        )

    def run(self, stage: Stage, document_id: UUID) -> Stage | None:
        """Do one stage; returns the next one, if any. Raises TransientError to be called again later."""
        try:
            step, document = self._begin(stage, document_id)
            if document is None or step is Step.NOTHING:
                return None
            if step is Step.WORK:
                self._attempt(stage, document)
            # Only whoever got the stage done hands on; after a lost race that is somebody else.
            return stage_for(document.state) if document.state == stage.done else None
        except psycopg.OperationalError as error:
            # The database's troubles are not the document's: they count against no number of attempts.
            raise TransientError(f"the database does not answer ({type(error).__name__})") from None

    def _begin(self, stage: Stage, document_id: UUID) -> tuple[Step, Document | None]:
        with self._database.transaction() as connection:
            document = documents.find(connection, document_id, lock=True)
            if document is None:  # deleted in the meantime
                return Step.NOTHING, None
            step = decide(stage, document.state)
            if step is Step.WORK:
                documents.count_attempt(connection, document)
                if document.state != stage.working:
                    self._advance(connection, document, stage.working)
        return step, document

    def _attempt(self, stage: Stage, document: Document) -> None:
        if document.attempt > self._max_attempts:
            # Only attempts that never came to an end lead here: each took its worker down with it.
            self._fail(document, f"gave up after {self._max_attempts} attempts at '{stage.name}'")
            return
        try:
            with metrics.stage_timer(stage.name):
                with faults.in_stage(stage.name):
                    store = self._work[stage.name](document)
                self._finish(document, stage.done, store)
        except psycopg.OperationalError:
            raise
        except PermanentError as error:
            self._fail(document, str(error))
        except Exception as error:
            problem = _describe(error)
            if document.attempt >= self._max_attempts:
                self._fail(
                    document, f"gave up after {document.attempt} attempts at '{stage.name}': {problem}"
                )
                return
            metrics.STAGE_RETRIES.labels(stage.name).inc()
            raise TransientError(problem, getattr(error, "retry_after", None)) from None

    def _finish(self, document: Document, state: State, store: Store) -> None:
        with self._database.transaction() as connection:
            if self._advance(connection, document, state):
                store(connection)

    def _fail(self, document: Document, reason: str) -> None:
        log.warning("%s: failed: %s", document.id, reason)
        with self._database.transaction() as connection:
            self._advance(connection, document, State.FAILED, detail=reason)

    def _advance(
        self, connection: Connection, document: Document, to: State, detail: str | None = None
    ) -> bool:
        if not documents.advance(connection, document, to, self._release, detail):
            return False
        if document.owner != self._probe_subject:
            metrics.count_transition(document.state, to)
        document.state = to
        return True

    # The stages. Each works on what the one before left in the database, and returns how to store its own
    # result.

    def _parse(self, document: Document) -> Store:
        try:
            stream = seekable(self._storage.open(document.object_key))
        except ObjectNotFound:
            raise PermanentError("the uploaded file is missing") from None
        except StorageUnavailable as error:
            raise TransientError(str(error)) from None
        with stream:
            pages = self._parser.parse(stream)
        if not any(page.text.strip() for page in pages):
            raise PermanentError("the PDF contains no text")
        return lambda connection: documents.store_pages(connection, document.id, pages)

    def _chunk(self, document: Document) -> Store:
        with self._database.transaction() as connection:
            pages = documents.load_pages(connection, document.id)
        chunks = chunk_pages(pages)
        return lambda connection: documents.store_chunks(connection, document.id, chunks)

    def _embed(self, document: Document) -> Store:
        with self._database.transaction() as connection:
            missing = documents.chunks_without_embedding(connection, document.id)
        for start in range(0, len(missing), BATCH_SIZE):
            batch = missing[start : start + BATCH_SIZE]
            vectors = self._embedder.embed([text for _, text in batch])
            # Stored at once: another attempt does not pay for these again.
            with self._database.transaction() as connection:
                documents.store_embeddings(
                    connection,
                    document.id,
                    {index: vector for (index, _), vector in zip(batch, vectors, strict=True)},
                )
        return lambda connection: None

    def _complete(self, document: Document) -> Store:
        with self._database.transaction() as connection:
            if documents.chunks_without_embedding(connection, document.id):
                raise PermanentError("chunks without embedding were left behind")
        return lambda connection: None


def backoff(retries: int, base: float, asked_for: float | None = None) -> float:
    """Seconds to wait: doubled with each try, at least what was asked for, never more than a minute."""
    return min(max(base * 2.0 ** min(retries, 16), asked_for or 0.0), _LONGEST_WAIT_SECONDS)


def _describe(error: Exception) -> str:
    """Our own errors are fit to be shown. Others may quote content: only their kind and place are told."""
    if isinstance(error, TransientError):
        return str(error)
    if isinstance(error, SoftTimeLimitExceeded):
        return "the stage took too long"
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("unexpected %s in %s, line %s", type(error).__name__, place.filename, place.lineno)
    return f"unexpected {type(error).__name__}"
