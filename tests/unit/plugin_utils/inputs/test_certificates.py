# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs.certificates import problems
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2030, 1, 15, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption)


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + DAY,
    valid_for: tuple[str, ...] = (),
) -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), 1, start, end)
    if valid_for:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in valid_for]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(PEM)


ROOT, MIDDLE, SERVER, OTHER = (ec.generate_private_key(ec.SECP256R1()) for dummy in range(4))
MIDDLE_PEM = certificate("middle", MIDDLE, "root", ROOT)
ROOT_PEM = certificate("root", ROOT, "root", ROOT)
SERVER_PEM = certificate("server", SERVER, "middle", MIDDLE)
CHAIN = SERVER_PEM + MIDDLE_PEM
EXPIRED = certificate("server", SERVER, "middle", MIDDLE, NOW - 3 * DAY, NOW - DAY)
FUTURE = certificate("server", SERVER, "middle", MIDDLE, NOW + DAY, NOW + 2 * DAY)
KEY = key_pem(SERVER)


def ask(certificate: bytes | None, key: bytes | None) -> list[str]:
    return problems(certificate, key, names=("api.pem", "api.key"), now=NOW)


@pytest.mark.parametrize("fit", [SERVER_PEM, CHAIN, CHAIN + ROOT_PEM], ids=["alone", "chain", "with root"])
def test_what_belongs_together_has_no_problems(fit: bytes) -> None:
    assert ask(fit, KEY) == []


@pytest.mark.parametrize(
    ("certificate", "key", "word"),
    [
        (None, KEY, "api.pem does not exist"),
        (CHAIN, None, "api.key does not exist"),
        (b"", KEY, "api.pem holds no certificate"),
        (KEY, KEY, "api.pem holds no certificate"),
        (b"\xff\xfe", KEY, "api.pem holds no certificate"),
        (CHAIN, b"", "api.key holds no private key"),
        (CHAIN, CHAIN, "api.key holds no private key"),
        (CHAIN, key_pem(SERVER, b"secret"), "passphrase"),
        (CHAIN, key_pem(OTHER), "is not the key of the certificate"),
        (EXPIRED, KEY, "expired on 2030-01-14"),
        (FUTURE, KEY, "valid from 2030-01-16"),
        (MIDDLE_PEM + SERVER_PEM, KEY, "certificate number 2"),
        (SERVER_PEM + ROOT_PEM, KEY, "Order the chain"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_serve_is_named(certificate: bytes | None, key: bytes | None, word: str) -> None:
    found = ask(certificate, key)
    assert len(found) == 1
    assert word in found[0]
    assert "PRIVATE KEY-----\n" not in found[0]


def test_all_problems_are_named_at_once() -> None:
    assert len(ask(None, None)) == 2
    assert len(ask(EXPIRED, key_pem(OTHER))) == 2


@pytest.mark.parametrize(
    ("names", "host", "wanted"),
    [
        (("api.example.org", "admin.example.org"), "admin.example.org", ""),
        (("*.example.org",), "admin.example.org", ""),
        (("ADMIN.example.org",), "admin.example.org", ""),
        (("*.example.org",), "example.org", "is not valid for example.org"),
        (("*.example.org",), "new.admin.example.org", "is not valid for new.admin.example.org"),
        (("api.example.org",), "admin.example.org", "It is valid for api.example.org."),
        ((), "admin.example.org", "It is valid for no name."),
    ],
)
def test_certificate_is_valid_for_every_domain(names: tuple[str, ...], host: str, wanted: str) -> None:
    pem = certificate("server", SERVER, "middle", MIDDLE, valid_for=names)
    found = problems(pem, KEY, names=("api.pem", "api.key"), hosts=[host], now=NOW)
    assert bool(found) == bool(wanted) and all(wanted in line for line in found), found
