# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Alembic project as the host gets it: revisions in order, each judged by what Alembic renders, or else by its file."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import FILES
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import alembic_files, masking, plan, sql_judge
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.alembic_files import Revision
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import ADDITIVE, UNKNOWN, VERDICTS, Statement
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.revision_calls import Call
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.revision_values import Names, Unclear, learn, value

#: The reader that judges a revision after Alembic has rendered it.
RENDERED = "alembic upgrade --sql"
_WRITE_OUT = "Write the statements with op.execute() and literals."


def judged(entries: list[dict[str, str]], rendered: dict | None = None, planned: list[dict] | None = None) -> list[dict]:
    """The judged plan of revisions, in the order in which they are applied, as plain data for a module.

    `rendered` is the project as Alembic reads it (`alembic_driver`), None where Alembic could not run. `planned` are the verdicts of an
    earlier call, by file. Raises ParityError where there is no single order.
    """
    known = {one["file"]: one for one in planned or []}
    said = {one["version"]: one for one in (rendered or {}).get("revisions", [])}
    why = (rendered or {}).get("error", "")
    revisions = alembic_files.read(entries)
    if said:
        _same(revisions, said)
        order = {version: number for number, version in enumerate(said)}
        revisions = [
            replace(revision, parents=tuple(said[revision.version]["parents"]))
            for revision in sorted(revisions, key=lambda one: order[one.version])
        ]
    table = (rendered or {}).get("version_table", "")
    found = [_judged(revision, said.get(revision.version), known.get(revision.file), table) for revision in revisions]
    return [{**one, "judged_from": f"{one['judged_from']} (Alembic renders nothing: {why[:200]})"} for one in found] if why else found


def _same(revisions: list[Revision], said: dict[str, dict]) -> None:
    """Raise ParityError where Alembic finds other revisions than this reader."""
    read = {revision.version for revision in revisions}
    if read != set(said):
        lost, more = sorted(set(said) - read), sorted(read - set(said))
        words = [f"Alembic has {', '.join(lost)}, whose file is not here"] * bool(lost)
        words += [f"Alembic does not see {', '.join(more)}"] * bool(more)
        raise ParityError(f"{'; '.join(words)}. Keep every revision as a .py file where version_locations says.")


def version_table(directory: Path) -> list[str]:
    """Name and schema of the table of versions as env.py shows them, the usual ones where it names none; empty where it hides them."""
    names: Names = {}
    try:
        tree = ast.parse(sql_judge.read(directory / "env.py"))
        for node in tree.body:
            learn(node, names)
        given = [found for call in ast.walk(tree) if isinstance(call, ast.Call) for found in _configured(call, names)]
    except (SyntaxError, ValueError, Unclear):
        return []
    found = {"version_table": {"alembic_version"}, "version_table_schema": {""}}
    for name in found:
        found[name] = {value or "" for key, value in given if key == name} or found[name]
    plain = all(len(values) == 1 and isinstance(*values, str) for values in found.values())
    return [value for values in found.values() for value in values] if plain else []


def _configured(call: ast.Call, names: Names) -> list[tuple[str, object]]:
    """The table of versions in a call: context.configure(), or dict() for it. Raises Unclear where the file does not show it."""
    configures = isinstance(call.func, ast.Attribute) and call.func.attr == "configure"
    found = []
    for keyword in call.keywords:
        if keyword.arg in ("version_table", "version_table_schema"):
            found.append((keyword.arg, value(keyword.value, names)))
        elif keyword.arg is None and configures:
            found += [*value(keyword.value, names).items()]
    return found


def _judged(revision: Revision, said: dict | None, known: dict | None, table: str) -> dict:
    statements, source = _statements(revision, said, table)
    if known:
        statements = [_shown_before(one) for one in known["statements"]]
        source = known["judged_from"]
    directives = sql_judge.directives(revision.text)
    return {
        "file": revision.file,
        "version": revision.version,
        "name": Path(revision.file).stem,
        "sha256": plan.sha256(revision.text),
        "text": revision.text,
        "verdict": max((one["verdict"] for one in statements), key=VERDICTS.index, default=ADDITIVE),
        "marked": "destructive" in directives,
        "transactional": True,  # Alembic sees to it, by autocommit_block() where a statement needs it
        "statement_timeout": directives.get("statement_timeout", ""),
        "problems": alembic_files.problems(revision),
        "statements": statements,
        "parents": list(revision.parents),
        "judged_from": source,
    }


def _shown_before(one: dict) -> dict:
    return {"text": "", **one, "shown": one["sql"], "masked": one["sql"], "locks": one["locks"]}


def _statements(revision: Revision, said: dict | None, table: str) -> tuple[list[dict], str]:
    static = _from_file(revision)
    if said is None:
        return static, FILES
    hidden = [_unclear(call) for call in revision.calls if call.hidden]
    if "error" in said:
        error = said["error"]
        line = error["line"] or _line(revision)
        words = error["words"][:200]
        reason = words if error.get("unseen") else f"Alembic cannot render it without a database ({words})"
        return [plan.statement(_opaque(line, reason, "")), *hidden], RENDERED
    answer = sql_judge.judge_rendered(said["sql"], revision.file, version_table=table)
    lines = {one["reason"]: one["line"] for one in static if one["reason"]}
    found = [replace(one, line=lines.get(one.reason, _line(revision))) for one in answer.statements]
    return [plan.statement(one) for one in found] + hidden, RENDERED


def _line(revision: Revision) -> int:
    """Where upgrade() stands."""
    body = ast.parse(revision.text).body
    return next((node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"), 1)


def _from_file(revision: Revision) -> list[dict]:
    """Judge a revision by its file: all its calls as one SQL text, so that the judge sees which objects the revision itself makes."""
    text, places = "", []
    for call in revision.calls:
        if call.sql:
            places.append((len(text), call))
            text += call.sql.rstrip().rstrip(";") + "\n;\n"  # it may end in a comment
    answer = sql_judge.judge_rendered(text, revision.file, version_table="")
    found = [plan.statement(_of_call(one, places)) for one in answer.statements]
    found += [_unclear(call) for call in revision.calls if call.unclear]
    return sorted(found, key=lambda one: one["line"])


def _of_call(one: Statement, places: list[tuple[int, Call]]) -> Statement:
    call = next(call for start, call in reversed(places) if start <= one.start)
    written = ".execute(" in call.source.partition("\"")[0].partition("'")[0]
    source = _without_secrets(call.source)
    return replace(one, line=call.line, **({} if written else {"shown": source[:240], "masked": source}))


def _unclear(call: Call) -> dict:
    return plan.statement(_opaque(call.line, call.unclear or "it does what no rendering shows", call.source))


def _opaque(line: int, reason: str, source: str) -> Statement:
    source = _without_secrets(source)
    return Statement(source, line, 0, UNKNOWN, reason, "", "", True, " ".join(source.split())[:240], source, _WRITE_OUT)


class _WithoutTexts(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("...") if isinstance(node.value, (str, bytes)) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Constant:
        return ast.Constant("...")


def _without_secrets(source: str) -> str:
    """Python for people to read, without its literals where they may be secrets or rows."""
    if not masking.speaks_of_secrets(source) and "bulk_insert" not in source:
        return source
    try:
        return ast.unparse(_WithoutTexts().visit(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return "..."
