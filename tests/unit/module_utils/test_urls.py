# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the parsers of URLs accept, libpq, SQLAlchemy, asyncpg's dialect and kombu read with the same parts."""

from __future__ import annotations

import re

import psycopg2
import pytest
import sqlalchemy
from ansible_collections.parity.stack.plugins.filter.connection_parts import connection_parts
from ansible_collections.parity.stack.plugins.module_utils import redis, urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kombu.utils.url import parse_url as kombu_parts
from psycopg2.extensions import parse_dsn

BITS = [
    *"ab1:/@?#[]%&=+,;. \n\t\\$é!~'\"_-",
    "%40",
    "%2F",
    "%zz",
    "%00",
    "%ff",
    "%C3%A9",
    "10.0.0.1",
    "[::1]",
    "host",
    ":5432",
    ":0",
    "${A}",
]
TEXT = st.lists(st.sampled_from(BITS), max_size=4).map("".join)


def mostly(good: list[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A part of a URL that is right nine times of ten, so that a URL has about one fault."""
    return st.tuples(st.integers(0, 9), st.sampled_from(good), odd).map(lambda drawn: drawn[2] if drawn[0] == 9 else drawn[1])


PART = mostly(["app", "p%40ss", "a.b-c_d~e", "pa$s", "x!'y", "p%C3%A9", "a+b", "5432", "%25", "a:b"], TEXT)
HOST = mostly(["h", "db.example.org", "10.0.0.1", "[::1]", "H-1_x.y."], TEXT)
PORT = mostly(["", ":1", ":5432", ":65535", ":05432"], st.sampled_from([":65536", ":x", ":", ":-1", ":0", ":1:2", ":\u0663"]))
OPTION = mostly(
    ["sslmode=require", "sslrootcert=/etc/a%20b.pem", "application_name=a%2Bb", "connect_timeout=5", "target_session_attrs=any"],
    st.sampled_from(["ssl=require", "sslmode=no", "application_name=a+b", "host=other", "dbname=other", "a", "=", "", "sslmode=x=y"]),
)
TLS = mostly(
    ["ssl_cert_reqs=required", "ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=optional", "ssl_keyfile=/etc/a%20b", "ssl_check_hostname=false"],
    st.sampled_from(["ssl_cert_reqs=maybe", "db=3", "ssl_cert_reqs", "ssl_keyfile=a+b"]),
)


def query(option: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), st.lists(option, max_size=2).map(lambda options: "?" + "&".join(options)))


DATABASE_SCHEME = mostly(
    ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg", "postgresql+pg8000"], st.sampled_from(["Postgresql", "x"])
)
NUMBER = mostly(["", "/", "/0", "/7", "/15", "/007"], st.sampled_from(["/16", "/x", "//1", "/1/", "/\u0663", "/0\n", "/%30"]))


def url(scheme: str, user: str, password: str, host: str, port: str, path: str, query: str) -> str:
    return f"{scheme}://{user}:{password}@{host}{port}{path}{query}"


DATABASES = st.builds(url, DATABASE_SCHEME, PART, PART, HOST, PORT, PART.map("/{}".format), query(OPTION))
BROKERS = st.one_of(
    st.builds(url, st.just("rediss"), st.just("") | PART, PART, HOST, PORT, NUMBER, query(TLS)),
    st.builds(url, st.sampled_from(["redis", "redis", "REDIS"]), st.just("") | PART, PART, HOST, PORT, NUMBER, st.just("")),
)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(DATABASES)
@example("postgresql://u:p@h/d\n")
@example("postgresql://u:p@h/d?")
@example("postgresql://u:p@h/d?sslmode=require&sslmode=disable")
def test_what_is_accepted_libpq_reads_alike(text: str) -> None:
    try:
        target = postgresql.parse_url(text, pooled=True)
    except ParityError:
        return
    found = parse_dsn(re.sub(r"^[a-z0-9+]+://", "postgresql://", text.replace("?ssl=", "?sslmode=").replace("&ssl=", "&sslmode=")))
    parts = {"host": target.host, "user": target.user, "password": target.password, "dbname": target.database, **target.options}
    assert {name: value for name, value in found.items() if name != "port"} == parts
    assert int(found.get("port", 5432)) == target.port


@settings(derandomize=True, deadline=None, max_examples=500)
@given(DATABASES)
def test_what_is_accepted_sqlalchemy_reads_alike(text: str) -> None:
    try:
        target = postgresql.parse_url(text, pooled=True)
    except ParityError:
        return
    found = sqlalchemy.make_url(text)
    assert (found.host, found.port or 5432, found.username, found.password) == (target.host, target.port, target.user, target.password)
    assert found.drivername.partition("+")[2] == target.driver
    if "%" not in target.database and "%" not in text.rpartition("/")[2]:  # SQLAlchemy does not decode it
        assert found.database == target.database


@settings(derandomize=True, deadline=None, max_examples=500)
@given(BROKERS)
@example("redis://:p@h/0\n")
@example("redis://:p@H/0")
def test_what_is_accepted_kombu_reads_alike(text: str) -> None:
    try:
        place = redis.parse_url(text)
    except ParityError:
        return
    found = kombu_parts(text)
    assert (found["hostname"], found["port"] or 6379, int(found["virtual_host"] or 0)) == (place.host, place.port, place.database)
    assert (found["userid"] or "", found["password"] or "") == (place.user, place.password)
    assert found["transport"] == ("rediss" if place.tls else "redis")
    tls = found.get("ssl", {})
    assert tls.keys() == place.options.keys()
    if "ssl_cert_reqs" in tls:
        assert tls["ssl_cert_reqs"] in (place.context().verify_mode, 1 if place.context().verify_mode == 2 else None)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.one_of(DATABASES, BROKERS, st.text(max_size=20), st.none(), st.integers()))
def test_no_parser_ends_in_a_traceback_or_shows_the_password(text: object) -> None:
    for parse in (postgresql.parse_url, redis.parse_url, lambda value: urls.split(value, "the URL", "https://h")):
        try:
            parse(text)
        except ParityError as error:
            assert str(error).startswith("the ")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=12, max_size=20),
    st.sampled_from(["@", "/", "?", "#", "%", "[", " ", "\n", "$", ":"]),
)
def test_a_password_is_in_no_message(secret: str, sign: str) -> None:
    for text in (
        f"postgresql://u:1{sign}{secret}@h/d?sslmode=x",
        f"postgresql://u:{secret}{sign}@h/d?x=y",
        f"redis://:{secret}{sign}x@h/jobs",
    ):
        for parse in (postgresql.parse_url, redis.parse_url):
            with pytest.raises(ParityError) as error:
                parse(text)
            assert secret not in str(error.value)


# --- Values of options ------------------------------------------------------------------------------------------------


def libpq_refuses(name: str, value: str) -> bool:
    """Whether libpq calls the value invalid. Nobody answers at the address."""
    with pytest.raises(psycopg2.OperationalError) as error:
        psycopg2.connect(host="127.0.0.1", port=1, user="u", dbname="d", **{"connect_timeout": "2", name: value})
    return "invalid" in str(error.value)


@pytest.mark.parametrize("name", ["sslmode", "channel_binding", "gssencmode", "target_session_attrs", "connect_timeout", "keepalives"])
def test_values_are_those_libpq_takes(name: str) -> None:
    known = ["1", "disable", "allow", "prefer", "require", "verify-ca", "verify-full", "nonsense", "Require", "true", "any", "read-write",
             "read-only", "primary", "standby", "prefer-standby"]  # fmt: skip
    unavailable = {"gssencmode": {"require"}}.get(name, set())  # refused where libpq is built without GSSAPI, and not for its name
    refused = set()
    for value in known:
        try:
            postgresql.parse_url(f"postgresql://u:p@h/d?{name}={value}")
        except ParityError:
            refused.add(value)
    assert refused - unavailable == {value for value in known if libpq_refuses(name, value)} - unavailable


@pytest.mark.parametrize(
    ("text", "driver", "options"),
    [
        ("postgresql+asyncpg://u:p@h/d?ssl=verify-full", "asyncpg", {"sslmode": "verify-full"}),
        ("postgresql+asyncpg://u:p@h/d?prepared_statement_cache_size=0", "asyncpg", {}),
        ("postgresql+psycopg://u:p@h/d?sslmode=require&prepare_threshold=0", "psycopg", {"sslmode": "require"}),
        ("postgresql+psycopg2://u:p@h/d", "psycopg2", {}),
        ("postgresql+pg8000://u:p@h/d", "pg8000", {}),
        ("postgres://u:p@h/d", "", {}),
    ],
)
def test_drivers_of_sqlalchemy(text: str, driver: str, options: dict[str, str]) -> None:
    target = postgresql.parse_url(text)
    assert (target.driver, target.options) == (driver, options)
    assert parse_dsn(target.conninfo())["host"] == "h"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql+asyncpg://u:geheim@h/d?ssl=true", "sslmode that libpq does not know"),
        ("postgresql+asyncpg://u:geheim@h/d?ssl=require&sslmode=require", "are the same thing"),
        ("postgresql://u:geheim@h/d?ssl=require", "only asyncpg knows"),
        ("postgresql+oracle://u:geheim@h/d", "driver that is not supported"),
        ("postgres+asyncpg://u:geheim@h/d", "has to start with postgresql://"),
        ("postgresql://u:geheim@h1,h2/d", "several hosts"),
        ("postgresql://u:geheim@/d?host=/run", "names no host"),
        ("postgresql://u:geheim@%2Frun/d", "names no host"),
        ("postgresql://u:geheim@h:abc/d", "port is no number"),
        ("postgresql://u:geheim@h:/d", "port is no number"),
        ("postgresql://u:geheim@10.0.0.999/d", "no name or address"),
        ("postgresql://u:geheim@[::zz]/d", "no name or address"),
        ("postgresql://u:geheim@h/d ", "a space, a line break"),
        ("postgresql://u:ge heim@h/d", "a space"),
        ("postgresql://u:${GEHEIM}@h/d", "a reference that is not expanded"),
        ("postgresql://u:geheim%00@h/d", "control character"),
        ("postgresql://u:geheim%FF@h/d", "not UTF-8"),
        ("postgresql://u:@h/d", "no user or no password"),
        ("postgresql://u:geheim@h/d?sslmode=require&sslmode=require", "option twice"),
        ("postgresql://u:geheim@h/d?application_name=a+b", "Write %2B"),
        ("postgresql://u:geheim@h/d?sslmode", "name=value"),
        ("postgresql://u:geheim@h/d?connect_timeout=soon", "no whole number"),
    ],
)
def test_databases_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(ParityError, match=re.escape(words)) as error:
        postgresql.parse_url(text, "DATABASE_URL")
    assert str(error.value).startswith("DATABASE_URL ") and "geheim" not in str(error.value).lower()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("redis://:geheim@h/99", "names the database 99. The broker has 16, numbered from 0 to 15"),
        ("redis://:geheim@h/jobs", "number of a database"),
        ("redis://:@h/0", "no password"),
        ("redis://geheim@h/0", "no password"),
        ("redis://:geheim@h/0;redis://:geheim@i/0", "more than one @|the end of one URL|before its @"),
        ("redis://:ge;heim@h/0", "Write %3B"),
        ("redis://:geheim@h/0?ssl_cert_reqs=none", "Only rediss:// has some"),
        ("rediss://:geheim@h/0?ssl_cert_reqs=maybe", "Celery does not know"),
        ("rediss://:geheim@h/0?db=1", "not supported"),
    ],
)
def test_brokers_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(ParityError, match=words) as error:
        redis.parse_url(text, "BROKER_URL")
    assert str(error.value).startswith("BROKER_URL ") and "geheim" not in str(error.value)
    assert redis.parse_url("redis://:p@h/99", databases=None).database == 99


# --- Parts for an inventory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+asyncpg://a+b:p%2Bs@h:6543/d", ("h", 6543, "a+b", "p+s", "d", "postgresql")),
        ("postgresql://u:p@[::1]/d%20e", ("::1", 5432, "u", "p", "d e", "postgresql")),
        ("rediss://:p%40s@h/2", ("h", 6379, "", "p@s", 2, "redis")),
        ("redis://:p@h/99", ("h", 6379, "", "p", 99, "redis")),
        ("amqps://u:p@h/shop", ("h", 5671, "u", "p", "shop", "rabbitmq")),
        ("amqp://u:p@h//", ("h", 5672, "u", "p", "/", "rabbitmq")),
        ("sentinel://:p@h1;sentinel://:p@h2", ("h1", 26379, "", "p", 0, "sentinel")),
        ("amqp://u@h/shop", ("", 0, "", "", "", "")),
        ("postgresql://u:50%off@h/d", ("", 0, "", "", "", "")),
        ("", ("", 0, "", "", "", "")),
    ],
)
def test_parts_of_a_connection(text: str, expected: tuple) -> None:
    assert connection_parts(text) == dict(zip(("host", "port", "user", "password", "database", "kind"), expected, strict=True))
