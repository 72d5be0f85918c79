# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API and the gateway before it have to do and to refuse. docs/checks.md says of each check why it matters."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.parity.stack.plugins.module_utils import pdf, pipeline
from ansible_collections.parity.stack.plugins.module_utils.checks import Check, Seen
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import (
    Answer,
    Client,
    jwt,
    multipart,
    unsigned_jwt,
)

_DENIED = (401, 403)
_OLD_TLS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
_NEW_TLS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
_HEADERS = {"x-content-type-options": "nosniff"}


@dataclass(frozen=True)
class Api:
    """Where the API answers, and who may ask it."""

    url: str
    key: str
    audience: str
    protected_path: str
    flow: pipeline.Pipeline
    ca_file: str | None = None
    release: str = ""
    openapi_path: str = "/openapi.json"
    origins: list[str] = field(default_factory=list)
    refused_origin: str = "https://parity.invalid"
    certificate_days: int = 14
    seconds: float = 60

    def client(self, token: str = "") -> Client:
        return Client(self.url, ca_file=self.ca_file, token=token, timeout=10)

    def token(self, subject: str = "parity-probe", *, key: str | None = None, seconds: int = 120) -> str:
        return jwt(self.key if key is None else key, self.claims(subject, seconds))

    def claims(self, subject: str = "parity-probe", seconds: int = 120) -> dict[str, object]:
        claims: dict[str, object] = {"sub": subject, "exp": int(time.time()) + seconds}
        return {**claims, "aud": self.audience} if self.audience else claims


# --- Application ------------------------------------------------------------------------------------------------------


def application(api: Api) -> list[Check]:
    answers = partial(_answers, api.client())
    return [
        Check("application.health", "The API is alive", "status 200", partial(answers, "/health", 200), "critical"),
        Check(
            "application.ready",
            "The API reaches what it depends on",
            "status 200",
            partial(answers, "/ready", 200),
            "critical",
        ),
        Check(
            "application.version",
            "The API runs the release",
            api.release or "any release",
            partial(_version, api),
            "critical",
        ),
        Check(
            "application.unknown",
            "What is not there is not found",
            "status 404",
            partial(answers, "/parity-is-not-here", 404),
            "minor",
        ),
        Check(
            "application.routes",
            "Every route of the contract answers",
            "no server error, no route missing",
            partial(_routes, api),
        ),
    ]


def _answers(client: Client, path: str, status: int) -> Seen:
    answer = client.send("GET", path)
    return Seen(answer.status == status, str(answer), _body(answer) if answer.status != status else "")


def _version(api: Api) -> Seen:
    answer = api.client().send("GET", "/version")
    content = answer.json()
    release = content.get("release") if isinstance(content, dict) else None
    if answer.status != 200 or release is None:
        return Seen(False, str(answer), _body(answer))
    return Seen(release == api.release or not api.release, str(release))


def _routes(api: Api) -> Seen:
    """Each GET route of the OpenAPI document that needs nothing but a token."""
    answer = api.client().send("GET", api.openapi_path)
    contract = answer.json()
    if answer.status != 200 or not isinstance(contract, dict) or not isinstance(contract.get("paths"), dict):
        return Seen(False, f"{api.openapi_path}: {answer}", _body(answer))
    client, told, bad = api.client(api.token()), [], 0
    for path in _askable(contract["paths"]):
        seen = client.send("GET", path)
        wrong = seen.status == 0 or seen.status == 404 or seen.status >= 500
        bad += wrong
        told.append(f"{seen.status or seen.error} GET {path}{'   <- wrong' if wrong else ''}")
    return Seen(not bad and bool(told), f"{len(told) - bad} of {len(told)} routes answer", "\n".join(told))


def _askable(paths: dict) -> Iterator[str]:
    for path, methods in paths.items():
        wanted = methods.get("get") if isinstance(methods, dict) else None
        if wanted is None or "{" in path:
            continue
        if not any(item.get("required") for item in wanted.get("parameters") or []):
            yield path


# --- Security ---------------------------------------------------------------------------------------------------------


def security(api: Api) -> list[Check]:
    refused = "status 401 or 403"
    found = [
        Check("security.no_token", "Nobody gets in without a token", refused, partial(_denied, api, ""), "critical"),
        Check("security.expired", "An expired token is refused", refused, partial(_denied, api, api.token(seconds=-300)), "critical"),
        Check("security.wrong_key", "A token signed with another key is refused", refused,
              partial(_denied, api, api.token(key="another-key-of-the-same-length-as-one")), "critical"),
        Check("security.alg_none", "A token without a signature is refused", refused,
              partial(_denied, api, unsigned_jwt(api.claims())), "critical"),
        Check("security.valid_token", "A good token is let in", "status 200", partial(_admitted, api)),
        Check("security.other_user", "Another user's document is not shown", "status 403 or 404", partial(_other_user, api), "critical"),
        Check("security.headers", "Answers tell browsers not to guess types", "X-Content-Type-Options: nosniff", partial(_headers, api)),
        Check("security.cors_refused", "A foreign origin may not read answers", f"nothing allowed to {api.refused_origin}",
              partial(_origin_refused, api)),
        *(Check("security.cors_allowed", f"{origin} may read answers", f"allowed to {origin}", partial(_origin_allowed, api, origin))
          for origin in api.origins),
    ]  # fmt: skip
    if api.url.startswith("https://"):
        found += [
            Check("security.tls", "TLS 1.2 and newer only", "1.2 or 1.3 accepted, 1.0 and 1.1 refused", partial(_tls, api), "critical"),
            Check("security.certificate", "The certificate is trusted, and for a while", f"{api.certificate_days} days left at least",
                  partial(_certificate, api), "critical"),
        ]  # fmt: skip
    return found


def _denied(api: Api, token: str) -> Seen:
    answer = api.client(token).send("GET", api.protected_path)
    return Seen(answer.status in _DENIED, str(answer), _body(answer) if answer.status not in _DENIED else "")


def _admitted(api: Api) -> Seen:
    answer = api.client(api.token()).send("GET", api.protected_path)
    return Seen(answer.status == 200, str(answer), _body(answer) if answer.status != 200 else "")


def _other_user(api: Api) -> Seen:
    owner, stranger = api.client(api.token("parity-probe")), api.client(api.token("parity-stranger"))
    with pipeline.submitted(owner, api.flow, pdf.page(["Nobody but its owner may see this page."])) as identifier:
        path = api.flow.state_path.format(id=identifier)
        own, other = owner.send("GET", path), stranger.send("GET", path)
    if own.status != 200:
        raise ParityError(f"the owner is not shown the document either ({own}), so nothing can be said of others")
    return Seen(
        other.status in (403, 404),
        str(other),
        "" if other.status in (403, 404) else f"GET {path} as another user: {other}",
    )


def _headers(api: Api) -> Seen:
    answer = _answered(api.client().send("GET", "/health"))
    missing = [f"{name}: {value}" for name, value in _HEADERS.items() if answer.headers.get(name, "").lower() != value]
    told = "\n".join(f"{name}: {value}" for name, value in sorted(answer.headers.items()))
    return Seen(not missing, f"without {', '.join(missing)}" if missing else "there", told if missing else "")


def _allowed(api: Api, origin: str) -> str:
    """What the API allows a page of `origin`."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = _answered(api.client().send("OPTIONS", api.protected_path, headers=headers))
    return answer.headers.get("access-control-allow-origin", "")


def _origin_refused(api: Api) -> Seen:
    seen = _allowed(api, api.refused_origin)
    return Seen(seen not in ("*", api.refused_origin), f"allowed to {seen}" if seen else "nothing allowed")


def _origin_allowed(api: Api, origin: str) -> Seen:
    seen = _allowed(api, origin)
    return Seen(seen == origin, f"allowed to {seen}" if seen else "nothing allowed")


def _answered(answer: Answer) -> Answer:
    if not answer.status:
        raise ParityError(str(answer))
    return answer


def _tls(api: Api) -> Seen:
    told = {version.name: _handshake(api, version) for version in (*_OLD_TLS, *_NEW_TLS)}
    old = [name for name in told if told[name] == "accepted" and ssl.TLSVersion[name] in _OLD_TLS]
    new = [name for name in told if told[name] == "accepted" and ssl.TLSVersion[name] in _NEW_TLS]
    words = f"accepted: {', '.join(old + new) or 'none'}"
    return Seen(bool(new) and not old, words, "\n".join(f"{name}: {seen}" for name, seen in told.items()))


def _handshake(api: Api, version: ssl.TLSVersion) -> str:
    """What comes of a connection in this version alone. Raises OSError when nobody listens at all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the version is asked here, the trust elsewhere
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    host, port = _place(api)
    with socket.create_connection((host, port), timeout=5) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host):
                return "accepted"
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            return f"refused ({getattr(error, 'reason', None) or error})"


def _certificate(api: Api) -> Seen:
    host, port = _place(api)
    context = ssl.create_default_context(cafile=api.ca_file)
    with socket.create_connection((host, port), timeout=5) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host) as secure:
                certificate = secure.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            return Seen(False, f"not trusted: {error.verify_message}")
    days = int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) // 86400)
    return Seen(days >= api.certificate_days, f"{days} days left")


# --- Pipeline ---------------------------------------------------------------------------------------------------------


def documents(api: Api) -> list[Check]:
    refused = "refused with a status from 400 to 499"
    broken = b"%PDF-1.4\nthis is where the pages would be\n%%EOF\n"
    return [
        Check("pipeline.document", "A document is completed", f"within {api.seconds:.0f} s", partial(_completed, api), "critical"),
        Check("pipeline.empty", "An empty file is refused", refused, partial(_refused, api, b"")),
        Check("pipeline.not_a_pdf", "A file that is no PDF is refused", refused, partial(_refused, api, b"just words\n")),
        Check("pipeline.corrupt", "A corrupt PDF ends, and does not hang", f"refused, or failed within {api.seconds:.0f} s",
              partial(_ends, api, broken)),
    ]  # fmt: skip


def _completed(api: Api) -> Seen:
    client = api.client(api.token())
    with pipeline.submitted(
        client, api.flow, pdf.page(["Parity pushes this page through the pipeline."])
    ) as identifier:
        try:
            found = pipeline.watch(client, api.flow, str(identifier), seconds=api.seconds)
        except ParityError as error:
            return Seen(False, str(error))
        stages = pipeline.stages(client, api.flow, identifier)
    told = "\n".join(f"{name}: {seconds:.3f} s" for name, seconds in stages.items())
    return Seen(True, f"{found['state']} after {found['seconds']} s", told)


def _refused(api: Api, content: bytes) -> Seen:
    answer, identifier = _hand_in(api, content)
    if identifier is not None:
        pipeline.remove(api.client(api.token()), api.flow, identifier)
    return Seen(400 <= answer.status < 500, str(answer))


def _ends(api: Api, content: bytes) -> Seen:
    """Refused at once, or taken and failed: anything but a document that is at it for ever."""
    answer, identifier = _hand_in(api, content)
    if identifier is None:
        return Seen(400 <= answer.status < 500, str(answer))
    client = api.client(api.token())
    try:
        found = pipeline.watch(client, api.flow, str(identifier), seconds=api.seconds)
        return Seen(False, f"{found['state']}, as if it were a document")
    except ParityError as error:
        states = error.details.get("states")
        return Seen(bool(isinstance(states, list) and states and states[-1] in api.flow.failed), str(error))
    finally:
        pipeline.remove(client, api.flow, identifier)


def _hand_in(api: Api, content: bytes) -> tuple[Answer, object]:
    """The answer to a document, and its identifier where it was taken."""
    body, content_type = multipart(api.flow.field_name, "parity-probe.pdf", content, "application/pdf")
    client = api.client(api.token())
    answer = _answered(client.send("POST", api.flow.submit_path, body=body, content_type=content_type))
    told = answer.json()
    return answer, told.get(api.flow.id_key) if answer.status < 300 and isinstance(told, dict) else None


def _place(api: Api) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(api.url)
    return parts.hostname or "", parts.port or 443


def _body(answer: Answer) -> str:
    return answer.body[:1000].decode(errors="replace")


GROUPS: dict[str, Callable[[Api], list[Check]]] = {
    "application": application,
    "security": security,
    "pipeline": documents,
}
