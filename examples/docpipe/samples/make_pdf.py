# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes small PDFs by hand, without a library: the sample of this repository, and what the tests need.

`python samples/make_pdf.py` writes `samples/parity-in-brief.pdf` again, byte for byte.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

SAMPLE = Path(__file__).with_name("parity-in-brief.pdf")
TITLE = "Parity in brief"

PAGES = (
    """
    Parity takes a Python service to production the way its team already runs it locally: an API, a worker,
    a database, object storage, and the monitoring around them. One inventory describes an environment, and
    one playbook stands for each verb: preflight, deploy, validate, status, rollback, recover, backup,
    restore.

    A deployment begins with questions and changes nothing. Preconditions are checked on every host, and all
    that is wrong is reported together. A dry run predicts exactly what the real run would change, even on
    hosts that were never touched before. Then a backup is taken, and proved good by restoring it into a
    scratch database.

    The new release starts beside the old one, without any traffic. It is probed alternately with the
    release that is in service, so that a slow moment of the machine strikes both alike. The new worker
    takes documents from a queue of its own. Only when the two compare well is traffic switched over, host
    by host, and no request is lost on the way. The old worker finishes what it has begun and takes nothing
    more.
    """,
    """
    Then the deployment has to prove itself. It answers the same questions that were put to the local
    environment: does every endpoint still answer with the same fields, does a document still pass through
    all its stages, is each stage about as fast as it was, does the memory stay where it should? The local
    answers are kept in a file, the baseline, and a judge that knows how much measurements scatter compares
    the two.

    If production is worse than the baseline, the deployment rolls itself back. There is one rollback, and
    it has many callers: the failing run itself, an operator, or the next run that finds an unfinished one.
    Every step is written to a journal on the hosts, so a rollback is possible even when the machine that
    ran the deployment has died in the middle of it.

    Migrations that only add run before the new code does, so that the old release goes on working and a
    rollback never needs the database to go back. Migrations that destroy wait for approval, until the
    release has proved itself. Restoring a backup remains a decision of people.

    This document is the sample that the demonstration pushes through the pipeline: uploaded, parsed,
    chunked, embedded, complete.
    """,
)


def make_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF with one line of text for each string; Latin letters only."""
    page_numbers = [4 + 2 * index for index in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in page_numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in zip(page_numbers, pages, strict=True):
        content = _content(lines)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
            b" /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (number + 1)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _assemble(objects)


def _content(lines: Sequence[str]) -> bytes:
    shown = "".join(f"({_escape(line)}) Tj T*\n" for line in lines)
    return f"BT /F1 11 Tf 16 TL 60 770 Td\n{shown}ET".encode("cp1252")


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _assemble(objects: Sequence[bytes]) -> bytes:
    result = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(result))
        result += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(result)
    result += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    result += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    result += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(result)


def sample_pdf() -> bytes:
    """The sample of this repository."""
    return make_pdf([_lines(f"{TITLE} - page {number}", text) for number, text in enumerate(PAGES, start=1)])


def _lines(heading: str, text: str) -> list[str]:
    lines = [heading, ""]
    for paragraph in textwrap.dedent(text).strip().split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), 88), ""]
    return lines


if __name__ == "__main__":
    SAMPLE.write_bytes(sample_pdf())
