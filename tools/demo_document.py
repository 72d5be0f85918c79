# SPDX-License-Identifier: GPL-3.0-or-later
"""demo_document.py CA_FILE KEY_FILE PDF: uploads a document through the gateway and shows what became of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / ".cache/collections"))

from ansible_collections.parity.stack.plugins.module_utils.http_client import Client, jwt, multipart

GATEWAY = "https://127.0.0.1:8443"
SECONDS = 60


def main(ca_file: str, key_file: str, document: str) -> int:
    key = Path(key_file).read_text(encoding="utf-8").split()[0]
    token = jwt(key, {"sub": "demo", "aud": "docpipe", "exp": int(time.time()) + 600})
    client = Client(GATEWAY, ca_file=ca_file, token=token)
    body, content_type = multipart("file", Path(document).name, Path(document).read_bytes(), "application/pdf")
    answer = client.send("POST", "/documents", body=body, content_type=content_type)
    if answer.status != 202:
        print(f"    the upload was refused: {answer} {answer.body.decode(errors='replace')}", file=sys.stderr)
        return 1
    path = f"/documents/{answer.json()['id']}"
    print(f"    uploaded {document} as {path}")
    started = time.monotonic()
    while (seen := client.send("GET", path).json())["state"] not in ("complete", "failed"):
        if time.monotonic() - started > SECONDS:
            print(f"    it is still {seen['state']} after {SECONDS} s", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("    " + " > ".join(transition["to"] for transition in seen["transitions"]))
    if seen["state"] == "failed":
        print(f"    it failed: {seen['reason']}", file=sys.stderr)
        return 1
    for chunk in client.send("GET", f"{path}/chunks").json()["chunks"]:
        print(f"    chunk {chunk['index']}, page {chunk['page']}: {' '.join(chunk['text'].split())[:90]}...")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
