# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what an API and its gateway have to do and to refuse. docs/checks.md says why each check matters."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from ansible_collections.parity.stack.plugins.module_utils.checks import contract
from ansible_collections.parity.stack.plugins.module_utils.checks.api_access import STRANGER, Api, External, Process, words_of
from ansible_collections.parity.stack.plugins.module_utils.checks.collect import Check, NothingToCheck, Seen
from ansible_collections.parity.stack.plugins.module_utils.checks.documents import documents
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.http_client import Answer, Client, unsigned_jwt
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.probing import pdf, pipeline

_DENIED = (401, 403)
_OLD_TLS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
_NEW_TLS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
#: Without forward secrecy, without encryption, without authentication, or broken.
_WEAK_CIPHERS = "kRSA:aNULL:eNULL:RC4:3DES:DES:MD5:PSK:EXPORT:@SECLEVEL=0"
_MOST_REQUESTS = 1000


# --- Application ------------------------------------------------------------------------------------------------------


def application(api: Api) -> list[Check]:
    release = api.release or "any release"
    found = []
    for process in api.processes:
        title = process.name.replace("the ", "The ")
        found += [
            Check("application.health", f"{title} is healthy", "status 200", partial(_healthy, api, process), "critical"),
            Check("application.version", f"{title} runs the release", release, partial(_version, api, process), "critical"),
        ]
    return [
        *found,
        Check(
            "application.unknown",
            "What is not there is not found",
            "status 404",
            partial(_answers, api.client(), "/parity-is-not-here", 404),
            "minor",
        ),
        Check(
            "application.routes",
            "Every route of the contract answers",
            "no server error, no route missing, and nothing is changed without a token",
            partial(_routes, api),
        ),
    ]


def whole(api: Api) -> list[Check]:
    """The checks of the stack as a whole, made once and not for each host."""
    return [
        Check("application.same_release", "All hosts run the same release", "one", partial(_same_release, api), "critical"),
        *(
            Check("application.external", f"{service.name} accepts the key", f"status {service.status}", partial(_external, service))
            for service in api.external
        ),
    ]


def _answers(client: Client, path: str, status: int) -> Seen:
    answer = client.send("GET", path)
    return Seen(answer.status == status, str(answer), words_of(answer) if answer.status != status else "")


def _healthy(api: Api, process: Process) -> Seen:
    if not process.health_path:
        raise NothingToCheck(f"{process.name} names no health path that is reached here")
    return _answers(api.client(base=process.url), process.health_path, 200)


def _version(api: Api, process: Process) -> Seen:
    if not process.version_path:
        raise NothingToCheck(f"{process.name} names no version path; its slot tells the release")
    answer = api.client(base=process.url).send("GET", process.version_path)
    content = answer.json()
    release = content.get("release") if isinstance(content, dict) else None
    if answer.status != 200 or release is None:
        return Seen(False, str(answer), words_of(answer))
    return Seen(release == api.release or not api.release, str(release))


def _routes(api: Api) -> Seen:
    """Call each operation of the OpenAPI document in a way that harms nothing."""
    answer = api.client().send("GET", api.openapi_path)
    described = answer.json()
    if answer.status == 404:
        raise NothingToCheck(f"{api.openapi_path} is not there, so the application describes no routes")
    if answer.status != 200 or not isinstance(described, dict):
        return Seen(False, f"{api.openapi_path}: {answer}", words_of(answer))
    user, nobody, told, bad, asked = api.user(), api.client(), [], [], 0
    state_path = api.flow.state_path if api.flow else ""
    with _own_document(api, user) as identifier:
        for route in contract.routes(described, state_path, identifier, api.openapi_path):
            name = f"{route.method} {route.template}".strip()
            if route.why_not:
                told.append(f"{name}: not checked: {route.why_not}")
                continue
            asked += 1
            seen = (user if route.token else nobody).send(route.method, route.path)
            guarded = route.token and not api.key and seen.status in (401, 403)  # there is no token that it could take
            wrong = "" if guarded else route.complaint(seen.status, seen.error)
            bad += [name] if wrong else []
            told.append(
                f"{name}: {seen.status or 'no answer'}{' without a token' if not route.token else ''}{f'   <- {wrong}' if wrong else ''}"
            )
    words = f"not {', '.join(bad)}" if bad else f"{asked} of {len(told)} routes answer"
    return Seen(not bad and asked > 0, words, "\n".join(told))


@contextmanager
def _own_document(api: Api, user: Client) -> Iterator[object]:
    """A document of the test user while the routes are checked; None where the application takes no documents."""
    if api.flow is None:
        yield None
        return
    with pipeline.submitted(user, api.flow, pdf.page(["Parity asks every route for this page."])) as identifier:
        yield identifier


def _same_release(api: Api) -> Seen:
    if not api.hosts:
        raise NothingToCheck("the inventory names no host of the API")
    if not api.version_path:
        raise NothingToCheck("no process names a version path; the slots tell their releases")
    seen = {}
    for host in api.hosts:
        content = Client(host, timeout=10).send("GET", api.version_path).json()
        seen[host] = content.get("release") if isinstance(content, dict) else None
    releases = sorted({str(release or "no answer") for release in seen.values()})
    told = "\n".join(f"{host}: {release or 'no answer'}" for host, release in seen.items())
    return Seen(len(releases) == 1 and None not in seen.values(), ", ".join(releases), told)


def _external(service: External) -> Seen:
    """Send one cheap request. Its answer is no evidence, because it may repeat the key."""
    if not service.key:
        raise NothingToCheck("no key is configured, so the application does not use this service")
    client = Client(timeout=20, redirects=False)
    answer = client.send(
        service.method,
        service.url,
        body=service.body.encode() or None,
        content_type="application/json" if service.body else "",
        headers={service.header: service.prefix + service.key},
    )
    meaning = {
        401: ": the key is not valid",
        403: ": the key lacks the right",
        429: ": the quota is used up",
        404: ": there is no such thing at this URL",
    }
    return Seen(
        answer.status == service.status,
        f"{answer}{meaning.get(answer.status, '')}",
        f"{service.method} {service.url}, {answer.seconds:.2f} s",
    )


# --- Security ---------------------------------------------------------------------------------------------------------


def security(api: Api) -> list[Check]:
    """The checks of tokens are made where there is a key, and a path that wants a token."""
    refused = "status 401 or 403"
    found = [
        Check("security.no_token", "Nobody gets in without a token", refused, partial(_denied, api, lambda: ""), "critical"),
        Check(
            "security.expired",
            "An expired token is refused",
            refused,
            partial(_denied, api, lambda: api.token(seconds=-300)),
            "critical",
        ),
        Check(
            "security.wrong_key",
            "A token signed with another key is refused",
            refused,
            partial(_denied, api, lambda: api.token(key="another-key-of-the-same-length-as-one")),
            "critical",
        ),
        Check(
            "security.alg_none",
            "A token without a signature is refused",
            refused,
            partial(_denied, api, lambda: unsigned_jwt(api.claims())),
            "critical",
        ),
        Check("security.valid_token", "A good token is let in", "status 200", partial(_admitted, api)),
        Check("security.other_user", "Another user's document is not shown", "status 403 or 404", partial(_other_user, api), "critical"),
        Check(
            "security.audit",
            "What is done to a document is in the audit log",
            ", ".join(api.audit_expects) or "its rows",
            partial(_audited, api),
        ),
        Check(
            "security.headers",
            "Answers tell browsers what to be careful about",
            ", ".join(f"{name}: {text}" for name, text in api.headers.items()),
            partial(_headers, api),
        ),
        Check(
            "security.cors_refused",
            "A foreign origin may not read answers",
            f"nothing allowed to {api.refused_origin}",
            partial(_origin_refused, api),
        ),
        *(
            Check("security.cors_allowed", f"{origin} may read answers", f"allowed to {origin}", partial(_origin_allowed, api, origin))
            for origin in api.origins
        ),
    ]
    if api.audience:
        wrong = partial(_denied, api, lambda: api.token(aud="somebody-else"))
        found.append(Check("security.wrong_audience", "A token for another application is refused", refused, wrong, "critical"))
    if api.url.startswith("https://"):
        found += [
            Check("security.tls", "TLS 1.2 and newer only", "1.2 or 1.3 accepted, 1.0 and 1.1 refused", partial(_tls, api), "critical"),
            Check("security.ciphers", "No weak cipher is accepted", "refused", partial(_ciphers, api), "critical"),
        ]
    return found


def limits(api: Api) -> list[Check]:
    """The check that uses up the request limit of this host's address. It therefore comes last."""
    requests, seconds = api.rate_limit
    wanted = f"429 with Retry-After after {requests} requests in {seconds:g} s, then an answer after the wait" if requests else "a limit"
    return [Check("security.rate_limit", "A client that sends too many requests has to wait", wanted, partial(_rate_limit, api))]


def _denied(api: Api, token: Callable[[], str]) -> Seen:
    api.need_token()
    answer = api.client(token()).send("GET", api.protected_path)
    return Seen(answer.status in _DENIED, str(answer), words_of(answer) if answer.status not in _DENIED else "")


def _admitted(api: Api) -> Seen:
    api.need_token()
    answer = api.client(api.token()).send("GET", api.protected_path)
    return Seen(answer.status == 200, str(answer), words_of(answer) if answer.status != 200 else "")


def _other_user(api: Api) -> Seen:
    api.need_token()
    flow, owner, stranger = api.need_flow(), api.user(), api.client(api.token(STRANGER))
    with pipeline.submitted(owner, flow, pdf.page(["Nobody but its owner may see this page."])) as identifier:
        path = flow.state_path.format(id=identifier)
        own, other = owner.send("GET", path), stranger.send("GET", path)
    if own.status != 200:
        raise ParityError(f"the owner cannot read the document either ({own}), so the check shows nothing about other users")
    return Seen(
        other.status in (403, 404),
        str(other),
        "" if other.status in (403, 404) else f"GET {path} as another user: {other}",
    )


def _audited(api: Api) -> Seen:
    """Read the rows themselves: an interface may show what was never written."""
    if not api.audit_query:
        raise NothingToCheck("the inventory has no query for the audit log (validation_audit)")
    flow = api.need_flow()
    with pipeline.submitted(api.user(), flow, pdf.page(["Whoever touches this page is written down."])) as identifier:
        pass
    with closing(postgresql.connect(postgresql.parse_url(api.database_url, pooled=True))) as connection:
        rows = postgresql.rows(connection, api.audit_query, {"document": str(identifier)})
    found = [str(row[0]) for row in rows]
    missing = [action for action in api.audit_expects if action not in found]
    told = "\n".join(" ".join(map(str, row)) for row in rows)
    return Seen(bool(found) and not missing, f"without {', '.join(missing)}" if missing else ", ".join(found) or "no row", told)


def _headers(api: Api) -> Seen:
    if not api.headers:
        raise NothingToCheck("the inventory names no header (validation_headers)")
    answer = _answered(api.client().send("GET", api.health_path))
    missing = [
        f"{name}: {text}" for name, text in api.headers.items() if str(text).lower() not in answer.headers.get(name.lower(), "\0").lower()
    ]
    told = "\n".join(f"{name}: {value}" for name, value in sorted(answer.headers.items()))
    return Seen(not missing, f"without {', '.join(missing)}" if missing else "there", told if missing else "")


def _allowed(api: Api, origin: str) -> str:
    """What the API allows a page of `origin`."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = _answered(api.client().send("OPTIONS", api.protected_path or api.health_path, headers=headers))
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
    old = [name for name in told if told[name].startswith("accepted") and ssl.TLSVersion[name] in _OLD_TLS]
    new = [name for name in told if told[name].startswith("accepted") and ssl.TLSVersion[name] in _NEW_TLS]
    words = f"accepted: {', '.join(old + new) or 'none'}"
    return Seen(bool(new) and not old, words, "\n".join(f"{name}: {seen}" for name, seen in told.items()))


def _ciphers(api: Api) -> Seen:
    usual, weak = _handshake(api, ssl.TLSVersion.TLSv1_2), _handshake(api, ssl.TLSVersion.TLSv1_2, _WEAK_CIPHERS)
    if not usual.startswith("accepted") and not _handshake(api, ssl.TLSVersion.TLSv1_3).startswith("accepted"):
        raise ParityError(f"no handshake succeeds ({usual})")
    return Seen(not weak.startswith("accepted"), weak, f"any cipher in TLS 1.2: {usual}\nweak ones alone: {weak}")


def _handshake(api: Api, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> str:
    """The result of a connection with this version alone. Raises OSError when nothing listens at all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the version is asked here, the trust elsewhere
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    host, port = _place(api)
    with socket.create_connection((host, port), timeout=5) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host) as secure:
                return f"accepted ({(secure.cipher() or ['unknown'])[0]})"
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            return f"refused ({getattr(error, 'reason', None) or error})"


def _rate_limit(api: Api) -> Seen:
    """Send requests from this host's address, which no user has, to a path with nothing behind it. Uses one connection, and stops early."""
    requests, seconds = api.rate_limit
    if not requests:
        raise NothingToCheck("the inventory sets no limit")
    if requests > _MOST_REQUESTS:
        raise NothingToCheck(f"{requests} requests would be needed, which is a burden for the API")
    host, port = _place(api)
    secure = api.url.startswith("https://")
    context = ssl.create_default_context(cafile=api.ca_file) if secure else None
    connection = (
        http.client.HTTPSConnection(host, port, timeout=10, context=context)
        if secure
        else http.client.HTTPConnection(host, port, timeout=10)
    )
    began, sent, status, after = time.monotonic(), 0, 0, ""
    with closing(connection):
        while status != 429 and sent < requests + 20 and time.monotonic() - began < 3 * seconds:
            try:
                connection.request("GET", api.rate_limit_path)
                answer = connection.getresponse()
                answer.read()
            except http.client.HTTPException as error:
                raise ParityError(f"the gateway broke off after {sent} requests: {type(error).__name__}") from error
            sent, status, after = sent + 1, answer.status, answer.headers.get("Retry-After", "")
    took = time.monotonic() - began
    if status != 429:
        if took > seconds and sent < requests + 20:
            raise ParityError(f"only {sent} requests could be sent in {took:.0f} s, too few to reach the limit")
        return Seen(False, f"{sent} requests in {took:.1f} s, and none was refused", f"the last one: status {status}")
    if not after.isdigit() or not int(after):
        return Seen(False, f"429 after {sent} requests, with Retry-After {after or 'missing'}")
    time.sleep(min(int(after), 60) + 0.2)
    later = Client(api.url, ca_file=api.ca_file, timeout=10).send("GET", api.rate_limit_path)
    words = f"429 after {sent} more requests, Retry-After {after}; then {later}"
    return Seen(later.status not in (0, 429), words, f"{sent} requests in {took:.1f} s, after those the other checks had made")


def _place(api: Api) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(api.url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


GROUPS: dict[str, Callable[[Api], list[Check]]] = {
    "application": application,
    "security": security,
    "pipeline": documents,
}
