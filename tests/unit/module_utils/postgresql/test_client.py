# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql

TARGET = postgresql.Target(host="db", port=5432, user="owner", password="geheim", database="shop")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop", None),
        ("_shop_1", None),
        ("", "starts with"),
        ("Shop", "starts with"),
        ("1shop", "starts with"),
        ("shop-1", "starts with"),
        ('shop"; drop', "starts with"),
        ("s" * 64, "63 characters"),
        (None, "None"),
        ("postgres", "keeps for itself"),
        ("pg_shop", "keeps for itself"),
        ("all", "keeps for itself"),
    ],
)
def test_names(name, words):
    problem = postgresql.name_problem("database_name", name)
    assert problem is None if words is None else words in problem and "database_name" in problem


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5433/d", ("h", 5433, "u", "p", "d", {})),
        ("postgres://u:p@h/d", ("h", 5432, "u", "p", "d", {})),
        ("postgresql://u:p%40%2F%25%C3%BC@h/d", ("h", 5432, "u", "p@/%ü", "d", {})),
        ("postgresql://u:a:b@[::1]:5432/d", ("::1", 5432, "u", "a:b", "d", {})),
        (
            "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            ("h", 5432, "u", "p", "d", {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}),
        ),
    ],
)
def test_urls(url, expected):
    target = postgresql.parse_url(url)
    assert (target.host, target.port, target.user, target.password, target.database, target.options) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is empty"),
        (None, "is empty"),
        ("mysql://u:geheim@h/d", "has to start with postgresql://"),
        ("postgresql://u:geh/eim@h/d", "percent-encoded"),
        ("postgresql://u:geh@eim@h/d", "percent-encoded"),
        ("postgresql://u:geheim%zz@h/d", "two hexadecimal digits"),
        ("postgresql://u:geheim@h", "cannot be read"),
        ("postgresql://u@h/d", "no user or no password"),
        ("postgresql://:geheim@h/d", "no user or no password"),
        ("postgresql://h/d", "no user or no password"),
        ("postgresql://u:geheim@h:99999/d", "between 1 and 65535"),
        ("postgresql://u:geheim@h:6543/d", "transaction pooler"),
        ("postgresql://u:geheim@h/d?password=geheim", "not supported: password"),
    ],
)
def test_urls_that_cannot_be_used(url, words):
    with pytest.raises(ParityError, match=words) as caught:
        postgresql.parse_url(url, "backup_database_url")
    assert "backup_database_url" in str(caught.value)
    assert "geh" not in str(caught.value)


def test_the_password_is_in_no_text_of_a_target():
    assert "geheim" not in repr(TARGET) + TARGET.conninfo() + TARGET.place


def test_connection_strings_are_quoted():
    target = postgresql.Target(host="h", port=1, user="it's", password="", database="a\\b c")
    assert target.conninfo() == "host='h' port='1' user='it\\'s' dbname='a\\\\b c' connect_timeout='10'"


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ('FATAL:  password authentication failed for user "owner"', "refuses the password of owner"),
        ('FATAL:  database "shop" does not exist', "has no database of this name"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "owner"', "does not let owner in"),
        ("connection to server failed: Connection refused", "nothing listens there"),
        ('could not translate host name "db" to address', "does not resolve"),
        ("connection failed: timeout expired", "within 10 s"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "owner", database "shop", no encryption', "without TLS"),
        ("SSL error: certificate verify failed", "certificate that cannot be verified"),
        ('server certificate for "other" does not match host name "db"', "cannot be verified"),
        ("SSL error: certificate has expired", "has expired"),
        ("server does not support SSL, but SSL was required", "offers no TLS"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  something new\nand more", "cannot be used by owner: FATAL:  something new"),
        ("", "no reason given"),
    ],
)
def test_words_of_a_failed_connection(words, meaning):
    explained = postgresql.explain_connection(TARGET, words)
    assert meaning in explained
    assert "shop on db:5432" in explained
