# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunking, embedding, parsing, waiting: parts that need nothing but themselves."""

import asyncio
import io
import math
import subprocess
import sys

import pytest
from fastapi import HTTPException
from make_pdf import SAMPLE, sample_pdf
from starlette.types import Message, Receive, Scope, Send
from support import corrupt_pdf, encrypted_pdf, pdf

from docpipe.chunking import chunk_pages
from docpipe.embedding import DIMENSIONS, LocalEmbedder
from docpipe.errors import PermanentError
from docpipe.middleware import LimitBody
from docpipe.parsing import LocalParser, Page, clean
from docpipe.pipeline import backoff
from docpipe.routes import _safe_filename

SENTENCES = " ".join(f"This is sentence number {number}." for number in range(100))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n ", []),
        ("short", ["short"]),
        ("one   two\nthree", ["one two three"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("A one and two. Three four.", ["A one and two.", "and two. Three four."]),
        ("One two. Three four five.", ["One two. Three four", "five."]),
        ("aaaa bbbb cccc dddd eeee ffff", ["aaaa bbbb cccc dddd", "cccc dddd eeee ffff"]),
    ],
)
def test_chunks(text: str, expected: list[str]) -> None:
    assert [chunk.text for chunk in chunk_pages([Page(1, text)], size=20, overlap=5)] == expected


def test_chunks_lose_nothing_and_keep_to_their_size() -> None:
    chunks = chunk_pages([Page(1, SENTENCES), Page(2, SENTENCES)])
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(0 < len(chunk.text) <= 800 for chunk in chunks)
    for page in (1, 2):
        text = " ".join(chunk.text for chunk in chunks if chunk.page == page)
        assert all(f"sentence number {number}." in text for number in range(100))


def test_embedding_is_the_same_everywhere() -> None:
    """In another process too, where Python's own hashes differ."""
    program = "from docpipe.embedding import *; print(LocalEmbedder().embed(['a deployment']))"
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == str(LocalEmbedder().embed(["a deployment"]))


def test_embedding_has_length_one() -> None:
    [vector, nothing] = LocalEmbedder().embed(["The quick brown fox.", "..."])
    assert len(vector) == len(nothing) == DIMENSIONS
    assert math.isclose(sum(x * x for x in vector), 1)
    assert set(nothing) == {0.0}


def test_similar_texts_have_similar_embeddings() -> None:
    vectors = LocalEmbedder().embed(
        ["roll the release back", "the release is taken back", "bread and butter"]
    )
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > far + 0.2


def test_the_sample_is_what_its_source_says() -> None:
    assert SAMPLE.read_bytes() == sample_pdf()
    pages = LocalParser().parse(io.BytesIO(sample_pdf()))
    assert [page.number for page in pages] == [1, 2]
    assert "the deployment rolls itself back" in " ".join(pages[1].text.split())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (corrupt_pdf(), "corrupt"),
        (b"", "corrupt"),
        (pdf()[: len(pdf()) // 2], "corrupt"),
        (encrypted_pdf(), "encrypted"),
    ],
)
def test_unreadable_pdfs(content: bytes, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        LocalParser().parse(io.BytesIO(content))


def test_clean() -> None:
    assert clean("a\0b\ud800c \u00e4") == "abc \u00e4"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ann\report.pdf", "report.pdf"),
        ("line\r\nbreak.pdf", "linebreak.pdf"),
        ("", "document.pdf"),
        (None, "document.pdf"),
        ("x" * 300, "x" * 255),
    ],
)
def test_safe_filename(given: str | None, kept: str) -> None:
    assert _safe_filename(given) == kept


def test_a_large_body_is_refused_while_it_arrives() -> None:
    """The length was not announced, so the pieces are counted; the rest is never asked for."""
    asked_for = 0

    async def receive() -> Message:
        nonlocal asked_for
        asked_for += 1
        return {"type": "http.request", "body": bytes(10_000), "more_body": True}

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(1000):
            await receive()

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "headers": []}
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(LimitBody(read_all, max_upload_bytes=100_000)(scope, receive, send))
    assert asked_for == 12  # the limit, and the few bytes multipart takes

    announced = {"type": "http", "headers": [(b"content-length", b"1000000")]}
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(LimitBody(read_all, max_upload_bytes=100_000)(announced, receive, send))
    assert asked_for == 12


@pytest.mark.parametrize(
    ("retries", "asked_for", "wait"),
    [(0, None, 2), (1, None, 4), (3, None, 16), (9, None, 60), (999, None, 60), (0, 10, 10), (0, 3600, 60)],
)
def test_backoff(retries: int, asked_for: float | None, wait: float) -> None:
    assert backoff(retries, 2.0, asked_for) == wait
