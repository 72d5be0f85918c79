# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry points `migrate` and `migrate_destructive` of the role release, run by Ansible."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILES = [
    {"file": "1_items.sql", "sql": "create table items (id int, old int);"},
    {"file": "2_name.sql", "sql": "alter table items add column name text;"},
]
DROP = {"file": "3_drop.sql", "sql": "-- parity: destructive\nalter table items drop column old;"}


#: Written where it is needed, because AWX would offer a file with a play to its users.
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "release_database_url": "{{ lookup('env', 'URL') }}",
            "release_stack": "shop",
            "release_user": "shop",
            "release_name": "v1.0.0",
            "release_lock_timeout": "500ms",
            "release_migrations": "{{ migrations_directory }}",
            "release_bundle": {"migrations": "{{ migrations }}"},
        },
        "tasks": [
            {"ansible.builtin.include_role": {"name": "parity.stack.release", "tasks_from": entry}}
            for entry in ("migrate", "migrate_destructive")
        ],
    }
]


def play(url: str, migrations: list[dict[str, str]], *words: str) -> tuple[int, str, int]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as playbook:
        json.dump(PLAY, playbook)
        playbook.flush()
        return _run(playbook.name, url, migrations, *words)


def _run(playbook: str, url: str, migrations: list[dict[str, str]], *words: str) -> tuple[int, str, int]:
    folder = Path(f"{playbook}.migrations")
    folder.mkdir()
    for entry in migrations:
        (folder / entry["file"]).write_text(entry["sql"])
    values = {"migrations": migrations, "migrations_directory": str(folder)}
    command = ["ansible-playbook", playbook, "-i", "localhost,", "-c", "local", "-e", json.dumps(values)]
    environment = {**os.environ, "URL": url, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([*command, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    shutil.rmtree(folder)
    changed = re.search(r"changed=(\d+)", done.stdout)
    assert url not in done.stdout and url.split(":")[2].split("@")[0] not in done.stdout
    return done.returncode, done.stdout + done.stderr, int(changed[1]) if changed else -1


def test_from_nothing_to_a_destructive_migration(url: str, query: Any) -> None:
    code, output, changed = play(url, FILES, "--check", "--diff")
    assert (code, changed) == (0, 1), output
    assert "create table items" in output and "2_name.sql" in output
    assert query("select to_regclass('items')") == [(None,)]
    assert play(url, FILES)[::2] == (0, 1)
    assert play(url, FILES)[::2] == (0, 0)
    code, output, _error = play(url, [*FILES, DROP])
    assert code != 0 and "it drops column old of items" in output
    approved = ("-e", "release_allow_destructive=true")
    code, output, changed = play(url, [*FILES, DROP], "--check", "--diff", *approved)
    assert (code, changed) == (0, 1) and "drop column old" in output and "ban-drop-column" in output, output
    assert play(url, [*FILES, DROP], *approved)[::2] == (0, 1)
    assert query("select count(*) from information_schema.columns where table_name = 'items' and column_name = 'old'") == [(0,)]
    assert play(url, [*FILES, DROP])[::2] == (0, 0)
