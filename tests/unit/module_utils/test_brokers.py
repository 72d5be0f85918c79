# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broker's URL is read as Celery reads it, or refused."""

from __future__ import annotations

import re

import pytest
from ansible_collections.parity.stack.plugins.module_utils import brokers
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError


@pytest.mark.parametrize(
    ("text", "kind", "servers", "user", "password", "database", "tls"),
    [
        ("redis://:p%40s@h/2", "redis", [("h", 6379)], "", "p@s", 2, False),
        ("rediss://u:p@h:6380/0?ssl_cert_reqs=required", "redis", [("h", 6380)], "u", "p", 0, True),
        ("amqp://u:p@h", "rabbitmq", [("h", 5672)], "u", "p", "/", False),
        ("amqp://u:p@h/", "rabbitmq", [("h", 5672)], "u", "p", "/", False),
        ("amqp://u:p@h//", "rabbitmq", [("h", 5672)], "u", "p", "/", False),
        ("amqp://u:p@h/%2F", "rabbitmq", [("h", 5672)], "u", "p", "/", False),
        ("amqp://u:p@h/a%2Fb", "rabbitmq", [("h", 5672)], "u", "p", "a/b", False),
        ("pyamqp://u%2B:p%2F@Queue.example:5673/shop", "rabbitmq", [("queue.example", 5673)], "u+", "p/", "shop", False),
        ("amqps://u:p@h/shop?heartbeat=30", "rabbitmq", [("h", 5671)], "u", "p", "shop", True),
        ("amqps://u:p@[::1]:5673/shop", "rabbitmq", [("::1", 5673)], "u", "p", "shop", True),
        ("amqp://h/shop", "rabbitmq", [("h", 5672)], "", "", "shop", False),
        ("sentinel://h1:26379;sentinel://h2:26379/0", "sentinel", [("h1", 26379), ("h2", 26379)], "", "", 0, False),
        ("sentinel://:p@h1;sentinel://:p@h2:1;sentinel://h3", "sentinel", [("h1", 26379), ("h2", 1), ("h3", 26379)], "", "p", 0, False),
        ("sentinel://u:p@h1/3", "sentinel", [("h1", 26379)], "u", "p", 3, False),
    ],
)  # fmt: skip
def test_brokers_that_are_read(text: str, kind: str, servers: list, user: str, password: str, database: object, tls: bool) -> None:
    found = brokers.read(text)
    assert (found.kind, list(found.servers), found.user, found.password, found.database, found.tls) == (
        kind, servers, user, password, database, tls,
    )  # fmt: skip
    assert (found.host, found.port) == servers[0] and str(found) == f"{found.host}:{found.port}"
    assert brokers.known(text) and (not password or f"'{password}'" not in repr(found))


FORMS = "redis://:password@host:6379/0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty. It has to look like one of: " + FORMS),
        (None, "is empty"),
        ("sqs://geheim:k@h", "is none of the brokers that Parity knows. It has to look like one of: " + FORMS),
        ("AMQP://u:geheim@h/shop", "is none of the brokers"),
        ("amqp:geheim", "is none of the brokers"),
        ("geheim", "is none of the brokers"),
        ("redis://:geheim@h/99", "names the database 99"),
        ("redis://h1/0;redis://h2/0", "the end of one URL"),
        ("amqp://u:geheim@h1/v;amqp://u:geheim@h2/v", "names several servers"),
        ("amqp://u:geheim@h1,h2/v", "several hosts"),
        ("amqp://u@h/geheim", "names no user or no password"),
        ("amqp://:geheim@h/v", "names no user or no password"),
        ("amqp://u:@h/v", "names no user or no password"),
        ("amqp://u:geh/eim@h/v", "before its @"),
        ("amqp://u:geheim@h/a/b", "In it, / is %2F"),
        ("amqp://u:geheim@h///", "In it, / is %2F"),
        ("amqp://u:geheim@h/v#x", "one virtual host"),
        ("amqp://u:geheim@h/v%00", "control character"),
        ("amqps://u:geheim@h/v?ssl_cert_reqs=none", "option that is not supported"),
        ("amqp://u:geheim@h/v?heartbeat=often", "in whole seconds"),
        ("sentinel://:geheim@h1;redis://:geheim@h2", "has to begin with sentinel://"),
        ("sentinel://:geheim@h1;", "has to begin with sentinel://"),
        ("sentinel://:geh;eim@h1", "names no host"),
        ("sentinel://:geheim@h1;sentinel://:geheim2@h2", "different users, passwords"),
        ("sentinel://h1;sentinel://:geheim@h2", "different users, passwords"),
        ("sentinel://h1;sentinel://h2/1", "or databases"),
        ("sentinel://:geheim@h1/jobs", "number of a database and nothing else"),
        ("sentinel://:geheim@h1/0?master_name=m", "nothing else"),
        ("sentinel://geheim@h1/0", "names no password"),
        ("sentinel://:geheim@h1/16", "names the database 16"),
    ],
)
def test_brokers_that_are_refused(text: object, words: str) -> None:
    with pytest.raises(ParityError, match=re.escape(words)) as error:
        brokers.read(text, "BROKER_URL")
    assert str(error.value).startswith("BROKER_URL ") and "geheim" not in str(error.value)


@pytest.mark.parametrize("text", ["redis://:p@h/99", "sentinel://:p@h/99"])
def test_the_number_of_databases_may_be_the_servers_own(text: str) -> None:
    assert brokers.read(text, databases=None).database == 99


@pytest.mark.parametrize(("text", "known"), [("AMQPS://x", True), ("https://h", False), ("", False), (None, False), ("amqp", True)])
def test_what_has_the_scheme_of_a_broker(text: object, known: bool) -> None:
    assert brokers.known(text) is known
