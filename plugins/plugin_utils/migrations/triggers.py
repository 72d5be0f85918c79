# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new trigger runs its author's code inside the running release's own statements."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import masking, model, plpgsql
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import (
    Catalogue,
    Step,
    dotted,
    quoted,
    relation,
    shown,
    strings,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import DESTRUCTIVE, UNKNOWN, Effect
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.statements import ParseError

_HARMLESS = (
    "suppress_redundant_updates_trigger",
    "tsvector_update_trigger",
    "tsvector_update_trigger_column",
    "moddatetime",
)
_BEFORE = 2  # a bit of the timing, as PostgreSQL numbers it


def create(node, step: Step, known: Catalogue) -> Effect:
    """Additive where the function is in the file and can neither refuse a row nor drop it, or where the trigger is only replaced."""
    table = relation(node.relation, step.scope)
    if known.made("relation", table, step):
        return Effect()
    place = Effect(lock=model.SHARE_ROW_EXCLUSIVE, table=shown(table))
    name = quoted(node.trigname)
    function = dotted(strings(node.funcname))
    body = known.before("body", function, step)
    if body:
        verdict, why = judge_body(body[-1].step.text, before=bool(node.timing & _BEFORE) and node.row)
        return replace(place, verdict=verdict, reason=why and f"trigger {name} on {shown(table)} {why}")
    if strings(node.funcname)[-1] in _HARMLESS or node.replace or known.before("trigger", f"{table}.{name}", step):
        return place
    why = f"trigger {name} on {shown(table)} runs {function}(), which is not in this file, in the running release's statements"
    return replace(place, verdict=UNKNOWN, reason=why, remedy="Create or replace the function in the same file.")


def judge_body(program: str, *, before: bool) -> tuple[str, str]:
    """Verdict on a trigger function, and why. `before` says that its result decides whether the row is written."""
    try:
        found = plpgsql.parts(program)
    except ParseError as error:
        return UNKNOWN, f"runs a function that cannot be judged ({masking.parser_words(error, program)})"
    kinds = {part.kind for part in found}
    if "raise" in kinds:
        return DESTRUCTIVE, "raises an error, and may refuse what the running release writes"
    if "null" in kinds and before:
        return DESTRUCTIVE, "returns NULL, and may drop rows that the running release writes"
    return model.ADDITIVE, ""  # what its statements do is judged with the others
