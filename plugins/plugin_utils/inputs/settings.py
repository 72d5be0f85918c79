# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for what people type: each says in one sentence what is wrong, what was seen, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils import brokers, redis, urls
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.plugin_utils import commands
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import fetching, locks, python_versions, release_names, sources
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import placeholders, signing_keys

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_MOST_SHOWN = 80
#: Rules for values that are no secrets themselves, but paths of files that hold some.
_ABOUT_FILES = ("file", "directory", "lock_file", "application")
#: Rules that need what other settings say of the release.
_ABOUT_RELEASES = ("release", "application", "lock_file")


@dataclass(frozen=True)
class Beside:
    """What other settings say that the rules of a release need.

    `release` and `application` are the settings of these rules, where there are any: with a release, the server of a source that is
    elsewhere has to have it. `hashless` says that a lock file may be without hashes.
    """

    release: object = None
    application: object = None
    hashless: bool = False


def complaint(
    name: str,
    value: object,
    rule: str,
    *,
    hint: str = "",
    secret: bool = False,
    databases: int = redis.DATABASES,
    beside: Beside = Beside(),
) -> str:
    """Why `value` breaks `rule`; empty when it does not. A secret's value is never part of the answer.

    `databases` is how many Redis has, where the broker is one.
    """
    more = {"databases": databases} if rule == "broker_url" else {"beside": beside} if rule in _ABOUT_RELEASES else {}
    judged = partial(RULES[rule], **more)
    wrong = judged(value) or (placeholders.complaint(value) if secret and rule not in _ABOUT_FILES else "")
    if not wrong:
        return ""
    seen = "" if secret or is_empty(value) else f" It is {_shown(value)}."
    return f"{name} {wrong.removesuffix('.')}.{seen}{' ' + hint if hint else ''}"


def service_complaints(secrets: dict[str, object], judged: Container[object] = ()) -> list[str]:
    """What services are given that is no secret: {service: {variable: value}}. Empty ones are the application's to judge.

    `judged` are values that have been complained of under another name.
    """
    found: dict[str, list[str]] = {}
    for service, values in secrets.items():
        if not isinstance(values, dict):
            return [f"the secrets of {service} are no mapping of variables to values. Write NAME: value below {service}."]
        for name, value in values.items():
            wrong = placeholders.complaint(value)
            if wrong and value not in judged:
                found.setdefault(f"{name} {wrong}", []).append(service)
    return [f"{words}. It is given to: {', '.join(services)}." for words, services in found.items()]


def _required(value: object) -> str:
    return "is missing or empty" if is_empty(value) else ""


def _optional(_value: object) -> str:
    """For a secret that may be empty: that it is no placeholder is held of every secret."""
    return ""


def _release(value: object, beside: Beside = Beside()) -> str:
    if is_empty(value):
        return f"is missing or empty; it names what to deploy ({sources.RELEASE_FORM}), for example -e stack_release=v1.4.2"
    if not isinstance(value, str):
        return (
            f"is a {_kind(value)}, not text. YAML and AWX change what is not quoted: 1.10 becomes 1.1, 0012 becomes 10. Write the name "
            "as it was meant in quotes (stack_release: '1.10' in YAML, -e stack_release=1.10 in a shell), or put a letter in front "
            "(v1.10 in a survey of AWX)"
        )
    try:
        name = release_names.of(value, beside.application, commands.run)
    except ParityError as error:
        return _words(error)
    return "" if sources.RELEASE.fullmatch(name) else f"cannot be the name of a release: {sources.RELEASE_FORM}"


def _name(value: object) -> str:
    if is_empty(value):
        return "is missing or empty"
    matches = isinstance(value, str) and _NAME.fullmatch(value)
    if matches:
        return ""
    return "has to start with a lower-case letter and hold only a-z, 0-9 and -, at most 31 characters"


def _application(value: object, beside: Beside = Beside()) -> str:
    if is_empty(value):
        return f"is missing or empty; it is {sources.SHAPES}"
    # Without a name of the release that can be used, everything but that is checked: the rule of the release says the rest.
    release = str(release_names.of(beside.release, value, commands.run)) if not _release(beside.release, beside) else ""
    wrong = sources.problem(str(value), release or "RELEASE")
    return wrong or (fetching.unreachable(sources.read(str(value), release), commands.run) if release else "")


def _lock_file(value: object, beside: Beside = Beside()) -> str:
    if str(value).startswith(sources.INSIDE) and str(beside.application).startswith("git+"):
        return ""  # it is read when the release is packed, with the commit it belongs to
    application = Path(str(beside.application)) if not is_empty(beside.application) else None
    directory = application if application and application.is_dir() else None
    try:
        path = sources.lock_of(str(value), directory or Path(str(value)))
    except ParityError as error:
        return _words(error).removeprefix(f"{value} ")
    if is_empty(value) or not path.is_file():
        return "is no file on the control node; make one with: uv pip compile --universal --generate-hashes"
    context = locks.Context(commands.run, commands.beside_python("uv") or "uv", directory, allowed=beside.hashless)
    found = locks.problems(path, context)
    return f"cannot be installed from: {'; '.join(found)}" if found else ""


def _directory(value: object) -> str:
    if is_empty(value) or not Path(str(value)).is_dir():
        return "is no directory on the control node"
    return ""


def _file(value: object) -> str:
    if is_empty(value) or not Path(str(value)).is_file():
        return "is no file on the control node"
    return ""


def _url(value: object) -> str:
    shape = "https://api.example.org"
    try:
        parts = urls.split(value, "", shape)
    except ParityError as error:
        return _words(error)
    if parts.scheme.lower() not in ("http", "https"):
        return f"has to be a URL that starts with http:// or https:// and names a host, like {shape}"
    if parts.user is not None or parts.options or parts.fragment:
        return "has a user, options or a fragment, and paths are put after it. Leave these out"
    return ""


def _database_url(value: object) -> str:
    return _unreadable(lambda: postgresql.parse_url(value, ""), value)


def _pooled_database_url(value: object) -> str:
    return _unreadable(lambda: postgresql.parse_url(value, "", pooled=True), value)


def _broker_url(value: object, databases: int = redis.DATABASES) -> str:
    wrong = _unreadable(lambda: brokers.read(value, "", databases=databases), value)
    if wrong:
        return wrong
    broker = brokers.read(value, databases=None)
    if not broker.password:
        return f"names no password. The broker takes none without one: {brokers.SHAPES[broker.kind]}"
    if broker.kind == "rabbitmq" and broker.user == "guest":
        return f"names the user guest, whom everybody knows. Name a user of the application's own: {brokers.SHAPES[broker.kind]}"
    return ""


def _unreadable(parse: Callable[[], object], value: object) -> str:
    """What the parser says that is used later, or that the password in the URL is a placeholder."""
    if is_empty(value):
        return "is missing or empty"
    try:
        parse()
    except ParityError as error:
        return _words(error)
    return placeholders.complaint(value)


def _words(error: ParityError) -> str:
    return str(error).strip().removesuffix(".")


def _port(value: object) -> str:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
    return "" if good else "has to be a port, a whole number from 1 to 65535"


RULES: dict[str, Callable[[object], str]] = {
    "required": _required,
    "release": _release,
    "name": _name,
    "application": _application,
    "lock_file": _lock_file,
    "directory": _directory,
    "file": _file,
    "url": _url,
    "database_url": _database_url,
    "pooled_database_url": _pooled_database_url,
    "broker_url": _broker_url,
    "signing_key": signing_keys.complaint,
    "optional": _optional,
    "port": _port,
    "python": python_versions.complaint,
}


def group_complaints(groups: dict[str, list[str]], required: list[str]) -> list[str]:
    """Which groups a deployment needs that the inventory has no hosts for, with the likely slip of the pen."""
    result = []
    for name in required:
        if groups.get(name):
            continue
        others = [group for group in groups if group not in ("all", "ungrouped", *required)]
        close = difflib.get_close_matches(name, others, 1, 0.6)
        meant = f" There is a group {close[0]!r}: is it meant?" if close else ""
        seen = ", ".join(sorted(others)) or "none"
        result.append(f"the inventory has no host in the group {name!r}.{meant} Other groups in it: {seen}.")
    return result


def _kind(value: object) -> str:
    """The name of a value's type as people write it: Ansible marks values with types of its own."""
    return next(one.__name__ for one in type(value).__mro__ if one.__module__ == "builtins")


def is_empty(value: object) -> bool:
    """Whether nothing was given."""
    return value is None or (not value.strip() if isinstance(value, str) else value in ([], {}))


def _shown(value: object) -> str:
    text = repr(sources.shown(value) if isinstance(value, str) else value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "... (cut)"
