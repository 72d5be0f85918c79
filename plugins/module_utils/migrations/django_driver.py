# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a release's own Python: reads a Django project's migrations, renders those that wait as SQL, or applies one of them.

`django_runner` hands its source to that Python, so it imports nothing of this collection. The request is JSON in the environment variable
`REQUEST`: `apply` (`app.name` of a migration, or null) and `limits` (settings of PostgreSQL for every session of this program).
The answer is the last line of its output, as JSON behind `MARK`.

While a migration is rendered, nothing of it is executed: Django collects the SQL, in sessions that PostgreSQL lets only read. What does
not show in its SQL is no SQL at all here: RunPython, and operations that are not Django's own.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import sys
import traceback

MARK = "parity-django:"
REQUEST = "PARITY_DJANGO_REQUEST"


def answer(request):
    """The answer to a request, as plain data. A failure is an `error` in it."""
    sys.path.insert(0, os.getcwd())
    try:
        import django

        django.setup()
        _limit(request.get("limits") or {}, reads=not request.get("apply"))
        return _applied(request["apply"]) if request.get("apply") else _described()
    except BaseException as error:
        return {"error": _error(error)}


def _limit(limits, reads):
    """Set the limits of every session, whatever OPTIONS the project's settings have."""
    from django.db.backends.signals import connection_created

    settings = {**limits, **({"default_transaction_read_only": "on"} if reads else {})}

    def created(sender, connection, **_more):
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("select set_config(%s, %s, false)", [name, value])

    connection_created.connect(created, weak=False, dispatch_uid="parity")


def _executor():
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    conflicts = executor.loader.detect_conflicts()
    if conflicts:
        several = "; ".join(f"{app}: {', '.join(sorted(names))}" for app, names in conflicts.items())
        raise RuntimeError(f"there are several last migrations of one application ({several}): python -m django makemigrations --merge")
    return executor


def _described():
    """Every migration in the order in which Django applies them; the SQL of those that are not applied."""
    executor = _executor()
    loader = executor.loader
    plan = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
    state = executor._create_project_state(with_applied_migrations=True)
    found = []
    for migration, _backwards in plan:
        one = _entry(migration)
        if (migration.app_label, migration.name) not in loader.applied_migrations:
            one, state = _rendered(executor, migration, state, one)
        found.append(one)
    return {"migrations": found, "vendor": executor.connection.vendor}


def _entry(migration):
    module = sys.modules[type(migration).__module__]
    path = inspect.getsourcefile(module)
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\r\n", "\n")
    return {
        "version": f"{migration.app_label}.{migration.name}",
        "file": f"{module.__name__.replace('.', '/')}.py",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "parents": [f"{app}.{name}" for app, name in migration.dependencies],
        "replaces": [f"{app}.{name}" for app, name in migration.replaces],
        "atomic": bool(migration.atomic),
        "sql": "",
    }


def _rendered(executor, migration, state, one):
    """The entry with its SQL, or with why it has none, and the state of the models after the migration."""
    hidden = [found for operation in migration.operations for found in _hidden(operation)]
    hidden += [(name, f"it has its own {name}()") for name in ("apply", "mutate_state") if _is_own(type(migration), name)]
    if hidden:
        words = "; ".join(dict.fromkeys(words for _kind, words in hidden))
        error = {"words": words, "unseen": True, "place": "", "server": {}, "kind": hidden[0][0]}
        return {**one, "error": error}, migration.mutate_state(state)
    try:
        with executor.connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            after = migration.apply(state.clone(), editor, collect_sql=True)
        return {**one, "sql": "\n".join(editor.collected_sql)}, after
    except Exception as error:
        return {**one, "error": _error(error)}, migration.mutate_state(state)


def _is_own(kind, name):
    from django.db.migrations import Migration

    return getattr(kind, name) is not getattr(Migration, name)


def _hidden(operation):
    """What of an operation no SQL shows: the name it stands under in the file, and a part of a sentence."""
    from django.db.migrations.operations import RunPython, SeparateDatabaseAndState

    kind = type(operation)
    if kind is RunPython:  # a class built on it may do anything
        return [] if operation.code is RunPython.noop else [("RunPython", f"it runs Python ({getattr(operation.code, '__name__', '...')})")]
    if kind is SeparateDatabaseAndState:
        return [found for inner in operation.database_operations for found in _hidden(inner)]
    own = not kind.__module__.startswith(("django.db.migrations.", "django.contrib."))
    return [(kind.__name__, f"{kind.__name__} is no operation of Django's own")] if own else []


def _applied(version):
    from django.core.management import call_command

    app, _dot, name = version.partition(".")
    executor = _executor()
    if (app, name) in executor.loader.applied_migrations:
        return {"applied": version}
    plan = [f"{one.app_label}.{one.name}" for one, _backwards in executor.migration_plan([(app, name)])]
    if plan != [version]:
        raise RuntimeError(f"Django would apply {', '.join(plan) or 'nothing'} in place of {version} alone")
    call_command("migrate", app, name, interactive=False, verbosity=0, stdout=io.StringIO())
    return {"applied": version}


def _error(error):
    """An exception as data: its last line, its place in a migration, and what PostgreSQL has said."""
    original = error.__cause__ if hasattr(error.__cause__, "diag") else error
    diagnosis = getattr(original, "diag", None)
    server = {
        "code": getattr(original, "pgcode", None) or getattr(original, "sqlstate", None),
        "message": getattr(diagnosis, "message_primary", None),
        "detail": getattr(diagnosis, "message_detail", None),
        "hint": getattr(diagnosis, "message_hint", None),
        "context": getattr(diagnosis, "context", None),
    }
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}migrations{os.sep}" in frame.filename]
    own = [frame for frame in frames if f"{os.sep}django{os.sep}" not in frame.filename]
    last = "".join(traceback.format_exception_only(original)).strip().splitlines()
    return {
        "words": (last[0] if last else type(error).__name__)[:1500],
        "kind": type(original).__name__,
        "unseen": False,
        "place": f"{os.path.basename(own[-1].filename)}, line {own[-1].lineno}" if own else "",
        "server": {name: str(value) for name, value in server.items() if value},
    }


def main():
    request = json.loads(os.environ.pop(REQUEST))
    sys.stdout.write("\n" + MARK + json.dumps(answer(request)) + "\n")


if __name__ == "__main__":
    main()
