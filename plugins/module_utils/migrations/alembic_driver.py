# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a release's own Python: reads a project with Alembic, renders its revisions as SQL, or applies one of them.

`alembic_runner` hands its source to that Python, so it imports nothing of this collection. The request is JSON in the environment
variable `REQUEST`: `directory`, `settings` (for the section [alembic], or `[section]name`), `variable` (the environment variable with the
URL), `apply` (a revision, or null), `limits` (settings of PostgreSQL for the session that applies it).
The answer is the last line of its output, as JSON behind `MARK`.

While a revision is rendered, nothing it does is executed. An action that its SQL does not show ends the rendering (`_Unseen`): a query
for data, the question whether this is a rendering, a program, a written file, a connection of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import traceback

MARK = "parity-alembic:"
REQUEST = "PARITY_ALEMBIC_REQUEST"

_LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


def answer(request):
    """The answer to a request, as plain data. A failure is an `error` in it."""
    with tempfile.TemporaryDirectory(prefix="parity-alembic-") as folder:
        try:
            config = _config(request, folder)
            with _flask(request["directory"]):
                if request.get("apply"):
                    return _applied(config, request["apply"], request.get("limits") or {})
                return _described(config)
        except BaseException as error:
            return {"error": _error(error, request["directory"])}


def _config(request, folder):
    """Alembic's configuration. env.py may read its file, which does not name the URL."""
    from alembic.config import Config

    path = os.path.join(folder, "alembic.ini")
    settings = {name: value for name, value in request["settings"].items() if name != "version_locations"}
    sections = {"alembic": []}
    for name, value in settings.items():
        section, _bracket, key = name[1:].rpartition("]") if name.startswith("[") else ("alembic", "", name)
        sections.setdefault(section, []).append(f"{key} = " + value.replace("\n", "\n  "))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(line for section, lines in sections.items() for line in [f"[{section}]", *lines]) + _LOGGING)
    config = Config(path)
    directory = request["directory"]
    config.set_main_option("script_location", directory.replace("%", "%%"))
    places = request["settings"].get("version_locations", "")
    if places:
        config.set_main_option("version_locations", " ".join(os.path.join(directory, one) for one in places.split()))
        config.set_main_option("version_path_separator", "space")
    url = os.environ.get(request["variable"], "")
    if "async" not in _env_py(directory):  # a driver of the application that only an asynchronous engine takes
        url = re.sub(r"^postgres(?:ql)?\+(?:asyncpg|psycopg_async|aiopg)://", "postgresql://", url)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    sys.path.insert(0, os.getcwd())
    return config


def _env_py(directory):
    with open(os.path.join(directory, "env.py"), encoding="utf-8") as file:
        return file.read()


def _flask(directory):
    """The application around env.py where that asks Flask for it, as Flask-Migrate's does: `flask db` runs it inside, too.

    `FLASK_APP` names it as gunicorn takes it; without gunicorn, and without that variable, Flask looks for it.
    """
    if "current_app" not in _env_py(directory):
        return contextlib.nullcontext()
    given = os.environ.get("FLASK_APP")
    try:
        from gunicorn.util import import_app
    except ImportError:
        import_app = None
    if given and import_app:
        return import_app(given).app_context()
    from flask.cli import ScriptInfo

    return ScriptInfo(app_import_path=given).load_app().app_context()


def _described(config):
    """Revisions in the order in which Alembic applies them, its table of versions, and the SQL of each revision."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    found = list(reversed(list(script.walk_revisions("base", "heads"))))
    table, revisions = {}, []
    _run(config, script, [], sql=True, table=table)
    for revision in found:
        parents = [*_several(revision.down_revision), *_several(revision._resolved_dependencies)]
        one = {"version": revision.revision, "file": os.path.relpath(revision.path, script.dir), "parents": parents}
        try:
            one["sql"] = _run(config, script, [revision], sql=True, table=table)
        except BaseException as error:
            one["error"] = _error(error, revision.path, script.dir)
        revisions.append(one)
    return {"revisions": revisions, "heads": list(script.get_heads()), **table}


def _applied(config, version, limits):
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    revision = script.get_revision(version)
    try:
        _run(config, script, [revision], sql=False, table={}, limits=limits)
    except BaseException as error:
        return {"error": _error(error, revision.path, script.dir)}
    return {"applied": revision.revision}


def _run(config, script, revisions, sql, table, limits=None):
    """Run env.py for some revisions and no others; the SQL it renders, where it executes nothing."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationStep

    def steps(current, context):
        table.update(version_table=context.version_table, version_table_schema=context.version_table_schema)
        # A driver that takes %s for values has every other % doubled, also in what is only rendered.
        table["doubled"] = bool(getattr(context.dialect.identifier_preparer, "_double_percents", False))
        found = [MigrationStep.upgrade_from_script(script.revision_map, revision) for revision in revisions]
        if sql:
            context.impl.command_terminator = "\n;"  # a statement may end in a comment
            for step in found:
                step.migration_fn = _watched(step.migration_fn, context)
        else:
            _limit(context.connection, limits or {})
        return found

    buffer = io.StringIO()
    config.output_buffer = buffer
    more = {"as_sql": True} if sql else {}
    with EnvironmentContext(config, script, fn=steps, **more):
        script.run_env()
    if sql and not table:
        raise RuntimeError("env.py does not run its migrations in offline mode")
    return buffer.getvalue().replace("%%", "%") if table.get("doubled") else buffer.getvalue()


def _limit(connection, limits):
    """Set the session's limits, whatever driver it has: not every one reads PGOPTIONS."""
    from sqlalchemy import text

    for name, value in limits.items():
        connection.execute(text("select set_config(:name, :value, false)"), {"name": name, "value": value})


class _Unseen(BaseException):
    """A revision does something that its SQL does not show. No Exception, because revisions handle those."""


class _Watch:
    """What a revision has done that its SQL does not show. It counts, even where the revision handles the error."""

    def __init__(self):
        self.on = False
        self.listens = False
        self.found = []

    def note(self, words):
        if self.on:
            self.found.append(_Unseen(words))
            raise self.found[-1]


_WATCH = _Watch()
#: What Python itself reports of programs, files and connections (its audit events), as a part of a sentence.
_EVENTS = {
    "subprocess.Popen": "it runs a program", "os.system": "it runs a program", "os.exec": "it runs a program",
    "os.posix_spawn": "it runs a program", "os.spawn": "it runs a program", "os.fork": "it starts a process",
    "os.forkpty": "it starts a process", "socket.connect": "it opens a connection", "socket.getaddrinfo": "it opens a connection",
    "socket.sendto": "it opens a connection", "sqlite3.connect": "it opens a database of its own", "os.remove": "it removes a file",
    "os.rmdir": "it removes a directory", "os.rename": "it renames a file", "os.mkdir": "it makes a directory",
    "os.truncate": "it writes a file", "os.link": "it makes a link", "os.symlink": "it makes a link",
    "os.chmod": "it changes the rights of a file", "os.chown": "it changes the owner of a file", "os.kill": "it ends a process",
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _heard(event, arguments):
    if not _WATCH.on:
        return
    if event in _EVENTS:
        _WATCH.note(_EVENTS[event])
    if event == "open" and arguments[0] != os.devnull and _is_written(arguments[1], arguments[2]):
        _WATCH.note("it writes a file")


def _is_written(mode, flags):
    return bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool(isinstance(flags, int) and flags & _WRITES)


def _connects(dialect, record, arguments, parameters):
    _WATCH.note("it opens a connection of its own to a database")


def _watched(function, context):
    """`upgrade()` of a revision. Notes everything that its SQL does not show."""

    def run(**arguments):
        with _watching(context):
            function(**arguments)
        if _WATCH.found:
            raise _WATCH.found[0]  # noted, and then handled by the revision

    return run


@contextlib.contextmanager
def _watching(context):
    environment = context.environment_context
    with contextlib.ExitStack() as stack:
        _once()
        stack.callback(_mute)
        for one, own in ((context, _questions()), (context.impl, _questions()), (context.connection, _connection(context.connection))):
            stack.callback(setattr, one, "__class__", type(one))
            one.__class__ = type(f"Rendered{type(one).__name__}", (type(one),), own)
        _inspected(type(context.connection))
        environment.is_offline_mode = lambda: _WATCH.note("it asks whether it is only rendered") or True
        stack.callback(environment.__dict__.pop, "is_offline_mode", None)
        _WATCH.found, _WATCH.on = [], True
        yield


def _mute():
    _WATCH.on = False


def _once():
    """Listen once in a process."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not _WATCH.listens:
        _WATCH.listens = True
        sys.addaudithook(_heard)
        event.listen(Engine, "do_connect", _connects)


def _is_own(frame):
    """Whether the code of a frame is Alembic's or SQLAlchemy's."""
    own = tuple(os.path.dirname(sys.modules[name].__file__) + os.sep for name in ("alembic", "sqlalchemy"))
    return frame.f_code.co_filename.startswith(own)


def _questions():
    """`as_sql`, which Alembic itself reads, and a revision only to do something else."""

    def as_sql(self):
        if not _is_own(sys._getframe(1)):
            _WATCH.note("it asks whether it is only rendered")
        return True

    return {"as_sql": property(as_sql)}


def _connection(connection):
    """A connection that renders what is executed, and answers nothing."""

    def execute(self, *arguments, **more):
        super(type(self), self).execute(*arguments, **more)
        return _Answer()

    def missing(self, name):
        if name == "in_transaction" and _is_own(sys._getframe(1)):  # Alembic sees whether there is such a question
            raise AttributeError(name)
        return _WATCH.note(f"it asks the database ({name})")

    return {"execute": execute, "__getattr__": missing}


def _inspected(kind):
    """inspect() of the connection asks the database."""
    from sqlalchemy import inspection

    inspection._registrars[kind] = lambda connection: _WATCH.note("it asks the database (inspect)")


def _used(name):
    def use(self, *arguments):
        _WATCH.note(f"it uses what the database answers ({name.strip('_')})")

    return use


#: What `execute()` returns. A revision may ignore it, and do nothing else with it.
_Answer = type("_Answer", (), {
    name: _used(name) for name in (
        "__bool__", "__iter__", "__next__", "__len__", "__eq__", "__ne__", "__lt__", "__gt__", "__getitem__", "__contains__", "__enter__",
        "__int__", "__str__", "__repr__", "__format__", "__hash__",
    )
} | {"__getattr__": lambda self, name: _WATCH.note(f"it uses what the database answers ({name})")})  # fmt: skip


def _several(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _error(error, *paths):
    """An exception as data: its last line, the line of the first of `paths` it comes from, and what PostgreSQL has said."""
    original = getattr(error, "orig", None) or error
    if hasattr(original, "sqlstate") and not hasattr(original, "diag"):  # asyncpg's own error is behind SQLAlchemy's
        original = original.__cause__ or original
    diagnosis = getattr(original, "diag", None)
    server = {
        "code": getattr(original, "pgcode", None) or getattr(original, "sqlstate", None),
        "message": getattr(diagnosis, "message_primary", None) or (str(original) if getattr(original, "sqlstate", None) else None),
        "detail": getattr(diagnosis, "message_detail", None) or getattr(original, "detail", None),
        "hint": getattr(diagnosis, "message_hint", None) or getattr(original, "hint", None),
        "context": getattr(diagnosis, "context", None) or getattr(original, "context", None),
    }
    frames = traceback.extract_tb(error.__traceback__)
    own = next((found for found in ([frame for frame in frames if frame.filename.startswith(path)] for path in paths) if found), [])
    last = [str(error)] if isinstance(error, _Unseen) else "".join(traceback.format_exception_only(original)).strip().splitlines()
    return {
        "words": (last[0] if last else type(error).__name__)[:1500],
        "kind": type(original).__name__,
        "unseen": isinstance(error, _Unseen),
        "place": f"{os.path.basename(own[-1].filename)}, line {own[-1].lineno}" if own else "",
        "line": own[-1].lineno if own else 0,
        "server": {name: str(value) for name, value in server.items() if value},
    }


def main():
    request = json.loads(os.environ.pop(REQUEST))
    sys.stdout.write("\n" + MARK + json.dumps(answer(request)) + "\n")


if __name__ == "__main__":
    main()
