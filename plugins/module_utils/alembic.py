# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's revisions, read without running them: their order, and what they take from a release that runs.

They are asked the same questions as SQL migrations (`migrations`), and answer with the same words.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.parity.stack.plugins.module_utils import sql as language
from ansible_collections.parity.stack.plugins.module_utils import sql_effects
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import Applied

_DIRECTIVES = ("destructive", "statement_timeout")
_DROPS = {"drop_table": "table", "drop_column": "column", "drop_index": "index"}

CONFIGURATION = """\
[alembic]
script_location = {place}
sqlalchemy.url = {url}
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


@dataclass(frozen=True)
class Revision:
    """One file below versions/."""

    version: str
    file: str
    text: str
    parents: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()

    @cached_property
    def directives(self) -> dict[str, str]:
        return language.directives(self.text)

    @property
    def marked(self) -> bool:
        return "destructive" in self.directives

    @cached_property
    def calls(self) -> list[tuple[int, str, str]]:
        """What `upgrade()` does, in the order of its lines: line, source, and what it takes away."""
        found = (
            (call.lineno, ast.unparse(call), reason)
            for function in ast.walk(ast.parse(self.text))
            if isinstance(function, ast.FunctionDef) and function.name == "upgrade"
            for call, reason in _judged(function)
        )
        return sorted(found)

    @property
    def destroys(self) -> list[str]:
        return [f"line {line}: {reason}" for line, _source, reason in self.calls if reason]

    transactional = True  # Alembic sees to it, by autocommit_block() where a statement needs it.

    def problems(self) -> list[str]:
        return [
            f"{self.file} says {name!r} in a line `# parity:`, which means nothing. Known are: {', '.join(_DIRECTIVES)}."
            for name in self.directives
            if name not in _DIRECTIVES
        ]

    def preview(self, findings: Iterable[dict] = ()) -> str:
        later = " (after the release has proved itself)" if self.marked or self.destroys else ""
        return "\n".join([f"# {self.file}{later}", *(source for _line, source, _reason in self.calls)]) + "\n"

    def describe(self) -> dict:
        return {
            "file": self.file,
            "destructive": bool(self.marked or self.destroys),
            "destroys": self.destroys,
            "transactional": True,
            "sha256": self.sha256,
            "statements": [{"line": line, "sql": source, "locks": ""} for line, source, _reason in self.calls],
        }


def parse(files: Iterable[dict[str, str]]) -> list[Revision]:
    """Revisions in the order in which they are applied. Raises ParityError where there is no one order."""
    found = [_read(entry["file"], entry["sql"]) for entry in files]
    known = {revision.version: revision for revision in found}
    if len(known) != len(found):
        raise ParityError("Two revisions have the same identifier. Give each its own: alembic revision makes one.")
    lost = sorted({parent for revision in found for parent in revision.parents} - set(known))
    if lost:
        raise ParityError(f"Revisions are built on {', '.join(lost)}, which is not below versions/. Add its file to the release.")
    heads = sorted(set(known) - {parent for revision in found for parent in revision.parents})
    if len(heads) > 1:
        raise ParityError(f"There are several heads: {', '.join(heads)}. Join them: alembic merge heads")
    result: list[Revision] = []
    while len(result) < len(found):
        placed = {revision.version for revision in result}
        ready = [revision for revision in found if revision.version not in placed and placed.issuperset(revision.parents)]
        if not ready:
            raise ParityError("The revisions are built on one another in a circle. Correct down_revision in one of them.")
        result.append(min(ready, key=lambda revision: revision.version))
    return result


def history(revisions: list[Revision], current: Iterable[str], checksums: dict[str, str]) -> dict[str, Applied]:
    """What is applied: Alembic's table names the newest ones, and all they are built on is applied too."""
    known = {revision.version: revision for revision in revisions}
    todo, result = list(current), {}
    while todo:
        version = todo.pop()
        if version not in result:
            result[version] = Applied(sha256=checksums.get(version))
            todo += known[version].parents if version in known else ()
    return result


def drift(revisions: list[Revision], applied: dict[str, Applied], accepted: Iterable[str]) -> list[str]:
    """How files and database have drifted apart, each with its repair."""
    known = {revision.version: revision for revision in revisions}
    result = []
    missing = sorted(set(applied) - set(known))
    if missing:
        result.append(
            f"The database is at {', '.join(missing)}, which this release does not have. Deploy a release that has its file; or, if "
            "what it did was undone by hand, tell Alembic: alembic stamp REVISION"
        )
    edited = [
        known[version].file
        for version, state in applied.items()
        if version in known and version not in accepted and state.sha256 not in (None, known[version].sha256)
    ]
    if edited:
        result.append(
            f"{', '.join(sorted(edited))} changed after it was applied. Restore the file as it was applied and put the change into "
            "a new revision; or, if it makes no difference, accept it: release_accept_edited with its identifier."
        )
    return result


def explain(revision: Revision, output: str) -> str:
    """What a failed `alembic upgrade` says, without its traceback."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    said = [number for number, line in enumerate(lines) if re.match(r"^[\w.]+(Error|Exception|\w+): |^FAILED", line)]
    words = lines[said[-1] :] if said else lines[-8:]
    words = [line for line in words if not line.startswith(("(Background", "[parameters"))]
    return f"{revision.file} failed and left nothing behind; the revisions before it stay. Alembic says: {' / '.join(words)[:1200]}"


def _read(file: str, text: str) -> Revision:
    try:
        names = dict(_assignments(ast.parse(text)))
        version, parents = names["revision"], names["down_revision"]
    except (SyntaxError, KeyError, ValueError) as error:
        raise ParityError(
            f"{file} cannot be read as a revision of Alembic ({error}); wanted are `revision` and `down_revision` with plain values."
        ) from None
    return Revision(version, file, text, () if parents is None else (parents,) if isinstance(parents, str) else tuple(parents))


def _assignments(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision") and node.value is not None:
            yield target.id, ast.literal_eval(node.value)


def _judged(function: ast.FunctionDef) -> Iterator[tuple[ast.Call, str]]:
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Name) and owner.id not in ("sa", "sqlalchemy", "postgresql"):
                yield call, _why(call, call.func.attr)


def _why(call: ast.Call, name: str) -> str:
    words = {word.arg: word.value for word in call.keywords}
    shown = ", ".join(str(argument.value) for argument in call.args if isinstance(argument, ast.Constant)) or "it"
    if name in _DROPS:
        return f"it drops {_DROPS[name]} {shown}"
    if name == "rename_table":
        return f"it renames {shown}"
    if name == "alter_column":
        changes = [text for key, text in (("type_", "changes the type of"), ("new_column_name", "renames")) if key in words]
        changes += ["forbids NULL in"] if _is(words.get("nullable"), False) else []
        changes += ["drops the default of"] if _is(words.get("server_default"), None) and "server_default" in words else []
        return f"it {', '.join(changes)} {shown}" if changes else ""
    if name == "add_column":
        return f"it adds a column to {shown} as NOT NULL without a server default" if _required_column(call) else ""
    if name == "execute" and call.args:
        texts = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        effects = [effect for text in texts for effect in sql_effects.effects(language.split(text))]
        return "; ".join(effect.destroys for effect in effects if effect.destroys)
    return ""


def _required_column(call: ast.Call) -> bool:
    for column in (node for node in ast.walk(call) if isinstance(node, ast.Call) and node is not call):
        words = {word.arg: word.value for word in column.keywords}
        if _is(words.get("nullable"), False) and not {"server_default"} & set(words):
            return True
    return False


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
