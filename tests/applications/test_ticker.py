# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain command and nothing else, on one host: no port, no gateway, no database, no broker.

The playbook init writes the inventory. The tests tell one story, in order, and run in `make prove`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Servers

pytestmark = pytest.mark.full
LINES = "/var/lib/ticks/lines"


@pytest.fixture(scope="module")
def ticker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers("ticker", ("one",), tmp_path_factory.mktemp("ticker"))
    try:
        servers.start()
        servers.on("one", "install", "--directory", "--mode", "0777", str(Path(LINES).parent))
        servers.init(
            {"worker": ["one"]},
            stack_processes={"ticker": {"run": "command", "command": ["python", "-m", "ticker"], "stop_seconds": 10}},
            stack_environment_variables={"TICKER_FILE": LINES, "TICKER_SECONDS": "0.5"},
            stack_writable_paths=[str(Path(LINES).parent)],
        )
        yield servers
    finally:
        servers.remove()


def works(ticker: Servers, release: str) -> None:
    assert ticker.live("one") == release
    [unit] = ticker.units("one")
    process = ticker.on("one", "systemctl", "show", "--property=MainPID", "--value", unit).strip()
    word = "tick" if release == "v1" else "tock"
    assert ticker.on("one", "tail", "-n", "1", LINES).split()[1:3] == [process, word]
    assert "deploy.lock" not in ticker.on("one", "ls", "-A", "/var/lib/ticker")


def test_a_dry_run_on_an_untouched_host_changes_nothing(ticker: Servers) -> None:
    run = ticker.deploy("v1", "--check", "--diff")
    assert run.code == 0, run.output[-6000:]
    assert ticker.on("one", "ls", "/opt", "/srv").split() == ["/opt:", "/srv:"]
    for absent in ("the database", "the broker", "what users get from a gateway"):
        assert f"not checked: {absent}" in run.words


def test_the_first_release(ticker: Servers) -> None:
    run = ticker.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    works(ticker, "v1")
    again = ticker.deploy("v1")
    assert again.code == 0 and again.changed == {"one": 0}, again.output[-6000:]


def test_the_second_release(ticker: Servers) -> None:
    run = ticker.deploy("v2", "--tags", "applications", changes="second")
    assert run.code == 0, run.output[-6000:]
    works(ticker, "v2")


def test_the_first_failure_is_the_headline_and_the_release_is_rolled_back(ticker: Servers) -> None:
    run = ticker.deploy("v3", "--tags", "applications", changes="second+broken_import")
    assert run.code != 0
    assert "v3 was rolled back: ModuleNotFoundError: No module named" in run.words, run.output[-6000:]
    works(ticker, "v2")


def test_an_operator_rolls_back(ticker: Servers) -> None:
    run = ticker.play("rollback.yml", stack_release="v1")
    assert run.code == 0, run.output[-6000:]
    works(ticker, "v1")


def test_verbs_that_need_nothing_more(ticker: Servers) -> None:
    for playbook in ("recover.yml", "status.yml", "validate.yml", "preflight.yml"):
        run = ticker.play(playbook, stack_release="v1")
        assert run.code == 0, f"{playbook}: {run.output[-6000:]}"


def test_a_baseline_has_nothing_to_compare(ticker: Servers, tmp_path: Path) -> None:
    run = ticker.play("baseline.yml", stack_release="v1", stack_baseline=str(tmp_path / "ticker.json"), baseline_probes=20, baseline_runs=2)
    assert run.code == 0 and "not checked: " in run.words, run.output[-6000:]
