# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an inventory, as texts. What was found in an application is data in them: no value of it becomes a template."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import pythons
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.discover import Application
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Found, Process

_TEMPLATES = Path(__file__).parent / "templates"
_WIDTH = 140
_URLS = {"database": "stack_database_url", "broker": "stack_broker_url"}


class _Expression(str):
    """A template of ours, the only kind that Ansible may evaluate."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    tag = "!unsafe" if re.search(r"\{[{%#]", text) else "tag:yaml.org,2002:str"
    return dumper.represent_scalar(tag, str(text), style="'" if tag == "!unsafe" else None)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Expression, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'))


def files(found: Application, inventory: Path) -> dict[str, str]:
    """Texts by their path below the inventory."""
    secrets_file = f".env.{inventory.name}"
    view = {
        "found": found,
        "inventory": inventory.name,
        "secrets_file": secrets_file,
        "path": lambda name: _place(found.root, inventory, name),
        "part": lambda name: _part(found, name) or _place(found.root, inventory, name),
        "groups": _groups(found),
        "python": pythons.line(found.project.python, found.project.pinned_python),
        "yaml": _yaml,
        "line": _line,
        "say": say,
        "comment": _comment,
        "process": _process,
        "variable": _variable,
        "secret": _secret,
        "names": _secret_names(found),
    }
    environment = jinja2.Environment(  # noqa: S701 (texts for Ansible, no pages)
        loader=jinja2.FileSystemLoader(_TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, variable_start_string="<<", variable_end_string=">>",
    )  # fmt: skip
    names = ["hosts", "group_vars/all/stack.yml", "group_vars/all/application.yml", "group_vars/all/secrets.yml"]
    texts = {name: environment.get_template(f"{name.rpartition('/')[2]}.j2").render(view) for name in names}
    return texts | ({f"{secrets_file}.example": environment.get_template("env.example.j2").render(view)} if view["names"] else {})


def _yaml(value: object) -> str:
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def say(text: object) -> str:
    """Text for a comment: one line, whatever a file of the application has in its names."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029\s]+", " ", str(text)).strip()


def _line(text: str, where: str) -> str:
    """A line with where it was found: behind it, or above it where that is too long."""
    comment = f"# from {say(where)}"
    if len(text) + len(comment) + 2 <= _WIDTH:
        return f"{text}  {comment}"
    return f"{text[: len(text) - len(text.lstrip())]}{comment}\n{text}"


def _comment(text: object, indent: str = "") -> str:
    """A comment of as many lines as it needs. No option or path in it is cut."""
    wrapped = textwrap.TextWrapper(
        _WIDTH - 10, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_on_hyphens=False, break_long_words=False
    )
    return "\n".join(wrapped.wrap(say(text)))


def _place(root: Path, inventory: Path, name: str) -> str:
    """A path of the application as the inventory sees it, so that both may be moved together."""
    absolute = root / name if name else root
    relative = os.path.relpath(absolute, inventory.resolve())
    far = relative.count("..") >= len(inventory.resolve().parts) - 1
    path = str(absolute) if far else relative
    if re.search(r"\{[{%#]|[\"\\]", path):
        return _yaml(str(absolute))
    return _yaml(path) if far else _yaml(_Expression("{{ inventory_dir }}/" + path))


def _part(found: Application, name: str) -> str:
    """A path below the application, so that it follows where that is moved to; empty where it lies elsewhere."""
    directory = found.project.directory
    if name == directory:  # as a Django project has its migrations
        return _yaml(_Expression("{{ stack_application }}"))
    inside = name.removeprefix(f"{directory}/") if directory else name
    if (directory and inside == name) or inside.startswith("../") or re.search(r"\{[{%#]|[\"\\]", inside):
        return ""
    return _yaml(_Expression("{{ stack_application }}/" + inside))


def _groups(found: Application) -> list[str]:
    wanted = {
        "api": True,
        "worker": any(one.family != "web" for one in found.processes),
        "database": found.database is not None,
        "broker": found.broker is not None,
        "storage": found.storage is not None,
        "gateway": any(one.family == "web" for one in found.processes),
        "monitoring": True,
    }
    return [name for name, needed in wanted.items() if needed]


def _process(one: Process) -> str:
    """The line of a process."""
    entry: dict[str, object] = {"run": one.run}
    for name in ("application", "command", "arguments", "queues", "concurrency", "health", "metrics"):
        if getattr(one, name):
            entry[name] = getattr(one, name)
    if one.run == "celery-beat":
        entry["instances"] = 1
    return _line(f"  {one.name}: {_yaml(entry)}", one.where)


def _variable(name: str, found: Found) -> str:
    if found.value is None:
        return _line(f"  # Question: {name}: which value?", found.where)
    return _line(f"  {name}: {_value(str(found.value))}", found.where)


def _value(value: str) -> str:
    url, dot, part = value.partition(".")
    if dot and url in _URLS and part in ("host", "port", "user", "password", "database"):
        return _yaml(_Expression(f"{{{{ ({_URLS[url]} | parity.stack.connection_parts).{part} }}}}"))
    return _yaml(value)


def _secret(name: str, found: Found) -> str:
    value = str(found.value)
    if value in _URLS:
        text = _yaml(_Expression(f"{{{{ {_URLS[value]} }}}}"))
    elif value == "secret":
        text = _yaml(_Expression(f"{{{{ lookup('parity.stack.secret', '{name}', file=stack_secrets_file) }}}}"))
    else:
        text = _value(value)
    return _line(f"    {name}: {text}", found.where)


def _secret_names(found: Application) -> list[tuple[str, str]]:
    """What the example of the secrets' file lists: names, each with what it is."""
    names = []
    if found.database:
        names += [("DATABASE_URL", f"as the application connects: {say(found.scheme)}://USER:PASSWORD@HOST:5432/NAME")]
        names += [("DATABASE_OWNER_URL", "the same database as the role that owns the schema: postgresql://OWNER:PASSWORD@HOST:5432/NAME")]
    if found.broker:
        shape = {"amqp": "amqp://USER:PASSWORD@HOST:5672/VHOST", "redis": "redis://:PASSWORD@HOST:6379/0"}
        names += [("BROKER_URL", shape.get(found.broker.value, "redis://:PASSWORD@HOST:6379/0 or amqp://USER:PASSWORD@HOST:5672/VHOST"))]
    taken = {name for name, _shape in names}
    return names + [(name, f"from {say(one.where)}") for name, one in found.secrets.items() if one.value == "secret" and name not in taken]
