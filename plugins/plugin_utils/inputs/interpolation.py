# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""References in a value, as docker compose expands them: $NAME, ${NAME}, ${NAME:-default}, ${NAME:?}, ${NAME:+other}, $$.

python-dotenv expands ${NAME} and ${NAME:-default} only, and makes an unset one empty. Here nothing is left literal, and nothing
becomes empty unsaid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<end>\})|(?P<operator>:?[-+?])))"
)


class Unexpanded(ValueError):
    """A reference without a value, or a $ that begins none. The words go on after the name of what holds it."""


def expanded(text: str, values: Mapping[str, str]) -> str:
    """`text` with its references replaced. Raises Unexpanded; its words never show a part of `text` outside of braces."""
    result, at = [], 0
    while (dollar := text.find("$", at)) >= 0:
        result.append(text[at:dollar])
        found = _REFERENCE.match(text, dollar)
        if not found:
            raise Unexpanded("has a $ that begins no reference")
        at = found.end()
        if found["dollar"]:
            result.append("$")
        elif found["operator"]:
            end = _closing_brace(text, at)
            result.append(_chosen(found["name"], found["operator"], text[at:end], values))
            at = end + 1
        else:
            result.append(_known(found["name"], found["bare"], values))
    return "".join(result) + text[at:]


def _known(braced: str | None, bare: str | None, values: Mapping[str, str]) -> str:
    name = braced or bare or ""
    if name in values:
        return values[name]
    # The letters after a $ without braces may well be the rest of a password.
    shown = f"${{{braced}}}" if braced else "a variable with $ and no braces"
    raise Unexpanded(f"refers to {shown}, which is not set")


def _chosen(name: str, operator: str, operand: str, values: Mapping[str, str]) -> str:
    """What ${NAME<operator>operand} stands for. The operand is expanded only where it is used, as shells do it."""
    value = values.get(name)
    there = value is not None and (value != "" or not operator.startswith(":"))
    kinds: dict[str, Callable[[], str]] = {
        "-": lambda: value or "" if there else expanded(operand, values),
        "+": lambda: expanded(operand, values) if there else "",
        "?": lambda: value or "",
    }
    if operator.endswith("?") and not there:
        raise Unexpanded(f"needs ${{{name}}}, which is {'not set' if value is None else 'empty'}")
    return kinds[operator[-1]]()


def _closing_brace(text: str, at: int) -> int:
    """Where the brace is that closes the reference whose operand begins at `at`."""
    open_braces = 1
    for position in range(at, len(text)):
        open_braces += {"{": 1, "}": -1}.get(text[position], 0)
        if not open_braces:
            return position
    raise Unexpanded("has a ${ that is never closed")
