# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of environment variables: which are secrets, which are parts of a database's URL, and what an example file says of them."""

from __future__ import annotations

import re

from ansible_collections.parity.stack.plugins.plugin_utils.inputs import placeholders

_SECRET = re.compile(
    r"(?:^|_)(?:PASSWORDS?|PASSWD|PASSPHRASE|PASS|PWD|SECRETS?|TOKENS?|CREDENTIALS?|SALT|PEPPER|DSN|KEYS?|WEBHOOK_URL|PRIVATE|JWT|FERNET)(?:_|$)"
)
#: A name that speaks of a secret and holds none, such as ACCESS_TOKEN_EXPIRE_MINUTES.
_HARMLESS = re.compile(
    r"_(?:EXPIRES?|EXPIRY|MINUTES|SECONDS|HOURS|DAYS|TTL|ALGORITHM|ALG|AUDIENCE|ISSUER|NAME|HOST|PORT|PREFIX|HEADER|LENGTH|LIMIT|MAX|MIN|COUNT"
    r"|ENABLED|FILE|PATH|DIR|PUBLIC_KEY|TYPE|LIFETIME|AGE|IN)$|(?:^|_)PUBLIC_(?!.*(?:SECRET|PASSWORD|PASSPHRASE|PRIVATE))|MAX_TOKENS"
)
_SAFE_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/ @:,+-]{0,79}")
#: Long runs of letters and digits look like a key, whatever the name says.
_LIKE_A_KEY = re.compile(r"(?=[A-Za-z+/-]*\d)[A-Za-z0-9+/_-]{20,}|[0-9a-fA-F]{16,}|(?:sk|pk|ghp|xox[bp]|AKIA)[-_A-Z0-9].{8,}")
#: What holds on somebody's own machine and not in production.
_LOCAL = re.compile(r"(?i)\b(?:localhost|local|127\.|0\.0\.0\.0|dev|development|debug|test|testing|staging|example\.(?:com|org|net))")

_ENVIRONMENT = re.compile(r"(?:\w+_)?(?:ENV|ENVIRONMENT|STAGE|MODE|PROFILE)")
_DEBUG = re.compile(r"(?:\w+_)?DEBUG(?:_MODE)?")
#: What the author of an example wrote for somebody else to replace: your-client-id, https://your-domain.example.
_YOURS = re.compile(r"(?i)(?<![a-z])your(?:[-_ ]|(?:app|company|domain|host|name|org|organi[sz]ation|server|site|user)\b)")

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+]*)://")
_EXAMPLE = re.compile(
    r"\.?env\.(?:\w+\.)?(?:example|sample|template|dist|tmpl|tpl|default)|\.env[-_](?:example|sample|template)|(?:example|sample)\.env"
)
_REAL = re.compile(r"\.env(?:\.\w+)?|\w+\.env")

_URL_NAMES = re.compile(
    r"(?:\w+_)?(?:DATABASE|DB|POSTGRES|POSTGRESQL|PG|SQLALCHEMY(?:_DATABASE)?)(?:_ASYNC|_SYNC)?_(?:URL|URI|DSN)(?:_ASYNC|_SYNC)?|SQLALCHEMY_DATABASE_URI"
)
_BROKER_NAMES = re.compile(
    r"(?:CELERY_)?BROKER(?:_URL)?|(?:CELERY_)?(?:REDIS|RABBITMQ|RABBIT|AMQP|CLOUDAMQP|QUEUE)_(?:URL|URI|DSN)|CELERY_RESULT_BACKEND(?:_URL)?|RESULT_BACKEND"
)
_FOR_TESTS = re.compile(r"(?:^|_)TEST(?:S|ING)?(?:_|$)")
_SERVER_URL = re.compile(r"_(?:REDIS|RABBITMQ|RABBIT|AMQP|CLOUDAMQP|BROKER)_(?:URL|URI|DSN)$")
_PARTS = re.compile(
    r"(?:\w+_)?(?:POSTGRES|POSTGRESQL|PG|DB|DATABASE|SQL)_?(?P<part>SERVER|HOST|HOSTNAME|ADDRESS|PORT|USER|USERNAME|PASSWORD|PASS|DB|NAME|DATABASE)"
)
_BROKER_PARTS = re.compile(r"(?:REDIS|RABBITMQ|BROKER|CELERY_BROKER)_(?P<part>SERVER|HOST|PORT|USER|USERNAME|PASSWORD|DB)")
_MEANING = {
    "SERVER": "host", "HOST": "host", "HOSTNAME": "host", "ADDRESS": "host", "PORT": "port", "USER": "user", "USERNAME": "user",
    "PASSWORD": "password", "PASS": "password", "DB": "database", "NAME": "database", "DATABASE": "database",
}  # fmt: skip


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret. In doubt it does."""
    upper = name.upper()
    url = _URL_NAMES.fullmatch(upper) or _BROKER_NAMES.fullmatch(upper) or _SERVER_URL.search(upper)
    return bool(_SECRET.search(upper) or url) and not _HARMLESS.search(upper)


def is_for_tests(name: str) -> bool:
    """A variable that tests read. A server of production never stands in it: tests empty what they find."""
    return bool(_FOR_TESTS.search(name.upper()))


def is_database_url(name: str) -> bool:
    return bool(_URL_NAMES.fullmatch(name.upper())) and not is_for_tests(name)


def is_broker_url(name: str) -> bool:
    return bool(_BROKER_NAMES.fullmatch(name.upper())) and not is_for_tests(name)


def database_part(name: str) -> str:
    """Which part of the database's URL a variable holds: host, port, user, password or database; empty for any other name."""
    found = _PARTS.fullmatch(name.upper()) if not is_for_tests(name) else None
    return _MEANING[found["part"]] if found else ""


def broker_part(name: str) -> str:
    found = _BROKER_PARTS.fullmatch(name.upper()) if not is_for_tests(name) else None
    return _MEANING[found["part"]] if found else ""


def is_example(file: str) -> bool:
    return bool(_EXAMPLE.fullmatch(file.rpartition("/")[2]))


def is_real(file: str) -> bool:
    """A file that can hold real secrets: only its names are read."""
    base = file.rpartition("/")[2]
    return not is_example(file) and bool(_REAL.fullmatch(base))


def read(text: str, *, values: bool) -> dict[str, str]:
    """Names of a file of NAME=value, with their values where `values` says so and the value may be shown; else empty."""
    return {match[1]: harmless(match[1], match[2]) if values else "" for match in _matches(text)}


def schemes(text: str) -> dict[str, str]:
    """The scheme of each URL of such a file, such as postgresql+asyncpg: it says which server is meant, and is no secret."""
    found = {match[1]: _SCHEME.match(match[2].strip(" \t\"'")) for match in _matches(text)}
    return {name: scheme[1].lower() for name, scheme in found.items() if scheme}


def _matches(text: str) -> list[re.Match]:
    return [match for line in text.splitlines() if not line.lstrip().startswith("#") and (match := _LINE.fullmatch(line))]


def harmless(name: str, value: str) -> str:
    """The value where it is certainly no secret and no placeholder, else an empty text."""
    bare = re.sub(r"\s+#.*$", "", value).strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare = bare[1:-1]
    if is_secret(name) or not _SAFE_VALUE.fullmatch(bare) or _LIKE_A_KEY.search(bare) or re.search(r"://[^/]*@", bare):
        return ""
    return "" if placeholders.complaint(bare) or _YOURS.search(bare) else bare


def is_for_development(name: str, default: str) -> bool:
    """Whether a default makes an application run as on somebody's own machine: APP_ENV = "dev", DEBUG = True."""
    upper = name.upper()
    return bool((_ENVIRONMENT.fullmatch(upper) and _LOCAL.search(default)) or (_DEBUG.fullmatch(upper) and "True" in default))


def is_local(value: str) -> bool:
    """A value that holds where somebody develops, and is a question for production."""
    return bool(_LOCAL.search(value))
