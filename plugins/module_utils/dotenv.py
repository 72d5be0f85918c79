# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of NAME=value lines, as shells and containers read them."""

from __future__ import annotations

import re

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_QUOTED = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*")(?=\s+#)""")


def parse(text: str) -> dict[str, str]:
    """Names and values. Quotes around a value are taken off, unquoted values end at ` #`, other lines are left out."""
    matches = (_LINE.fullmatch(line.strip()) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {match[1]: _value(match[2]) for match in matches if match}


def _value(raw: str) -> str:
    text = raw.strip()
    quoted = _QUOTED.match(text)
    text = quoted[0] if quoted else text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        inner = text[1:-1]
        return inner if text[0] == "'" else re.sub(r'\\(["\\$`])', r"\1", inner)
    return re.split(r"\s+#", raw, maxsplit=1)[0].strip()
