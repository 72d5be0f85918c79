# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How age is called, and what its failures mean. The secret key is on no command line."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.backup.age import Age
from ansible_collections.parity.stack.plugins.module_utils.backup.repository import sha256
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from object_stores import Tools

DECRYPT = ["--decrypt", "--identity", "-"]


@pytest.mark.parametrize(
    ("keys", "asked", "expected"),
    [
        (("age1key", ""), False, [["--encrypt", "--recipient", "age1key"]]),
        (("age1key", "KEY"), False, [["--encrypt", "--recipient", "age1key"], DECRYPT]),
        (("", "KEY"), False, [["--encrypt", "--identity", "-"], DECRYPT]),
        # Whoever has asked for the public key has it, and uses it.
        (("", "KEY"), True, [["-y"], ["--encrypt", "--recipient", "age1key"], DECRYPT]),
    ],
)
def test_what_is_encrypted_is_decrypted_again(tmp_path, keys, asked, expected):
    tools = Tools()
    age = Age(tools.age, *keys)
    plain, to = tmp_path / "plain", tmp_path / "to"
    plain.write_bytes(b"the content")
    if asked:
        assert age.recipient == "age1key"
    age.encrypt(plain, to, sha256(plain), "dump")
    assert to.read_bytes().startswith(b"age1key ") and to.stat().st_mode & 0o077 == 0
    assert plain.read_bytes() == b"the content"
    assert [[word for word in words[1:] if not word.startswith("/") and word != "--output"] for words in tools.seen] == expected
    assert not any("KEY" in word for words in tools.seen for word in words)


def test_what_does_not_decrypt_to_the_original(tmp_path):
    tools = Tools()
    tools.broken = "decrypt"
    plain = tmp_path / "plain"
    plain.write_bytes(b"the content")
    with pytest.raises(ParityError, match=r"The encrypted dump does not decrypt to the original\. It was not kept"):
        Age(tools.age, "", "KEY").encrypt(plain, tmp_path / "to", sha256(plain), "dump")


@pytest.mark.parametrize(
    ("code", "err", "words"),
    [
        (1, "age: error: no identity matched any of the recipients\nage: report", "the key is not the one it was encrypted with (age:"),
        (1, "age: error: incorrect identity for recipient block", "the key is not the one"),
        (1, "age: error: failed to read header: failed to read line: EOF", "it is cut off or damaged"),
        (1, "age: error: failed to decrypt and authenticate payload chunk", "it is cut off or damaged"),
        (1, "age: warning: a word\nage: error: unexpected EOF", "it is cut off or damaged (age: error: unexpected EOF)"),
        (1, "age: error: write /x: no space left on device", "the disk is full"),
        (1, "age: error: something new\nand more", "age failed with {file}: age: error: something new"),
        (1, "", "age failed with {file}: no reason given"),
        (127, "", "age is not installed on this host. Install it: apt-get install age"),
    ],
)
def test_words_of_a_failed_age(tmp_path, code, err, words):
    file = tmp_path / "shop.dump"
    with pytest.raises(ParityError) as caught:
        Age(lambda _words, _stdin: (code, "", err), "", "KEY").decrypt(file, tmp_path / "plain")
    assert words.format(file=file) in str(caught.value)


def test_the_secret_key_has_to_be_given(tmp_path):
    with pytest.raises(ParityError, match=r"is encrypted with age\. Give its secret key: backup_age_identity"):
        Age(Tools().age, "age1key").decrypt(tmp_path / "shop.dump", tmp_path / "plain")
    assert not list(tmp_path.iterdir())
