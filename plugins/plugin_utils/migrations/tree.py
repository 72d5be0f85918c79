# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's own parser (libpg_query, by pglast), and names and texts of the nodes of its tree."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import pglast
    from pglast import ast
    from pglast.parser import ParseError, scan
    from pglast.stream import RawStream
except ImportError:
    pglast = ast = scan = RawStream = None
    ParseError = ValueError

#: A relation, type, schema or function by its parts; the schema public is left out, as nobody names it.
Name = tuple[str, ...]


def require_parser() -> None:
    """Raise ParityError where the parser is missing."""
    if pglast is None:
        raise ParityError(
            "PostgreSQL's parser is missing on the control node, so migrations cannot be judged. Install it into the Python that runs "
            "Ansible: pip install pglast (requirements.txt has the version)."
        )


def parse(sql: str) -> list:
    """The statements of a text as RawStmt nodes. Raises pglast's ParseError, with the place as its second argument."""
    require_parser()
    return list(pglast.parse_sql(sql))


def parse_plpgsql(function: str) -> list[dict]:
    """The tree of a CREATE FUNCTION in PL/pgSQL, as plain data. Raises ParseError."""
    return pglast.parse_plpgsql(function)


def walk(node: object) -> Iterator[object]:
    """A node and every node below it."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from walk(item)
    elif isinstance(node, ast.Node):
        yield node
        for slot in node.__slots__:
            child = getattr(node, slot, None)
            if isinstance(child, (ast.Node, list, tuple)):
                yield from walk(child)


def strings(parts: object) -> Name:
    """The parts of a qualified name: a list of String nodes, without the schema public."""
    found = tuple(part.sval for part in parts or () if isinstance(part, ast.String))
    return found[1:] if len(found) > 1 and found[0] in ("public", "pg_catalog") else found


def relation(node: object) -> Name:
    """The name of a RangeVar."""
    schema = node.schemaname
    return (node.relname,) if schema in (None, "public") else (schema, node.relname)


def shown(name: Name) -> str:
    """A name for a message, quoted where PostgreSQL would have it quoted."""
    return ".".join(part if part.isidentifier() and part == part.lower() else '"' + part.replace('"', '""') + '"' for part in name)


def text(node: object) -> str:
    """A node as SQL, for a comparison: the same text for the same meaning."""
    try:
        return RawStream()(node)
    except Exception:  # the printer does not know every node; the tree itself is as good for a comparison
        return repr(node)


def type_name(node: object) -> str:
    """A TypeName as text: `text`, `s.kind[]`, `numeric(10, 2)`."""
    words = ".".join(strings(node.names))
    modifiers = ", ".join(text(one) for one in node.typmods or ())
    return words + (f"({modifiers})" if modifiers else "") + "[]" * len(node.arrayBounds or ())


def function_call(node: object) -> Name:
    """The name of a FuncCall; (name,) alone where it is PostgreSQL's own."""
    return strings(node.funcname)
