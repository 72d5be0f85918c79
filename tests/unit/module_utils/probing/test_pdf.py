# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page is a PDF whose table of objects is right."""

from __future__ import annotations

import re

import pytest
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf


@pytest.mark.parametrize(
    ("lines", "text"),
    [([], b"Td ET"), (["one"], b"(one) Tj"), (["a(b)\\"], rb"(a\(b\)\\) Tj"), (["x", "y"], b"(y) Tj")],
)
def test_page(lines: list[str], text: bytes) -> None:
    document = pdf.page(lines)
    assert document.startswith(b"%PDF-1.4\n") and document.endswith(b"%%EOF\n") and text in document
    table = int(re.search(rb"startxref\n(\d+)", document)[1])
    assert document[table:].startswith(b"xref\n")
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n", document[table:])]
    assert [document[offset:].split(b" ")[0] for offset in offsets] == [b"1", b"2", b"3", b"4", b"5"]
    length, stream = re.search(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", document, re.DOTALL).groups()
    assert int(length) == len(stream)


def test_many_pages() -> None:
    document = pdf.document([[f"page {number}"] for number in range(200)])
    assert document.count(b"/Type /Page /Parent") == 200 and b"/Count 200" in document
    table = int(re.search(rb"startxref\n(\d+)", document)[1])
    offsets = [int(offset) for offset in re.findall(rb"(\d{10}) 00000 n", document[table:])]
    assert all(document[offset:].startswith(b"%d 0 obj" % number) for number, offset in enumerate(offsets, 1))


def test_what_is_encrypted_cannot_be_read() -> None:
    document = pdf.encrypted(["a secret line"], "password")
    assert b"secret" not in document and b"/Encrypt 6 0 R" in document and b"/Filter /Standard" in document
    # The well-known answer of RC4.
    assert pdf._rc4(b"Key", b"Plaintext").hex() == "bbf316e8d940af0ad3"
