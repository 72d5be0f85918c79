# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that runs Alembic gets in its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.migrations import alembic_driver, alembic_runner

OWNER = "owner:pass@one:5432/shop"


@pytest.mark.parametrize(
    ("application", "owner", "wanted"),
    [
        ("postgresql+asyncpg://app:x@one/shop", f"postgresql://{OWNER}", f"postgresql+asyncpg://{OWNER}"),
        ("postgresql+psycopg://app:x@one/shop", f"postgres://{OWNER}", f"postgresql+psycopg://{OWNER}"),
        ("postgresql+asyncpg://app:x@one/shop", f"postgresql+psycopg2://{OWNER}", f"postgresql+psycopg2://{OWNER}"),  # it was chosen
        ("postgresql://app:x@one/shop", f"postgresql://{OWNER}", f"postgresql://{OWNER}"),
        ("sqlite:///shop.db", f"postgresql://{OWNER}", f"postgresql://{OWNER}"),
        (None, f"postgresql://{OWNER}", f"postgresql://{OWNER}"),
    ],
)
def test_the_owner_connects_with_the_driver_of_the_application(tmp_path: Path, application: str | None, owner: str, wanted: str) -> None:
    asked = []

    def command(words: list[str], variables: dict[str, str], directory: str, text: str) -> tuple[int, str, str]:
        asked.append(variables)
        return 0, f"{alembic_driver.MARK}{json.dumps({'heads': []})}\n", ""

    environment = {} if application is None else {"DATABASE_URL": application}
    project = alembic_runner.Project(str(tmp_path / "migrations"), "python", url=owner, environment=environment)
    assert alembic_runner.describe(project, command) == {"heads": []}
    assert asked[0]["DATABASE_URL"] == wanted
