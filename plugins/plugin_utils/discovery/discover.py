# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that can be said of an application without running it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import (
    compose,
    django,
    dockerfile,
    processes,
    procfile,
    project,
    queues,
    routes,
    setting_classes,
    variables,
    web,
)
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Findings, Found, Process
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Sources, text_of
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.tree import Tree

_COMPOSE = re.compile(r"(?:docker-)?compose(?P<kind>[.-]\w+)*\.ya?ml")
_DRIVERS = ("psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000", "psycopg-pool")
#: What a deployment sets itself, or what only compose reads.
_OURS = re.compile(
    r"PORT|HOST|WEB_CONCURRENCY|PYTHON\w*|PATH|HOME|USER|TZ|FLASK_APP|FLASK_ENV|COMPOSE_\w+|DOCKER_\w+|UV_\w+|CI|VIRTUAL_ENV|NO_COLOR"
)
_WHICH = 'which variable gives the application its {0}? Write it into secrets.yml, below all: NAME: "{{{{ {1} }}}}"'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Application:
    """`variables` and `secrets` map names of environment variables to a value, a part such as `database.host`, or None for a question."""

    root: Path
    name: Found
    project: project.Project
    processes: list[Process] = field(default_factory=list)
    database: Found | None = None
    broker: Found | None = None
    storage: Found | None = None
    build: Found | None = None
    scheme: str = "postgresql"
    variables: dict[str, Found] = field(default_factory=dict)
    secrets: dict[str, Found] = field(default_factory=dict)
    optional: list[str] = field(default_factory=list)
    optional_secrets: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Names:
    """Names of variables: what sources read, what files name, and the schemes of their URLs."""

    read: dict[str, setting_classes.Variable] = field(default_factory=dict)
    named: dict[str, Found] = field(default_factory=dict)
    schemes: dict[str, str] = field(default_factory=dict)

    def where(self, name: str) -> str:
        return self.named[name].where if name in self.named else self.read[name].where

    def kind(self, name: str) -> str:
        return self.read[name].kind if name in self.read else ""

    def all(self) -> list[str]:
        """Those that the application reads; where no source was read, all that are named."""
        kept = [name for name in self.named if name in self.read or not self.read]
        found = [*kept, *(name for name in self.read if name not in kept)]
        return [name for name in found if _NAME.fullmatch(name) and not _OURS.fullmatch(name)]


def application(root: Path) -> Application:
    """Raises ParityError where there is nothing to read."""
    tree = Tree(root)
    own = project.read(tree)
    sources = Sources(tree, own.directory)
    commands_found, groups = _commands(tree, own)
    found = Application(tree.root, _project_name(tree, own), own)
    code = _code(sources)
    merged, notes = processes.merged(groups)
    found.processes, questions = processes.completed(merged or _entry_point(sources, own), code)
    settings = setting_classes.read(sources)
    names = _Names(settings.variables)
    _read_files(tree, own, names)
    for name, where in commands_found.names.items():
        names.named.setdefault(name, Found("", where))
    _add_database(found, names, settings, commands_found)
    if "django" in own.dependencies and found.database:
        own.migrations = own.migrations or django.migrations(tree, own.directory)
    _add_broker(found, names, code.celery, commands_found)
    _add_variables(found, names, sources)
    _add_build(found, names, sources)
    found.storage = commands_found.services.get("minio")
    found.questions += own.questions + questions + commands_found.questions + code.celery.questions + _unclear(found, sources)
    found.notes += notes + commands_found.notes + tree.notes
    return found


def _project_name(tree: Tree, own: project.Project) -> Found:
    given = own.name or Found(tree.root.name, "the name of the directory")
    name = re.sub(r"[^a-z0-9]+", "-", given.value.lower()).strip("-") or "application"
    return Found(name if name[0].isalpha() else f"app-{name}", given.where)


def _code(sources: Sources) -> processes.Code:
    found, included = routes.read(sources)
    return processes.Code(web.applications(sources), found, queues.read(sources), frozenset(sources.modules), included)


def _commands(tree: Tree, own: project.Project) -> tuple[Findings, list[list[Process]]]:
    """What runs the application, the source that is nearest to production first."""
    total, groups = Findings(), []
    for file in tree.named("Procfile"):
        groups.append(_add(total, procfile.read(tree.text(file) or "", file)))
    for file in _compose_files(tree, total):
        try:
            groups.append(_add(total, compose.read(tree.text(file) or "", file, partial(_text_at, tree, file.rpartition("/")[0]))))
        except ParityError as error:
            total.notes.append(str(error))
    if not any(one.family == "web" for group in groups for one in group):
        for file in _dockerfiles(tree, own)[:1]:
            groups.append(_add(total, dockerfile.read(tree.text(file) or "", file, _project_name(tree, own).value)))
    return total, groups


def _dockerfiles(tree: Tree, own: project.Project) -> list[str]:
    """Those of the project first; one that stands with something else, such as a frontend, is none of it."""
    places = {name: name.rpartition("/")[0] for name in tree.named("Dockerfile")}
    near = [name for name, place in places.items() if place in ("", own.directory) or re.search(r"docker|deploy|build", place)]
    return sorted(near, key=lambda name: (places[name] != own.directory, name))


def _text_at(tree: Tree, folder: str, name: str) -> str | None:
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in name.split("/"):
        parts = parts[:-1] if part == ".." else [*parts, part]
    path = "/".join(parts)
    return tree.text(path) if tree.has(path) else None


def _add(total: Findings, found: Findings) -> list[Process]:
    total.add(found)
    return found.processes


def _compose_files(tree: Tree, total: Findings) -> list[str]:
    """Those for production first; those for development and tests are only named."""
    matches = [(file, _COMPOSE.fullmatch(file.rpartition("/")[2])) for file in tree.names if file.count("/") <= 1]
    files = [(file, match["kind"] or "") for file, match in matches if match]
    for file, kind in files:
        if kind and not re.search("prod|deploy", kind):
            total.notes.append(f"{file} was not read: only compose files without a suffix, and those for production, were")
    return [
        file for file, kind in sorted(files, key=lambda one: (not one[1], one[0].count("/"))) if not kind or re.search("prod|deploy", kind)
    ]


def _entry_point(sources: Sources, own: project.Project) -> list[Process]:
    """The one program of a package that no file says how to run."""
    if web.applications(sources):
        return []
    if len(own.scripts) == 1:
        return [Process(own.scripts[0], "command", own.path("pyproject.toml") + ", scripts", command=[own.scripts[0]])]
    mains = [one for one in sources if re.fullmatch(r"\w+\.__main__", one.name)]
    names = {one.file: one.name.partition(".")[0] for one in mains}
    return [Process(name, "command", file, command=["python", "-m", name]) for file, name in list(names.items())[:1]]


def _read_files(tree: Tree, own: project.Project, names: _Names) -> None:
    """Examples first: of files that can hold real secrets, only names are read."""
    near = [file for file in tree.names if file.rpartition("/")[0] in ("", own.directory)]
    files = [file for file in near if variables.is_example(file)] + [file for file in near if variables.is_real(file)]
    for file in files:
        text = tree.text(file) or ""
        for name, value in variables.read(text, values=variables.is_example(file)).items():
            names.named.setdefault(name, Found(value, file))
        names.schemes = variables.schemes(text) | names.schemes


def _add_database(found: Application, names: _Names, settings: setting_classes.Settings, given: Findings) -> None:
    urls = [name for name in names.all() if variables.is_database_url(name) or _is_url(names, name, "PostgresDsn", "MultiHostUrl")]
    parts = settings.parts or _parts_by_name(names)
    other = next((names.schemes[name] for name in urls if not names.schemes.get(name, "postgres").startswith("postgres")), "")
    driver = next((name for name in _DRIVERS if name in found.project.dependencies), "")
    service = given.services.get("postgresql")
    if other and not service and not driver:
        found.questions.append(f"the database is {other}, which Parity does not run; write yourself what the application needs to reach it")
        return
    if other and not service:
        found.notes.append(f"the example's database is {other}; the dependency {driver} says that production's is PostgreSQL")
    proofs = [service.where if service else "", f"the dependency {driver}" if driver else "", settings.parts_where]
    proofs += [names.where(name) for name in urls] + [found.project.migrations.where if found.project.migrations else ""]
    where = next(filter(None, proofs), "")
    if not where:
        if "mysql" in given.services:
            found.questions.append(f"{given.services['mysql'].where} is a database that Parity does not run")
        return
    found.database = Found("postgresql", where)
    schemes = [names.schemes[name] for name in urls if names.schemes.get(name, "").startswith("postgres")]
    found.scheme = next(iter(schemes), settings.scheme or "postgresql")
    if parts and not any(names.read.get(name, _NO).required or name in names.named for name in urls):
        urls = []
    _hand_over(found, names, urls, parts, settings.parts_where)
    if not urls and not parts:
        found.questions.append(_WHICH.format("database", "stack_database_url"))


_NO = setting_classes.Variable("")


def _is_url(names: _Names, name: str, *kinds: str) -> bool:
    return names.kind(name) in kinds and not variables.is_for_tests(name)


def _hand_over(found: Application, names: _Names, urls: list[str], parts: dict[str, str], where: str) -> None:
    for name in urls:
        found.secrets[name] = Found("database", names.where(name))
    for part, name in parts.items():
        place = found.secrets if part == "password" else found.variables
        place[name] = Found(f"database.{part}", where or names.where(name))


def _parts_by_name(names: _Names) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names.all():
        part = variables.database_part(name)
        if part:
            found.setdefault(part, name)
    return found if {"host", "user", "password"} <= found.keys() else {}


def _add_broker(found: Application, names: _Names, celery: queues.Celery, given: Findings) -> None:
    listed = names.all()
    urls = [name for name in listed if variables.is_broker_url(name) or _is_url(names, name, "RedisDsn", "AmqpDsn")]
    urls += [name for name in celery.broker if name not in urls and _NAME.fullmatch(name)]
    parts = {name: part for name in listed if (part := variables.broker_part(name))}
    parts = parts if "host" in parts.values() else {}
    service = given.services.get("rabbitmq") or given.services.get("redis")
    worker = next((one for one in found.processes if one.family in ("celery", "celery-beat")), None)
    where = next(filter(None, [service.where if service else "", *(_where(names, celery, name) for name in [*urls, *parts])]), "")
    if not where and not worker:
        return
    found.broker = Found(_broker_kind(found, names, given, urls), where or worker.where)
    if {"rabbitmq", "redis"} <= given.services.keys():
        found.questions.append("RabbitMQ and Redis are both there, and Parity runs one of them; which variables name the other?")
    found.secrets |= {name: Found("broker", _where(names, celery, name)) for name in urls}
    for name, part in parts.items():
        (found.secrets if part == "password" else found.variables)[name] = Found(f"broker.{part}", names.where(name))
    if not urls and not parts:
        found.questions.append(_WHICH.format("broker", "stack_broker_url"))


def _where(names: _Names, celery: queues.Celery, name: str) -> str:
    return names.where(name) if name in names.named or name in names.read else celery.broker.get(name, "")


def _broker_kind(found: Application, names: _Names, given: Findings, urls: list[str]) -> str:
    """redis or amqp; empty where nothing says which."""
    schemes = [names.schemes[name] for name in urls if name in names.schemes]
    if schemes:
        return "amqp" if schemes[0].startswith("amqp") else "redis" if schemes[0].startswith("redis") else ""
    if "rabbitmq" in given.services:
        return "amqp"
    if "redis" in given.services or {"redis", "celery[redis]"} & found.project.dependencies:
        return "redis"
    return ""


def _add_variables(found: Application, names: _Names, sources: Sources) -> None:
    handled = {*found.variables, *found.secrets}
    for name in names.all():
        read, named = names.read.get(name, _NO), names.named.get(name)
        if name in handled or name == "DJANGO_SETTINGS_MODULE":
            continue
        secret = variables.is_secret(name) or read.kind.endswith(("SecretStr", "Dsn"))
        if not named and not secret and variables.is_for_development(name, read.default):
            found.variables[name] = Found(None, f"{read.where}, where its default is {read.default}")
        elif not named and not read.required and not (secret and "SECRET" in name):
            (found.optional_secrets if secret else found.optional).append(name)
        elif secret:
            found.secrets[name] = Found("secret", names.where(name))
        else:
            value = named.value if named and not variables.is_local(named.value) else ""
            default = "; the sources have a default" if name in names.read and not read.required and not value else ""
            found.variables[name] = Found(value or None, names.where(name) + default)
    unread = [name for name in names.named if names.read and name not in names.read and name not in handled and not _OURS.fullmatch(name)]
    if unread:
        found.notes.append(f"named in files and read by no source: {', '.join(unread)}")
    module = _django_settings(sources)
    if module and variables.is_local(module.value):
        module = Found(None, f"{module.where}, which says {module.value}")
    if module:
        found.variables["DJANGO_SETTINGS_MODULE"] = module


def _add_build(found: Application, names: _Names, sources: Sources) -> None:
    """collectstatic of Django, where its directory can be one of the release."""
    if "django" not in found.project.dependencies:
        return
    own = django.read(sources, names.read)
    found.build = own.build
    found.questions += own.questions
    if own.variable:
        name = own.variable.value
        found.variables[name] = Found("{build}", own.variable.where)
        found.optional = [one for one in found.optional if one != name]


def _django_settings(sources: Sources) -> Found | None:
    """What wsgi.py or its like sets, before manage.py, which may name settings for development."""
    found = []
    for module in sources:
        for node in ast.walk(module.tree):
            sets = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("environ.setdefault")
            words = [text_of(one) for one in node.args] if sets else []
            if len(words) == 2 and words[0] == "DJANGO_SETTINGS_MODULE" and words[1]:
                found.append((module.file.endswith("manage.py"), Found(words[1], module.where(node))))
    return min(found, key=lambda one: (variables.is_local(one[1].value), one[0]))[1] if found else None


def _unclear(found: Application, sources: Sources) -> list[str]:
    others = web.unsupported(sources)
    questions = [f"{one} is an application with a server of its own: write its process with run: command" for one in others]
    if not found.processes:
        questions.append("no process was recognised: what runs the application? Write it into stack_processes")
    if found.broker and not found.broker.value:
        questions.append("is the broker Redis or RabbitMQ? Nothing says which; the scheme of BROKER_URL decides")
    return questions
