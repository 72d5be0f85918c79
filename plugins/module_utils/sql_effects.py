# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a statement does to those who use the database while it runs: the lock it takes, and what it takes away.

Judged from its words alone, so that a plan can be made before there is a database. What the words do not show (a
function that is called, SQL put together at run time) is not seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.module_utils.sql import Statement, split

ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
SHARE = "SHARE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"

#: What a lock keeps others from, for a person who reads a plan.
BLOCKS = {
    ACCESS_EXCLUSIVE: "reads and writes",
    EXCLUSIVE: "writes",
    SHARE_ROW_EXCLUSIVE: "writes",
    SHARE: "writes",
    SHARE_UPDATE_EXCLUSIVE: "other changes of the structure",
    ROW_EXCLUSIVE: "nothing but changes of the structure",
}
_WEAKEST_FIRST = (None, ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE, SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE)

#: Kinds of objects whose names have two words or more come first.
_KINDS = (
    "materialized view", "foreign table", "event trigger", "access method", "text search configuration",
    "table", "view", "index", "sequence", "schema", "type", "domain", "function", "procedure", "routine", "aggregate",
    "trigger", "policy", "rule", "extension", "collation", "operator", "cast", "role", "user", "database", "owned",
    "publication", "subscription", "server", "statistics",
)  # fmt: skip
#: What may go and come back under the same name in one file, because a transaction shows others only the end of it.
_REPLACEABLE = ("function", "procedure", "routine", "view", "materialized view", "trigger", "policy", "rule", "index", "aggregate")
_HARMLESS_DROPS = ("constraint", "not", "identity", "expression")
_TABLE_CONSTRAINTS = ("constraint", "primary", "unique", "check", "foreign", "exclude")
#: What gives a new column its value in rows that are there already.
_FILLED = re.compile(r"\b(default|generated|identity|(big|small)?serial)\b")
_TABLE_LIKE = ("table", "view", "index", "sequence", "materialized view", "foreign table")
_NOISE = ("if", "exists", "not", "only", "concurrently")


@dataclass(frozen=True)
class Effect:
    """What one statement does."""

    lock: str | None = None
    table: str = ""
    destroys: str = ""  # why it may break the release that runs, or lose data; empty where it does neither
    transactional: bool = True
    own_transaction: bool = False  # begins or ends a transaction by itself

    @property
    def locks(self) -> str:
        """The lock in words, empty where no table in use is locked."""
        return f"{self.lock} on {self.table or 'what it names'} (blocks {BLOCKS[self.lock]})" if self.lock else ""


def effects(statements: list[Statement]) -> list[Effect]:
    """The effect of each statement of one file, knowing the others of the file."""
    made: set[str] = set()
    replaced = {_object(statement.words) for statement in statements if statement.words[:1] == ("create",)}
    result = []
    for statement in statements:
        effect = _effect(statement, replaced)
        if effect.table and effect.table in made:  # what the file itself has made is nobody else's yet
            effect = Effect(transactional=effect.transactional)
        if statement.words[:1] == ("create",) and "table" in statement.words[:6] and "if" not in statement.words[:6]:
            made.add(_object(statement.words)[1])
        result.append(effect)
    return result


def _effect(statement: Statement, replaced: set[tuple[str, str]]) -> Effect:
    words = statement.words
    first = words[0]
    handler = _HANDLERS.get(first)
    if handler:
        return handler(words, statement, replaced)
    if first in ("begin", "start", "commit", "rollback", "end", "abort", "savepoint", "release"):
        return Effect(own_transaction=True)
    return Effect()


def _create(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    kind, name = _object(words)
    if kind == "index":
        table = _name_after(words, "on")
        if "concurrently" in words:
            return Effect(SHARE_UPDATE_EXCLUSIVE, table, transactional=False)
        return Effect(SHARE, table)
    if kind == "trigger":
        return Effect(SHARE_ROW_EXCLUSIVE, _name_after(words, "on"))
    if kind in ("policy", "rule"):
        return Effect(ACCESS_EXCLUSIVE, _name_after(words, "on" if kind == "policy" else "to"))
    if kind == "table" and "references" in words:
        return Effect(SHARE_ROW_EXCLUSIVE, _name_after(words, "references"))
    if kind == "table" and "partition" in words and "of" in words:
        return Effect(ACCESS_EXCLUSIVE, _name_after(words, "of"))
    if kind == "view" and "replace" in words:
        return Effect(ACCESS_EXCLUSIVE, name)
    return Effect(transactional=kind not in ("database", "tablespace", "subscription"))


def _alter(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    kind, name = _object(words)
    if words[1] == "system":
        return Effect(transactional=False)
    if kind not in _TABLE_LIKE:
        renamed = "rename" in words or ("set" in words and "schema" in words)
        removed = kind == "domain" and "not" in words
        why = f"it renames or moves {kind} {name}" if renamed else "it narrows a domain" if removed else ""
        return Effect(destroys=why if kind in _KINDS and kind not in ("role", "user") else "")
    reasons = [reason for action in _actions(words) for reason in [_why(action, kind, name)] if reason]
    lock = max((_lock(action, kind) for action in _actions(words)), key=_WEAKEST_FIRST.index, default=ACCESS_EXCLUSIVE)
    concurrently = "detach" in words and "concurrently" in words
    return Effect(lock, name, "; ".join(reasons), transactional=not concurrently)


def _lock(action: tuple[str, ...], kind: str) -> str:
    """The lock of one action of ALTER TABLE."""
    text = " ".join(action)
    if re.match(r"validate|attach|set statistics|alter( column)? \S+ set statistics|cluster on|set without|detach .*concurrently", text):
        return SHARE_UPDATE_EXCLUSIVE
    if re.match(r"(set|reset) \( (fillfactor|autovacuum|toast|parallel)", text) or (kind == "index" and action[:1] == ("rename",)):
        return SHARE_UPDATE_EXCLUSIVE
    if re.match(r"add (constraint \S+ )?foreign key", text) or re.match(r"(enable|disable) (trigger|replica trigger)", text):
        return SHARE_ROW_EXCLUSIVE
    return SHARE_ROW_EXCLUSIVE if kind == "sequence" else ACCESS_EXCLUSIVE


def _why(action: tuple[str, ...], kind: str, name: str) -> str:
    """Why one action of ALTER TABLE hurts what uses the table; empty where it does not."""
    text = " ".join(action)
    if action[:1] == ("drop",) and action[1:2] and action[1] not in _HARMLESS_DROPS:
        return f"it drops column {_bare(action[1:], 'column')} of {name}"
    if action[:1] == ("rename",) and kind != "index" and action[1:2] != ("constraint",):
        column = "" if action[1:2] == ("to",) else f"column {_bare(action[1:], 'column')} of "
        return f"it renames {column}{name}"
    if action[:2] == ("set", "schema"):
        return f"it moves {name} to another schema"
    if action[:1] == ("alter",):
        column, *change = action[2:] if action[1:2] == ("column",) else action[1:]
        text = " ".join(change)
        if re.match(r"(set data )?type ", text):
            return f"it changes the type of column {column} of {name}"
        if text == "set not null":
            return f"it forbids NULL in column {column} of {name}, which the running release may still write"
        if text == "drop default":
            return f"it drops the default of column {column} of {name}, on which the running release may rely"
    adds_column = action[:1] == ("add",) and "".join(action[1:2]) not in _TABLE_CONSTRAINTS
    if adds_column and "not null" in text and not _FILLED.search(text):
        return f"it adds column {_bare(action[1:], 'column')} to {name} as NOT NULL without a default"
    if action[:1] == ("detach",):
        return f"it detaches a partition from {name}"
    return ""


def _drop(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    kind, name = _object(words)
    concurrently = "concurrently" in words
    on = _name_after(words, "on") if kind in ("trigger", "policy", "rule") else ""
    lock = SHARE_UPDATE_EXCLUSIVE if concurrently else ACCESS_EXCLUSIVE if on or kind in _TABLE_LIKE else None
    comes_back = kind in _REPLACEABLE and (kind, name) in replaced
    return Effect(lock, on or name, "" if comes_back else f"it drops {kind} {name}", transactional=not concurrently and kind != "database")


def _truncate(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    name = _first_name([word for word in words[1:] if word not in ("table", "only")])
    return Effect(ACCESS_EXCLUSIVE, name, f"it empties {name}")


def _delete(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    name = _name_after(words, "from")
    return Effect(ROW_EXCLUSIVE, name, f"it deletes rows of {name}")


def _write(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    name = _name_after(words, "into") if words[0] in ("insert", "merge") else _first_name([w for w in words[1:] if w != "only"])
    return Effect(ROW_EXCLUSIVE, name)


def _refresh(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    name = _first_name([word for word in words[3:] if word != "concurrently"])
    return Effect(EXCLUSIVE if "concurrently" in words else ACCESS_EXCLUSIVE, name)


def _maintain(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    concurrently = "concurrently" in words
    whole = "full" in words or words[0] in ("cluster", "reindex")
    lock = SHARE_UPDATE_EXCLUSIVE if concurrently or not whole else ACCESS_EXCLUSIVE
    transactional = not concurrently and words[0] != "vacuum" and "database" not in words and "system" not in words
    return Effect(lock, _first_name([w for w in words if w.startswith('"') or "." in w or w == words[-1]]), transactional=transactional)


def _lock_table(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    mode = " ".join(words[words.index("in") + 1 :]).split(" mode", maxsplit=1)[0].upper() if "in" in words else ACCESS_EXCLUSIVE
    name = _first_name([word for word in words[1:] if word not in ("table", "only")])
    return Effect(mode if mode in BLOCKS else None, name)


def _comment(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    return Effect(SHARE_UPDATE_EXCLUSIVE, _object(words[1:])[1]) if words[2:3] in (("table",), ("column",)) else Effect()


_SUSPECT = re.compile(
    r"(?i)\b(drop\s+(?:table|column|view|materialized|schema|type|domain|function|procedure|sequence|extension|owned|index|trigger|policy)"
    r"|truncate\b|delete\s+from|rename\s+(?:to|column)|\btype\s+\w+\s+using|set\s+not\s+null|set\s+data\s+type)"
)


def _block(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    """DO: what a program does cannot be known; what it speaks of can."""
    found = [match[1] for body in statement.bodies for match in [_SUSPECT.search(_without_comments(body))] if match]
    return Effect(destroys=f"its DO block says {' '.join(found[0].lower().split())!r}" if found else "")


def _with(words: tuple[str, ...], statement: Statement, replaced: set) -> Effect:
    for verb, handler in (("delete", _delete), ("update", _write), ("insert", _write)):
        if verb in words:
            return handler(words[words.index(verb) :], statement, replaced)
    return Effect()


_HANDLERS = {
    "create": _create, "alter": _alter, "drop": _drop, "truncate": _truncate, "delete": _delete, "insert": _write,
    "update": _write, "merge": _write, "refresh": _refresh, "vacuum": _maintain, "cluster": _maintain,
    "reindex": _maintain, "lock": _lock_table, "comment": _comment, "do": _block, "with": _with,
}  # fmt: skip


def _object(words: tuple[str, ...]) -> tuple[str, str]:
    """Kind and name of what CREATE, ALTER or DROP is about."""
    text = " ".join(word.replace(" ", "\0") for word in words[1:])  # a quoted name may have spaces
    for kind in _KINDS:
        match = re.match(rf"(?:(?!{kind}\b)[a-z]+ ){{0,4}}{kind}\b ?", text) if words[0] in ("create",) else re.match(rf"{kind}\b ?", text)
        if match:
            rest = [word.replace("\0", " ") for word in text[match.end() :].split(" ")]
            return kind, _first_name([word for word in rest if word not in _NOISE])
    return (words[1] if len(words) > 1 else "", "")


def _name_after(words: tuple[str, ...], key: str) -> str:
    if key not in words:
        return ""
    return _first_name([word for word in words[words.index(key) + 1 :] if word not in ("only", "table", "if", "exists", "not")])


def _first_name(words: list[str]) -> str:
    """`schema . table` at the beginning of a list of words, without the schema public."""
    name = ""
    for position, word in enumerate(words):
        if position % 2 == 1 and word != ".":
            break
        if position % 2 == 0 and not re.match(r'^[^\W\d]|^"', word):
            break
        name += word
    return name.removeprefix("public.").rstrip(".")


def _bare(words: tuple[str, ...], noise: str) -> str:
    return next((word for word in words if word not in (noise, *_NOISE)), "")


def _actions(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The actions of an ALTER statement: what stands between its commas, after the name."""
    start = 2 if words[1] not in ("materialized", "foreign") else 3
    rest = list(words[start:])
    while rest and rest[0] in _NOISE:
        rest.pop(0)
    rest.pop(0)
    while rest and rest[0] == ".":
        rest = rest[2:]
    if rest and rest[0] == "*":
        rest.pop(0)
    result, depth = [[]], 0
    for word in rest:
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(word, 0)
        if word == "," and depth == 0:
            result.append([])
        else:
            result[-1].append(word)
    return [tuple(action) for action in result if action]


def _without_comments(body: str) -> str:
    return "; ".join(" ".join(token.text for token in statement.tokens) for statement in split(body))
