# SPDX-License-Identifier: GPL-3.0-or-later
"""upload.py COUNT: uploads /run/document.pdf that often through the gateway, with the token in /run/token."""

from __future__ import annotations

import ssl
import sys
import urllib.request
from pathlib import Path

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
HEAD = (
    '--xyz\r\nContent-Disposition: form-data; name="file"; filename="document.pdf"\r\n'
    "Content-Type: application/pdf\r\n\r\n"
)
BODY = HEAD.encode() + Path("/run/document.pdf").read_bytes() + b"\r\n--xyz--\r\n"
HEADERS = {
    "Authorization": "Bearer " + Path("/run/token").read_text(encoding="utf-8").strip(),
    "Content-Type": "multipart/form-data; boundary=xyz",
}

for _number in range(int(sys.argv[1])):
    request = urllib.request.Request("https://edge1:8443/documents", data=BODY, headers=HEADERS)
    with urllib.request.urlopen(request, timeout=30, context=CONTEXT) as answer:  # noqa: S310
        assert answer.status == 202, answer.status
print("uploaded", sys.argv[1])
