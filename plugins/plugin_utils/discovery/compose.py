# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a compose file: those that run the application, and those it depends on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import commands, dockerfile
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Findings, Found

#: What the name of an image says, without its registry and tag.
_IMAGES = (
    ("postgresql", re.compile(r"postgres|postgis|timescale|pgvector")),
    ("redis", re.compile(r"redis|valkey|keydb|dragonfly")),
    ("rabbitmq", re.compile(r"rabbitmq")),
    ("minio", re.compile(r"minio|rustfs|garage")),
    ("mysql", re.compile(r"mysql|mariadb")),
)
_MOST_KEYS = 10_000


class _Loader(yaml.SafeLoader):
    """YAML with compose's own tags, and with merged keys counted: anchors can multiply them without end."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        # The last of equal keys wins, as it does in the mapping.
        node.value = list({(key.tag, str(key.value)): (key, value) for key, value in node.value}.values())
        self.merged = getattr(self, "merged", 0) + len(node.value)
        if self.merged > _MOST_KEYS:
            raise yaml.YAMLError("it merges too many keys")


def _tagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    """!reset and !override change how files are merged, not what they say."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _tagged)


def read(text: str, file: str, dockerfile_text: Callable[[str], str | None]) -> Findings:
    """`dockerfile_text` answers the text of a Dockerfile by its path below the application. Raises ParityError."""
    services = _services(text, file)
    built = {service.get("image") for service in services.values() if service.get("build") and service.get("image")}
    found = Findings()
    for name, service in services.items():
        where = f"{file}, service {name}"
        kind = _kind(service)
        if kind and not service.get("build"):
            found.services.setdefault(kind, Found(name, where))
        elif service.get("build") or service.get("image") in built:
            _add_process(found, name, service, where, dockerfile_text)
        elif "image" in service or "command" in service:
            # What has neither only adds to a service of another file.
            image = re.sub(r"\$\{[^}]*\}", "...", str(service.get("image", "none")))
            _add_foreign(found, name, service, where, image)
    return found


def _services(text: str, file: str) -> dict[str, dict]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 (it is a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ParityError(f"{file}{place} was not read: it is no YAML that can be read safely") from None
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise ParityError(f"{file} was not read: it is no mapping with services")
    return {str(name): service for name, service in services.items() if isinstance(service, dict)}


def _kind(service: dict) -> str:
    image = str(service.get("image", "")).partition("@")[0].rpartition("/")[2]
    path = str(service.get("image", ""))
    return next((kind for kind, pattern in _IMAGES if pattern.search(image) or pattern.search(path.split(":", maxsplit=1)[0])), "")


def _names(service: dict) -> list[str]:
    """Names of environment variables; their values are not read."""
    given = service.get("environment")
    if isinstance(given, dict):
        return [str(name) for name in given]
    return [str(entry).partition("=")[0] for entry in given] if isinstance(given, list) else []


def _add_process(found: Findings, name: str, service: dict, where: str, dockerfile_text: Callable[[str], str | None]) -> None:
    command = _command(service, dockerfile_text)
    if not command:
        found.questions.append(f"{where} is left out: it names no command, and no Dockerfile of it was found")
        return
    process, why = commands.process_of(command, name, where)
    if process is None:
        found.leave(where, why)
        return
    found.processes.append(process)
    for variable in _names(service):
        found.names.setdefault(variable, where)


def _add_foreign(found: Findings, name: str, service: dict, where: str, image: str) -> None:
    """A service with an image of others: a process only where its command is one of the application's programs."""
    process = commands.process_of(service["command"], name, where)[0] if service.get("command") else None
    if process and process.run != "command":
        found.processes.append(process)
    else:
        found.notes.append(f"{where} (image {image}) is no part of the application that Parity runs")


def _command(service: dict, dockerfile_text: Callable[[str], str | None]) -> object:
    entrypoint, command = service.get("entrypoint"), service.get("command")
    if command and not entrypoint:
        return command
    if entrypoint:
        return _joined(entrypoint, command)
    build = service.get("build")
    context = str(build.get("context", ".") if isinstance(build, dict) else build or ".")
    name = str(build.get("dockerfile", "Dockerfile") if isinstance(build, dict) else "Dockerfile")
    parts = [part for part in f"{context}/{name}".split("/") if part not in (".", "")]
    text = dockerfile_text("/".join(parts))
    return dockerfile.command(text) if text else None


def _joined(entrypoint: object, command: object) -> object:
    if isinstance(entrypoint, list):
        return [*entrypoint, *(command if isinstance(command, list) else str(command or "").split())]
    words = " ".join(str(word) for word in command) if isinstance(command, list) else str(command or "")
    return f"{entrypoint} {words}".strip()
