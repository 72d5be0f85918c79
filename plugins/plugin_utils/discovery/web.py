# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that a server or Celery can run: `module:object`, or a factory that makes one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Module, Sources, statements, targets

#: What makes an application, and the program that runs it.
FRAMEWORKS = {
    "fastapi.FastAPI": "uvicorn",
    "fastapi.applications.FastAPI": "uvicorn",
    "starlette.applications.Starlette": "uvicorn",
    "litestar.Litestar": "uvicorn",
    "litestar.app.Litestar": "uvicorn",
    "quart.Quart": "uvicorn",
    "falcon.asgi.App": "uvicorn",
    "django.core.asgi.get_asgi_application": "uvicorn",
    "channels.routing.ProtocolTypeRouter": "uvicorn",
    "flask.Flask": "gunicorn",
    "flask.app.Flask": "gunicorn",
    "falcon.App": "gunicorn",
    "bottle.Bottle": "gunicorn",
    "django.core.wsgi.get_wsgi_application": "gunicorn",
    "celery.Celery": "celery",
    "celery.app.Celery": "celery",
    "celery.app.base.Celery": "celery",
}
#: Web frameworks with servers of their own, which `run: command` starts.
OTHERS = ("sanic.Sanic", "aiohttp.web.Application", "tornado.web.Application", "robyn.Robyn")


@dataclass(frozen=True)
class Application:
    """`node` is the name under which routes are collected; `arguments` says that a factory cannot be called without."""

    run: str
    framework: str
    module: str
    name: str
    where: str
    node: str
    factory: bool = False
    arguments: bool = False

    @property
    def target(self) -> str:
        return f"{self.module}:{self.name}"


def applications(sources: Sources) -> list[Application]:
    """Objects at the top of a module; factories only of programs for which no module has an object."""
    kinds = FRAMEWORKS | _subclasses(sources)
    made = {one.node.rpartition(".")[0]: one for module in sources for one in _factories(sources, module, kinds)}
    objects = [one for module in sources for one in _objects(sources, module, kinds, made)]
    called = {one.node for one in objects}
    return objects + [one for one in made.values() if one.node not in called]


def unsupported(sources: Sources) -> list[str]:
    """Applications of frameworks whose server is their own, as `framework in file`."""
    return [
        f"{name} in {module.where(call)}"
        for module in sources
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call) and (name := sources.full(module, call.func)) in OTHERS
    ]


def _subclasses(sources: Sources) -> dict[str, str]:
    found = {}
    for module in sources:
        for node in module.tree.body:
            bases = [sources.full(module, base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            run = next((FRAMEWORKS[base] for base in bases if base in FRAMEWORKS), None)
            if run:
                found[f"{module.name}.{node.name}"] = run
    return found


def _factories(sources: Sources, module: Module, kinds: dict[str, str]) -> Iterator[Application]:
    for function in module.tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        made = dict(_made_in(sources, module, function, kinds))
        for node in ast.walk(function):
            value = node.value if isinstance(node, ast.Return) else None
            local = value.id if isinstance(value, ast.Name) else ""
            kind = made.get(local) or (sources.full(module, value.func) if isinstance(value, ast.Call) else "")
            if kind in kinds:
                name = f"{module.name}.{function.name}.{local or 'returned'}"
                needs = len(function.args.args) > len(function.args.defaults) or any(d is None for d in function.args.kw_defaults)
                yield Application(kinds[kind], kind, module.name, function.name, module.where(function), name, True, needs)
                break


def _made_in(sources: Sources, module: Module, function: ast.FunctionDef, kinds: dict[str, str]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        kind = sources.full(module, node.value.func) if targets(node) and isinstance(node.value, ast.Call) else ""
        if kind in kinds:
            yield from ((target.id, kind) for target in targets(node) if isinstance(target, ast.Name))


def _objects(sources: Sources, module: Module, kinds: dict[str, str], made: dict[str, Application]) -> Iterator[Application]:
    for node in statements(module.tree.body):
        call = node.value if targets(node) else None
        if not isinstance(call, ast.Call):
            continue
        kind = sources.full(module, call.func)
        factory = made.get(kind)
        for target in targets(node):
            if isinstance(target, ast.Name) and (kind in kinds or factory):
                run, framework = (factory.run, factory.framework) if factory else (kinds[kind], kind)
                routes = factory.node if factory else f"{module.name}.{target.id}"
                yield Application(run, framework, module.name, target.id, module.where(node), routes)
