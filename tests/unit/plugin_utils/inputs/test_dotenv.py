# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A .env file is read as python-dotenv, docker compose and a shell read it, or refused with its line and without its values."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import dotenv as oracle
import pytest
from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import dotenv
from hypothesis import given, settings
from hypothesis import strategies as st

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"


def parse(text: str, **environment: str) -> dict[str, str]:
    return dotenv.parse(text, ".env", environment)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=x", "x"),
        ("  export A = x  ", "x"),
        ("\ufeffA=x", "x"),
        ("\ufeff\ufeffA=x", "x"),
        ("A=x\r\n", "x"),
        ("A=", ""),
        ("A= # a comment", ""),
        ("A=x # a comment", "x"),
        ("A=x#y", "x#y"),
        ("A=x=y", "x=y"),
        ("A='x # y'", "x # y"),
        ('A="x" # a comment', "x"),
        ('A="x"#c', "x"),
        ("A='x'\t# it's a comment", "x"),
        (r'A="a\"b\\c\$d"', r'a"b\c$d'),
        (r"A='a\$b'", r"a\$b"),
        ("A='$B ${C'", "$B ${C"),
        (r"A=a\b", r"a\b"),
        ('A="a\\nb"', "a\nb"),
        (f'A="{PEM}"', PEM),
        (f'A="{PEM}"'.replace("\n", "\r\n"), PEM),
        (f"A='{PEM}'", PEM),
        ('A="1\nB=2"', "1\nB=2"),
        ("A=1\n# A=4\n\nA=3\n", "3"),
    ],
)
def test_a_value(line: str, expected: str) -> None:
    assert parse(line) == {"A": expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$B", "b"),
        ("${B}", "b"),
        ('"<${B}>"', "<b>"),
        ("$B$B", "bb"),
        ("$EARLIER", "from the file"),
        ("$BOTH", "from the environment"),
        ("${FILLED}", "from the file"),
        ("$$B", "$B"),
        ("pa$$", "pa$"),
        (r'"\\$B"', r"\b"),
        (r'"\${B}"', "${B}"),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${B:-d}", "b"),
        ("${NO:-}", ""),
        ("${NO:-${B}}", "b"),
        ("${NO:-${ALSO_NO-<$B>}}", "<b>"),
        ("${B:-${NEVER_ASKED_FOR}}", "b"),
        ('${NO:-{"a": {}}}', '{"a": {}}'),
        ("${B:+x}", "x"),
        ("${NO:+x}", ""),
        ("${EMPTY:+x}", ""),
        ("${EMPTY+x}", "x"),
        ("${B:?must be set}", "b"),
        ("${EMPTY?must be set}", ""),
    ],
)
def test_a_reference_is_expanded_as_compose_does_it(value: str, expected: str) -> None:
    text = f"EARLIER='from the file'\nBOTH=file\nFILLED='from the file'\nA={value}\nB=too late\n"
    assert parse(text, B="b", EMPTY="", FILLED="", BOTH="from the environment")["A"] == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('TOKEN="geheim\nNEXT=2\n', 1, "a quote is not closed"),
        ("\n\n# c\nTOKEN='geheim\n", 4, "a quote is not closed"),
        ("A='geheim'\\''s'\n", 1, "one pair of quotes"),
        ('A="x"geheim\n', 1, "one pair of quotes"),
        ("A=1\nKEY=-----BEGIN PRIVATE KEY-----\ngeheim\n-----END PRIVATE KEY-----\n", 3, "no = after the name"),
        ("A=1\ngeheim+geheim==\n", 2, "no name"),
        ("1A=geheim", 1, "no name"),
        ("A-B=geheim", 1, "no name"),
        ("A\n", 1, "no = after the name"),
        ("export A\n", 1, "no = after the name"),
        ("=geheim\n", 1, "cannot be read"),
        ("A=pa$geheim\n", 1, "A refers to a variable with $ and no braces, which is not set"),
        ("B=1\nA=geheim${DB_PASSWORD}\n", 2, "A refers to ${DB_PASSWORD}, which is not set"),
        ('\nA="\ngeheim$NO\n"\n', 2, "not set"),
        ("A=geheim$\n", 1, "begins no reference"),
        ("A=geheim$1\n", 1, "begins no reference"),
        ("A=$(geheim)\n", 1, "begins no reference"),
        ("A=${}geheim\n", 1, "begins no reference"),
        ("A=${NO geheim}\n", 1, "begins no reference"),
        ("A=${NO:geheim}\n", 1, "begins no reference"),
        ("A=${NO:-geheim\n", 1, "never closed"),
        ("A=${NO:?geheim}\n", 1, "needs ${NO}, which is not set"),
        ("A=${EMPTY:?geheim}\n", 1, "needs ${EMPTY}, which is empty"),
        ("A=geheim\\$B\n", 1, "outside of quotes"),
        ("A=x\0geheim\n", 1, "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ParityError) as error:
        parse(text, EMPTY="")
    told = str(error.value)
    assert told.startswith(f".env, line {line}: ") and words.lower() in told.lower()
    assert "geheim" not in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"A=1\nB=\xff\n", "line 2: this is not UTF-8"),
        ("A=geheim\n".encode("utf-16"), "not UTF-8"),
        ("A=geheim\n".encode("utf-16-le"), "line 1: there is a NUL"),
    ],
)
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content)
    with pytest.raises(ParityError, match=words):
        dotenv.read(path)


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n", encoding="utf-8")
    assert dotenv.read(path) == {"A": "1"}
    dotenv.read(path).clear()
    assert dotenv.read(path) == {"A": "1"}
    path.write_text("A=12\n", encoding="utf-8")
    assert dotenv.read(path) == {"A": "12"}
    with pytest.raises(ParityError, match="cannot be read"):
        dotenv.read(tmp_path)


def test_python_dotenv_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dotenv, "parse_stream", None)
    with pytest.raises(ParityError, match="pip install python-dotenv"):
        parse("A=1")


# --- The lookup -------------------------------------------------------------------------------------------------------


def look_up(name: str, path: Path | None) -> str:
    return lookup_loader.get("parity.stack.secret").run([name], file=path and str(path))[0]


def test_the_lookup_prefers_the_environment_and_names_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfFIRST=1\r\nSECOND=two\n")
    monkeypatch.setenv("SECOND", "of the environment")
    assert [look_up(name, path) for name in ("FIRST", "SECOND", "THIRD")] == ["1", "of the environment", ""]
    assert look_up("FIRST", tmp_path / "none") == "" and look_up("SECOND", None) == "of the environment"
    path.write_text("A=1\nB='geheim\n", encoding="utf-8")
    with pytest.raises(AnsibleError, match="line 2: this line cannot be read") as error:
        look_up("A", path)
    assert "geheim" not in str(error.value)


# --- Oracles ----------------------------------------------------------------------------------------------------------


SIGNS = st.sampled_from(list("ab1 #='\"\\$`{}:-@/%é\n\t"))
FILES = st.lists(st.sampled_from([*"AB=ab #'\"\\$\n\r{}\ufeff", "\nA=", "\nB=", "${A}", "export "]), max_size=14).map("".join)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(FILES)
def test_what_is_read_is_what_python_dotenv_reads(text: str) -> None:
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")  # as python-dotenv itself opens a file
    try:
        found = parse(text)
    except ParityError:
        return
    if "$" not in text:
        assert found == oracle.dotenv_values(stream=io.StringIO(text), interpolate=False)
    assert found.keys() == oracle.dotenv_values(stream=io.StringIO(text), interpolate=False).keys()


def in_double_quotes(value: str) -> str:
    """As a person writes it who knows shells: four characters are special."""
    return '"' + "".join("\\" + sign if sign in '\\"$' else sign for sign in value) + '"'


def in_single_quotes(value: str) -> str:
    return f"'{value}'"


VALUES = st.text(SIGNS.filter(lambda sign: sign != "`"), max_size=12)
PLAIN = st.text(st.sampled_from("abz019_./:@%+,-"), min_size=1, max_size=12)
WRITTEN = st.one_of(
    VALUES.map(in_double_quotes),
    st.text(SIGNS.filter(lambda sign: sign not in "'\\"), max_size=12).map(in_single_quotes),
    PLAIN,
    st.sampled_from(["$ONE", "${ONE}", '"<$ONE>"', "${NONE:-x}", "${NONE-x}", "${VOID:-x}", "${VOID-x}", "${ONE:+y}", "${NONE:+y}"]),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(WRITTEN, min_size=1, max_size=6))
def test_what_a_shell_reads_is_read_alike(written: list[str]) -> None:
    text = "".join(f"export V{number}={value}\n" for number, value in enumerate(written))
    environment = {"ONE": "1", "VOID": "", "PATH": "/usr/bin:/bin"}
    command = ["bash", "-c", "set -a; . /dev/stdin; env -0"]
    shell = subprocess.run(command, input=text.encode(), env=environment, capture_output=True, check=True)
    seen = dict(pair.split("=", 1) for pair in shell.stdout.decode().split("\0") if pair)
    found = parse(text, **environment)
    assert found == {name: seen[name] for name in found} and len(found) == len(written)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(VALUES)
def test_a_value_in_quotes_comes_back(value: str) -> None:
    assert parse(f"A={in_double_quotes(value)}") == {"A": value}


@settings(derandomize=True, deadline=None, max_examples=300)
@given(FILES)
def test_a_dollar_is_never_left_by_chance(text: str) -> None:
    try:
        found = parse(text)
    except ParityError:
        return
    if "$$" not in text and "'" not in text and "\\$" not in text:
        assert not any("$" in value for value in found.values())


def test_the_environment_of_the_process_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PARITY_TEST_NAME", "x")
    assert dotenv.parse("A=${PARITY_TEST_NAME}", ".env") == {"A": "x"}
