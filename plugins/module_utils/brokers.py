# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One strict reader of the URLs of brokers, as Celery writes them: Redis, Redis behind Sentinel, and RabbitMQ.

A form that is not known here is refused, and so is what kombu and other clients could read differently. No message quotes the URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.module_utils import redis, urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: How the URL of each kind of broker has to look.
SHAPES = {
    "redis": "redis://:password@host:6379/0",
    "rabbitmq": "amqp://user:password@host:5672/vhost",
    "sentinel": "sentinel://:password@host:26379/0;sentinel://:password@host:26379/0",
}
_FORMS = f"{SHAPES['redis']} (rediss:// with TLS), {SHAPES['rabbitmq']} (amqps:// with TLS), or {SHAPES['sentinel']}"
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Broker:
    """A broker as its URL describes it: `database` is the number of one of Redis, or the name of a virtual host of RabbitMQ.

    `servers` are one, or for Sentinel all that know the master. `redis` is the same place as its client wants it.
    """

    kind: str
    servers: tuple[tuple[str, int], ...]
    user: str = ""
    password: str = field(default="", repr=False)
    database: int | str = 0
    tls: bool = False
    redis: redis.Place | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return self.servers[0][0]

    @property
    def port(self) -> int:
        return self.servers[0][1]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def known(url: object) -> bool:
    """Whether a text has the scheme of a broker, whether or not it can be read."""
    return str(url).partition(":")[0].lower() in _READERS


def read(url: object, option: str = "the broker URL", *, databases: int | None = redis.DATABASES) -> Broker:
    """Read the URL of a broker. Raises ParityError.

    `databases` is how many Redis has; None where the server checks the number itself.
    """
    if not isinstance(url, str) or not url:
        raise ParityError(f"{option} is empty. It has to look like one of: {_FORMS}")
    reader = _READERS.get(url.partition("://")[0])
    if not reader:
        raise ParityError(f"{option} is none of the brokers that Parity knows. It has to look like one of: {_FORMS}")
    return reader(url, option, databases)


def _redis(url: str, option: str, databases: int | None) -> Broker:
    place = redis.parse_url(url, option, databases=databases)
    return Broker("redis", ((place.host, place.port),), place.user, place.password, place.database, place.tls, place)


def _rabbitmq(url: str, option: str, _databases: int | None) -> Broker:
    shape = SHAPES["rabbitmq"]
    if ";" in url:
        raise ParityError(f"{option} names several servers, or has a ; that Celery reads so. Name one server; a ; is written %3B.")
    parts = urls.split(url, option, shape)
    if bool(parts.user) != bool(parts.password):
        raise ParityError(f"{option} names no user or no password, and clients would take guest. It has to look like {shape}")
    if not set(parts.options) <= {"heartbeat"} or not _NUMBER.fullmatch(parts.options.get("heartbeat", "0")):
        raise ParityError(f"{option} has an option that is not supported. Supported: heartbeat, in whole seconds.")
    tls = parts.scheme == "amqps"
    port = parts.port or (5671 if tls else 5672)
    return Broker("rabbitmq", ((parts.host.lower(), port),), parts.user or "", parts.password or "", _virtual_host(parts, option), tls)


def _virtual_host(parts: urls.Parts, option: str) -> str:
    """The name after the host. Celery writes the one called / as //, others write %2F."""
    name = "" if parts.path == "//" else parts.path.removeprefix("/")
    if parts.fragment or "/" in name:
        raise ParityError(f"{option} cannot be read: after its host stands one virtual host, as in {SHAPES['rabbitmq']}. In it, / is %2F.")
    return urls.decoded(name, option) or "/"


def _sentinel(url: str, option: str, databases: int | None) -> Broker:
    """Clients ask the first server that answers, and may go on with another one's user, password and database: they have to be the same."""
    read_ones = [_one_sentinel(text, option, databases) for text in url.split(";")]
    first = read_ones[0]
    differs = [one for one in read_ones if (one.user or first.user, one.password or first.password) != (first.user, first.password)]
    if differs or len({one.database for one in read_ones}) > 1:
        raise ParityError(f"{option} names different users, passwords or databases. It has to look like {SHAPES['sentinel']}")
    servers = tuple(server for one in read_ones for server in one.servers)
    return Broker("sentinel", servers, first.user, first.password, first.database)


def _one_sentinel(text: str, option: str, databases: int | None) -> Broker:
    shape = SHAPES["sentinel"]
    if not text.startswith("sentinel://"):
        raise ParityError(f"{option} cannot be read: each part between two ; has to begin with sentinel://, like {shape}")
    parts = urls.split(text, option, shape)
    if parts.password == "" or (parts.user and parts.password is None):
        raise ParityError(f"{option} names no password after its user. It has to look like {shape}")
    number = parts.path.removeprefix("/") or "0"
    if parts.fragment or parts.options or not _NUMBER.fullmatch(number):
        raise ParityError(f"{option} cannot be read: after its host stands the number of a database and nothing else, as in {shape}")
    if databases is not None and int(number) >= databases:
        raise ParityError(f"{option} names the database {int(number)}. The broker has {databases}, numbered from 0 to {databases - 1}.")
    return Broker("sentinel", ((parts.host.lower(), parts.port or 26379),), parts.user or "", parts.password or "", int(number))


_READERS: dict[str, Callable[[str, str, int | None], Broker]] = {
    "redis": _redis,
    "rediss": _redis,
    "amqp": _rabbitmq,
    "amqps": _rabbitmq,
    "pyamqp": _rabbitmq,
    "sentinel": _sentinel,
}
