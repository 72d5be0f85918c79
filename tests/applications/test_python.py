# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of one application with the host's Python and with another one. The story runs in `make prove`.

The host is Debian 12, whose Python is 3.11. The other one comes from this machine's pyenv, copied to a place of the host.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from application_servers import Servers

pytestmark = pytest.mark.full
#: What pyenv has, without what only its own tests and the linking of other programs need.
SOURCES = sorted(Path.home().glob(".pyenv/versions/3.13.*"))
LEFT_OUT = ("*/test", "*/tests", "*.a", "__pycache__", "*/idlelib", "*/tkinter")
PLACE = "/opt/python3.13"
OTHER = {"stack_python": f"{PLACE}/bin/python3"}
RUNNING = "import platform; print(platform.python_version())"


@pytest.fixture(scope="module")
def ticker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    if not SOURCES:
        pytest.skip("there is no Python 3.13 in ~/.pyenv/versions to copy")
    servers = Servers("ticker", ("one",), tmp_path_factory.mktemp("ticker"))
    try:
        servers.start()
        servers.init({"api": ["one"], "worker": ["one"]})
        yield servers
    finally:
        servers.remove()


def copy_python(servers: Servers) -> None:
    servers.on("one", "mkdir", "-p", PLACE)
    packed = ["tar", "-C", str(SOURCES[-1]), *(f"--exclude={name}" for name in LEFT_OUT), "-cf", "-", "."]
    with subprocess.Popen(packed, stdout=subprocess.PIPE) as source:
        unpack = ["docker", "exec", "--interactive", f"{servers.name}-one", "tar", "-C", PLACE, "--no-same-owner", "-xf", "-"]
        subprocess.run(unpack, stdin=source.stdout, check=True, timeout=120)
    # Its library is where pyenv had it built for; the linker has to know the new place.
    servers.on("one", "sh", "-c", f"echo {PLACE}/lib > /etc/ld.so.conf.d/python.conf && ldconfig")


def python_of(servers: Servers, release: str) -> str:
    return servers.on("one", f"/opt/ticker/releases/{release}/venv/bin/python", "-c", RUNNING).strip()


def running_python(servers: Servers) -> str:
    """The interpreter of the live slot, whose one process runs."""
    slot = servers.on("one", "readlink", "/etc/ticker/live").strip()
    assert servers.units("one") == [f"ticker-ticker@{slot}.service"]
    return servers.on("one", "readlink", "-f", f"/opt/ticker/slots/{slot}/venv/bin/python").strip()


def test_a_python_that_is_not_there_is_said_before_anything_changes(ticker: Servers) -> None:
    run = ticker.deploy("v1", stack_python="3.99")
    assert run.code != 0 and "there is no Python 3.99 for this host: /usr/bin/python3 is 3.11" in run.words, run.output[-6000:]
    assert "apt has no package python3.99" in run.words
    run = ticker.deploy("v1", **OTHER)
    assert run.code != 0 and "which is no program on this host" in run.words, run.output[-6000:]
    assert ticker.on("one", "ls", "/opt").split() == []


def test_the_first_release_has_the_hosts_python(ticker: Servers) -> None:
    run = ticker.deploy("v1")
    assert run.code == 0, run.output[-6000:]
    assert "Python 3.11.2 from /usr/bin/python3" in run.words
    assert python_of(ticker, "v1") == "3.11.2"


def test_a_release_may_change_its_python_and_is_rolled_back_to_the_one_before(ticker: Servers) -> None:
    copy_python(ticker)
    run = ticker.deploy("v2", **OTHER)
    assert run.code == 0, run.output[-6000:]
    assert f"from {PLACE}/bin/python3" in run.words
    assert python_of(ticker, "v2").startswith("3.13.") and python_of(ticker, "v1") == "3.11.2"
    assert running_python(ticker).startswith(PLACE) and ticker.live("one") == "v2"
    again = ticker.deploy("v2", **OTHER)
    assert again.code == 0 and again.changed == {"one": 0}, again.output[-6000:]
    # A name stands for one release, and another Python is another release.
    other = ticker.deploy("v2")
    assert other.code != 0 and "made from another artifact" in other.words, other.output[-6000:]
    run = ticker.play("rollback.yml", stack_release="v1", **OTHER)
    assert run.code == 0, run.output[-6000:]
    assert ticker.live("one") == "v1" and running_python(ticker).startswith("/usr/bin/python3.11")


def test_a_python_that_the_application_does_not_take_is_said(ticker: Servers, tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "fixtures/applications/ticker"
    application = tmp_path / "ticker"
    subprocess.run(["cp", "-r", str(source), str(application)], check=True)
    file = application / "pyproject.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('requires-python = ">=3.11"', 'requires-python = ">=3.13"'), encoding="utf-8")
    run = ticker.deploy("v3", stack_application=str(application))
    assert run.code != 0 and "the application needs Python >=3.13 (requires-python), and 3.11.2 is what it gets on one" in run.words
    # The control node's own Python need not satisfy it.
    run = ticker.deploy("v3", "--tags", "applications", stack_application=str(application), **OTHER)
    assert run.code == 0 and ticker.live("one") == "v3", run.output[-6000:]
