# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate a server shows, verified the way its clients do, with nothing but Python."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

DAY = 86400


@dataclass(frozen=True)
class Shown:
    """A certificate with a verified chain and name. Where it is not verified, `problem` says why, and the other fields are empty."""

    days: int = 0
    names: tuple[str, ...] = ()
    issuer: str = ""
    version: str = ""
    problem: str = ""


def shown(host: str, port: int, *, ca_file: str | None = None, name: str = "", postgresql: bool = False, seconds: float = 5) -> Shown:
    """The certificate that a server shows, verified. Raises OSError where nothing answers, ParityError where the server has no TLS.

    `name` is what the certificate has to be for, when that is not `host`.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    with socket.create_connection((host, port), timeout=seconds) as connection:
        if postgresql:
            connection.sendall(struct.pack("!ii", 8, 80877103))  # PostgreSQL's SSLRequest
            if connection.recv(1) != b"S":
                raise ParityError(f"{host}:{port} offers no TLS")
        try:
            with context.wrap_socket(connection, server_hostname=name or host) as secure:
                certificate, version = secure.getpeercert() or {}, secure.version() or ""
        except ssl.SSLCertVerificationError as error:
            return Shown(problem=f"not trusted: {error.verify_message}")
        except ssl.SSLError as error:
            raise ParityError(f"{host}:{port} speaks no TLS ({error.reason or error})") from error
    return Shown(
        days=_days(certificate),
        names=tuple(value for _kind, value in certificate.get("subjectAltName", ())),
        issuer=", ".join(value for part in certificate.get("issuer", ()) for _key, value in part),
        version=version,
    )


def authorities(path: str) -> list[tuple[int, str]]:
    """Days left and name of each authority in a file (PEM). Raises ParityError where there is none in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=Path(path).read_text(encoding="ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ParityError(f"{path} holds no certificate in PEM") from error
    found = [
        (_days(certificate), ", ".join(value for part in certificate["subject"] for _key, value in part))
        for certificate in context.get_ca_certs()
    ]
    if not found:
        raise ParityError(f"{path} holds no certificate of an authority")
    return found


def _days(certificate: dict) -> int:
    return int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) // DAY)
