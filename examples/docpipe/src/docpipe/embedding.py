# SPDX-License-Identifier: GPL-3.0-or-later
"""From text to vectors, in this process or by OpenAI."""

import hashlib
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from docpipe import metrics
from docpipe.errors import TransientError
from docpipe.providers import ProviderClient
from docpipe.settings import Settings

DIMENSIONS = 256
BATCH_SIZE = 64
_OPENAI_MODEL = "text-embedding-3-small"
_OPENAI_USD_PER_TOKEN = 0.02 / 1_000_000


class Embedder(Protocol):
    """Turns texts into vectors of equal length, in the same order."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]: ...


class LocalEmbedder:
    """Feature hashing: no model, no key, no network, and the same vector on every machine.

    Words and pairs of neighbouring words each add to one dimension. Texts that share words come out similar,
    which is all that a deployment has to be able to check.
    """

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._embed_one(text) for text in texts]

    def _embed_one(self, text: str) -> list[float]:
        vector = [0.0] * DIMENSIONS
        words = re.findall(r"\w+", text.lower())
        for feature in (*words, *(" ".join(pair) for pair in pairwise(words))):
            digest = hashlib.blake2b(feature.encode(), digest_size=8).digest()
            sign = 1.0 if digest[0] & 1 else -1.0
            vector[int.from_bytes(digest[1:]) % DIMENSIONS] += sign
        length = math.sqrt(sum(x * x for x in vector))
        return [x / length for x in vector] if length else vector


class OpenAIEmbedder:
    """OpenAI, or anything that speaks its embeddings API."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._client = ProviderClient("openai", base_url, api_key)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        request = {"model": _OPENAI_MODEL, "input": list(texts), "dimensions": DIMENSIONS}
        answer = self._client.call("embeddings", "POST", "/embeddings", json=request)
        metrics.EXTERNAL_COST.labels("openai").inc(answer["usage"]["total_tokens"] * _OPENAI_USD_PER_TOKEN)
        vectors = [item["embedding"] for item in sorted(answer["data"], key=lambda item: item["index"])]
        if len(vectors) != len(texts):
            raise TransientError("openai answered with another number of vectors than texts")
        return vectors


def create_embedder(settings: Settings) -> Embedder:
    """The provider EMBEDDER asks for."""
    if settings.embedder == "openai":
        assert settings.openai_api_key is not None
        return OpenAIEmbedder(settings.openai_base_url, settings.openai_api_key.get_secret_value())
    return LocalEmbedder()
