# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock file is read as `pip --require-hashes` reads it; pip itself is the oracle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import lock_lines
from ansible_collections.parity.stack.plugins.plugin_utils.bundle import lock_file
from hypothesis import given, settings
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
    f"six==1.16.0 --hash={ONE.upper().replace('SHA', 'sha')}",
    f"--pre --prefer-binary -i https://example.org/a --extra-index-url=https://example.org/b\nsix==1.16.0 --hash={ONE}",
    f"-f https://example.org/wheels\nsix==1.16.0 --hash={ONE}",
    f"--no-index\nsix==1.16.0 --hash={ONE}",
    f"six==1.16.0 --hash={ONE}\nsix==1.16.0 --hash={ONE}",
    f"six==1 ; python_version < '3' --hash={ONE}\nsix==2 ; python_version >= '3' --hash={TWO}",
    f"six==1.16.0 --hash={ONE} # \u00e9crit \u00e0 la main",
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
    (f". --hash={ONE}", "the lock names the project itself; export it with --no-emit-project"),
    (".[web]", "names the project itself"),
    ("-e.", "names the project itself"),
    ("--pre -e .", "names the project itself"),
    ("-e ./packages/other", "another directory of a workspace with --no-emit-workspace"),
    ("file:///srv/app", "names the project itself"),
    ("-e git+https://example.org/a", "a path or an address"),
    ("dist/a-1.whl", "a path or an address"),
    ("./dist/a-1.whl", "a path or an address"),
    ("https://example.org/a-1.whl", "a path or an address"),
    (f"a @ https://example.org/a-1.whl --hash={ONE}", "a comes from an address"),
    (f"a @ file:///srv/a-1.whl --hash={ONE}", "a comes from an address"),
    ("a @ git+https://example.org/a", "a comes from an address"),
    ("-r other.txt", "it reads another file (-r)"),
    ("-c constraints.txt", "it reads another file (-c)"),
    ("-rother.txt", "it reads another file (-r)"),
    ("--pre -r other.txt", "it reads another file (-r)"),
    ("--requirement=other.txt", "it reads another file (--requirement)"),
    ("--index-url https://user:word@example.org/simple", "a password in an address"),
    ("--pre -ihttps://user:word@example.org/simple", "a password in an address"),
    ("--no-binary=:all:", "hosts install wheels alone"),
    ("-f ./wheels", "name the directory of wheels as release_wheelhouse"),
    ("--find-links=/srv/wheels", "name the directory of wheels as release_wheelhouse"),
    ("--pypi-url https://example.org/simple", "--pypi-url is not supported"),
    ("--index-url", "--index-url has no value"),
    ("--index-url --pre", "--index-url has no value"),
    ("--pre=x", "--pre takes no value"),
    ('--index-url "https://example.org', "cannot be read (No closing quotation)"),
    (f"six==1.16.0 --hash= {ONE}", "it has"),
    (f"six==1.16.0 --hash={ONE} --hash= {TWO}", "beside its hashes"),
    (f"six==1.16.0 --hash={ONE} six", "it has six beside its hashes"),
    (f"six==1.16.0\t--hash={ONE}", "it has a tab before an option"),
    (f"# made by hand\u2028six==1.16.0 --hash={ONE}", "line 1: it has the character U+2028"),
    (f"six==1.16.0 --hash={ONE}\x0c# more", "line 1: it has the character U+000C"),
    (f"idna==3.7 --hash={TWO}\r\n# old\rsix==1.16.0 --hash={ONE}", "line 2: it has the character U+000D"),
    (f"six==1.16.0\u00a0--hash={ONE}", "line 1: it has the character U+00A0"),
    (f"six==1.16.0 ; platform_release >= '5' --hash={ONE}", "the marker of six asks for the target's kernel, and cannot be judged"),
    (f"six==1.16.0 ; os_name ~= 'posix' --hash={ONE}", "the marker of six cannot be judged"),
    (f"six==1 --hash={ONE}\nidna==3 --hash={ONE}\nSix==2 --hash={ONE}", "line 3: it names six twice: 1 in line 1, 2 in line 3"),
    (f"six==1 --hash={ONE}\nsix==1 --hash={TWO}", "line 2: it names six with other hashes in line 1 than in line 2"),
    ("--use-feature=x", "--use-feature is not supported"),
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
    lock = lock_file.read(f"a==1 ; python_version > '3' --hash={ONE}\nA==2 --hash={TWO}\n", "lock")
    with pytest.raises(ParityError, match=r"for Python 3\.11\.2: it names a twice: 1 in line 1, 2 in line 2"):
        lock_file.needed(lock.pins, lock_file.environment("3.11.2", "x86_64"))


def test_venv_key_depends_on_lock_python_and_machine() -> None:
    different = [(b"a", "3.11.2", "x"), (b"b", "3.11.2", "x"), (b"a", "3.11.7", "x"), (b"a", "3.11.2", "y")]
    assert len({lock_lines.venv_key(*one) for one in different}) == 4


#: What pip's own reader takes from each text, and whether its rule for hashes holds: a question and an answer a line.
ORACLE = """
import json, sys, tempfile
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req import parse_requirements
session = PipSession()
for line in sys.stdin:
    answer = None
    with tempfile.NamedTemporaryFile("w", suffix=".txt", newline="") as file:
        file.write(json.loads(line))
        file.flush()
        try:
            found = [install_req_from_parsed_requirement(one) for one in parse_requirements(file.name, session)]
            if all(one.has_hash_options and one.is_pinned and not one.editable and not one.link for one in found):
                answer = sorted([one.name.lower(), sorted(set(one.hash_options.get("sha256", [])))] for one in found)
        except (Exception, SystemExit):
            pass
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def pip_reads() -> Iterator[Callable[[str], object]]:
    """pip in a process of its own, asked for one text after the other."""
    with subprocess.Popen(
        [sys.executable, "-c", ORACLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as pip:

        def ask(text: str) -> object:
            pip.stdin.write(json.dumps(text) + "\n")
            pip.stdin.flush()
            return json.loads(pip.stdout.readline())

        yield ask
        pip.stdin.close()


def ours(text: str) -> object:
    try:
        pins = lock_file.read(text, "lock").pins
    except ParityError:
        return None
    return sorted([pin.name, sorted(one.removeprefix("sha256:") for one in pin.hashes)] for pin in pins)


PIECES = some.sampled_from([
    "six==1.16.0", "idna == 3.7", "six>=1", "six", "a[b]==1", "-e .", " ", "\\\n", "\n", "\n", " # ", "#", f" --hash={ONE}",
    f" --hash={ONE}", f" --hash {TWO}", f"--hash={ONE}", " ; python_version > '3'", "==", "--require-hashes\n", "\t", "; ", ", ",
    "six === 1.0", "--pre", " -r other.txt", " --hash= ", "\x0c", "\u2028", "\r", "\r\n", "\u00a0", '"', " -i ", "https://example.org/a",
])  # fmt: skip


@settings(max_examples=700, deadline=None, derandomize=True)
@given(text=some.lists(PIECES, max_size=9).map("".join))
def test_what_is_taken_is_what_pip_takes(pip_reads: Callable[[str], object], text: str) -> None:
    """Whatever our reader accepts, pip reads the same way and accepts with --require-hashes."""
    mine = ours(text)
    assert mine is None or mine == pip_reads(text)


LINES = some.tuples(
    some.sampled_from(["six", "idna", "a.b_c", "x[y,z]"]), some.sampled_from(["1", "1.16.0", "2!3.0rc1", "1.0+local.1"]),
    some.sampled_from(["", " ; python_version >= '3.8'", " ; sys_platform == 'win32' and implementation_name == 'cpython'"]),
    some.lists(some.sampled_from([ONE, TWO]), min_size=1, max_size=2, unique=True),
    some.sampled_from([" ", " \\\n    "]), some.sampled_from(["", "  # via x", "\n    # via\n    #   x"]),
)  # fmt: skip
MUTATIONS = [
    ("==", ">="), ("==", "~="), ("==", " @ https://example.org/"), ("--hash", "# --hash"), ("--hash=", "--hash= "), ("sha256:", ""),
    ("--hash", "--global-option"), ("sha256", "md5"), (" --hash", "\t--hash"), ("--hash", "-r"), (" --hash", "--hash"),
    (" --hash", " \\\n# c\n --hash"),
]  # fmt: skip


def written(line: tuple) -> str:
    name, version, marker, found, gap, end = line
    return f"{name}=={version}{marker}{''.join(f'{gap}--hash={one}' for one in found)}{end}\n"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lines=some.lists(LINES, min_size=1, max_size=4, unique_by=lambda line: line[0]), mutation=some.sampled_from(MUTATIONS))
def test_valid_lock_files_are_taken_and_mutated_ones_refused(pip_reads: Callable[[str], object], lines: list, mutation: tuple) -> None:
    """Both readers take what a tool exports, and the line that a mutation spoils is named."""
    first, others = written((*lines[0][:4], " ", lines[0][5])), "".join(map(written, lines[1:]))
    theirs = pip_reads(others + first)
    assert theirs and [found for _name, found in ours(others + first)] == [found for _name, found in theirs]
    with pytest.raises(ParityError) as error:
        lock_file.read(others + first.replace(*mutation), "lock")
    assert f"line {others.count(chr(10)) + 1}: " in str(error.value)
