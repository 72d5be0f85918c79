# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ's definitions hold one user with a salted hash, and no password."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.parity.stack.plugins.filter.rabbitmq_definitions import password_hash, rabbitmq_definitions


def test_one_user_of_one_virtual_host() -> None:
    found = rabbitmq_definitions("app", "pä ss", "shop")
    assert [one["name"] for one in (*found["vhosts"], *found["users"])] == ["shop", "app"]
    assert found["users"][0]["tags"] == []
    assert found["permissions"] == [{"user": "app", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}]
    assert "pä ss" not in json.dumps(found, ensure_ascii=False)


def test_the_hash_is_salted_and_comes_again() -> None:
    raw = base64.b64decode(password_hash("pä ss", "seed"))
    assert raw[4:] == hashlib.sha256(raw[:4] + "pä ss".encode()).digest() and len(raw) == 36
    hashes = {password_hash(password, seed) for password in ("one", "two") for seed in ("a", "b")}
    assert len(hashes) == 4 and password_hash("one", "a") in hashes


@pytest.mark.parametrize(
    ("user", "password", "host", "words"),
    [
        ("", "geheim", "v", "broker_user is ''"),
        ("guest", "geheim", "v", "broker_user is 'guest'"),
        ("u", "", "v", "is empty"),
        ("u", "geheim", "", "is empty"),
    ],
)
def test_what_is_missing_is_said(user: str, password: str, host: str, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words) as error:
        rabbitmq_definitions(user, password, host)
    assert "geheim" not in str(error.value)
