# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a server's certificate is not accepted, found by a handshake with a server that shows one."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW, DAY = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name("authority"), name("authority"), key.public_key(), 1, NOW - 9 * DAY, NOW + 9 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return key


def shown(path: Path, signer: ec.EllipticCurvePrivateKey, end: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name("authority"), name("localhost"), key.public_key(), 2, NOW - 9 * DAY, end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + plain)


@pytest.mark.parametrize(
    ("days", "trusted", "host", "words"),
    [
        (5, "own", "localhost", ""),
        (-1, "own", "localhost", "has expired"),
        (5, "other", "localhost", "cannot be verified"),
        (5, "own", "127.0.0.1", "cannot be verified"),
    ],
)
def test_the_reason_is_found(tmp_path: Path, days: int, trusted: str, host: str, words: str) -> None:
    keys = {who: authority(tmp_path / f"{who}.pem") for who in ("own", "other")}
    shown(tmp_path / "server.pem", keys["own"], NOW + days * DAY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as plain:
                plain.recv(8)
                plain.sendall(b"S")
                with contextlib.suppress(OSError):  # the client does not like what it sees
                    context.wrap_socket(plain, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        options = {"sslmode": "verify-full", "sslrootcert": str(tmp_path / f"{trusted}.pem")}
        target = postgresql.Target(host, listener.getsockname()[1], "owner", "geheim", "shop", options)
        reason = postgresql.verification_failure(target)
        thread.join()
    assert bool(reason) == bool(words)
    assert words in postgresql.explain_connection(target, f"certificate verify failed{reason}")
