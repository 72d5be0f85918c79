# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sources say of Celery: its queues, whether there is a schedule, and which variables name the broker."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.setting_classes import environment_name
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.sources import Module, Sources, keyword, targets, text_of

_SENDERS = ("apply_async", "periodic_task", "send_task", "set", "shared_task", "signature", "si", "s", "task")
_SETTINGS = {
    "task_routes": "routes", "CELERY_TASK_ROUTES": "routes", "CELERY_ROUTES": "routes",
    "task_queues": "queues", "CELERY_TASK_QUEUES": "queues", "CELERY_QUEUES": "queues",
    "task_default_queue": "default", "CELERY_TASK_DEFAULT_QUEUE": "default", "CELERY_DEFAULT_QUEUE": "default",
    "beat_schedule": "beat", "CELERY_BEAT_SCHEDULE": "beat", "CELERYBEAT_SCHEDULE": "beat",
    "broker": "broker", "broker_url": "broker", "CELERY_BROKER_URL": "broker", "BROKER_URL": "broker",
    "backend": "broker", "result_backend": "broker", "CELERY_RESULT_BACKEND": "broker",
}  # fmt: skip


@dataclass
class Celery:
    """`queues` and `broker` map names to where they were found; `beat` says where a schedule is."""

    queues: dict[str, str] = field(default_factory=dict)
    broker: dict[str, str] = field(default_factory=dict)
    default: str = "celery"
    beat: str = ""
    database_schedule: bool = False
    questions: list[str] = field(default_factory=list)


def read(sources: Sources) -> Celery:
    """Nothing, where no module imports Celery."""
    found = Celery()
    if any(name.partition(".")[0] in ("celery", "kombu") for module in sources for name in module.imports.values()):
        for module in sources:
            _read_module(sources, module, found)
    return found


def _read_module(sources: Sources, module: Module, found: Celery) -> None:
    for node in ast.walk(module.tree):
        for name, value in _named_values(node):
            _read_setting(sources, module, found, name, value)
        if isinstance(node, ast.Call):
            _read_call(sources, module, found, node)
        elif isinstance(node, ast.Constant) and node.value == "django_celery_beat":
            found.database_schedule, found.beat = True, found.beat or module.where(node)


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Assignments, options of a call, and entries of a dict, by their names."""
    for target in targets(node):
        name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
        yield name, node.value
    if isinstance(node, ast.Call):
        yield from ((one.arg, one.value) for one in node.keywords if one.arg)
    if isinstance(node, ast.Dict):
        yield from ((text_of(key) or "", value) for key, value in zip(node.keys, node.values) if key is not None)


def _read_setting(sources: Sources, module: Module, found: Celery, name: str, value: ast.expr) -> None:
    kind = _SETTINGS.get(name)
    where = module.where(value)
    if kind == "routes":
        _read_routes(module, found, value)
    elif kind == "queues" and isinstance(value, ast.Dict):
        found.queues |= {text: where for key in value.keys if (text := text_of(key))}
    elif kind == "default" and not text_of(value):
        found.questions.append(f"what is the default queue? {where} sets it to no literal name; write it as queues of the worker")
        found.default = ""
    elif kind == "default":
        found.default = text_of(value) or found.default
        found.queues.setdefault(found.default, where)
    elif kind == "beat" and ast.unparse(value) not in ("{}", "dict()"):
        found.beat = found.beat or where
    elif kind == "broker":
        variable = environment_name(sources, module, value)
        found.broker |= {variable: where} if variable else {}


def _read_routes(module: Module, found: Celery, value: ast.expr) -> None:
    names = [
        text
        for node in ast.walk(value)
        if isinstance(node, ast.Dict)
        for key, one in zip(node.keys, node.values)
        if text_of(key) == "queue" and (text := text_of(one))
    ]
    found.queues |= {name: found.queues.get(name, module.where(value)) for name in names}
    if not names:
        found.questions.append(f"which queues do the task routes in {module.where(value)} use? They are no literal names")


def _read_call(sources: Sources, module: Module, found: Celery, call: ast.Call) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""
    queue = text_of(keyword(call, "queue")) if name in _SENDERS else None
    if sources.full(module, call.func) in ("kombu.Queue", "kombu.entity.Queue"):
        queue = text_of(call.args[0] if call.args else keyword(call, "name"))
    if queue:
        found.queues.setdefault(queue, module.where(call))
    if name == "add_periodic_task":
        found.beat = found.beat or module.where(call)
