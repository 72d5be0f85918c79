# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One list of processes out of what Procfile, compose files, Dockerfile and sources say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.discovery.model import Process
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.queues import Celery
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.routes import Route
from ansible_collections.parity.stack.plugins.plugin_utils.discovery.web import Application

#: Ends of paths that tell whether a process works, the one that says most first.
_HEALTH = (
    "readyz", "ready", "readiness", "healthz", "health", "health-check", "healthcheck", "health_check", "ht", "livez", "liveness",
    "heartbeat", "ping",
)  # fmt: skip
_USUAL = ("main", "app", "asgi", "wsgi", "server", "api", "application")
_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"


@dataclass
class Code:
    """What the sources say."""

    applications: list[Application]
    routes: list[Route]
    celery: Celery
    modules: frozenset[str]
    included: frozenset[str] = frozenset()


def merged(groups: list[list[Process]]) -> tuple[list[Process], list[str]]:
    """The processes of the first source that has one of a kind; what later sources say otherwise is a note."""
    kept: list[Process] = []
    notes: list[str] = []
    for group in groups:
        before = list(kept)
        for process in group:
            same = next((one for one in before if _same(one, process)), None)
            rival = next((one for one in before if _rivals(one, process)), None)
            if same:
                same.where += f"; {process.where}"
                same.queues = same.queues or process.queues
            elif rival:
                notes.append(f"{process.where} says something else than {rival.where}, which was taken")
            else:
                kept.append(process)
    return kept, notes


def _same(one: Process, other: Process) -> bool:
    if one.run != other.run or one.command != other.command:
        return False
    queues = not one.queues or not other.queues or one.queues == other.queues
    return queues and (not one.application or not other.application or one.application == other.application)


def _rivals(one: Process, other: Process) -> bool:
    return one.family == other.family and (one.run != "command" or one.name == other.name)


def completed(found: list[Process], code: Code) -> tuple[list[Process], list[str]]:
    """The processes with what the sources add: applications, queues, a schedule, paths."""
    questions: list[str] = []
    found = _with_beat_apart(found)
    web = [one for one in code.applications if one.run != "celery" and one.node not in code.included]
    workers = [one for one in code.applications if one.run == "celery"]
    for process in found:
        _complete_application(process, web if process.family == "web" else workers)
    if web and not any(one.family == "web" for one in found):
        found = [_from_source("api", web, questions), *found]
    _add_workers(found, workers, code.celery, questions)
    for process in found:
        _check_application(process, code)
        if process.family == "web":
            _add_paths(process, code, sum(one.family == "web" for one in found) == 1)
    _check_queues(found, code.celery, questions)
    _name(found)
    return found, questions


def _with_beat_apart(found: list[Process]) -> list[Process]:
    more = []
    for process in found:
        if process.with_beat and not any(one.run == "celery-beat" for one in found):
            more.append(Process("beat", "celery-beat", f"{process.where}, its option --beat", application=process.application))
    return found + more


def _best(applications: list[Application]) -> Application:
    """The one with a usual name nearest to the top; of Django's two, the one for WSGI."""

    def rank(one: Application) -> tuple:
        last = one.module.rpartition(".")[2]
        usual = _USUAL.index(last) if last in _USUAL else len(_USUAL)
        django = one.framework == "django.core.asgi.get_asgi_application"
        return (one.arguments, django, one.factory, one.module.count("."), usual, one.module)

    return min(applications, key=rank)


def _complete_application(process: Process, candidates: list[Application]) -> None:
    if process.run in ("uvicorn", "gunicorn") and not process.application:
        candidates = [one for one in candidates if one.run == process.run]
    if not candidates or process.run == "command":
        return
    module, colon, _object = process.application.partition(":")
    if not process.application:
        best = _best(candidates)
        process.application, process.arguments = _target(best), [*process.arguments, *_factory_argument(best)]
        process.where += f"; {best.where}"
    elif not colon and process.family in ("celery", "celery-beat"):
        near = [one for one in candidates if one.module == module or one.module == f"{module}.celery"]
        process.application = _best(near).target if near else process.application
    elif process.family == "web" and process.application == f"{module}:app":
        # `fastapi run` finds an object of any name.
        own = [one for one in candidates if one.module == module and not one.factory]
        process.application = own[0].target if len(own) == 1 else process.application


def _target(one: Application) -> str:
    return f"{one.target}()" if one.factory and one.run == "gunicorn" else one.target


def _factory_argument(one: Application) -> list[str]:
    return ["--factory"] if one.factory and one.run == "uvicorn" else []


def _from_source(name: str, candidates: list[Application], questions: list[str]) -> Process:
    best = _best(candidates)
    process = Process(name, best.run, best.where, application=_target(best), arguments=_factory_argument(best))
    if best.arguments:
        process.questions.append(f"{best.target} cannot be called without arguments; which object or factory without arguments runs it?")
    others = [f"{one.target} ({one.where})" for one in candidates if one is not best]
    if others:
        questions.append(f"is one of these a process of its own, beside {best.target}? {', '.join(others)}")
    return process


def _add_workers(found: list[Process], workers: list[Application], celery: Celery, questions: list[str]) -> None:
    """A worker and a schedule that no command names, and that the sources need."""
    if workers and not any(one.run == "celery" for one in found):
        process = _from_source("worker", workers, questions)
        process.queues = [name for name in dict.fromkeys([celery.default, *celery.queues]) if name]
        found.append(process)
    known = next((one.application for one in found if one.run == "celery"), "")
    if celery.beat and known and not any(one.run == "celery-beat" for one in found):
        found.append(Process("beat", "celery-beat", celery.beat, application=known))
    for process in found:
        if process.run == "celery-beat" and celery.database_schedule and not process.arguments:
            process.arguments = ["--scheduler", _SCHEDULER]


def _check_application(process: Process, code: Code) -> None:
    if process.run == "command":
        return
    if not process.application:
        process.questions.append("which application, as module:object? None was found in the sources")
        return
    module, colon, _object = process.application.partition(":")
    # Celery takes a dot before the object, too.
    inside = module.rpartition(".")[0] if process.run.startswith("celery") and not colon else ""
    if module not in code.modules and inside not in code.modules:
        process.questions.append(f"is {process.application} right? {module} is not among the sources that were read")


def _check_queues(found: list[Process], celery: Celery, questions: list[str]) -> None:
    workers = [one for one in found if one.run == "celery"]
    for process in workers:
        process.queues = process.queues or ([celery.default] if celery.default and not process.questions else [])
    taken = {queue for one in workers for queue in one.queues}
    lost = {queue: where for queue, where in celery.queues.items() if queue not in taken}
    if workers and lost and all(one.queues for one in workers):
        names = ", ".join(f"{queue} ({where})" for queue, where in lost.items())
        questions.append(f"which process takes tasks from these queues? Add them to its queues: {names}")


def _add_paths(process: Process, code: Code, alone: bool) -> None:
    module, _colon, name = process.application.removesuffix("()").partition(":")
    own = {one.node for one in code.applications if one.module == module and name in ("", one.name)}
    tops = {one.node for one in code.applications if one.run != "celery"}
    routes = [one for one in code.routes if one.root in own or (one.root not in tops - own and alone)]
    ranked = sorted((one for one in routes if _rank(one) < len(_HEALTH)), key=lambda one: (one.path is None, _rank(one), one.path or ""))
    if ranked and ranked[0].path is not None:
        process.health = ranked[0].path
        process.where += f"; health {ranked[0].where}"
    elif ranked:
        seen = f"{ranked[0].where} ends with {ranked[0].written}, and what stands before it is no literal"
        process.questions.append(f"health: which path? {seen}")
    else:
        plain = sorted(
            {one.path for one in routes if one.path and not re.search(r"[{<(:*]", one.path)}, key=lambda path: (path.count("/"), path)
        )
        seen = f" (it answers {', '.join(plain[:5])}{', ...' if plain[5:] else ''})" if plain else ""
        process.questions.append(f"health: which path answers 200 once it can work? None was found{seen}; write health: /PATH")
    process.metrics = next((one.path for one in routes if one.path and one.path.rstrip("/").endswith("/metrics")), "")
    version = next((one for one in routes if one.path and one.path.rstrip("/").endswith("/version")), None)
    if version:
        seen = f"{version.path} ({version.where})"
        process.questions.append(f"does {seen} answer JSON with the key release? Then write version: {version.path}")


def _rank(route: Route) -> int:
    path = route.path or route.written
    last = path.rstrip("/").rpartition("/")[2].lower()
    return _HEALTH.index(last) if last in _HEALTH and not re.search(r"[{<(]", path) else len(_HEALTH)


def _name(found: list[Process]) -> None:
    """Names that units and variables can have, each once."""
    taken: set[str] = set()
    for process in found:
        base = re.sub(r"[^a-z0-9]+", "_", process.name.lower()).strip("_") or "process"
        base = base if base[0].isalpha() else f"p_{base}"
        process.name = next(name for name in [base, *(f"{base}_{number}" for number in range(2, 999))] if name not in taken)
        taken.add(process.name)
