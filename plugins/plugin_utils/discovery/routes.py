# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that an application answers, with the prefixes of the routers they belong to, where those are literals."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Module, Sources, keyword, targets, text_of

_ROUTERS = {
    "fastapi.APIRouter": "prefix",
    "fastapi.routing.APIRouter": "prefix",
    "flask.Blueprint": "url_prefix",
    "flask.blueprints.Blueprint": "url_prefix",
    "quart.Blueprint": "url_prefix",
}
_LITESTAR_ROUTERS = ("litestar.Router", "litestar.router.Router")
_DECORATORS = ("get", "route", "api_route")
_ADDERS = ("add_api_route", "add_url_rule", "add_route")
_INCLUDES = {"include_router": ("prefix",), "register_blueprint": ("url_prefix",), "mount": ("path",)}
_DJANGO = ("django.urls.path", "django.urls.re_path", "django.conf.urls.url", "django.urls.conf.path")
#: Packages whose urls.py answers at the prefix itself.
_FOREIGN_URLS = ("health_check.urls", "django_prometheus.urls")


@dataclass(frozen=True)
class Route:
    """A path of a GET request. `path` is None where a prefix is no literal; then `written` is the end of it that can be read."""

    path: str | None
    written: str
    where: str
    root: str


@dataclass
class _Graph:
    """Nodes are routers by their full name. `parents` maps a node to those that include it, each with the prefix."""

    routes: list[tuple[str, str | None, str]] = field(default_factory=list)
    prefixes: dict[str, str | None] = field(default_factory=dict)
    routers: set[str] = field(default_factory=set)
    parents: dict[str, list[tuple[str, str | None, bool]]] = field(default_factory=dict)


def read(sources: Sources) -> tuple[list[Route], frozenset[str]]:
    """Each path with the application or router at its top, and the names of what another one includes."""
    graph = _Graph()
    constants = _constants(sources)
    for module in sources:
        _Reader(sources, module, graph, constants).read()
    found = []
    for node, path, where in graph.routes:
        for root, prefix in _upwards(graph, node, ()):
            whole = None if prefix is None or path is None else _joined(prefix, path)
            certain = root not in graph.routers
            found.append(Route(whole if certain else None, path or "", where, root))
    return found, frozenset(graph.parents)


def _joined(prefix: str, path: str) -> str:
    return "/" + "/".join(part for part in (prefix.strip("/"), path.removeprefix("/")) if part)


def _upwards(graph: _Graph, node: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """The tops above a router, each with the prefix that leads to it."""
    own = graph.prefixes.get(node, "")
    parents = graph.parents.get(node, []) if node not in seen and len(seen) < 20 else []
    if not parents:
        yield node, own
    for parent, prefix, replaces in parents:
        below = prefix if replaces and prefix != "" else _both(prefix, own)
        for root, above in _upwards(graph, parent, (*seen, node)):
            yield root, _both(above, below)


def _both(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return None
    return "/".join(part for part in (first.strip("/"), second.strip("/")) if part)


def _constants(sources: Sources) -> dict[str, str]:
    """Texts by full name, and by the bare name of a field where only one class has it (`settings.API_PREFIX`)."""
    found: dict[str, str] = {}
    fields: dict[str, set[str]] = {}
    for module in sources:
        for node in module.tree.body:
            for name, value in _texts([node]):
                found[f"{module.name}.{name}"] = value
            for name, value in _texts(node.body) if isinstance(node, ast.ClassDef) else ():
                fields.setdefault(name, set()).add(value)
    return found | {f".{name}": next(iter(values)) for name, values in fields.items() if len(values) == 1}


def _texts(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        value = text_of(node.value) if targets(node) else None
        if value is not None:
            yield from ((target.id, value) for target in targets(node) if isinstance(target, ast.Name))


class _Reader:
    """Collects routes and includes of one module. Inside a function, its own variables are nodes of their own."""

    def __init__(self, sources: Sources, module: Module, graph: _Graph, constants: dict[str, str]) -> None:
        self.sources, self.module, self.graph, self.constants = sources, module, graph, constants

    def read(self) -> None:
        self._body(self.module.tree.body, "", frozenset(), "")
        if "django" in " ".join(self.module.imports.values()):
            self._django()

    def _body(self, body: list[ast.stmt], scope: str, local: frozenset[str], base: str) -> None:
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._decorated(statement, scope, local, base)
                arguments = {one.arg for one in statement.args.args}
                names = {t.id for node in ast.walk(statement) for t in targets(node) if isinstance(t, ast.Name)}
                self._body(statement.body, f"{scope}.{statement.name}", local | names | arguments, "")
            elif isinstance(statement, ast.ClassDef):
                self._decorated(statement, scope, local, base)
                self._body(statement.body, scope, local, dict(_texts(statement.body)).get("path", ""))
            else:
                self._statement(statement, scope, local)
                for part in ("body", "orelse", "finalbody"):
                    self._body([one for one in getattr(statement, part, []) if isinstance(one, ast.stmt)], scope, local, base)

    def _node(self, node: ast.AST | None, scope: str, local: frozenset[str]) -> str:
        if isinstance(node, ast.Name) and node.id in local:
            return f"{self.module.name}{scope}.{node.id}"
        return self.sources.full(self.module, node)

    def _statement(self, statement: ast.stmt, scope: str, local: frozenset[str]) -> None:
        own = [statement] if not hasattr(statement, "body") else []
        for part in own:
            for call in (node for node in ast.walk(part) if isinstance(node, ast.Call)):
                self._call(call, scope, local)
            if targets(part) and isinstance(part.value, ast.Call):
                for target in targets(part):
                    self._router(part.value, self._made(target, scope, local))

    def _made(self, target: ast.expr, scope: str, local: frozenset[str]) -> str:
        if isinstance(target, ast.Name) and target.id not in local:
            return f"{self.module.name}.{target.id}"
        return self._node(target, scope, local)

    def _router(self, call: ast.Call, name: str) -> None:
        option = _ROUTERS.get(self.sources.full(self.module, call.func))
        if option and name:
            self.graph.routers.add(name)
            prefix = keyword(call, option)
            self.graph.prefixes[name] = "" if prefix is None else self._text(prefix)

    def _decorated(self, function: ast.stmt, scope: str, local: frozenset[str], base: str) -> None:
        for call in (one for one in function.decorator_list if isinstance(one, ast.Call)):
            owner = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr in _DECORATORS else None
            if owner is not None:
                self._route(call, self._node(owner, scope, local), keyword(call, "path", "rule") or next(iter(call.args), None))
            elif self.sources.full(self.module, call.func) in ("litestar.get", "litestar.handlers.get"):
                path = self._text(next(iter(call.args), None)) if call.args else ""
                self.graph.routes.append(("litestar", _both(base, path), self.module.where(call)))

    def _call(self, call: ast.Call, scope: str, local: frozenset[str]) -> None:
        attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = self.sources.full(self.module, call.func)
        first = next(iter(call.args), None)
        if attribute in _ADDERS:
            self._route(call, self._node(call.func.value, scope, local), keyword(call, "path", "rule") or first)
        elif attribute in _INCLUDES:
            self._include(call, attribute, scope, local)
        elif attribute == "expose" and "Instrumentator" in ast.unparse(call.func):
            path = keyword(call, "endpoint")
            self.graph.routes.append(("instrumentator", self._text(path) if path else "/metrics", self.module.where(call)))
        elif name in _LITESTAR_ROUTERS:
            self.graph.routers.add("litestar")  # which handlers are below its path is not followed
        elif name == "starlette.routing.Route":
            self._route(call, "starlette", first)

    def _route(self, call: ast.Call, node: str, path: ast.expr | None) -> None:
        methods = keyword(call, "methods")
        if path is not None and node and (methods is None or "GET" in ast.unparse(methods).upper()):
            self.graph.routes.append((node, self._text(path), self.module.where(call)))

    def _include(self, call: ast.Call, attribute: str, scope: str, local: frozenset[str]) -> None:
        arguments = list(call.args)
        prefix: ast.expr | None = keyword(call, *_INCLUDES[attribute])
        if attribute == "mount":
            prefix, arguments = (prefix or next(iter(arguments), None)), arguments[1:]
        child = keyword(call, "app", "router", "blueprint") or next(iter(arguments), None)
        parent, text = self._node(call.func.value, scope, local), "" if prefix is None else self._text(prefix)
        if isinstance(child, ast.Call) and attribute == "mount":
            # A mounted program, such as the one that serves metrics, answers at its prefix with a slash.
            self.graph.routes.append((parent, f"{text.rstrip('/')}/" if text else None, self.module.where(call)))
        elif child is not None and self._node(child, scope, local):
            edge = (parent, text, attribute == "register_blueprint")
            self.graph.parents.setdefault(self._node(child, scope, local), []).append(edge)

    def _text(self, node: ast.expr | None) -> str | None:
        """A literal text, or one put together from literals."""
        if isinstance(node, ast.JoinedStr):
            parts = [self._text(one.value if isinstance(one, ast.FormattedValue) else one) for one in node.values]
            return None if None in parts else "".join(parts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self._text(node.left), self._text(node.right)
            return None if left is None or right is None else left + right
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = self.sources.full(self.module, node)
            field_name = f".{node.attr}" if isinstance(node, ast.Attribute) else ""
            return self.constants.get(name, self.constants.get(field_name))
        return text_of(node)

    def _django(self) -> None:
        own = f"{self.module.name}.urlpatterns"
        for call in (node for node in ast.walk(self.module.tree) if isinstance(node, ast.Call)):
            if self.sources.full(self.module, call.func) not in _DJANGO or not call.args:
                continue
            text = self._text(call.args[0])
            path = text.removeprefix("^").removesuffix("$") if text is not None else None
            view = call.args[1] if len(call.args) > 1 else None
            included = _included(view)
            if included is None or included in _FOREIGN_URLS:
                path = f"{path or ''}metrics" if included == "django_prometheus.urls" else path
                self.graph.routes.append((own, path, self.module.where(call)))
            elif included:
                self.graph.parents.setdefault(f"{included}.urlpatterns", []).append((own, path, False))


def _included(view: ast.expr | None) -> str | None:
    """The module that include() names; None for a view, empty where it cannot be read."""
    if not isinstance(view, ast.Call) or ast.unparse(view.func).rpartition(".")[2] != "include":
        return None
    first = view.args[0] if view.args else None
    if isinstance(first, ast.Tuple) and first.elts:
        first = first.elts[0]
    return text_of(first) or ""
