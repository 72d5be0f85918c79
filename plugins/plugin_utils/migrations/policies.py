# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row level security: who still sees and writes what after a migration."""

from __future__ import annotations

from ansible_collections.parity.stack.plugins.plugin_utils.migrations import model
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.catalogue import (
    Catalogue,
    Step,
    quoted,
    relation,
    shown,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.model import (
    ADDITIVE,
    DESTRUCTIVE,
    UNKNOWN,
    Effect,
)
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.queries import kind, nodes

_COMMANDS = {"select", "insert", "update", "delete"}
_OPEN = "Write a policy in the same file that lets the running release in: CREATE POLICY ... USING (true) WITH CHECK (true)."


def row_security(table: str, step: Step, known: Catalogue, *, force: bool) -> Effect:
    """ENABLE and FORCE ROW LEVEL SECURITY: without a policy, nobody but the owner sees a row any more."""
    created = [event.node for event in known.always("policies", table, step) if _stays(known, table, event.node)]
    if any(not node.permissive for node in created):
        return Effect(DESTRUCTIVE, f"a restrictive policy hides rows of {shown(table)} from the running release", _OPEN)
    commands = {command for node in created if lets_everybody_in(node) for command in _covered(node)}
    if commands >= _COMMANDS:
        return Effect()
    whom = "the owner" if force else "everybody but the owner"
    if created:
        why = f"row level security of {shown(table)} holds for {whom}, and whether its policies let the running release in is not seen"
        return Effect(UNKNOWN, why, _OPEN)
    return Effect(
        DESTRUCTIVE, f"row level security hides every row of {shown(table)} from {whom}, for lack of a policy", _OPEN
    )


def _stays(known: Catalogue, table: str, node) -> bool:
    events = known.events.get(("policy", f"{table}.{quoted(node.policy_name)}"), [])
    return bool(events) and events[-1].node is node


def lets_everybody_in(node) -> bool:
    """Whether a policy is open to every role and every row."""
    everybody = all(role.roletype.name == "ROLESPEC_PUBLIC" for role in node.roles or ())
    reads = node.cmd_name == "insert" or _is_true(node.qual)  # without USING, PostgreSQL lets nobody in
    writes = _is_true(node.with_check) or (node.with_check is None and node.cmd_name != "insert")
    return everybody and bool(node.permissive) and reads and writes


def create(node, step: Step, known: Catalogue) -> Effect:
    """A permissive policy only adds. A restrictive one hides; one that reads its own table makes every query fail."""
    table = relation(node.table, step.scope)
    if known.made("relation", table, step):
        return Effect()
    lock = {"lock": model.ACCESS_EXCLUSIVE, "table": shown(table)}
    if not node.permissive:
        return Effect(
            DESTRUCTIVE,
            f"the restrictive policy {quoted(node.policy_name)} hides rows of {shown(table)}",
            _OPEN,
            **lock,
        )
    if any(
        kind(inner) == "RangeVar" and relation(inner, step.scope) == table
        for inner in nodes((node.qual, node.with_check))
    ):
        why = f"policy {quoted(node.policy_name)} reads {shown(table)} itself, which PostgreSQL refuses as an infinite recursion"
        return Effect(DESTRUCTIVE, why, "Ask a SECURITY DEFINER function instead.", **lock)
    return Effect(ADDITIVE, **lock)


def alter(node, step: Step, known: Catalogue) -> Effect:
    table = relation(node.table, step.scope)
    if known.made("relation", table, step) or known.made("policy", f"{table}.{quoted(node.policy_name)}", step):
        return Effect()
    why = f"whether policy {quoted(node.policy_name)} of {shown(table)} still lets the running release in is not seen"
    return Effect(UNKNOWN, why, "Create a second policy beside it.", model.ACCESS_EXCLUSIVE, shown(table))


def replaced(name: str, table: str, new) -> Effect:
    """A policy that is dropped and created again in one file."""
    if lets_everybody_in(new) and _covered(new) == _COMMANDS:
        return Effect()
    why = f"whether policy {name} of {shown(table)}, created again, lets the running release in as before is not seen"
    return Effect(UNKNOWN, why, "Create a second policy beside it, and drop the old one in a later release.")


def _covered(node) -> set[str]:
    return _COMMANDS if node.cmd_name in (None, "all") else {node.cmd_name}


def _is_true(expression) -> bool:
    return kind(expression) == "A_Const" and getattr(expression.val, "boolval", None) is True
