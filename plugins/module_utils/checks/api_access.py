# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the checks of a validation send requests to an API: as which user, with which tokens, and with patience."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client, jwt
from ansible_collections.parity.stack.plugins.module_utils.probing import pipeline

#: The user who owns the documents of the checks. No application counts them as business; the checks touch no other documents.
USER = "parity-probe"
STRANGER = "parity-stranger"
_MOST_WAITS = 3
_LONGEST_WAIT = 30


class Patient(Client):
    """Waits as long as Retry-After says after too many requests, as a well-behaved client does."""

    def send(self, method: str, url: str, **more) -> Answer:
        for _dummy in range(_MOST_WAITS):
            answer = super().send(method, url, **more)
            after = answer.headers.get("retry-after", "")
            if answer.status != 429 or not after.isdigit() or int(after) > _LONGEST_WAIT:
                return answer
            time.sleep(int(after) + 0.1)
        return answer


@dataclass(frozen=True)
class External:
    """A service of another company: one cheap request with the key the application uses."""

    name: str
    url: str
    key: str = field(default="", repr=False)
    method: str = "GET"
    header: str = "Authorization"
    prefix: str = "Bearer "
    body: str = ""
    status: int = 200


@dataclass(frozen=True)
class Api:
    """Where the API answers, who may use it, and what it has to do. A field that is empty is not checked."""

    url: str
    key: str = field(repr=False)
    audience: str
    protected_path: str
    flow: pipeline.Pipeline
    ca_file: str | None = None
    release: str = ""
    openapi_path: str = "/openapi.json"
    origins: list[str] = field(default_factory=list)
    refused_origin: str = "https://parity.invalid"
    seconds: float = 60
    #: Text that has to stand in headers of answers.
    headers: dict[str, str] = field(default_factory=lambda: {"X-Content-Type-Options": "nosniff"})
    #: Addresses of the API on each of its hosts.
    hosts: list[str] = field(default_factory=list)
    external: list[External] = field(default_factory=list)
    #: How many requests a client may send in how many seconds.
    rate_limit: tuple[int, float] = (0, 0)
    rate_limit_path: str = "/parity-is-not-here"
    #: States of a good document, in order.
    states: list[str] = field(default_factory=list)
    stage_seconds: float = 0
    long_pages: int = 200
    #: Path that lists the user's documents, and the key of the list in the answer.
    #: File that is there while a deployment runs, which hands in documents of the same user.
    lock_file: str = ""
    #: What the audit log says of a document: SQL with %(document)s, and what its first column has to hold.
    audit_query: str = ""
    audit_expects: list[str] = field(default_factory=list)
    database_url: str = field(default="", repr=False)
    #: Unit whose processes are killed in the middle of their work.
    kill_unit: str = ""

    def client(self, token: str = "") -> Client:
        return Patient(self.url, ca_file=self.ca_file, token=token, timeout=15)

    def user(self) -> Client:
        """A client of the user whose documents the checks hand in."""
        return self.client(self.token(seconds=int(4 * self.seconds) + 300))

    def token(self, subject: str = USER, *, key: str | None = None, seconds: int = 300, **claims: object) -> str:
        return jwt(self.key if key is None else key, {**self.claims(subject, seconds), **claims})

    def claims(self, subject: str = USER, seconds: int = 300) -> dict[str, object]:
        claims: dict[str, object] = {"sub": subject, "exp": int(time.time()) + seconds}
        return {**claims, "aud": self.audience} if self.audience else claims


def words_of(answer: Answer) -> str:
    """The beginning of a body, as evidence."""
    return answer.body[:1000].decode(errors="replace")
