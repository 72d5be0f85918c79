# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages against a real database: run twice, run at once, run without end."""

import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import psycopg
import pytest
from make_pdf import sample_pdf

from docpipe import documents
from docpipe.db import Database
from docpipe.embedding import LocalEmbedder
from docpipe.errors import PermanentError, TransientError
from docpipe.parsing import LocalParser, Page
from docpipe.pipeline import Pipeline
from docpipe.states import CHUNK, EMBED, PARSE, STAGES, State
from docpipe.storage import FilesystemStorage, UrlSigner


class Bench:
    """A pipeline with one uploaded document."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.storage = FilesystemStorage(root, UrlSigner("secret", ""))
        self.id = uuid4()
        key = f"owners/test/{self.id}.pdf"
        self.storage.put(key, io.BytesIO(sample_pdf()), "application/pdf")
        with database.transaction() as connection:
            documents.insert(
                connection,
                self.id,
                "v-test",
                owner="bench",
                filename="f.pdf",
                content_type="application/pdf",
                size_bytes=1,
                sha256="",
                object_key=key,
            )

    def pipeline(self, parser: Any = None, embedder: Any = None, max_attempts: int = 3) -> Pipeline:
        parser, embedder = parser or LocalParser(), embedder or LocalEmbedder()
        return Pipeline(self.database, self.storage, parser, embedder, "v-test", max_attempts)

    def document(self) -> documents.Document:
        with self.database.transaction() as connection:
            found = documents.find(connection, self.id)
        assert found
        return found

    def rows(self) -> dict[str, list[Any]]:
        """Everything stored about the document, except for times and attempts at the current stage."""
        queries = {
            "documents": "SELECT state, reason, pages FROM documents WHERE id = %s",
            "transitions": "SELECT * FROM transitions WHERE document_id = %s ORDER BY at",
            "pages": "SELECT * FROM pages WHERE document_id = %s ORDER BY page_number",
            "chunks": "SELECT * FROM chunks WHERE document_id = %s ORDER BY chunk_index",
        }
        with self.database.transaction() as connection:
            return {name: connection.execute(query, (self.id,)).fetchall() for name, query in queries.items()}


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


class Failing:
    """A parser or embedder that raises what it is told, and counts."""

    def __init__(self, error: BaseException, times: int = 99) -> None:
        self.error, self.times, self.calls = error, times, 0

    def parse(self, stream: BinaryIO) -> list[Page]:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return LocalParser().parse(stream)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.calls += 1
        if self.calls > self.times:
            raise self.error
        return LocalEmbedder().embed(texts)


def test_each_task_run_twice_stores_nothing_twice(bench: Bench) -> None:
    pipeline = bench.pipeline()
    for stage, following in zip(STAGES, (*STAGES[1:], None), strict=True):
        assert pipeline.run(stage, bench.id) == following
        once = bench.rows()
        # A worker may have died before it told the next stage, so the repeated task tells it again.
        assert pipeline.run(stage, bench.id) == following
        assert bench.rows() == once
    complete = bench.rows()
    for stage in STAGES[:-1]:
        assert pipeline.run(stage, bench.id) is None
    assert bench.rows() == complete
    assert [row[2] for row in complete["transitions"]] == [state for state in State if state != "failed"]


def test_a_stage_interrupted_after_its_work_is_done_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies at the worst moment: result written, not committed."""
    pipeline = bench.pipeline()
    original: Callable[..., None] = documents.store_pages

    def die(*arguments: Any) -> None:
        original(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(documents, "store_pages", die)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(PARSE, bench.id)
    assert bench.document().state == State.PARSING
    assert bench.rows()["pages"] == []
    monkeypatch.undo()
    assert pipeline.run(PARSE, bench.id) == CHUNK
    assert len(bench.rows()["pages"]) == 2
    assert bench.rows()["transitions"][-1][4] == 2  # the attempt


def test_two_workers_at_once(bench: Bench) -> None:
    """The same task delivered twice at the same time: both work, one result counts."""
    both_inside = threading.Barrier(2, timeout=10)

    class Together(LocalParser):
        def parse(self, stream: BinaryIO) -> list[Page]:
            both_inside.wait()
            return super().parse(stream)

    pipeline, answers = bench.pipeline(parser=Together()), []
    threads = [threading.Thread(target=lambda: answers.append(pipeline.run(PARSE, bench.id))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {CHUNK, None}
    assert [row[2] for row in bench.rows()["transitions"]] == ["uploaded", "parsing", "parsed"]
    assert len(bench.rows()["pages"]) == 2


def test_transient_errors_are_tried_again_and_then_given_up(bench: Bench) -> None:
    pipeline = bench.pipeline(parser=Failing(TransientError("no answer", retry_after=7)))
    for _ in range(2):
        with pytest.raises(TransientError, match="no answer") as error:
            pipeline.run(PARSE, bench.id)
        assert error.value.retry_after == 7
        assert bench.document().state == State.PARSING
    assert pipeline.run(PARSE, bench.id) is None
    assert bench.document().reason == "gave up after 3 attempts at 'parse': no answer"


def test_unexpected_errors_do_not_tell_content(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = bench.pipeline(parser=Failing(KeyError("what the document says")), max_attempts=1)
    assert pipeline.run(PARSE, bench.id) is None
    assert bench.document().reason == "gave up after 1 attempts at 'parse': unexpected KeyError"
    assert "what the document says" not in caplog.text and "unexpected KeyError in" in caplog.text


def test_permanent_errors_are_not_tried_again(bench: Bench) -> None:
    parser = Failing(PermanentError("no such format"))
    assert bench.pipeline(parser=parser).run(PARSE, bench.id) is None
    assert (bench.document().state, bench.document().reason) == (State.FAILED, "no such format")
    assert bench.pipeline(parser=parser).run(PARSE, bench.id) is None
    assert parser.calls == 1


def test_a_document_that_kills_its_workers_is_given_up(bench: Bench) -> None:
    """Attempts that never come to an end are counted too."""
    parser = Failing(SystemExit())
    for _ in range(3):
        with pytest.raises(SystemExit):
            bench.pipeline(parser=parser).run(PARSE, bench.id)
    assert bench.pipeline(parser=parser).run(PARSE, bench.id) is None
    assert bench.document().reason == "gave up after 3 attempts at 'parse'"
    assert parser.calls == 3


def test_database_errors_never_fail_a_document(bench: Bench) -> None:
    pipeline = bench.pipeline(parser=Failing(psycopg.OperationalError("gone")), max_attempts=1)
    with pytest.raises(TransientError, match="the database does not answer"):
        pipeline.run(PARSE, bench.id)
    assert bench.document().state == State.PARSING


def test_embeddings_already_paid_for_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docpipe.pipeline.BATCH_SIZE", 1)
    for stage in (PARSE, CHUNK):
        bench.pipeline().run(stage, bench.id)
    total = len(bench.rows()["chunks"])
    assert total >= 4
    with pytest.raises(TransientError):
        bench.pipeline(embedder=Failing(TransientError("later"), times=2)).run(EMBED, bench.id)
    second = Failing(TransientError("later"), times=99)
    bench.pipeline(embedder=second).run(EMBED, bench.id)
    assert second.calls == total - 2


def test_a_document_deleted_under_way(bench: Bench) -> None:
    class Deleting(LocalParser):
        def parse(self, stream: BinaryIO) -> list[Page]:
            with bench.database.transaction() as connection:
                documents.delete(connection, bench.id)
            return super().parse(stream)

    assert bench.pipeline(parser=Deleting()).run(PARSE, bench.id) is None
    assert bench.rows() == {"documents": [], "transitions": [], "pages": [], "chunks": []}
    assert bench.pipeline().run(PARSE, UUID(int=0)) is None
