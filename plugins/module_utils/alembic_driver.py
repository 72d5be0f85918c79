# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a release's own Python: asks Alembic about a project, renders its revisions as SQL, or applies one of them.

`alembic_runner` hands its source to that Python, so it imports nothing of this collection. The request is one JSON argument:
`directory`, `settings` (for the section [alembic]), `variable` (the environment variable with the URL), `apply` (a revision, or null).
The answer is the last line of its output, as JSON behind `MARK`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import traceback

MARK = "parity-alembic:"

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
    """What is asked for, as plain data; what fails is an `error` in it."""
    with tempfile.TemporaryDirectory(prefix="parity-alembic-") as folder:
        try:
            config = _config(request, folder)
            if request.get("apply"):
                return _applied(config, request["apply"])
            return _described(config)
        except BaseException as error:
            return {"error": _error(error, request["directory"])}


def _config(request, folder):
    """Alembic's configuration. env.py may read its file, which does not name the URL."""
    from alembic.config import Config

    path = os.path.join(folder, "alembic.ini")
    settings = {name: value for name, value in request["settings"].items() if name != "version_locations"}
    with open(path, "w", encoding="utf-8") as file:
        lines = [f"{name} = " + value.replace("\n", "\n  ") for name, value in settings.items()]
        file.write("\n".join(["[alembic]", *lines]) + _LOGGING)
    config = Config(path)
    directory = request["directory"]
    config.set_main_option("script_location", directory.replace("%", "%%"))
    places = request["settings"].get("version_locations", "")
    if places:
        config.set_main_option("version_locations", " ".join(os.path.join(directory, one) for one in places.split()))
        config.set_main_option("version_path_separator", "space")
    config.set_main_option("sqlalchemy.url", os.environ.get(request["variable"], "").replace("%", "%%"))
    sys.path.insert(0, os.getcwd())
    return config


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


def _applied(config, version):
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    revision = script.get_revision(version)
    try:
        _run(config, script, [revision], sql=False, table={})
    except BaseException as error:
        return {"error": _error(error, revision.path, script.dir)}
    return {"applied": revision.revision}


def _run(config, script, revisions, sql, table):
    """Run env.py for some revisions and no others; the SQL it renders, where it executes nothing."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationStep

    def steps(current, context):
        table.update(version_table=context.version_table, version_table_schema=context.version_table_schema)
        # A driver that takes %s for values has every other % doubled, also in what is only rendered.
        table["doubled"] = bool(getattr(context.dialect.identifier_preparer, "_double_percents", False))
        return [MigrationStep.upgrade_from_script(script.revision_map, revision) for revision in revisions]

    buffer = io.StringIO()
    config.output_buffer = buffer
    more = {"as_sql": True} if sql else {}
    with EnvironmentContext(config, script, fn=steps, **more):
        script.run_env()
    if sql and not table:
        raise RuntimeError("env.py does not run its migrations in offline mode")
    return buffer.getvalue().replace("%%", "%") if table.get("doubled") else buffer.getvalue()


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
    last = "".join(traceback.format_exception_only(type(original), original)).strip().splitlines()
    return {
        "words": (last[0] if last else type(error).__name__)[:1500],
        "kind": type(original).__name__,
        "place": f"{os.path.basename(own[-1].filename)}, line {own[-1].lineno}" if own else "",
        "line": own[-1].lineno if own else 0,
        "server": {name: str(value) for name, value in server.items() if value},
    }


def main():
    request = json.loads(sys.argv[1])
    sys.stdout.write("\n" + MARK + json.dumps(answer(request)) + "\n")


if __name__ == "__main__":
    main()
