# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make try` answers of an inventory, what it leaves to a person, and where it refuses to go."""

from __future__ import annotations

import importlib.util
import re
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from ansible_collections.parity.stack.plugins.plugin_utils.discovery import discover, render
from checkout import ROOT

STACK = """---
stack_name: shop-api  # from pyproject.toml
stack_application: /srv/shop
stack_application_lock: "{{ inventory_dir }}/uv.lock"
# The application needs Python >=3.12 (pyproject.toml).
# Question: where do users find it?
# stack_public_url: https://api.example.org
# Question: migrations may also be in other/migrations; one directory is
#   deployed
"""
APPLICATION = """---
# Question: is one of these a process of its own, beside shop:app? shop:other
stack_processes:
  # Question of api: health: which path answers 200 once it can work? None was found; write health: /PATH
  api: {run: uvicorn, application: 'shop:app'}
stack_environment_variables:
  # Question: REGION: which value?  # from shop.py, line 1
  # Question: COLOUR: which value?  # from shop.py, line 2; the sources have a default
  NAME: !unsafe '{{ not a template }}'
"""
EXAMPLE = """# Names of the secrets.
# as the application connects: postgresql+asyncpg://USER:PASSWORD@HOST:5432/NAME
DATABASE_URL=
# the same database as the role that owns the schema: postgresql://OWNER:PASSWORD@HOST:5432/NAME
DATABASE_OWNER_URL=
# redis://:PASSWORD@HOST:6379/0 or amqp://USER:PASSWORD@HOST:5672/VHOST
BROKER_URL=
# from shop.py, line 3
SECRET_KEY=
# from shop.py, line 4
OPENAI_API_KEY=
"""
HOSTS = "[api]\n# app1 ansible_host=app1.example.org\n\n[database]\n# data1\n\n[storage]\n# data1\n"


@pytest.fixture(scope="module")
def trial() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_trial", ROOT / "tools" / "trial.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tools_trial"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "group_vars/all").mkdir(parents=True)
    texts = {"group_vars/all/stack.yml": STACK, "group_vars/all/application.yml": APPLICATION, ".env.shop.example": EXAMPLE, "hosts": HOSTS}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "uv.lock").write_text('[[package]]\nname = "celery"\n', encoding="utf-8")
    return folder


def secrets(inventory: Path) -> dict[str, str]:
    lines = (inventory / ".env.shop").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def answer(trial: ModuleType, inventory: Path) -> None:
    trial.answer(inventory, inventory.parent / "state", "parity-try-shop", 8444, 8445)


def test_hosts_addresses_and_certificate_are_answered(trial: ModuleType, inventory: Path) -> None:
    answer(trial, inventory)
    hosts = (inventory / "hosts").read_text(encoding="utf-8")
    lines = [line for line in hosts.splitlines() if line and not line.startswith("#")]
    assert lines == ["[api]", "server", "[database]", "server", "[storage]", "server"]
    given = yaml.safe_load((inventory / "group_vars/all/try.yml").read_text(encoding="utf-8"))
    assert given["stack_public_url"] == "https://127.0.0.1:8444" and given["ansible_host"] == "parity-try-shop"
    assert given["stack_storage_path"] == "/srv/objects/shop-api" and given["monitoring_port"] == 8445
    assert "BEGIN CERTIFICATE" in Path(given["stack_gateway_certificate"]).read_text(encoding="utf-8")
    assert "PRIVATE KEY" in Path(given["stack_gateway_certificate_key"]).read_text(encoding="utf-8")


def test_secrets_are_made_but_those_that_others_give_out(trial: ModuleType, inventory: Path) -> None:
    answer(trial, inventory)
    made = secrets(inventory)
    assert re.fullmatch(r"postgresql\+asyncpg://shop_api_app:\w{32}@127\.0\.0\.1:5432/shop_api", made["DATABASE_URL"])
    assert re.fullmatch(r"postgresql://shop_api_owner:\w{32}@127\.0\.0\.1:5432/shop_api", made["DATABASE_OWNER_URL"])
    # No client of Redis is in the lock file.
    assert made["BROKER_URL"].startswith("amqp://shop_api:")
    assert len(made["SECRET_KEY"]) == 44 and made["OPENAI_API_KEY"] == ""
    assert stat.S_IMODE((inventory / ".env.shop").stat().st_mode) == 0o600


def test_a_second_run_keeps_what_is_there(trial: ModuleType, inventory: Path) -> None:
    answer(trial, inventory)
    before = secrets(inventory)
    file = inventory / ".env.shop"
    file.write_text(file.read_text(encoding="utf-8").replace("OPENAI_API_KEY=", "OPENAI_API_KEY=mine"), encoding="utf-8")
    answer(trial, inventory)
    assert secrets(inventory) == {**before, "OPENAI_API_KEY": "mine"}


def test_the_broker_is_redis_where_its_client_is_locked(trial: ModuleType, inventory: Path) -> None:
    (inventory / "uv.lock").write_text('[[package]]\nname = "redis"\n', encoding="utf-8")
    answer(trial, inventory)
    assert secrets(inventory)["BROKER_URL"].startswith("redis://:")


def test_hosts_of_somebody_are_never_touched(trial: ModuleType, inventory: Path) -> None:
    (inventory / "hosts").write_text("[api]\napp1 ansible_host=app1.example.org\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="names hosts of its own"):
        answer(trial, inventory)
    assert not (inventory / "group_vars/all/try.yml").exists()


def test_each_question_has_its_place_and_says_whether_it_is_needed(trial: ModuleType, inventory: Path) -> None:
    answer(trial, inventory)
    found = {(one.file.name, one.line): (one.needed, one.text) for one in trial.questions(inventory)}
    assert {place: needed for place, (needed, _text) in found.items()} == {
        ("stack.yml", 8): False,
        ("application.yml", 2): False,
        ("application.yml", 4): True,
        ("application.yml", 7): True,
        ("application.yml", 8): False,
        (".env.shop", 6): True,
    }
    assert found["stack.yml", 8][1].endswith("one directory is deployed")
    assert found[".env.shop", 6][1].startswith("OPENAI_API_KEY: which value?")


@pytest.mark.parametrize(
    ("said", "wanted"), [(">=3.11", "bookworm"), (">=3.12", "trixie"), (">=3.14", "bookworm"), ("three", "bookworm"), ("", "bookworm")]
)
def test_the_debian_has_the_python_of_the_application(trial: ModuleType, inventory: Path, said: str, wanted: str) -> None:
    line = f"# The application needs Python {said} (pyproject.toml).\n" if said else ""
    (inventory / "group_vars/all/stack.yml").write_text(f"---\nstack_name: shop\n{line}", encoding="utf-8")
    assert trial.suite(inventory) == wanted


def test_the_release_has_a_name_that_changes_with_the_sources(trial: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1", encoding="utf-8")
    first = trial.release(tmp_path)
    assert trial.release(tmp_path) == first and re.fullmatch(r"try-[0-9a-f]{12}", first)
    (tmp_path / "app.py").write_text("x = 2", encoding="utf-8")
    assert trial.release(tmp_path) != first


def test_what_is_not_checked_comes_from_the_log(trial: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "deployment.log"
    log.write_text(
        "TASK [parity.stack.preflight : Show what the application offers] ***\nok: [server] => \n    msg:\n"
        "    - 'version: each host has to answer. But not checked: whether admin itself\n        tells the release; add it.'\n"
        "    - 'database: round trips are checked.'\n    - 'not checked: the broker; add it.'\n\nPLAY [Plan] ***\n",
        encoding="utf-8",
    )
    assert trial.not_checked(log) == ["whether admin itself tells the release; add it.", "the broker; add it."]
    assert trial.not_checked(tmp_path / "absent") == []


# Wherever its comment is folded.
@pytest.mark.parametrize("name", ["shop", *("s" * length for length in range(10, 130, 5))])
@pytest.mark.parametrize(("file", "hashed"), [("requirements.txt", False), ("pyproject.toml", False), ("requirements.txt", True)])
def test_a_lock_is_made_of_what_init_names(trial: ModuleType, tmp_path: Path, name: str, file: str, hashed: bool) -> None:
    application, inventory = tmp_path / name, tmp_path / "inventory"
    application.mkdir(parents=True)
    line = f"flask==3.0.0 --hash=sha256:{'0' * 64}\n" if hashed else "flask>=3.0\n"
    text = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n' if file.endswith("toml") else line
    (application / file).write_text(text, encoding="utf-8")
    for path, written in render.files(discover.application(application), inventory).items():
        (inventory / path).parent.mkdir(parents=True, exist_ok=True)
        (inventory / path).write_text(written, encoding="utf-8")
    found = trial.lock_source(inventory)
    assert (found and found.resolve()) == (None if hashed else application / file)
