# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a text executes, in order: its statements, and those inside of DO blocks and of its own functions that it calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import (
    catalogue,
    masking,
    plpgsql,
    queries,
    statements,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import (
    Catalogue,
    Step,
    dotted,
    quoted,
    relation,
    signature,
    strings,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import UNKNOWN, Effect
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.objects import group, named
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import ParseError, Piece

#: Statements whose function calls are executed, by this statement or by later writers.
_EXECUTED = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt", "CallStmt", "CopyStmt",
             "ExplainStmt", "DeclareCursorStmt", "AlterTableStmt")  # fmt: skip
_DEEPEST = 8


@dataclass(frozen=True)
class Opaque:
    """Something executed that is no node of the tree, with what is to be said of it."""

    effect: Effect


_DYNAMIC = Effect(
    UNKNOWN, "it executes SQL that is put together at run time, which cannot be judged", "Write the statement itself."
)
_COMMITS = Effect(
    UNKNOWN, "its program ends transactions by itself", "Leave COMMIT and ROLLBACK out.", transactional=False
)


@dataclass
class Reader:
    """Reads the statements of a text into steps, and notes what they do to named objects."""

    known: Catalogue
    steps: list[Step] = field(default_factory=list)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))
    scope: int = 0
    depth: int = 0

    def read(self, piece: Piece) -> list[Step]:
        """The steps of one statement."""
        before = len(self.steps)
        self.add(piece.node, (), piece.text)
        return self.steps[before:]

    def add(self, node, path: tuple[int, ...], text: str) -> None:
        step = Step(node, len(self.steps), path, self.scope, text)
        self.steps.append(step)
        kind = type(node).__name__
        if kind == "DoStmt":
            self._block(node, path, text)
        elif kind in _EXECUTED:
            for call in queries.called(node):
                self._call(dotted(strings(call.funcname)), step, path)
        elif kind == "CreateTrigStmt" and not self.known.made("relation", relation(node.relation, self.scope), step):
            self._call(dotted(strings(node.funcname)), step, (*path, next(self.numbers)))
        elif kind == "ExecuteStmt":
            for event in self.known.before("prepared", node.name, step)[-1:]:
                self.add(event.node, path, text)
        self._search_path(node)
        note(self.known, step)
        if _is_temporary(node):
            self.scope = next(self.numbers)  # from here on, a name without a schema may be another table

    def _search_path(self, node) -> None:
        names = [node.name] if type(node).__name__ == "VariableSetStmt" else []
        names += [call.args[0].val.sval for call in queries.called(node) if _sets(call)]
        if "search_path" not in names:
            return
        first = getattr(getattr((getattr(node, "args", None) or [None])[0], "val", None), "sval", "")
        self.scope = 0 if first == "public" else next(self.numbers)

    def _block(self, node, path: tuple[int, ...], text: str) -> None:
        language = next((option.arg.sval for option in node.args if option.defname == "language"), "plpgsql")
        if language.lower() == "plpgsql":
            self._program(text, path)
        else:
            self._opaque(
                Effect(
                    UNKNOWN, f"its DO block is written in {language}, which cannot be judged", "Write it in PL/pgSQL."
                ),
                path,
            )

    def _call(self, name: str, step: Step, path: tuple[int, ...]) -> None:
        """A function that the text defines and calls: its body is executed."""
        if self.depth >= _DEEPEST:
            return self._opaque(Effect(UNKNOWN, f"{name}() calls itself, or too many functions call each other"), path)
        self.depth += 1
        for event in self.known.before("body", name, step):
            self._body(event.node, event.step.text, path)
        self.depth -= 1
        return None

    def _body(self, function, text: str, path: tuple[int, ...]) -> None:
        options = {option.defname: option.arg for option in function.options or ()}
        language = getattr(options.get("language"), "sval", "sql").lower()
        if language == "plpgsql":
            self._program(text, path)
        elif language == "sql" and function.sql_body is not None:
            for node in queries.nodes(function.sql_body):
                if type(node).__name__ in _EXECUTED:
                    self.add(node, path, text)
        elif language == "sql":
            self._sql(options["as"][0].sval, path)
        else:
            self._opaque(Effect(UNKNOWN, f"it calls a function written in {language}, which cannot be judged"), path)

    def _program(self, text: str, path: tuple[int, ...]) -> None:
        try:
            parts = plpgsql.parts(text, self.numbers)
        except RecursionError:
            return self._opaque(Effect(UNKNOWN, "its program is nested too deeply to be judged"), path)
        except ParseError as error:
            return self._opaque(
                Effect(UNKNOWN, f"its program cannot be judged: {masking.parser_words(error, text)}"), path
            )
        for part in parts:
            self._part(part, (*path, *part.path))
        return None

    def _part(self, part: plpgsql.Part, path: tuple[int, ...]) -> None:
        handlers: dict[str, Callable] = {
            "statement": self._sql,
            "expression": lambda text, path: self._sql(f"select {text}", path),
            "assignment": lambda text, path: self._sql(f"select {assigned(text)}", path),
            "dynamic": self._dynamic,
            "commit": lambda text, path: self._opaque(_COMMITS, path),
            "strange": lambda text, path: self._opaque(
                Effect(UNKNOWN, f"its program has a statement the judge does not know ({text})"), path
            ),
        }
        if part.kind in handlers:
            handlers[part.kind](part.text, path)

    def _sql(self, text: str, path: tuple[int, ...]) -> None:
        try:
            found = statements.pieces(text)
        except ParseError as error:
            return self._opaque(
                Effect(UNKNOWN, f"a statement in its program cannot be judged: {masking.parser_words(error, text)}"),
                path,
            )
        for piece in found:
            self.add(piece.node, path, piece.text)
        return None

    def _dynamic(self, text: str, path: tuple[int, ...]) -> None:
        constant = literal(text)
        if constant is None:
            return self._opaque(_DYNAMIC, path)
        return self._sql(constant, path)

    def _opaque(self, effect: Effect, path: tuple[int, ...]) -> None:
        self.steps.append(Step(Opaque(effect), len(self.steps), path, self.scope))


def _is_temporary(node) -> bool:
    into = getattr(node, "into", None) or getattr(node, "intoClause", None)
    created = getattr(into, "rel", None) or (node.relation if type(node).__name__ == "CreateStmt" else None)
    return created is not None and created.relpersistence == "t"


def assigned(text: str) -> str:
    """The expression of `target := expression`."""
    depth = 0
    for token in statements.tokens(text):
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(token.text, 0)
        if not depth and token.text in (":=", "="):
            return text[token.end :]
    return text


def literal(text: str) -> str | None:
    """The text that an expression of string constants yields, None where it depends on anything else."""
    try:
        (piece,) = statements.pieces(f"select {text}")
        (target,) = piece.node.targetList
        return _constant(target.val)
    except (ParseError, ValueError, TypeError, RecursionError):
        return None  # no single expression, or one too deep to be judged


def _constant(node) -> str | None:
    kind = type(node).__name__
    if kind == "A_Const":
        return getattr(node.val, "sval", None)
    if kind == "TypeCast" and catalogue.type_name(node.typeName) in ("text", "varchar"):
        return _constant(node.arg)
    if kind != "A_Expr" or strings(node.name) != ["||"]:
        return None
    left, right = _constant(node.lexpr), _constant(node.rexpr)
    return None if left is None or right is None else left + right


def _sets(call) -> bool:
    first = call.args[0] if call.args else None
    return strings(call.funcname)[-1] == "set_config" and hasattr(getattr(first, "val", None), "sval")


# What is noted -------------------------------------------------------------------------------------------------------------


def note(known: Catalogue, step: Step) -> None:
    """Write down what a statement creates, replaces and drops."""
    handler = _NOTES.get(type(step.node).__name__)
    if handler:
        handler(known, step, step.node)


def _create(known: Catalogue, step: Step, kind: str, name: str, node, maybe: object = False) -> None:
    known.note(kind, name, "replace" if maybe else "create", step, node)


def _table(known: Catalogue, step: Step, node) -> None:
    node = getattr(node, "base", node)
    name = relation(node.relation, step.scope)
    _create(known, step, "relation", name, node, node.if_not_exists)
    for column in node.tableElts or ():
        if type(column).__name__ == "ColumnDef" and catalogue.is_serial(column):
            sequence = f"{name.strip(chr(34))}_{column.colname}_seq"
            _create(known, step, "relation", sequence, None, node.if_not_exists)


def _alter_table(known: Catalogue, step: Step, node) -> None:
    table = relation(node.relation, step.scope)
    for command in node.cmds:
        kind = command.subtype.name
        column = f"{table}.{quoted(command.name or '')}"
        if kind == "AT_AddColumn":
            _create(known, step, "column", f"{table}.{quoted(command.def_.colname)}", command.def_, command.missing_ok)
        elif kind == "AT_AddConstraint" and command.def_.conname:
            _create(known, step, "constraint", f"{table}.{quoted(command.def_.conname)}", command.def_)
        elif kind == "AT_ColumnDefault":
            expression = None if command.def_ is None or catalogue.is_null(command.def_) else command.def_
            known.note("default", column, "replace", step, expression)
        elif kind == "AT_SetNotNull":
            known.note("not null", column, "replace", step)
        elif kind in ("AT_DropColumn", "AT_DropConstraint"):
            known.note("column" if kind == "AT_DropColumn" else "constraint", column, "drop", step)
        elif "Trig" in kind:
            switch = kind.removeprefix("AT_DisableTrig").removeprefix("AT_EnableTrig")
            known.note(
                "trigger state", f"{table}.{command.name or switch}", "drop" if "Disable" in kind else "create", step
            )


def _function(known: Catalogue, step: Step, node) -> None:
    name, key = signature(node)
    _create(known, step, "function", key, node, node.replace)
    _create(known, step, "function name", name, node, node.replace)
    _create(known, step, "body", name, node, node.replace)


def _drop(known: Catalogue, step: Step, node) -> None:
    kind = group(node.removeType)
    for item in node.objects:
        if kind in ("trigger", "policy", "rule"):
            parts = strings(item)
            known.note(kind, f"{dotted(parts[:-1], step.scope)}.{quoted(parts[-1])}", "drop", step)
        else:
            known.note(kind, named(item, step.scope), "drop", step)


def _policy(known: Catalogue, step: Step, node) -> None:
    table = relation(node.table, step.scope)
    _create(known, step, "policy", f"{table}.{quoted(node.policy_name)}", node)
    _create(known, step, "policies", table, node)


def _rename(known: Catalogue, step: Step, node) -> None:
    """The old name is gone; the new one is the text's own only where the old one was."""
    kind = node.renameType.name
    table = relation(node.relation, step.scope)
    if kind == "OBJECT_COLUMN":
        old, new, what = f"{table}.{quoted(node.subname)}", f"{table}.{quoted(node.newname)}", "column"
    elif node.relation is not None and not node.subname:
        schema, _dot, _name = table.rpartition(".")
        old, new, what = table, f"{schema}.{quoted(node.newname)}" if schema else quoted(node.newname), "relation"
    else:
        return
    own = known.made(what, old, step)
    node_before = known.events[(what, old)][-1].node if own else None
    known.note(what, old, "drop", step)
    known.note(what, new, "create" if own else "replace", step, node_before)


def _index(known: Catalogue, step: Step, node) -> None:
    if node.idxname:
        schema = node.relation.schemaname
        _create(
            known,
            step,
            "relation",
            dotted([part for part in (schema, node.idxname) if part], step.scope),
            node,
            node.if_not_exists,
        )


def _select_into(known: Catalogue, step: Step, node) -> None:
    if node.intoClause is not None:
        _create(known, step, "relation", relation(node.intoClause.rel, step.scope), node)


def _typed(known: Catalogue, step: Step, node) -> None:
    names = getattr(node, "typeName", None) if type(node).__name__ != "CreateDomainStmt" else node.domainname
    _create(known, step, "type", dotted(strings(names), step.scope), node)


_NOTES: dict[str, Callable] = {
    "CreateStmt": _table,
    "CreateForeignTableStmt": _table,
    "AlterTableStmt": _alter_table,
    "CreateFunctionStmt": _function,
    "DropStmt": _drop,
    "CreatePolicyStmt": _policy,
    "RenameStmt": _rename,
    "IndexStmt": _index,
    "SelectStmt": _select_into,
    "CreateEnumStmt": _typed,
    "CreateRangeStmt": _typed,
    "CreateDomainStmt": _typed,
    "CompositeTypeStmt": lambda k, s, n: _create(k, s, "type", relation(n.typevar, s.scope), n),
    "ViewStmt": lambda k, s, n: _create(k, s, "relation", relation(n.view, s.scope), n, n.replace),
    "CreateTableAsStmt": lambda k, s, n: _create(k, s, "relation", relation(n.into.rel, s.scope), n, n.if_not_exists),
    "CreateSeqStmt": lambda k, s, n: _create(k, s, "relation", relation(n.sequence, s.scope), n, n.if_not_exists),
    "CreateSchemaStmt": lambda k, s, n: _create(k, s, "schema", quoted(n.schemaname or ""), n, n.if_not_exists),
    "CreateTrigStmt": lambda k, s, n: _create(
        k, s, "trigger", f"{relation(n.relation, s.scope)}.{quoted(n.trigname)}", n, n.replace
    ),
    "RuleStmt": lambda k, s, n: _create(
        k, s, "rule", f"{relation(n.relation, s.scope)}.{quoted(n.rulename)}", n, n.replace
    ),
    "CreateRoleStmt": lambda k, s, n: _create(k, s, "role", quoted(n.role), n),
    "CreateExtensionStmt": lambda k, s, n: _create(k, s, "extension", quoted(n.extname), n, n.if_not_exists),
    "CreatePublicationStmt": lambda k, s, n: _create(k, s, "publication", quoted(n.pubname), n),
    "PrepareStmt": lambda k, s, n: _create(k, s, "prepared", n.name, n.query),
}
