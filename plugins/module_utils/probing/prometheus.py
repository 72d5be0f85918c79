# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' HTTP API, for modules that query it."""

from __future__ import annotations

import urllib.parse

from ansible_collections.parity.stack.plugins.module_utils import http_client

#: The options of modules that query it. Documented in plugins/doc_fragments/http_client.py.
SPEC = {**http_client.SPEC, "url": {"type": "str", "required": True}}


def query(client: http_client.Client, promql: str) -> http_client.Answer:
    """What it answers to an instant query."""
    return client.send("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": promql}))
