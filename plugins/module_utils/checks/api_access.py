# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the checks of a validation send requests to an API: as which user, with which tokens, and with patience."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils.checks.collect import NothingToCheck
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
class Process:
    """A process that answers requests: where, and with which paths it shows that it works and which release it runs."""

    name: str
    url: str
    health_path: str = ""
    version_path: str = ""


@dataclass(frozen=True)
class Api:
    """Where the API answers, who may use it, and what it has to do. A field that is empty is not checked."""

    url: str
    key: str = field(default="", repr=False)
    audience: str = ""
    protected_path: str = ""
    flow: pipeline.Pipeline | None = None
    processes: list[Process] = field(default_factory=list)
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

    @property
    def health_path(self) -> str:
        """A path that answers 200 to everybody; the root where no process names one."""
        return next((process.health_path for process in self.processes if process.health_path), "/")

    @property
    def version_path(self) -> str:
        return next((process.version_path for process in self.processes if process.version_path), "")

    def need_token(self) -> None:
        """End a check that shows something about tokens, where there is none or nothing that wants one."""
        if not self.key:
            raise NothingToCheck("there is no key to sign tokens with (stack_jwt_secret_key)")
        if not self.protected_path:
            raise NothingToCheck("no path that wants a token is named (stack_pipeline, or validation_protected_path)")

    def need_flow(self) -> pipeline.Pipeline:
        if self.flow is None:
            raise NothingToCheck("the inventory does not say how documents are handed in (stack_pipeline)")
        return self.flow

    def client(self, token: str = "", *, base: str = "") -> Client:
        return Patient(base or self.url, ca_file=self.ca_file, token=token, timeout=15)

    def user(self) -> Client:
        """A client of the user whose documents the checks hand in."""
        return self.client("" if not self.key else self.token(seconds=int(4 * self.seconds) + 300))

    def token(self, subject: str = USER, *, key: str | None = None, seconds: int = 300, **claims: object) -> str:
        return jwt(self.key if key is None else key, {**self.claims(subject, seconds), **claims})

    def claims(self, subject: str = USER, seconds: int = 300) -> dict[str, object]:
        claims: dict[str, object] = {"sub": subject, "exp": int(time.time()) + seconds}
        return {**claims, "aud": self.audience} if self.audience else claims


def words_of(answer: Answer) -> str:
    """The beginning of a body, as evidence."""
    return answer.body[:1000].decode(errors="replace")
