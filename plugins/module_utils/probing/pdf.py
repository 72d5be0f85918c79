# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest real PDFs with pages of text, for probes that push a document through a pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def page(lines: list[str]) -> bytes:
    """A one-page PDF 1.4 with `lines` of ASCII text in Helvetica."""
    return document([lines])


def document(pages: list[list[str]]) -> bytes:
    """A PDF 1.4, each page with lines of ASCII text in Helvetica."""
    return _file(_objects(pages), b"")


def encrypted(lines: list[str], password: str) -> bytes:
    """A one-page PDF 1.4 that nobody can read without the password (RC4 with 40 bits, which every reader knows)."""
    identifier, permissions = hashlib.md5(b"parity", usedforsecurity=False).digest(), -4
    user = password.encode("ascii")[:32] + _PADDING[: max(0, 32 - len(password))]
    owner = _rc4(hashlib.md5(user, usedforsecurity=False).digest()[:5], user)
    whole = user + owner + permissions.to_bytes(4, "little", signed=True) + identifier
    key = hashlib.md5(whole, usedforsecurity=False).digest()[:5]

    def cipher(number: int, content: bytes) -> bytes:
        own = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0", usedforsecurity=False).digest()[:10]
        return _rc4(own, content)

    objects = _objects([lines], cipher)
    objects.append(
        b"<< /Filter /Standard /V 1 /R 2 /P %d /O <%s> /U <%s> >>" % (permissions, owner.hex().encode(), _rc4(key, _PADDING).hex().encode())
    )
    name = identifier.hex().encode()
    return _file(objects, b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (len(objects), name, name))


def _objects(pages: list[list[str]], cipher: Callable[[int, bytes], bytes] = lambda _number, content: content) -> list[bytes]:
    """Catalogue, pages, and for each page itself and its text; the font comes last."""
    font = 2 * len(pages) + 3
    numbers = [3 + 2 * index for index in range(len(pages))]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % number for number in numbers), len(pages)),
    ]
    for number, lines in zip(numbers, pages):
        text = "".join(f"({_escaped(line)}) Tj T* " for line in lines)
        stream = cipher(number + 1, f"BT /F1 11 Tf 14 TL 56 780 Td {text}ET".encode("ascii"))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (number + 1, font)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return [*objects, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]


def _file(objects: list[bytes], more: bytes) -> bytes:
    whole, offsets = b"%PDF-1.4\n", []
    parts = [whole]
    at = len(whole)
    for number, content in enumerate(objects, 1):
        offsets.append(at)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, content))
        at += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (size, more, at)
    return b"".join(parts) + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table) + trailer


def _rc4(key: bytes, content: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i, j, out = 0, 0, bytearray()
    for byte in content:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
