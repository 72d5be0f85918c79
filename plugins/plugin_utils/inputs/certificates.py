# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate and its key can serve TLS. For the control node, which has the cryptography package."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:  # ansible-core requires it, so only a target lacks it
    x509 = serialization = None


def problems(
    certificate: bytes | None,
    key: bytes | None,
    *,
    names: tuple[str, str],
    hosts: Iterable[str] = (),
    now: datetime.datetime | None = None,
) -> list[str]:
    """Why a server cannot use `certificate` (PEM, the server's own first, then intermediate ones) with `key` (PEM).

    A file that could not be read is None. `names` are what the messages call the two files, `hosts` names that the certificate has to
    be valid for. The list is empty when nothing is wrong.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    found = [
        f"{name} does not exist on the control node, or is not readable. Give the path of a PEM file."
        for name, content in zip(names, (certificate, key))
        if content is None
    ]
    chain, private_key = [], None
    if certificate is not None:
        chain, wrong = _read_chain(certificate, names[0])
        found += wrong or [*_validity(chain, names[0], now), *_hosts(chain[0], names[0], hosts)]
    if key is not None:
        private_key, wrong = _read_key(key, names[1])
        found += wrong
    if chain and private_key is not None:
        found += _belong_together(chain, private_key, names)
    return found


def _read_chain(content: bytes, name: str) -> tuple[list, list[str]]:
    try:
        return x509.load_pem_x509_certificates(content), []
    except ValueError:
        return [], [f"{name} holds no certificate in PEM (a block that starts with -----BEGIN CERTIFICATE-----)."]


def _read_key(content: bytes, name: str) -> tuple[object, list[str]]:
    try:
        return serialization.load_pem_private_key(content, password=None), []
    except TypeError:
        return None, [
            f"{name} is protected by a passphrase, which a server cannot type. Remove it (openssl pkey -in ... "
            "-out ...) and encrypt the file with Ansible Vault instead."
        ]
    except ValueError:
        return None, [f"{name} holds no private key in PEM (a block that starts with -----BEGIN PRIVATE KEY-----)."]


def _validity(chain: list, name: str, now: datetime.datetime) -> list[str]:
    found = []
    for certificate in chain:
        subject = certificate.subject.rfc4514_string() or "no name"
        if certificate.not_valid_after_utc < now:
            end = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            found.append(f"{name}: the certificate of {subject} expired on {end}. Renew it.")
        if certificate.not_valid_before_utc > now:
            start = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            found.append(
                f"{name}: the certificate of {subject} is valid from {start} on. Wait until then, or check this "
                "machine's clock."
            )
    return found


def _hosts(certificate: object, name: str, hosts: Iterable[str]) -> list[str]:
    """The names a certificate lacks; source: RFC 9525, 6.3 (a wildcard stands for the whole left-most label)."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        valid = {one.lower() for one in alternatives.get_values_for_type(x509.DNSName)}
    except x509.ExtensionNotFound:
        valid = set()
    return [
        f"{name}: the certificate is not valid for {host}, which a process has as its domain. It is valid for "
        f"{', '.join(sorted(valid)) or 'no name'}. Request one with every name."
        for host in hosts
        if not {host, f"*.{host.partition('.')[2]}"} & valid
    ]


def _belong_together(chain: list, private_key: object, names: tuple[str, str]) -> list[str]:
    matching = [index for index, certificate in enumerate(chain) if _public(certificate) == _public(private_key)]
    if not matching:
        return [f"{names[1]} is not the key of the certificate in {names[0]}. Give the key it was requested with."]
    if matching[0] != 0:
        return [
            f"{names[0]} starts with the certificate of {chain[0].subject.rfc4514_string()}, but {names[1]} belongs to "
            f"its certificate number {matching[0] + 1}. Put the server's own certificate first."
        ]
    for issued, issuer in itertools.pairwise(chain):
        if issued.issuer != issuer.subject:
            return [
                f"{names[0]}: the certificate of {issued.subject.rfc4514_string()} was issued by "
                f"{issued.issuer.rfc4514_string()}, but the next one is that of {issuer.subject.rfc4514_string()}. "
                "Order the chain from the server's certificate up."
            ]
    return []


def _public(owner: object) -> bytes:
    return owner.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
