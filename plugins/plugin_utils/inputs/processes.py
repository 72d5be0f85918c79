# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `stack_processes` of an inventory means: which processes there are, on which hosts, at which ports, and how each is run.

`expand` fills in what an inventory leaves out, and refuses what cannot work. `service` says of one process on one host what the
release engine has to know of it (doc_fragments/release.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

#: Ways to run a process, and the keys that each has beside the common ones.
KINDS = {
    "uvicorn": {"application", "health", "path", "domain"},
    "gunicorn": {"application", "health", "path", "domain"},
    "celery": {"application", "health", "queues", "concurrency"},
    "celery-beat": {"application"},
    "command": {"command", "health", "path", "domain"},
    "static": {"directory", "path"},
}
COMMON = {
    "run", "arguments", "version", "metrics", "port", "slot_ports", "port_variable", "hosts", "instances", "environment",
    "start_seconds", "stop_seconds",
}  # fmt: skip
#: Of the common keys, those of a process that is a program of the application, and not a server of files.
_PROGRAM = {"arguments", "version", "metrics", "port_variable", "instances", "environment"}
#: Where, below its path, a process that serves files says whether it can. The host's proxy has the same at the root.
FILES_HEALTH = "/parity/health"
#: Celery settings without which a task is lost when its worker is killed, and what they have to be.
ACKNOWLEDGEMENT = {"task_acks_late": True, "task_reject_on_worker_lost": True}

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
# `all` stands for every process in stack_secrets, `proxy` is a unit beside the processes, `live` a part of the proxy.
_RESERVED = ("all", "proxy", "live")
_APPLICATION = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*(\(\))?)?")
_PATH = re.compile(r"/[^\s\"'#\\]*", re.ASCII)
# What stands in nginx's configuration, and needs no quotes there.
_FILES_PATH = re.compile(r"/|(/[A-Za-z0-9_~@+-][A-Za-z0-9._~@+-]*)+/?", re.ASCII)
_DIRECTORY = re.compile(r"/?[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)*/?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
_QUEUE = re.compile(r"[\w.:@-]+")
_WEB = ("uvicorn", "gunicorn", "static")
_FIRST_PORT, _PORT_STEP = 8000, 10


def expand(processes: object, groups: Mapping[str, list[str]]) -> list[dict]:
    """Every process of the stack, complete, in the order of the inventory.

    `groups` are the inventory's groups with their hosts. Raises ParityError with all problems, one a line.
    """
    found = problems(processes, groups)
    if found:
        raise ParityError("\n".join(found))
    return _expanded(processes or {}, groups)  # type: ignore[arg-type]


def problems(processes: object, groups: Mapping[str, list[str]]) -> list[str]:
    """What is wrong with `stack_processes`; empty where it can be deployed."""
    if processes in (None, "", {}):
        return []
    if not isinstance(processes, Mapping):
        return [f"stack_processes is {shown(processes)}; write a mapping, a name for each process: {{api: {{run: uvicorn, ...}}}}."]
    found = [line for name, process in processes.items() for line in _problems(name, process)]
    return found or _problems_together(_expanded(processes, groups), processes, groups)


def service(process: Mapping, stack: str, host: str) -> dict:
    """A process as the release engine knows it, on `host`."""
    node = f"{process['name']}-{{slot}}@{host}"
    found = {
        "name": process["name"],
        "unit": f"{stack}-{process['name']}",
        "ports": process["slot_ports"],
        "port_variable": process["port_variable"],
        "health_path": process["health_path"],
        "version_path": process["version_path"],
        "environment": process["environment"],
        "start_seconds": process["start_seconds"],
        "singleton": process["singleton"],
        "directory": process["directory"],
    }
    if process["run"] == "celery":
        celery = ["celery", "--app", process["application"]]
        found |= {
            "ping": _asked(process, "conf", host),
            "ping_advises": ACKNOWLEDGEMENT,
            # Beside the live worker it takes only what is sent to it by name.
            "private_environment": {"WORKER_QUEUES": private_queue(process["name"], "{slot}", host)},
            "queues": process["queues"],
            "go_public": [[*celery, "control", "add_consumer", "{queue}", "--destination", node]],
        }
    return found


def inspections(processes: Iterable[Mapping], host: str) -> dict[str, list[str]]:
    """How to ask each Celery worker of a host which tasks it knows, by process."""
    return {process["name"]: _asked(process, "registered", host) for process in processes if process["run"] == "celery"}


def _asked(process: Mapping, what: str, host: str) -> list[str]:
    node = f"{process['name']}-{{slot}}@{host}"
    return ["celery", "--app", process["application"], "inspect", what, "--json", "--destination", node]


def connections(processes: Iterable[Mapping], each_web: int) -> int:
    """How many connections to the database all processes need: some for a web process, one for each task at work, one for others."""
    programs = [process for process in processes if not process["directory"]]
    return sum(len(process["hosts"]) * (each_web if process["web"] else process["concurrency"] or 1) for process in programs)


def private_queue(name: str, slot: str, host: str) -> str:
    """The queue of one canary alone. Nobody else knows its name."""
    return f"private-{name}-{slot}-{host}"


def secrets_of(secrets: object, processes: Iterable[Mapping]) -> dict[str, dict]:
    """The secrets of each process: what `all` has, and its own over it. A process that serves files needs none."""
    given = secrets if isinstance(secrets, Mapping) else {}
    return {
        process["name"]: {} if process.get("directory") else {**(given.get("all") or {}), **(given.get(process["name"]) or {})}
        for process in processes
    }


# --- What an inventory leaves out --------------------------------------------------------------------------------------


def _expanded(processes: Mapping, groups: Mapping[str, list[str]]) -> list[dict]:
    found: list[dict] = []
    for name, given in processes.items():
        earlier = sum(1 for process in found if process["port"])
        # Files have a place of their own beside the application, wherever the inventory names them.
        first_web = not any(process["web"] and not process["directory"] for process in found)
        found.append(_complete(name, given, groups, earlier, first_web=first_web))
    return found


def _complete(name: str, given: Mapping, groups: Mapping[str, list[str]], earlier: int, *, first_web: bool) -> dict:
    web, kind = is_web(given), given["run"]
    listens = web or bool(given.get("port") or given.get("health"))
    port = int(given.get("port") or _FIRST_PORT + _PORT_STEP * earlier) if listens else 0
    hosts = _hosts(given, groups, web)
    singleton = kind == "celery-beat" or bool(given.get("instances"))
    path = (given.get("path") or ("/" if (first_web and kind != "static") or given.get("domain") else "")) if web else ""
    return {
        "name": name,
        "run": kind,
        "application": given.get("application") or "",
        "web": web,
        # As systemd reads them in ExecStart.
        "words": " ".join(_quoted(word) for word in [*(given.get("command") or []), *(given.get("arguments") or [])]),
        "path": path,
        "domain": (given.get("domain") or "") if web else "",
        "directory": given.get("directory") or "",
        "hosts": hosts[:1] if singleton else hosts,
        "singleton": singleton,
        "port": port,
        "slot_ports": _slot_ports(given, port),
        "port_variable": given.get("port_variable") or "PORT",
        "health_path": path.rstrip("/") + FILES_HEALTH if kind == "static" else given.get("health") or "",
        "version_path": given.get("version") or "",
        "metrics_path": given.get("metrics") or "",
        "queues": list(given.get("queues") or ["celery"]) if kind == "celery" else [],
        "concurrency": int(given.get("concurrency") or 2) if kind == "celery" else 0,
        "environment": dict(given.get("environment") or {}),
        "start_seconds": int(given.get("start_seconds") or 60),
        "stop_seconds": int(given.get("stop_seconds") or (30 if web or kind == "celery-beat" else 600)),
    }


def is_web(given: Mapping) -> bool:
    """Whether users' requests reach the process through the gateway."""
    return given["run"] in _WEB or (given["run"] == "command" and bool(given.get("health")))


def _quoted(word: object) -> str:
    """One word of a unit's command line; source: systemd.syntax(7), systemd.service(5)."""
    text = str(word).replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", text, re.ASCII):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _slot_ports(given: Mapping, port: int) -> dict[str, int]:
    if not port:
        return {}
    ports = given.get("slot_ports") or {"blue": port + 1, "green": port + 2}
    return {slot: int(number) for slot, number in ports.items()}


def _hosts(given: Mapping, groups: Mapping[str, list[str]], web: bool) -> list[str]:
    wanted = given.get("hosts") or ("api" if web or not groups.get("worker") else "worker")
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    return list(dict.fromkeys(host for name in names for host in groups.get(name, [name])))


# --- What cannot work ------------------------------------------------------------------------------------------------------


def _problems(name: object, given: object) -> list[str]:
    at = f"stack_processes.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        return [
            f"stack_processes has a process named {name!r}; use lower-case letters, digits, - and _, at most 32, and not "
            f"{' or '.join(_RESERVED)}."
        ]
    if not isinstance(given, Mapping) or given.get("run") not in KINDS:
        run = given.get("run") if isinstance(given, Mapping) else given
        return [f"{at}: run is {shown(run)}; it says how the process is run: {', '.join(KINDS)}."]
    known = (COMMON - _PROGRAM if given["run"] == "static" else COMMON) | KINDS[given["run"]]
    found = [
        f"{at}.{key} is not known for run: {given['run']}. Known are: {', '.join(sorted(known))}." for key in given if key not in known
    ]
    program = _files if given["run"] == "static" else _program
    checks = (program(given), _paths(given), _ports(given), _times(given), _lists(given))
    return found + [f"{at}.{line}" for lines in checks for line in lines]


def _program(given: Mapping) -> list[str]:
    if given["run"] == "command":
        words = given.get("command")
        good = isinstance(words, list) and words and all(isinstance(word, str) and word for word in words)
        return [] if good else [f"command is {shown(words)}; write the words of the command as a list: [python, -m, shop.ticker]."]
    application = given.get("application")
    if isinstance(application, str) and _APPLICATION.fullmatch(application):
        return []
    return [f"application is {shown(application)}; write where the application is, as {given['run']} takes it: shop.main:app."]


def _files(given: Mapping) -> list[str]:
    """What a server of files needs. A part that begins with a dot, such as .., is no name of a directory here."""
    found, directory, path = [], given.get("directory"), given.get("path")
    if not (isinstance(directory, str) and _DIRECTORY.fullmatch(directory)):
        found.append(
            f"directory is {shown(directory)}; write a directory of the release, such as shop/static, or an absolute one, such as "
            "/var/lib/shop/media: letters, digits and . _ @ + -, and no part that begins with a dot."
        )
    if not (isinstance(path, str) and _FILES_PATH.fullmatch(path)):
        found.append(f"path is {shown(path)}; write the path that has the files, such as /static.")
    return found


def _paths(given: Mapping) -> list[str]:
    found = [
        f"{key} is {shown(given[key])}; write a path that begins with /, such as /{key}."
        for key in ("health", "version", "metrics", "path")
        if given.get(key) and not (isinstance(given[key], str) and _PATH.fullmatch(given[key])) and given["run"] != "static"
    ]
    domain = given.get("domain")
    if domain and not (isinstance(domain, str) and _DOMAIN.fullmatch(domain)):
        found.append(f"domain is {shown(domain)}; write a name in lower case, without a scheme and a port, such as admin.example.org.")
    if given["run"] in ("uvicorn", "gunicorn") and not given.get("health"):
        found.append("health is missing; write the path that answers 200 once the process can work, for example /healthz.")
    if given.get("metrics") and not (is_web(given) or given.get("port") or given.get("health")):
        found.append("port is missing; metrics are collected at a port, for example 8010. With a health path it has one.")
    return found


def _ports(given: Mapping) -> list[str]:
    slots = given.get("slot_ports")
    numbers = {"port": given.get("port") or 1}
    if slots is not None:
        if not isinstance(slots, Mapping) or set(slots) != {"blue", "green"}:
            return [f"slot_ports is {shown(slots)}; write a port for each slot: {{blue: 8001, green: 8002}}."]
        numbers |= {f"slot_ports.{slot}": number for slot, number in slots.items()}
    found = [f"{key} is {shown(number)}; write a port from 1 to 65535." for key, number in numbers.items() if not _whole(number, 1, 65535)]
    variable = given.get("port_variable")
    if variable and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
        found.append(f"port_variable is {shown(variable)}; write the name of an environment variable, such as PORT.")
    return found


def _times(given: Mapping) -> list[str]:
    limits = {"start_seconds": (1, 3600), "stop_seconds": (1, 86400), "concurrency": (1, 1000), "instances": (1, 1)}
    return [
        f"{key} is {shown(given[key])}; write a whole number{f' from {low} to {high}' if high > low else f': {low}, or leave it out'}."
        for key, (low, high) in limits.items()
        if given.get(key) not in (None, "") and not _whole(given[key], low, high)
    ]


def _lists(given: Mapping) -> list[str]:
    found = []
    queues = given.get("queues")
    if queues is not None and not (isinstance(queues, list) and queues and all(_is_queue(queue) for queue in queues)):
        found.append(f"queues is {shown(queues)}; write the names of the queues as a list: [default, mail].")
    arguments = given.get("arguments")
    if arguments is not None and not (isinstance(arguments, list) and all(_is_word(word) for word in arguments)):
        found.append(f"arguments is {shown(arguments)}; write the words as a list: [--workers, \"2\"].")
    environment = given.get("environment")
    if environment is not None and not isinstance(environment, Mapping):
        found.append("environment is no mapping; write NAME: value.")
    hosts = given.get("hosts")
    if hosts is not None and not (_is_word(hosts) or (isinstance(hosts, list) and hosts and all(_is_word(host) for host in hosts))):
        found.append(f"hosts is {shown(hosts)}; write a group, or a list of hosts.")
    return found


def _problems_together(expanded: list[dict], processes: Mapping, groups: Mapping[str, list[str]]) -> list[str]:
    """What is wrong between processes that are good each for itself."""
    allowed = {*groups.get("api", []), *groups.get("worker", [])}
    found = []
    for process in expanded:
        at = f"stack_processes.{process['name']}"
        wanted = processes[process["name"]].get("hosts")
        if not process["hosts"]:
            found.append(f"{at}: no host runs it (hosts: {shown(wanted or 'the group api or worker')}). Put hosts into that group.")
        outside = [host for host in process["hosts"] if host not in allowed]
        if outside:
            found.append(
                f"{at}.hosts: {', '.join(outside)} is in neither of the groups api and worker. Add it to one of them; a group of a name "
                "of its own can be a child of worker."
            )
        if process["web"] and not process["path"]:
            found.append(
                f"{at}.path is missing; the gateway has to know which requests are for it. Write a path such as /admin, or a domain."
            )
    first = next((process for process in expanded if process["web"] and not process["directory"]), None)
    if first and first["domain"]:
        found.append(
            f"stack_processes.{first['name']}.domain: the first web process answers every request that is for no other. Leave "
            "domain out, or write a process without one first."
        )
    return found + _routes_twice(expanded) + _ports_twice(expanded)


def _routes_twice(expanded: list[dict]) -> list[str]:
    users: dict = {}
    for process in expanded:
        if process["path"]:
            users.setdefault(process["domain"] + process["path"], []).append(process["name"])
    return [
        f"stack_processes: {' and '.join(names)} have the same path {value}; each needs its own."
        for value, names in users.items()
        if len(names) > 1
    ]


def _ports_twice(expanded: list[dict]) -> list[str]:
    """Ports are compared where two processes meet on a host."""
    users: dict = {}
    for process in expanded:
        for host in process["hosts"]:
            for port in filter(None, [process["port"], *process["slot_ports"].values()]):
                users.setdefault((host, port), []).append(process["name"])
    clashes = {(port, tuple(names)) for (_host, port), names in users.items() if len(names) > 1}
    return [
        f"stack_processes: port {port} is used twice, by {' and '.join(names)}; give one of them another."
        for port, names in sorted(clashes)
    ]


def _whole(value: object, low: int, high: int) -> bool:
    """A whole number, also as AWX's surveys give it: a string."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return False
    return bool(re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII)) and low <= int(value) <= high


def _is_word(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and bool(str(value).strip()) and "\n" not in str(value)


def _is_queue(value: object) -> bool:
    return isinstance(value, str) and bool(_QUEUE.fullmatch(value))


def shown(value: object) -> str:
    return "missing" if value is None else repr(value) if len(repr(value)) < 80 else f"{repr(value)[:77]}..."
