# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Django project's migrations as the host gets them: in Django's order, each judged by the SQL that Django renders.

Migrations of packages (`django.contrib.auth`) are in the plan only once the release is staged. Nobody can write a mark into them, so one
that is not additive counts as marked: it waits for approval, and for the release to prove itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import FILES
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, django_files, plan, sql_judge
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.alembic_files import Revision
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.django_files import Migration
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import ADDITIVE, UNKNOWN, VERDICTS, Statement

#: The reader that judges a migration after Django has rendered it.
RENDERED = "Django's sqlmigrate"
TABLE = ["django_migrations", ""]
_LATER = "only Django itself can say which SQL it sends"
_REMEDY = "Rewrite it so that it only adds, or write RunSQL in place of Python."


def judged(entries: list[dict[str, str]], rendered: dict | None = None, planned: list[dict] | None = None) -> list[dict]:
    """The judged plan, as plain data for a module.

    `rendered` is the project as Django reads it (`django_driver`), None where the release is not staged. `planned` are the verdicts of an
    earlier call, in order. Raises ParityError where the release has other files than the directory.
    """
    own = {one.version: one for one in django_files.read(entries)}
    if planned:
        return _planned(own, planned)
    if rendered is None:
        return [_entry(one, [_opaque(1, _LATER)], FILES) for one in own.values()]
    if rendered.get("vendor") not in ("postgresql", None):
        raise ParityError(f"the project's database is {rendered['vendor']}, wanted is postgresql: only that can be judged.")
    return [_rendered(said, own.get(said["version"])) for said in rendered["migrations"]]


def _planned(own: dict[str, Migration], planned: list[dict]) -> list[dict]:
    """What an earlier call has judged, after those that it did not name: they were applied before."""
    known = {one["version"] for one in planned}
    before = [_entry(one, [], RENDERED) for one in own.values() if one.version not in known]
    return before + [_shown_before(one, own.get(one["version"])) for one in planned]


def _shown_before(one: Mapping, own: Migration | None) -> dict:
    statements = [{"text": "", **said, "shown": said["sql"], "masked": said["sql"]} for said in one["statements"]]
    found = _entry(own or _of_package(one), statements, one["judged_from"], package=own is None)
    return {**found, "transactional": one["transactional"]}


def _rendered(said: dict, own: Migration | None) -> dict:
    if own and plan.sha256(own.text) != said["sha256"]:
        raise ParityError(
            f"{own.file} is another file in the release than in stack_application_migrations. Name the directory that the release is "
            "made of."
        )
    one = own or _of_package(said)
    found = _entry(one, _statements(said, one), RENDERED, package=own is None)
    return {**found, "parents": said["parents"], "replaces": said["replaces"], "transactional": said["atomic"]}


def _of_package(said: Mapping) -> Migration:
    return Migration(said["version"], said["file"], "", ())


def _statements(said: dict, one: Migration) -> list[dict]:
    if "error" in said:
        error = said["error"]
        words = error["words"][:200]
        reason = words if error["unseen"] else f"Django cannot render it against this database ({words})"
        return [_opaque(_line(one.text, error["kind"]), reason)]
    answer = sql_judge.judge_rendered(said["sql"], one.file, version_table="")
    line = _line(one.text, "operations")
    return [plan.statement(replace(found, line=line)) for found in answer.statements]


def _line(text: str, word: str) -> int:
    """Where a word stands in a file."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if word and f"{word}(" in line.replace(" = [", "(")), 1)


def _entry(one: Migration, statements: list[dict], source: str, *, package: bool = False) -> dict:
    directives = sql_judge.directives(one.text) if one.text else {}
    verdict = max((said["verdict"] for said in statements), key=VERDICTS.index, default=ADDITIVE)
    return {
        "file": one.file,
        "version": one.version,
        "name": one.version.partition(".")[2],
        "sha256": "" if package else plan.sha256(one.text),
        "text": one.text,
        "verdict": verdict,
        "marked": "destructive" in directives or (package and verdict != ADDITIVE),
        "transactional": True,
        "statement_timeout": directives.get("statement_timeout", ""),
        "problems": alembic_files.problems(Revision(one.version, one.file, one.text, (), (), ())) if one.text else [],
        "statements": statements,
        "parents": [],
        "replaces": list(one.replaces),
        "judged_from": source,
    }


def _opaque(line: int, reason: str) -> dict:
    return plan.statement(Statement("", line, 0, UNKNOWN, reason, "", "", True, reason, reason, _REMEDY))
