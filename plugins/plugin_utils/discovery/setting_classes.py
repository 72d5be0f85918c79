# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables that sources read: by os.environ and its kin, and as fields of pydantic-settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Module, Sources, keyword, text_of

_BASES = ("pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings", "pydantic.BaseSettings")
_READERS = ("os.getenv", "os.environ.get", "os.environ.pop", "os.environ.setdefault", "decouple.config", "environ.get")
_URL_PARTS = {
    "username": "user", "user": "user", "password": "password", "host": "host", "port": "port",
    "path": "database", "database": "database", "dbname": "database",
}  # fmt: skip
_DJANGO_PARTS = {"NAME": "database", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
_TEMPLATE = re.compile(
    r"postgres(?:ql)?(?:\+(?P<driver>\w+))?://\{(?P<user>\w+)\}:\{(?P<password>\w+)\}@\{(?P<host>\w+)\}(?::(?:\{(?P<port>\w+)\}|\d+))?/\{(?P<database>\w+)\}"
)


@dataclass(frozen=True)
class Variable:
    """A variable that sources read. `required`: without it the application does not start. `kind` is a type such as PostgresDsn.

    `default` is the source of the default, such as `'dev'` or `Env.DEVELOPMENT`.
    """

    where: str
    required: bool = False
    kind: str = ""
    default: str = ""


@dataclass
class Settings:
    """`parts` maps a part of the database's URL (host, user, ...) to its variable, with where it is put together."""

    variables: dict[str, Variable] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    parts_where: str = ""
    scheme: str = ""


def read(sources: Sources) -> Settings:
    found = Settings()
    classes = _classes(sources)
    for module in sources:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and f"{module.name}.{node.name}" in classes:
                _read_class(sources, module, node, found)
            elif isinstance(node, (ast.Call, ast.Subscript)):
                _read_name(sources, module, node, found)
            if isinstance(node, ast.Dict):
                _read_django(sources, module, node, found)
    return found


def _classes(sources: Sources) -> set[str]:
    """Full names of the classes below BaseSettings, also of those that inherit from another of the application's."""
    bases = {f"{module.name}.{node.name}": [sources.full(module, base) for base in node.bases] for module, node in _all_classes(sources)}
    found: set[str] = set()
    while True:
        more = {name for name, above in bases.items() if name not in found and any(one in _BASES or one in found for one in above)}
        if not more:
            return found
        found |= more


def _all_classes(sources: Sources) -> Iterator[tuple[Module, ast.ClassDef]]:
    for module in sources:
        yield from ((module, node) for node in module.tree.body if isinstance(node, ast.ClassDef))


def _read_class(sources: Sources, module: Module, node: ast.ClassDef, found: Settings) -> None:
    prefix = _prefix(node)
    names: dict[str, str] = {}
    for entry in node.body:
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and not _is_no_field(entry):
            names[entry.target.id] = name = _alias(entry.value) or (prefix + entry.target.id).upper()
            default = ast.unparse(entry.value) if entry.value is not None else ""
            found.variables[name] = Variable(module.where(entry), _is_required(entry), _kind(entry.annotation), default)
    for entry in ast.walk(node):
        _read_url(sources, module, entry, names, found)


def _is_no_field(entry: ast.AnnAssign) -> bool:
    return entry.target.id in ("model_config",) or entry.target.id.startswith("_") or "ClassVar" in ast.unparse(entry.annotation)


def _kind(annotation: ast.expr) -> str:
    found = re.search(r"\b\w*(?:Dsn|SecretStr|MultiHostUrl)\b", ast.unparse(annotation))
    return found[0] if found else ""


def _is_required(entry: ast.AnnAssign) -> bool:
    value = entry.value
    if not isinstance(value, ast.Call) or ast.unparse(value.func).rpartition(".")[2] != "Field":
        return value is None
    first = value.args[0] if value.args else keyword(value, "default")
    return keyword(value, "default_factory") is None and (first is None or (isinstance(first, ast.Constant) and first.value is ...))


def _alias(value: ast.expr | None) -> str:
    named = keyword(value, "validation_alias", "alias", "env") if isinstance(value, ast.Call) else None
    if isinstance(named, ast.Call):
        named = next(iter(named.args), None)
    return (text_of(named) or "").upper()


def _prefix(node: ast.ClassDef) -> str:
    for entry in ast.walk(node):
        if isinstance(entry, ast.keyword) and entry.arg == "env_prefix":
            return text_of(entry.value) or ""
        if isinstance(entry, ast.Assign) and ast.unparse(entry.targets[0]) == "env_prefix":
            return text_of(entry.value) or ""
    return ""


def _read_url(sources: Sources, module: Module, node: ast.AST, names: dict[str, str], found: Settings) -> None:
    """PostgresDsn.build(username=self.POSTGRES_USER, ...), URL.create(...), or an f-string of a URL."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("build", "create"):
        scheme = text_of(keyword(node, "scheme", "drivername") or next(iter(node.args), None)) or ""
        used = {part: name for key, part in _URL_PARTS.items() if (name := _field(keyword(node, key), names))}
    elif isinstance(node, ast.JoinedStr):
        text = "".join(_piece(one, names) for one in node.values)
        match = _TEMPLATE.match(text)
        scheme = text.partition("://")[0] if match else ""
        used = {part: name for part, name in (match.groupdict() if match else {}).items() if name and part != "driver"}
    else:
        return
    if scheme.startswith("postgres") and {"host", "user", "password"} <= used.keys():
        found.parts, found.parts_where, found.scheme = used, module.where(node), scheme


def _field(node: ast.AST | None, names: dict[str, str]) -> str:
    """The variable of the field that an expression such as `self.POSTGRES_USER` names."""
    for one in ast.walk(node) if node is not None else ():
        if isinstance(one, ast.Attribute) and one.attr in names:
            return names[one.attr]
    return ""


def _piece(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.FormattedValue):
        return "{" + (_field(node.value, names) or "unknown") + "}"
    return text_of(node) or ""


def _read_name(sources: Sources, module: Module, node: ast.Call | ast.Subscript, found: Settings) -> None:
    name = _direct_name(sources, module, node)
    if name and name not in found.variables:
        required = isinstance(node, ast.Subscript) or (_is_env_reader(sources, module, node) and len(node.args) == 1 and not node.keywords)
        found.variables[name] = Variable(module.where(node), required, default=_default(node))


def _default(node: ast.Call | ast.Subscript) -> str:
    """What a reader takes where the variable is not set."""
    given = [*node.args[1:], *(one.value for one in node.keywords if one.arg == "default")] if isinstance(node, ast.Call) else []
    return ast.unparse(given[0]) if given else ""


def _is_env_reader(sources: Sources, module: Module, call: ast.Call) -> bool:
    """A reader that fails without a value: decouple's config and the env object of environs and django-environ."""
    name = sources.full(module, call.func)
    return name == "decouple.config" or ast.unparse(call.func).partition(".")[0] == "env"


def _direct_name(sources: Sources, module: Module, node: ast.AST) -> str:
    """The variable that a single expression reads."""
    if isinstance(node, ast.Subscript) and sources.full(module, node.value) == "os.environ" and isinstance(node.ctx, ast.Load):
        return text_of(node.slice) or ""
    if not isinstance(node, ast.Call):
        return ""
    name, written = sources.full(module, node.func), ast.unparse(node.func) if isinstance(node.func, (ast.Name, ast.Attribute)) else ""
    if name == "dj_database_url.config" or (written == "env.db" and not node.args):
        return text_of(keyword(node, "env")) or "DATABASE_URL"
    is_env = re.fullmatch(r"env(?:\.(?:str|int|bool|list|db|url|float|json|path|cache|db_url|cache_url))?", written)
    if name in _READERS or is_env:
        return text_of(next(iter(node.args), None)) or ""
    return ""


def environment_name(sources: Sources, module: Module, value: ast.expr) -> str:
    """The variable whose value an expression is: read from the environment, or as a field of the settings."""
    for node in ast.walk(value):
        name = _direct_name(sources, module, node)
        if name:
            return name
    if isinstance(value, ast.Call):
        value = value.args[0] if len(value.args) == 1 else value
    return value.attr.upper() if isinstance(value, ast.Attribute) and "settings" in ast.unparse(value.value).lower() else ""


def _read_django(sources: Sources, module: Module, node: ast.Dict, found: Settings) -> None:
    """An entry of DATABASES whose parts come from the environment."""
    entries = {text_of(key): value for key, value in zip(node.keys, node.values)}
    if not re.search("postgresql|postgis", text_of(entries.get("ENGINE")) or ""):
        return
    read = {part: environment_name(sources, module, entries[key]) for key, part in _DJANGO_PARTS.items() if key in entries}
    parts = {part: name for part, name in read.items() if name}
    if parts:
        found.parts, found.parts_where, found.scheme = parts, module.where(node), "postgresql"
