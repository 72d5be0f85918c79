# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb for an application's own CI, run as its users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

ADDS, TAKES = "alter table t add column a int;", "alter table t drop column a;"


def judge(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook` in a folder that is nobody's checkout."""
    program = Path(sys.executable).with_name("ansible-playbook")
    values = [part for word in words for part in ("-e", word)]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"), "NO_COLOR": "1"}
    environment.pop("ANSIBLE_CONFIG", None)
    return subprocess.run(
        [program, "parity.stack.judge_migrations", *values], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("files", "more", "code", "words"),
    [
        ({"m/1_a.sql": ADDS}, [], 0, ["1 only add"]),
        ({"m/1_a.sql": ADDS, "m/2_b.sql": TAKES}, [], 2, ["2_b.sql takes something away and has no mark", "it drops column a of t"]),
        ({"m/2_b.sql": f"-- parity: destructive\n{TAKES}"}, [], 0, ["1 take something away"]),
        ({"m/2_b.sql": "\\restrict x"}, [], 2, ["2_b.sql cannot run as it is written"]),
        (
            {"m/1_a.sql": ADDS, "lock": "six==1\n", ".env": "A='x\n"}, ["judge_lock=lock", "judge_env=.env"], 2,
            ["six has no hash", "line 1"],
        ),
        ({}, [], 2, ["is no directory"]),
    ],
)
def test_judge_migrations_ends_as_a_pull_request_has_to(
    tmp_path: Path, files: dict[str, str], more: list[str], code: int, words: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = judge(tmp_path, "stack_application_migrations=m", "judge_output=out.json", *more)
    said = " ".join(done.stdout.split())
    assert (done.returncode, [word for word in words if word not in said]) == (code, []), done.stdout + done.stderr
    if files:
        verdicts = json.loads((tmp_path / "out.json").read_text())
        assert [one["file"] for one in verdicts] == sorted(name[2:] for name in files if name.startswith("m/"))
        assert all({"file", "verdict", "mark", "statements", "errors"} <= one.keys() for one in verdicts)
