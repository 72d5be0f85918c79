# SPDX-License-Identifier: GPL-3.0-or-later
"""From a PDF to the text of its pages, in this process or by LlamaParse."""

import struct
import time
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from docpipe import metrics
from docpipe.errors import PermanentError, TransientError
from docpipe.providers import ProviderClient
from docpipe.settings import Settings

# All that pypdf has been seen to raise on broken files. Not simply Exception: running out of time is not a
# broken file.
_MALFORMED = (
    PyPdfError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_LLAMAPARSE_USD_PER_PAGE = 0.003
_LLAMAPARSE_POLL_SECONDS = 1.0
_LLAMAPARSE_WAIT_SECONDS = 240.0


@dataclass(frozen=True)
class Page:
    """The text of one page; numbers start at 1, as on paper."""

    number: int
    text: str


class Parser(Protocol):
    """Reads the pages of a PDF; raises PermanentError for a file nobody could read."""

    def parse(self, stream: BinaryIO) -> list[Page]: ...


class LocalParser:
    """pypdf, in this process: no key, no network."""

    def parse(self, stream: BinaryIO) -> list[Page]:
        try:
            reader = PdfReader(stream)
            if reader.is_encrypted:
                raise PermanentError("the PDF is encrypted")
            return [
                Page(number, clean(page.extract_text())) for number, page in enumerate(reader.pages, start=1)
            ]
        except _MALFORMED as error:
            raise PermanentError(f"the PDF is corrupt ({type(error).__name__})") from None


class LlamaParseParser:
    """LlamaParse: upload, wait for the job, fetch the result."""

    def __init__(self, base_url: str, api_key: str, poll_seconds: float = _LLAMAPARSE_POLL_SECONDS) -> None:
        self._client = ProviderClient("llamaparse", base_url, api_key)
        self._poll_seconds = poll_seconds

    def parse(self, stream: BinaryIO) -> list[Page]:
        upload = {"file": ("document.pdf", stream, "application/pdf")}
        job = self._client.call("upload", "POST", "/api/parsing/upload", files=upload)["id"]
        self._wait_for(job)
        result = self._client.call("result", "GET", f"/api/parsing/job/{job}/result/json")
        pages = [
            Page(page["page"], clean(page.get("text") or page.get("md") or "")) for page in result["pages"]
        ]
        metrics.EXTERNAL_COST.labels("llamaparse").inc(len(pages) * _LLAMAPARSE_USD_PER_PAGE)
        return pages

    def _wait_for(self, job: str) -> None:
        deadline = time.monotonic() + _LLAMAPARSE_WAIT_SECONDS
        while time.monotonic() < deadline:
            status = self._client.call("status", "GET", f"/api/parsing/job/{job}")["status"]
            if status == "SUCCESS":
                return
            if status in ("ERROR", "CANCELED", "CANCELLED"):
                raise PermanentError("llamaparse could not parse the PDF")
            time.sleep(self._poll_seconds)
        raise TransientError("llamaparse did not finish in time")


def clean(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def create_parser(settings: Settings) -> Parser:
    """The provider PARSER asks for."""
    if settings.parser == "llamaparse":
        assert settings.llamaparse_api_key is not None
        return LlamaParseParser(settings.llamaparse_base_url, settings.llamaparse_api_key.get_secret_value())
    return LocalParser()
