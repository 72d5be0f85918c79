# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words people read: names of tasks, and sentences of documentation and messages (docs/glossary.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

RULES = ROOT / ".ansible-lint-rules"
sys.path.insert(0, str(RULES))

import glossary  # noqa: E402 (only on the path since the line above)
import sentences  # noqa: E402
import task_name  # noqa: E402


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- Names of tasks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("Release the deployment lock", []),
        ("Compare the canary with the live release", []),
        ("Write, keep and publish the report", []),
        ("Apply the role {{ lookup('env', 'MOLECULE_SCENARIO_NAME') | split('-') | first }}", []),
        ("Check one two three four five six seven", []),
        ("Check one two three four five six seven eight", ["has 9 words"]),
        ("Check it", ["has 2 words"]),
        ("The lock is given back", ["begins with 'The'", "'given back' is a word not to use: write 'deployment lock'"]),
        ("What is live works", ["begins with 'What'"]),
        ("release the deployment lock", ["begins with 'release'"]),
        ("Take the whole release back", ["'Take the whole release back' is a word not to use: write 'roll back, rollback'"]),
        ("Say the last words", ["begins with 'Say'", "'last words' is a word not to use: write 'last log lines'"]),
        ("Show what was reverted", ["'reverted' is a word not to use: write 'roll back, rollback'"]),
        ("", ["begins with ''", "has 0 words"]),
        ("{{ item }} of the role", ["begins with 'JINJA'"]),
    ],
)
def test_names_that_are_no_orders_are_refused(name: str, wrong: list[str]) -> None:
    found = task_name.problems(name)
    assert len(found) == len(wrong), found
    assert all(problem.startswith(words) for problem, words in zip(found, wrong)), found


PLAYBOOK = """---
- name: Check the whole stack
  hosts: localhost
  gather_facts: false
  tasks:
    - name: The block is named
      block:
        - name: The task inside is named
          ansible.builtin.debug:
            msg: a
      rescue:
        - name: The rescue is named
          ansible.builtin.debug:
            msg: b
      always:
        - name: Show that it ended
          ansible.builtin.debug:
            msg: c
        - name: Run a command that changes nothing
          ansible.builtin.command: "true"
- name: The second play
  hosts: localhost
  gather_facts: false
- name: The imported playbook
  ansible.builtin.import_playbook: other.yml
"""


def test_ansible_lint_refuses_names_of_plays_blocks_and_tasks(tmp_path: Path) -> None:
    """The linter as `make lint` runs it, with the rules that come with it: a profile loads no rule that is not enabled by name."""
    playbook = tmp_path / "playbooks" / "playbook.yml"
    playbook.parent.mkdir()
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    playbook.with_name("other.yml").write_text("---\n- name: Check the other play\n  hosts: localhost\n", encoding="utf-8")
    said = subprocess.run(
        [Path(sys.executable).with_name("ansible-lint"), "--nocolor", "--format", "json", "--config-file", ROOT / ".ansible-lint",
         "--project-dir", tmp_path, playbook],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 2, said.stderr[-2000:]
    found = [(match["check_name"], match["description"].split("'")[1::2][:1]) for match in json.loads(said.stdout)]
    assert sorted(names[0] for rule, names in found if rule == "task-name") == [
        "The block is named", "The imported playbook", "The rescue is named", "The second play", "The task inside is named",
    ], found  # fmt: skip
    assert any(rule == "no-changed-when" for rule, _names in found), found


def test_verbs_are_capitalised_and_sorted() -> None:
    listed = [line for line in task_name.VERBS_FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert listed == sorted(set(listed))
    assert all(verb == verb.capitalize() and verb.isalpha() for verb in listed)


# --- Sentences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "found", "free"),
    [
        ("take … back", ["take it back", "is taken back", "took all of it back", "takes\n  the disk back"], ["take a step", "talk back"]),
        ("go back", ["goes back", "went back"], ["ago back", "go to the back"]),
        ("revert", ["revert", "reverts", "reverted", "reverting"], ["revertible", "irreverted"]),
        ("second place", ["the second place"], ["the second replaced"]),
        ("is told", ["are told", "be told", "was told"], ["is untold", "told"]),
        ("give … back", ["gives the lock back", "Given back"], ["gives a good deal of it all back"]),
        ("make it live", ["makes it live", "made it live"], ["make sure it is live"]),
        ("dry-run", ["a dry-run", "Dry-runs"], ["a dry run"]),
    ],
)
def test_phrases_are_found_in_every_form(phrase: str, found: list[str], free: list[str]) -> None:
    pattern = glossary.pattern(phrase)
    assert [text for text in found if not pattern.search(text)] == []
    assert [text for text in free if pattern.search(text)] == []


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.md", "Fine.\n\nThe release is\ntaken\nback.\n", [4]),
        ("a.md", "It is\ntaken back.\nIt reverts.\n", [2, 3]),
        ("a.md", "`action: revert` and [this](docs/revert.md)\n\n```\nrevert\n```\nway back\n", [6]),
        ("a.py", '"""A module.\n\nThe way back.\n"""\nrevert = "revert"\n', [3]),
        ("a.py", 'raise ParityError(f"{host} goes back to C(revert) 1")\n', [1]),
        ("a.py", 'RETURN = """\nreverted:\n  choices: [stage, revert]\n  description: We\n    revert it.\n"""\n', [5]),
        ("a.py", 'words = """\nreverted:\n  choices: [stage, revert]\n"""\n', [2, 3]),
        ("a.yml", "# The way back.\n- name: a\n  description: >-\n    It is\n    mended.\n  action: revert\n", [1, 3]),
        ("a.yml", "- msg: \"{{ 'goes back' if revert }} it stays\"\n", []),
    ],
)
def test_sentences_are_read_and_code_is_not(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert [finding.line for finding in sentences.findings(path)] == lines


def test_the_glossary_names_words_not_to_use() -> None:
    phrases = {entry.phrase for entry in glossary.banned()}
    assert {"take … back", "go back", "way back", "revert", "mend", "second place", "last words", "behave like"} <= phrases
    words = [line.split("|")[1].strip() for line in glossary.GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert not [word for word in words if list(glossary.findings(word))]


@pytest.mark.parametrize("path", sentences.files(ROOT), ids=names)
def test_only_the_glossary_s_words_are_used(path: Path) -> None:
    assert [f"{finding.line}: {finding}" for finding in sentences.findings(path)] == []
