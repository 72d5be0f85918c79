# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""squawk, a linter of SQL migrations: what it says of files whose text is at hand."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner

#: What the migrator sees to for every file: it sets both timeouts, and runs each file in a transaction.
ALWAYS_EXCLUDED = ("require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts", "require-timeout-settings")


def version(run: Runner, squawk: str) -> str:
    return run([squawk, "--version"])[1].strip()


def findings(run: Runner, squawk: str, migrations: list[dict], exclude: list[str]) -> list[dict]:
    """What squawk says of `migrations` (each with `file` and `sql`): `file`, `line` (from 1), `rule`, `message`.

    Revisions of Alembic are Python, and are not read. Raises ParityError where squawk answers with anything else.
    """
    sql = [one for one in migrations if one["file"].endswith(".sql")]
    if not sql:
        return []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / Path(one["file"]).name for one in sql]
        for path, one in zip(paths, sql):
            path.write_text(one["sql"], encoding="utf-8")
        excluded = ",".join([*ALWAYS_EXCLUDED, *exclude])
        words = [squawk, "--reporter", "Json", "--assume-in-transaction", f"--exclude={excluded}", *map(str, sorted(paths))]
        code, out, err = run(words)  # its exit code only says whether it found anything
    try:
        found = json.loads(out or "[]")
    except ValueError:
        raise ParityError(f"squawk did not answer with findings (exit code {code}): {(err or out).strip()[:400]}") from None
    return [
        {"file": Path(one["file"]).name, "line": one["line"] + 1, "rule": one["rule_name"], "message": one["message"]}
        for one in found
    ]
