# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles as a playbook packs them, and preflight's list, from real sources: a repository, a wheel, a directory, lock files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from checkout import ROOT
from repositories import Repository
from tiny_wheels import wheel


def play(folder: Path, tasks: list[dict]) -> tuple[dict, str]:
    """Run tasks on this machine; what each registered by its name, and all that was printed."""
    results = folder / "results.json"
    found = {task["register"]: "{{ %s }}" % task["register"] for task in tasks if "register" in task}  # noqa: UP031
    saved = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(results)}, "vars": {"found": found}}
    book = [{"hosts": "localhost", "gather_facts": False, "tasks": [*tasks, saved]}]
    (folder / "play.json").write_text(json.dumps(book), encoding="utf-8")
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    words = ["-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", str(folder / "play.json")]
    own = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run([ansible, *words], cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert results.exists(), done.stdout + done.stderr
    return json.loads(results.read_text(encoding="utf-8")), done.stdout + done.stderr


class Shop:
    """An application in a repository, its wheels, and its lock files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wheels = folder, folder / "wheels"
        self.wheels.mkdir()
        digest = wheel(self.wheels, "a")
        self.repository = Repository(folder / "shop")
        lock = f"a==1 --hash=sha256:{digest}\n"
        self.commit = self.repository.commit({
            "shop/main.py": "VALUE = 1\n", "tests/test_main.py": "", ".env": "KEY=hunter2", "requirements.lock": lock, "bare.txt": "a==1\n",
        })  # fmt: skip
        self.repository.git("tag", "2026.11.27")

    def place(self, lock: str) -> str:
        return lock if lock.startswith("{") else str(self.repository.folder / lock)

    def pack(self, name: str, application: str, lock: str = "requirements.lock", **more: object) -> dict:
        arguments = {
            "application": application, "release": "2026.11.27", "lock": self.place(lock), "wheelhouse": str(self.wheels),
            "python_version": "3.11.2", "cache": str(self.folder / "cache"), **more,
        }  # fmt: skip
        return {"parity.stack.release_bundle": arguments, "register": name, "ignore_errors": True}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_bundles_of_all_kinds_of_sources(shop: Shop) -> None:
    address, here = f"git+{shop.repository.address}@{{release}}", str(shop.repository.folder)
    wheel(shop.folder, "shop")
    found, said = play(shop.folder, [
        shop.pack("git", address),
        shop.pack("again", address),
        shop.pack("dry", address, cache=str(shop.folder / "other")) | {"check_mode": True},
        shop.pack("inside", address, lock="{application}/requirements.lock"),
        shop.pack("directory", here),
        shop.pack("wheel", str(shop.folder / "shop-1-py3-none-any.whl")),
        shop.pack("no_tag", address, release="v9"),
        shop.pack("bare", here, "bare.txt"),
        shop.pack("allowed", here, "bare.txt", lock_without_hashes=True),
    ])  # fmt: skip
    assert found["git"]["description"] == {"kind": "git", "commit": shop.commit, "lock_hashes": True}, said
    with tarfile.open(found["git"]["application"]) as tar:
        assert tar.getnames() == ["app/bare.txt", "app/requirements.lock", "app/shop/main.py", "requirements.lock", "source.json"]
        assert json.load(tar.extractfile("source.json"))["commit"] == shop.commit
    assert found["again"]["sha256"] == found["git"]["sha256"] and found["again"]["built"] == []
    assert Path(found["dry"]["application"]).is_file() and len(found["dry"]["built"]) == 2
    assert found["inside"]["sha256"] == found["git"]["sha256"]
    assert found["directory"]["description"]["commit"] == "" and found["directory"]["lock_hashes"] is True
    with tarfile.open(found["wheel"]["application"]) as tar:
        assert "wheel/shop-1-py3-none-any.whl" in tar.getnames()
    assert "has no tag, branch or commit v9" in found["no_tag"]["msg"]
    assert "bare.txt has no hashes" in found["bare"]["msg"] and "generate-hashes bare.txt" in found["bare"]["msg"]
    allowed = found["allowed"]
    assert allowed["lock_hashes"] is False and "not proved to be what was locked" in allowed["remarks"][0]
    assert "[WARNING]: the lock file has no hashes" in said
    assert allowed["venv_key"] != found["directory"]["venv_key"] and Path(allowed["wheels"]).is_file()
    assert "hunter2" not in said


def test_preflight_names_what_is_wrong_with_source_and_lock_in_one_list(shop: Shop) -> None:
    def checks(name: str, release: object, application: str, lock: str, **more: object) -> dict:
        values = {"release": release, "application": application, "lock_file": shop.place(lock)}
        settings = [{"name": f"stack_{rule}", "value": value, "rule": rule} for rule, value in values.items()]
        return {"parity.stack.setting_checks": {"settings": settings, **more}, "register": name}

    address = f"git+{shop.repository.address}@{{release}}"
    found, said = play(shop.folder, [
        checks("good", "2026.11.27", address, "requirements.lock"),
        checks("from_git", "git", str(shop.repository.folder), "requirements.lock"),
        checks("inside", "2026.11.27", address, "{application}/requirements.lock"),
        checks("inside_bare", "git", str(shop.repository.folder), "{application}/bare.txt"),
        checks("outside", "git", str(shop.repository.folder), "{application}/../x"),
        checks("number", 20261127, address, "bare.txt"),
        checks("no_tag", "v9", address, "bare.txt", lock_without_hashes=True),
    ])  # fmt: skip
    failures = {name: result["failures"] for name, result in found.items()}
    assert failures["good"] == failures["from_git"] == failures["inside"] == [], said
    assert "has no hashes" in failures["inside_bare"][0] and "is no path inside a directory" in failures["outside"][0]
    assert [words.split()[0] for words in failures["number"]] == ["stack_release", "stack_lock_file"]
    assert "is a int, not text" in failures["number"][0] and "has no hashes" in failures["number"][1]
    assert len(failures["no_tag"]) == 1 and "has no tag and no branch of this name" in failures["no_tag"][0]


def test_the_name_of_a_release_is_looked_up(shop: Shop) -> None:
    names = {"1.10": "1.10", "git": "2026.11.27", 1.1: 1.1}
    show = {"ansible.builtin.debug": {"msg": "{{ lookup('parity.stack.release_name', given, application=shop) }}"}}
    tasks = [
        {**show, "vars": {"given": name, "shop": str(shop.repository.folder)}, "register": f"name{number}"}
        for number, name in enumerate(names)
    ]
    found, _said = play(shop.folder, tasks)
    assert [result["msg"] for result in found.values()] == list(names.values())
