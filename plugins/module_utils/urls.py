# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One strict reader of scheme://user:password@host:port/path?options, for databases, brokers and web addresses alike.

Readers of URLs differ where a URL is not quite right: one drops a line feed, another takes the first @ for the last. What they
could read differently is refused here, so that all of them see the same host, user and password.
No message quotes the URL: with a password that is not percent-encoded, any part of it may be the password.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

_WHOLE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
)
_PLACE = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>.*))?")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNEXPANDED = re.compile(r"\$\{|\$\(|\{\{")
_ENCODE = "Characters other than letters, digits and -._~ in user and password are percent-encoded: / is %2F, @ is %40, # is %23, % is %25."


@dataclass(frozen=True)
class Parts:
    """A URL taken apart. User and password are decoded, and None where there is none; the path is as it stands."""

    scheme: str
    user: str | None
    password: str | None = field(repr=False)
    host: str
    port: int | None
    path: str
    options: dict[str, str] = field(default_factory=dict, repr=False)
    fragment: bool = False


def web_address(url: object) -> SplitResult | None:
    """The parts of an http or https address, or None where `url` is none."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        good = parts and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if good else None


def split(url: object, option: str, shape: str) -> Parts:
    """Take a URL apart. `option` names it in messages, `shape` is how it has to look. Raises ParityError."""
    if not isinstance(url, str) or not url:
        raise ParityError(f"{option} is empty. It has to look like {shape}")
    _refuse_unreadable(url, option)
    found = _WHOLE.fullmatch(url)
    if not found:
        raise ParityError(f"{option} cannot be read. It has to look like {shape}")
    if found["scheme"].lower() not in ("http", "https") and "@" in url[found.end("authority") :].split("?")[0]:
        raise ParityError(f"{option} cannot be read: it has a /, ? or # before its @. {_ENCODE}")
    login, at, place = found["authority"].rpartition("@")
    if "@" in login:
        raise ParityError(f"{option} cannot be read: it has more than one @. {_ENCODE}")
    user, colon, password = login.partition(":")
    if "[" in login or "]" in login:
        raise ParityError(f"{option} cannot be read: its user or password has a bracket. {_ENCODE}")
    host, port = _place(place, option, shape)
    return Parts(
        found["scheme"],
        decoded(user, option) if at else None,
        decoded(password, option) if colon else None,
        host,
        port,
        found["path"],
        _options(found["query"] or "", option),
        bool(found["fragment"]),
    )


def decoded(text: str, option: str) -> str:
    """Percent-decoded text of a part of the URL. Raises ParityError where readers would see different characters."""
    if _BAD_PERCENT.search(text):
        raise ParityError(f"{option} has a % that is not followed by two hexadecimal digits. A % itself is written %25.")
    try:
        result = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ParityError(f"{option} has percent-encoded bytes that are not UTF-8. Encode the characters as UTF-8.") from None
    if _control(result):
        raise ParityError(f"{option} has a percent-encoded control character, such as %00 or %0A. Choose another password.")
    return result


def _refuse_unreadable(url: str, option: str) -> None:
    if url != url.strip() or _control(url):
        raise ParityError(f"{option} has a space, a line break or a control character at one end or inside. Remove it.")
    if any(character.isspace() for character in url):
        raise ParityError(f"{option} has a space inside. Remove it, or write it as %20 where it belongs to the password.")
    if _UNEXPANDED.search(url):
        raise ParityError(
            f"{option} holds a reference that is not expanded, such as ${{NAME}}. Write the value itself; a $ is written %24, a brace %7B."
        )


def _place(text: str, option: str, shape: str) -> tuple[str, int | None]:
    """Host and port of `host:port`."""
    if "," in text or ";" in text:
        raise ParityError(f"{option} names several hosts. Parity works with one server: name one host.")
    found = _PLACE.fullmatch(text)
    if not found:
        raise ParityError(f"{option} cannot be read: its host is no name or address. It has to look like {shape}. {_ENCODE}")
    if not found["host"] or "%2f" in text.lower():
        raise ParityError(f"{option} names no host (a local socket is none). It has to look like {shape}")
    return _host(found["host"], option, shape), _port(found["port"], option, shape)


def _host(text: str, option: str, shape: str) -> str:
    bare = text.strip("[]")
    try:
        if text.startswith("["):
            ipaddress.IPv6Address(bare)
            good = "%" not in bare
        elif re.fullmatch(r"[0-9.]+", text):
            good = bool(ipaddress.IPv4Address(text))
        else:
            good = bool(_HOST.fullmatch(text)) and len(text) <= 253
    except ValueError:
        good = False
    if not good:
        raise ParityError(f"{option} cannot be read: its host is no name or address. It has to look like {shape}. {_ENCODE}")
    return bare


def _port(text: str | None, option: str, shape: str) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]+", text):
        raise ParityError(f"{option} cannot be read: its port is no number. It has to look like {shape}. {_ENCODE}")
    if len(text) > 5 or not 1 <= int(text) <= 65535:
        raise ParityError(f"{option} has a port out of range. A port is between 1 and 65535.")
    return int(text)


def _options(query: str, option: str) -> dict[str, str]:
    """The options after the question mark; each has a value and stands once."""
    found: dict[str, str] = {}
    for pair in query.split("&") if query else []:
        name, equals, value = pair.partition("=")
        if not name or not equals or not value or "=" in value:
            raise ParityError(f"{option} has an option that is not written name=value. In a value, = is %3D and & is %26.")
        if "+" in pair:
            raise ParityError(f"{option} has a + in an option, which some programs read as a space. Write %2B or %20.")
        name = decoded(name, option)
        if name in found:
            raise ParityError(f"{option} has an option twice. Keep one of the two.")
        found[name] = decoded(value, option)
    return found


def _control(text: str) -> bool:
    return any(ord(character) < 32 or ord(character) == 127 for character in text)
