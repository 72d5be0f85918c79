# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signing key is judged for what it is, and not for its length alone."""

from __future__ import annotations

import secrets

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import signing_keys
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

GOOD = "kT9vQ2mZ4rX7wB1nC6yF3hJ8dL5gS0pa"
FORMATS = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)


def private(form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("value", [GOOD, GOOD + " " + GOOD, "é" * 4 + GOOD[:24], secrets.token_hex(32), secrets.token_urlsafe(24)])
def test_a_random_text_is_fit(value: str) -> None:
    assert signing_keys.complaint(value) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "missing or empty"),
        ("", "missing or empty"),
        (" " * 40, "missing or empty"),
        (12345678901234567890123456789012345, "is a int, not text"),
        (GOOD[:31], "too short to sign tokens with: 31 bytes"),
        ("é" * 15 + "a", "31 bytes"),
        (GOOD + "\n", "a space or a line break"),
        ('"-----BEGIN RSA PRIVATE KEY-----', "a part of a PEM file"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a part of a PEM file"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB" + GOOD * 2 + "\n-----END PUBLIC KEY-----", "a part of a PEM file"),
        (GOOD + "\n-----END PRIVATE KEY-----", "a part of a PEM file"),
        ("-----BEGIN PRIVATE KEY-----\\n" + GOOD * 2 + "\\n-----END PRIVATE KEY-----", "a part of a PEM file"),
        ("x" * 64, "is a placeholder"),
        ("CHANGE-ME-CHANGE-ME-CHANGE-ME-CHANGE-ME", "is a placeholder"),
        ("your-secret-key-with-32-characters-or-more-here", "is a placeholder"),
        ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "out of a documentation"),
        ("abababab" * 5, "only 2 different characters"),
        ("abcdefgh" * 4, "repeats or counts up"),
        ("12345678901234567890123456789012", "repeats or counts up"),
        ("abcdefghijklmnopqrstuvwxyz123456", "repeats or counts up"),
        (GOOD * 2, "repeats or counts up"),
    ],
)
def test_what_can_be_guessed_is_refused(value: object, words: str) -> None:
    told = signing_keys.complaint(value)
    assert words in told and (not value or str(value) not in told)


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_private_key_is_for_algorithms_of_key_pairs(form: PrivateFormat) -> None:
    key = private(form)
    assert "a whole private key. HS256 signs with a random text" in signing_keys.complaint(key)
    assert [signing_keys.complaint(key, algorithm) for algorithm in ("RS256", "ES256", "PS512", "EdDSA")] == [""] * 4


def test_key_pairs_need_a_whole_private_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for value in (GOOD, public, private().replace("\n", ""), private()[:-20]):
        assert "no whole private key" in signing_keys.complaint(value, "ES256")
    assert signing_keys.complaint(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), "EdDSA") == ""
