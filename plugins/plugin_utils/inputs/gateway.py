# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules the gateway's inputs follow, beyond their types."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:-]+")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_DOMAIN = re.compile(r"[a-z0-9.-]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def problems(inputs: dict) -> list[str]:
    """A sentence for every rule the gateway's inputs (name: value) break."""
    return [
        *_each(inputs, "gateway_name", _NAME, "letters, digits and _ . : -"),
        *_each(inputs, "gateway_bind", _ADDRESS, "an address"),
        *_each(inputs, "gateway_metrics_bind", _ADDRESS, "an address"),
        *_ports(inputs),
        *_backends(inputs["gateway_backends"]),
        *_routes(inputs.get("gateway_routes", [])),
        *_each(inputs, "gateway_health_path", _PATH, "a path such as /ready"),
        *_each(inputs, "gateway_denied_paths", _PATH, "a path such as /metrics"),
        *_networks(inputs["gateway_allowed_networks"]),
        *_each(
            inputs,
            "gateway_cors_origins",
            _ORIGIN,
            "scheme and host in lower case, with a port where it has one and without a path, as browsers send it: "
            "https://app.example.org",
        ),
        *_each(inputs, "gateway_cors_methods", _TOKEN, "an HTTP method such as GET"),
        *_each(inputs, "gateway_cors_headers", _TOKEN, "the name of a header such as Authorization"),
        *_rate_limit(inputs["gateway_rate_limit"]),
    ]


def _each(inputs: dict, name: str, rule: re.Pattern, wanted: str) -> Iterator[str]:
    values = inputs[name] if isinstance(inputs[name], list) else [inputs[name]]
    for value in values:
        if not rule.fullmatch(str(value)):
            yield f"{name}: {value!r} was given; wanted is {wanted}."


def _routes(routes: list[dict]) -> Iterator[str]:
    taken: set[str] = set()
    for route in routes:
        name, path, domain = (str(route.get(key) or "") for key in ("name", "path", "domain"))
        place = domain + path.rstrip("/")
        if not _NAME.fullmatch(name):
            yield f"gateway_routes: name {name!r} was given; wanted are letters, digits and _ . : -."
        if domain and not _DOMAIN.fullmatch(domain):
            yield f"gateway_routes: domain {domain!r} of {name} was given; wanted is a name in lower case such as admin.example.org."
        if not _PATH.fullmatch(path) or place == "":
            yield f"gateway_routes: path {path!r} of {name} was given; wanted is a path such as /admin. / belongs to gateway_backends."
        elif place in taken:
            yield f"gateway_routes: the path {domain}{path} is there twice. Give each route its own."
        taken.add(place)
        yield from _backends(route.get("backends") or [])


def _ports(inputs: dict) -> Iterator[str]:
    owners: dict[int, str] = {}
    for name in ("gateway_port", "gateway_metrics_port", "gateway_redirect_port"):
        port = int(inputs[name])
        if port == 0 and name == "gateway_redirect_port":
            continue
        if not 1 <= port <= 65535:
            yield f"{name}: {port} was given; wanted is a TCP port between 1 and 65535."
        elif port in owners:
            yield f"{name}: {port} is the {owners[port]} already. Give each its own."
        owners[port] = name


def _backends(backends: list[dict]) -> Iterator[str]:
    if not backends:
        yield "gateway_backends is empty: a gateway needs at least one API host (name, address, port)."
    seen = set()
    for backend in backends:
        for part, rule in (("name", _NAME), ("address", _ADDRESS)):
            if not rule.fullmatch(str(backend[part])):
                yield f"gateway_backends: the {part} {backend[part]!r} is none; wanted are letters, digits and _ . : -"
        if not 1 <= int(backend["port"]) <= 65535:
            yield f"gateway_backends: {backend['name']} has port {backend['port']}; wanted is one between 1 and 65535."
        if backend["name"] in seen:
            yield f"gateway_backends: two hosts are called {backend['name']}. Give each its own name."
        seen.add(backend["name"])


def _networks(networks: list[str]) -> Iterator[str]:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield f"gateway_allowed_networks: {error}. Wanted is a network such as 192.0.2.0/24."


def _rate_limit(limit: dict) -> Iterator[str]:
    for part, least in (("requests", 0), ("seconds", 1)):
        value = limit.get(part)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"gateway_rate_limit: {part} is {value!r}; wanted is a whole number of at least {least}."
