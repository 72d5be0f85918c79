# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of Django: which there are, what each does, what is applied, and what has drifted apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.migrations import django, pending
from ansible_collections.parity.stack.plugins.module_utils.migrations.pending import Applied, Migration
from ansible_collections.parity.stack.plugins.plugin_utils.migrations import django_files, django_plan, plan
from ansible_collections.parity.stack.plugins.plugin_utils.migrations.directory import judge_directory, read_directory

FIRST = "class Migration:\n    operations = [CreateModel('book')]\n"
SECOND = "class Migration:\n    replaces = [('books', '0002_a'), ('books', '0002_b')]\n    operations = [RunPython(fill)]\n"
FILES = {
    "manage.py": "",
    "books/migrations/__init__.py": "",
    "books/migrations/0001_initial.py": FIRST,
    "sales/apps.py": "class Sales(AppConfig):\n    label = 'orders'\n",
    "sales/migrations/0001_initial.py": FIRST,
    "books/migrations/0002_squashed.py": SECOND,
    ".venv/x/migrations/0001_initial.py": FIRST,
    "books/migrations/~0003.py": FIRST,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def said(version: str, text: str = "", **more: object) -> dict:
    """What Django says of one migration."""
    file = f"{version.replace('.', '/migrations/')}.py"
    return {
        "version": version, "file": file, "sha256": plan.sha256(text), "parents": [], "replaces": [], "atomic": True, "sql": "", **more,
    }  # fmt: skip


def python(words: str = "it runs Python (fill)", unseen: bool = True) -> dict:
    return {"words": words, "unseen": unseen, "kind": "RunPython", "place": "", "server": {}}


def test_which_migrations_there_are(project: Path) -> None:
    found = django_files.read(read_directory(project))
    assert [one.version for one in found] == ["books.0001_initial", "orders.0001_initial", "books.0002_squashed"]
    assert found[2].replaces == ("books.0002_a", "books.0002_b")


def test_before_the_release_is_staged_nobody_knows_what_they_do(project: Path) -> None:
    found = [Migration.judged(one) for one in django_plan.judged(read_directory(project))]
    assert all(one.undecided and one.waits for one in found)
    assert [one.version for one in pending.decide(found, [], fresh=False, allow_destructive=False, rendered_later=True).now] == [
        "books.0001_initial", "orders.0001_initial", "books.0002_squashed",
    ]  # fmt: skip
    assert {one["verdict"] for one in judge_directory(project)} == {"unknown"}


@pytest.mark.parametrize(
    ("more", "verdict", "words"),
    [
        ({"sql": "--\n-- Create model Book\n--\nCREATE TABLE book (id int);"}, "additive", ""),
        ({"sql": "-- (no-op)"}, "additive", ""),
        ({"sql": "ALTER TABLE book DROP COLUMN title;"}, "destructive", "it drops column title of book"),
        ({"error": python()}, "unknown", "it runs Python (fill)"),
        ({"error": python("ValueError: no constraint", unseen=False)}, "unknown", "cannot render it against this database (ValueError"),
    ],
)
def test_what_a_migration_does(project: Path, more: dict, verdict: str, words: str) -> None:
    found = django_plan.judged(read_directory(project), {"migrations": [said("books.0002_squashed", SECOND, **more)]})
    assert found[0]["verdict"] == verdict and not found[0]["marked"] and found[0]["judged_from"] == "Django's sqlmigrate"
    migration = Migration.judged(found[0])
    assert words in " ".join(migration.reasons) and migration.waits is (verdict != "additive")
    if verdict != "additive":
        with pytest.raises(ParityError, match=r"(takes something away from the running release|cannot be judged): line 3: "):
            pending.decide([migration], [], fresh=False, allow_destructive=False)


def test_a_mark_and_a_limit_in_the_file(project: Path) -> None:
    text = f"# parity: destructive statement_timeout=2h\n{SECOND}"
    (project / "books/migrations/0002_squashed.py").write_text(text, encoding="utf-8")
    rendered = {"migrations": [said("books.0002_squashed", text, error=python(), atomic=False)]}
    found = Migration.judged(django_plan.judged(read_directory(project), rendered)[0])
    assert found.marked and found.statement_timeout == "2h" and not found.transactional
    assert pending.decide([found], [], fresh=False, allow_destructive=True).later == [found]


def test_a_migration_of_a_package_needs_approval_and_no_mark(project: Path) -> None:
    entry = said("auth.0011_proxy", error=python())
    found = Migration.judged(django_plan.judged(read_directory(project), {"migrations": [entry]})[0])
    assert found.marked and found.sha256 == ""
    with pytest.raises(ParityError, match=r"until someone approves them: auth/migrations/0011_proxy\.py"):
        pending.decide([found], [], fresh=False, allow_destructive=False)


def test_the_release_has_to_have_the_files_that_were_read(project: Path) -> None:
    with pytest.raises(ParityError, match=r"books/migrations/0001_initial.py is another file in the release"):
        django_plan.judged(read_directory(project), {"migrations": [said("books.0001_initial", "other")]})
    with pytest.raises(ParityError, match="the project's database is sqlite, wanted is postgresql"):
        django_plan.judged(read_directory(project), {"vendor": "sqlite", "migrations": []})


def test_a_later_step_keeps_verdicts_and_order(project: Path) -> None:
    entries = read_directory(project)
    rendered = {"migrations": [said("auth.0001_initial"), said("books.0002_squashed", SECOND, error=python(), atomic=False)]}
    first = [Migration.judged(one) for one in django_plan.judged(entries, rendered)]
    later = [Migration.judged(one) for one in django_plan.judged(entries, None, [one.describe() for one in first])]
    assert [one.version for one in later] == ["books.0001_initial", "orders.0001_initial", "auth.0001_initial", "books.0002_squashed"]
    told = [[(one.verdict, one.sha256, one.transactional) for one in several] for several in (first, later[2:])]
    assert told[0] == told[1]


# --- Beside the database --------------------------------------------------------------------------------------------------

LOCAL = [
    Migration("a", "books.0001_initial", "", "one"),
    Migration("b", "books.0002_squashed", "", "two", replaces=["books.0002_a", "books.0002_b"]),
    Migration("c", "auth.0001_initial", "", ""),
]


@pytest.mark.parametrize(
    ("recorded", "applied"),
    [
        (["books.0002_a"], {"books.0002_a"}),
        (["books.0002_a", "books.0002_b"], {"books.0002_a", "books.0002_b", "books.0002_squashed"}),
        ([], set()),
    ],
)
def test_what_is_applied(recorded: list[str], applied: set[str]) -> None:
    assert set(django.history(LOCAL, recorded, {})) == applied


@pytest.mark.parametrize(
    ("recorded", "sums", "words"),
    [
        (["books.0001_initial", "gone.0001_initial"], {"books.0001_initial": "one"}, ""),
        (["books.0002_a"], {}, ""),
        (["books.0009_later"], {}, "does not, and books.0009_later was not judged when it was applied. Deploy"),
        (["books.0009_later"], {"books.0009_later": "additive"}, ""),
        (["books.0009_later"], {"books.0009_later": "destructive"}, "does not, and books.0009_later took something away"),
        (["books.0001_initial"], {"books.0001_initial": "other"}, "a changed after it was applied"),
        (["auth.0001_initial"], {"auth.0001_initial": "other"}, ""),
    ],
)
def test_drift(recorded: list[str], sums: dict[str, str], words: str) -> None:
    records = {version: Applied(sha256=text, verdict=text) for version, text in sums.items()}
    found = django.drift(LOCAL, django.history(LOCAL, recorded, records), [])
    assert (len(found) == 1 and words in found[0]) if words else found == []
