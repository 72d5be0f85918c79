# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's settings: which suit a host, how they are written, and which changes need a reload or a restart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: The option of modules that work with a cluster of this host. Documented in plugins/doc_fragments/postgresql.py.
SPEC = {"version": {"type": "str", "default": ""}}
#: Debian's packages keep the configuration of each cluster below it, in VERSION/NAME.
CLUSTERS = Path("/etc/postgresql")
#: The file with the settings of this collection, in a cluster's configuration.
OURS = "conf.d/50-parity.conf"
#: What stands before a command that the user postgres runs.
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "env", "LC_ALL=C.UTF-8"]
MIB = 1024 * 1024
#: Beside the configuration of the cluster.
CERTIFICATE, CERTIFICATE_KEY = "server.crt", "server.key"
NAME = re.compile(r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")
#: Settings that have an input of their own, or that the role cannot hold its promises with.
OWNED = {
    "ssl": "set database_certificate",
    "ssl_cert_file": "set database_certificate",
    "ssl_key_file": "set database_certificate_key",
    "listen_addresses": "set database_listen_addresses",
    "port": "set database_port",
    "password_encryption": "passwords are stored as SCRAM verifiers only",
    "data_directory": "the cluster's place is the distribution's",
    "config_file": "the cluster's place is the distribution's",
    "hba_file": "set database_allowed_networks",
    "ident_file": "the cluster's place is the distribution's",
    "include": "give the settings themselves",
    "include_dir": "give the settings themselves",
    "include_if_exists": "give the settings themselves",
}
_COMPLAINT = re.compile(r"(?:LOG|FATAL|ERROR|HINT|DETAIL):\s+(.+)$")
_LINE = re.compile(r"^([a-z_][a-z0-9_.]*) = '((?:[^']|'')*)'$")


@dataclass(frozen=True)
class Cluster:
    """A cluster in the layout of Debian's packages."""

    version: str
    configuration: Path

    @property
    def server(self) -> str:
        return f"/usr/lib/postgresql/{self.version}/bin/postgres"

    @property
    def unit(self) -> str:
        return f"postgresql@{self.version}-{self.configuration.name}"

    @property
    def log(self) -> Path:
        return Path(f"/var/log/postgresql/postgresql-{self.version}-{self.configuration.name}.log")


def find_cluster(root: Path, version: str = "") -> Cluster | None:
    """The cluster `main` below `root` (/etc/postgresql), or None; several are an error unless a version is given."""
    found = sorted(path.parent for path in root.glob(f"{version or '*'}/main/postgresql.conf"))
    if len(found) > 1:
        versions = ", ".join(path.parent.name for path in found)
        raise ParityError(
            f"This host has several PostgreSQL clusters named main: {versions}. Choose one with database_version."
        )
    return Cluster(found[0].parent.name, found[0]) if found else None


def setting_problems(settings: object, option: str = "database_settings") -> list[str]:
    """What is wrong with the overrides, checked without the server."""
    if not isinstance(settings, dict):
        return [f"{option} is {settings!r}. It has to be a dictionary of settings and their values."]
    problems = []
    for name, value in settings.items():
        if not isinstance(name, str) or not NAME.match(name):
            problems.append(f"{option} has the name {name!r}, which cannot be a setting of PostgreSQL.")
        elif name in OWNED:
            problems.append(f"{option} has {name}, which is not set there: {OWNED[name]}.")
        elif isinstance(value, dict) or value is None or "\n" in str(value):
            problems.append(
                f"{option} has {value!r} for {name}. A value is one line of text, a number or a list."
            )
    return problems


def derived(memory: int, overrides: dict[str, object]) -> dict[str, object]:
    """Settings that suit a host with `memory` bytes for PostgreSQL.

    Values are rounded down to a quarter of their power of two, so that a kernel that reports a little less memory than
    the one before does not ask for a restart.
    """
    try:
        connections = max(1, int(str(overrides.get("max_connections", 100))))
    except ValueError:
        connections = 100  # The server refuses the override in its own words.
    shared = _between(128 * MIB, memory // 4, 8192 * MIB)
    return {
        "max_connections": connections,
        "shared_buffers": _size(shared),
        "effective_cache_size": _size(max(memory * 7 // 10, shared)),
        "maintenance_work_mem": _size(_between(64 * MIB, memory // 16, 1024 * MIB)),
        "work_mem": _size(_between(4 * MIB, (memory - shared) // (connections * 4), 64 * MIB)),
        "random_page_cost": 1.1,
        "max_wal_size": "2GB",
        "log_lock_waits": True,
        "log_temp_files": "10MB",
    }


def render(settings: dict[str, object]) -> str:
    """The settings as a file of PostgreSQL, sorted, every value quoted."""
    lines = [f"{name} = '{as_text(value).replace(chr(39), chr(39) * 2)}'" for name, value in sorted(settings.items())]
    return "# Written by Parity. Changes made here are lost; set them in the inventory.\n" + "\n".join(lines) + "\n"


def parse(content: str) -> dict[str, str]:
    """The settings of a file written by `render`."""
    found = (_LINE.match(line) for line in content.splitlines())
    return {match[1]: match[2].replace("''", "'") for match in found if match}


def written(cluster: Cluster) -> dict[str, str]:
    """The settings of this collection's file in a cluster; none where there is no such file."""
    file = cluster.configuration / OURS
    return parse(file.read_text(encoding="utf-8")) if file.exists() else {}


def as_text(value: object) -> str:
    """A value of YAML as PostgreSQL writes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def tls(certificate: str, directory: Path) -> dict[str, object]:
    """The settings for the server's certificate; none where there is no certificate."""
    if not certificate:
        return {}
    return {
        "ssl": True,
        "ssl_cert_file": str(directory / CERTIFICATE),
        "ssl_key_file": str(directory / CERTIFICATE_KEY),
        "ssl_min_protocol_version": "TLSv1.2",
    }


def preloaded(settings: dict[str, object], libraries: list[str]) -> dict[str, object]:
    """`shared_preload_libraries` with what extensions need; empty where neither settings nor extensions name a library."""
    value = settings.get("shared_preload_libraries", "")
    given = [str(name) for name in value] if isinstance(value, list) else [name.strip() for name in str(value).split(",")]
    names = list(dict.fromkeys(name for name in [*given, *libraries] if name))
    return {"shared_preload_libraries": names} if names else {}


def render_hba(networks: list[str], users: list[str], encrypted: bool = False, replication: str = "") -> str:
    """Who may connect: the superuser from the host itself, the named roles from the networks, by SCRAM only.

    `encrypted` lets them in over TLS only; `replication` is the role that replicas come with.
    """
    names = ",".join(users)
    remote = "hostssl" if encrypted else "host"
    rows = [
        ("# TYPE", "DATABASE", "USER", "ADDRESS", "METHOD"),
        ("local", "all", "postgres", "", "peer"),
        ("local", "replication", "postgres", "", "peer"),
        ("local", "all", "all", "", "scram-sha-256"),
        *((remote, "all", names, network, "scram-sha-256") for network in ("127.0.0.1/32", "::1/128", *networks)),
        *((remote, "replication", replication, network, "scram-sha-256") for network in networks if replication),
    ]
    lines = [
        f"{kind:<7} {database:<15} {user:<31} {address:<27} {method}".rstrip()
        for kind, database, user, address, method in rows
    ]
    return "# Written by Parity. Changes made here are lost; set them in the inventory.\n" + "\n".join(lines) + "\n"


def network_problem(option: str, value: object) -> str | None:
    """Why `value` is not a network that can be allowed, or None."""
    wanted = "Write a network with its length, such as 10.0.0.0/24 or 2001:db8::/64."
    if not isinstance(value, str) or "/" not in value:
        return f"{option} has {value!r}. {wanted}"
    try:
        ipaddress.ip_network(value)
    except ValueError:
        try:
            suggestion = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return f"{option} has {value!r}, which is not a network. {wanted}"
        return f"{option} has {value!r}, which is an address inside {suggestion}. Write {suggestion}."
    return None


def action(*, running: bool, files_changed: bool, loaded: bool, restart_for: list[str]) -> str:
    """What the server needs: nothing, reload, restart or start.

    `loaded` is whether the running server has read the files as they were before this run; `restart_for` names the
    settings whose value the running server can only take at a start.
    """
    if not running:
        return "start"
    if restart_for:
        return "restart"
    return "reload" if files_changed or not loaded else "none"


def restart_reasons(wanted: dict[str, str], current: dict[str, tuple[str, str]], pending: list[str]) -> list[str]:
    """The settings a restart is needed for.

    `wanted` holds the values the new files give, `current` the running server's value and context of each setting;
    both in the server's own units. `pending` are settings for which the server already waits for a restart.
    """
    changed = {
        name
        for name, value in wanted.items()
        if name in current and current[name][1] == "postmaster" and current[name][0] != value
    }
    # A pending setting whose wanted value is the running one again is no reason.
    still = {name for name in pending if name not in wanted or wanted[name] != current.get(name, ("", ""))[0]}
    return sorted(changed | still)


def missing_libraries(settings: dict[str, object], directory: Path) -> list[str]:
    """Libraries to be loaded at the start of the server that are not installed: it would not start."""
    wanted = as_text(settings.get("shared_preload_libraries", ""))
    names = [name.strip().strip('"') for name in wanted.split(",") if name.strip()]
    return [name for name in names if "/" not in name and not (directory / f"{name}.so").exists()]


def complaints(stderr: str, scratch: str, real: str) -> str:
    """The server's own message about a configuration, with the path of the trial replaced by the real one."""
    words = [match[1] for match in map(_COMPLAINT.search, stderr.replace(scratch, real).splitlines()) if match]
    useful = [line for line in words if not line.endswith("contains errors")]
    return "; ".join(useful or words or [stderr.strip() or "no reason given"])


def host_memory(meminfo: str, limits: list[str]) -> int:
    """Bytes of memory: what the kernel reports, or the smallest limit of the control group where that is less."""
    total = next(int(line.split()[1]) * 1024 for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    return min([total, *(int(limit) for limit in limits if limit.strip().isdigit())])


def parse_size(text: str) -> int:
    """Bytes of a size such as 512MB or 2GB, as PostgreSQL writes them."""
    found = re.match(r"^(\d+)\s*(kB|MB|GB|TB)$", text)
    if not found:
        raise ParityError(f"database_memory is {text!r}. Write a number and its unit, such as 512MB or 4GB.")
    return int(found[1]) * 1024 ** (("kB", "MB", "GB", "TB").index(found[2]) + 1)


def moment(text: str) -> float:
    """Seconds since the epoch of a point in time with its offset from UTC."""
    return datetime.fromisoformat(text.replace(" ", "T")).timestamp()


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _size(value: int) -> str:
    mib = max(1, value // MIB)
    step = max(1, 2 ** (mib.bit_length() - 3))
    return f"{mib // step * step}MB"
