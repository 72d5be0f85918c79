# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock file is read as `pip --require-hashes` reads it; pip itself is the oracle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils import lock_lines
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def problems(text: str | bytes, folder: Path, name: str = "requirements.lock") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return " | ".join(lock_file.problems(folder / name))


GOOD = [
    f"six==1.16.0 --hash={ONE}\n",
    f"six==1.16.0 \\\n    --hash={ONE} \\\n    --hash={TWO}\n    # via -r requirements.in\n",
    f"# a comment\n\nsix==1.16.0 --hash {ONE}",
    f"Six[a,b] == 1.16.0 ; python_version >= '3.8' and sys_platform == 'linux' --hash={ONE}\n",
    f"\ufeffsix==1.16.0 --hash={ONE}\r\nidna==3.7 --hash={TWO}\r\n",
    f"six===1.16.0 --hash={ONE}",
    f"six==1.16.0 --hash=sha512:{'a' * 128}",
    f"--require-hashes\n--only-binary=:all:\n--index-url https://example.org/simple\nsix==1.16.0 --hash={ONE}",
    f"six==1.16.0+local --hash={ONE}",
]

BAD = [
    ("six==1.16.0\n", "line 1: six has no hash"),
    (f"idna==3.7 --hash={ONE}\nsix==1.16.0\n", "line 2: six has no hash"),
    (f"six==1.16.0  # --hash={ONE}\n", "line 1: six has no hash"),
    (f"six==1.16.0 \\\n# --hash={ONE}\n", "line 1: six has no hash"),
    (f"six>=1.16.0 --hash={ONE}", "six is not pinned (>=1.16.0)"),
    (f"six~=1.16.0 --hash={ONE}", "six is not pinned"),
    (f"six==1.* --hash={ONE}", "six is not pinned (==1.*)"),
    (f"six==1.16.0,<2 --hash={ONE}", "six is not pinned"),
    (f"six --hash={ONE}", "six is not pinned (no version)"),
    ("six==1.16.0 --hash=md5:" + "1" * 32, "a hash of the kind 'md5'"),
    ("six==1.16.0 --hash=sha256:abc", "not 64 hexadecimal digits long"),
    (f"six==1.16.0 --hash=sha256:{'g' * 64}", "not 64 hexadecimal digits long"),
    (f"-e .\nidna==3.7 --hash={ONE}", "line 1: the lock names the project itself; export it with --no-emit-project"),
    ("-e file:///x", "names the project itself"),
    ("--editable=.", "names the project itself"),
    (". --hash=" + ONE, "a path or an address"),
    ("./dist/a-1.whl", "a path or an address"),
    ("https://example.org/a-1.whl", "a path or an address"),
    (f"a @ https://example.org/a-1.whl --hash={ONE}", "a comes from an address"),
    (f"a @ file:///srv/a-1.whl --hash={ONE}", "a comes from an address"),
    ("a @ git+https://example.org/a", "a comes from an address"),
    ("-r other.txt", "it reads another file (-r)"),
    ("-c constraints.txt", "it reads another file (-c)"),
    ("--index-url https://user:word@example.org/simple", "a password in an address"),
    ("--use-feature=x", "--use-feature is not known here"),
    (f"six==1.16.0 --global-option=x --hash={ONE}", "has the option --global-option"),
    (f"six==${{VERSION}} --hash={ONE}", "it has a variable"),
    ("six=1.16.0", "is no requirement"),
    ("import os\n", "is no requirement"),
    ("", "it names no package"),
    ("# nothing\n", "it names no package"),
    (b"six==1.16.0 # \xff\n", "line 1: this is not UTF-8 text"),
    ('version = 1\n\n[[package]]\nname = "six"\n', "the lock file of a tool. Export it"),
]


@pytest.mark.parametrize("text", GOOD)
def test_problems_has_none_of_a_good_lock_file(tmp_path: Path, text: str) -> None:
    assert problems(text, tmp_path) == ""


@pytest.mark.parametrize(("text", "words"), BAD)
def test_problems_names_line_and_remedy(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in problems(text, tmp_path)


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "Pipfile.lock"])
def test_problems_names_the_export_of_another_format(tmp_path: Path, name: str) -> None:
    assert "Export it as requirements with hashes: " in problems("x", tmp_path, name)


def test_problems_lists_all_lines_together(tmp_path: Path) -> None:
    said = problems("six==1\nidna>=2\n-e .\n", tmp_path)
    assert all(words in said for words in ("line 1: six", "line 2: idna", "line 3: the lock names"))
    with pytest.raises(ParityError, match=r"cannot be installed from: .*line 1.*line 2.*line 3"):
        lock_file.load(tmp_path / "requirements.lock")


def test_problems_of_no_file(tmp_path: Path) -> None:
    assert "is no file" in lock_file.problems(tmp_path / "none")[0]


MARKERS = f"""
a==1 ; python_full_version >= '3.11.7' --hash={ONE}
a==2 ; python_full_version < '3.11.7' --hash={TWO}
b==1 ; sys_platform == 'win32' --hash={ONE}
c==1 ; platform_machine == 'aarch64' --hash={ONE}
d==1 ; implementation_name == 'cpython' and extra == 'x' --hash={ONE}
E.F_g==1 --hash={ONE}
"""


@pytest.mark.parametrize(
    ("python", "machine", "expected"),
    [
        ("3.11.2", "x86_64", ["a==2", "e-f-g==1"]),
        ("3.11.7", "x86_64", ["a==1", "e-f-g==1"]),
        ("3.13.1", "aarch64", ["a==1", "c==1", "e-f-g==1"]),
    ],
)
def test_needed_asks_markers_for_the_target(python: str, machine: str, expected: list[str]) -> None:
    pins = lock_file.needed(lock_file.read(MARKERS, "lock").pins, lock_file.environment(python, machine))
    assert [f"{pin.name}=={pin.version}" for pin in pins] == expected


def test_needed_refuses_two_versions_of_one_package() -> None:
    lock = lock_file.read(f"a==1 --hash={ONE}\nA==2 --hash={TWO}\n", "lock")
    with pytest.raises(ParityError, match="names a twice for this Python: 1 in line 1, 2 in line 2"):
        lock_file.needed(lock.pins, lock_file.environment("3.11.2", "x86_64"))


def test_venv_key_depends_on_lock_python_and_machine() -> None:
    different = [(b"a", "3.11.2", "x"), (b"b", "3.11.2", "x"), (b"a", "3.11.7", "x"), (b"a", "3.11.2", "y")]
    assert len({lock_lines.venv_key(*one) for one in different}) == 4


#: Asked in one process: what pip's own reader takes from each text, and whether its rule for hashes holds.
ORACLE = """
import json, sys, tempfile
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req import parse_requirements
answers, session = [], PipSession()
for text in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        try:
            found = [install_req_from_parsed_requirement(one) for one in parse_requirements(file.name, session)]
            good = all(one.has_hash_options and one.is_pinned and not one.editable and not one.link for one in found)
            answers.append(sorted([one.name.lower(), sorted(one.hash_options.get("sha256", []))] for one in found) if good else None)
        except (Exception, SystemExit):
            answers.append(None)
json.dump(answers, sys.stdout)
"""


def pip_reads(texts: list[str]) -> list[object]:
    done = subprocess.run([sys.executable, "-c", ORACLE], input=json.dumps(texts), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def ours(text: str) -> object:
    try:
        pins = lock_file.read(text, "lock").pins
    except ParityError:
        return None
    return sorted([pin.name, sorted(one.removeprefix("sha256:") for one in pin.hashes)] for pin in pins)


PIECES = some.sampled_from([
    "six==1.16.0", "idna == 3.7", "six>=1", "six", "a[b]==1", "-e .", " ", "\\\n", "\n", "\n", " # ", "#", f" --hash={ONE}",
    f" --hash {TWO}", f"--hash={ONE}", " ; python_version > '3'", "==", "--require-hashes\n", "\t", "; ", ", ",
    "six === 1.0",
])  # fmt: skip


# One process for each example: nothing is made smaller, which would take hundreds of them.
@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(some.lists(some.lists(PIECES, max_size=9).map("".join), min_size=60, max_size=60))
def test_what_is_taken_is_what_pip_takes(texts: list[str]) -> None:
    """Whatever our reader accepts, pip reads the same way and accepts with --require-hashes."""
    for text, theirs in zip(texts, pip_reads(texts)):
        mine = ours(text)
        assert mine is None or mine == theirs, (text, mine, theirs)
