# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret is in no text, whatever program wrote it there: each form is made by the real encoder."""

from __future__ import annotations

import base64
import configparser
import csv
import html
import io
import json
import shlex
import subprocess
import time
import urllib.parse
from collections.abc import Callable
from xml.sax import saxutils

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, fail_masked, forms, last_lines, mask_module, values_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

NASTY = "g%@:/'\"$\\+&<> ün !hunter"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nq1+wZ0/Tz5dF3bMn8KpLrVeXsYtGhJu2\n-----END PRIVATE KEY-----\n"
CASE_URL = "postgresql://owner:p%2520%3Ax%2F%2541@10.0.0.1:5432/shop"


def quote_for_sql(text: str) -> str:
    """As PostgreSQL's own quote_literal() does."""
    return ("E" if "\\" in text else "") + "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def environment_line(text: str) -> str:
    for character in '\\"$`':
        text = text.replace(character, "\\" + character)
    return f'A="{text}"'


def csv_cell(text: str) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([text])
    return out.getvalue()


ENCODERS: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "percent, path": urllib.parse.quote,
    "percent, form": urllib.parse.quote_plus,
    "percent, plus as it is": lambda text: urllib.parse.quote(text, safe="+/"),
    "percent, lower": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()),
    "percent, as a browser does": lambda text: urllib.parse.quote(text, safe="!*'()"),
    "configparser": lambda text: text.replace("%", "%%"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, urlsafe, bare": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64, second place": lambda text: base64.b64encode(b"u:" + text.encode() + b"x").decode(),
    "base64, third place": lambda text: base64.b64encode(b"u" + text.encode() + b"xy").decode(),
    "json": json.dumps,
    "json, utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json, slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "json, whole": lambda text: "".join(f"\\u{ord(one):04X}" for one in text),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda text: repr(text.encode()),
    "shell": shlex.quote,
    "shell, backslash": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "shell, double quotes": environment_line,
    "sql": quote_for_sql,
    "sql, plain": lambda text: "'" + text.replace("'", "''") + "'",
    "csv": csv_cell,
    "html": html.escape,
    "xml": saxutils.quoteattr,
    "xml, whole": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "hex": lambda text: text.encode().hex(),
    "hex, upper": lambda text: text.encode().hex().upper(),
}
OUTER = ["percent", "percent, form", "json", "repr", "shell", "sql", "html", "configparser"]
CHARACTERS = st.sampled_from(" %@:/'\"$\\+&<>;`!éüß" + "aZ09" * 3) | st.characters(
    min_codepoint=33, max_codepoint=0xFFFF, exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")
)
SECRETS = st.text(CHARACTERS, min_size=8, max_size=24).filter(lambda text: len(set(text.strip()) - {"*"}) > 3 and len(text.strip()) >= 8)


@settings(max_examples=150, derandomize=True, deadline=None)
@example(NASTY)
@example("''''''''''''abcd")
@example("%2541%2541/x'y")
@given(SECRETS)
def test_a_secret_in_any_encoding_is_masked(secret: str) -> None:
    mask = Mask([secret])
    for name, encode in ENCODERS.items():
        form = encode(secret).strip("\r\n")
        shown = mask.text(f"before {form} after")
        assert form not in shown and "********" in shown and shown.startswith("before ") and shown.endswith(" after"), (name, shown)


@settings(max_examples=40, derandomize=True, deadline=None)
@example(NASTY)
@given(SECRETS)
def test_a_secret_encoded_twice_is_masked(secret: str) -> None:
    mask = Mask({"KEY": secret})
    for inner in [*OUTER, "base64"]:
        for outer in OUTER:
            form = ENCODERS[outer](ENCODERS[inner](secret))
            assert "********" in mask.text(f"before {form} after"), (inner, outer, form)


@settings(max_examples=60, derandomize=True, deadline=None)
@example(NASTY)
@given(SECRETS)
def test_forms_list_what_the_usual_encoders_make(secret: str) -> None:
    found = forms(secret)
    for name in ("raw", "percent", "percent, path", "percent, form", "json", "json, utf-8", "sql, plain", "html", "hex", "configparser"):
        form = ENCODERS[name](secret)
        assert form in found or form[1:-1] in found, name


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=4), st.text(max_size=200))
def test_masking_never_raises_and_is_done_once(secrets: list[str], text: str) -> None:
    assert isinstance(Mask(secrets).text(text), str)
    assert Mask([]).text(text) == text


def test_what_is_no_unicode_is_masked_too() -> None:
    secret = b"hunter\xff22".decode("utf-8", "surrogateescape")
    assert Mask([secret]).text(f"a {secret} b") == "a ******** b" and secret in forms(secret)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(SECRETS)
def test_the_password_of_a_url_is_masked_without_its_url(password: str) -> None:
    url = f"postgresql://owner:{urllib.parse.quote(password, safe='')}@10.0.0.1:5432/shop"
    mask = Mask([url])
    for text in (url, password, f"password authentication failed: {password!r}", urllib.parse.quote(urllib.parse.quote(password, safe=""))):
        shown = mask.text(text)
        assert "********" in shown and password not in shown


@pytest.mark.parametrize(
    "message",
    [
        f"invalid interpolation syntax in {CASE_URL!r} at position 20",
        "invalid interpolation syntax in 'postgresql+psycopg2://owner:p%2520%3Ax%2F%2541@10.0.0.1...",
        CASE_URL.replace("%", "%%"),
        "password p%20:x/%41 is wrong",
        "password p :x/A is wrong",
        "p%252520%253Ax%252F%252541",
        "p%2520%3ax%2f%2541",
        urllib.parse.quote(CASE_URL),
        json.dumps({"url": CASE_URL.replace("/", "\\/")}),
    ],
)
def test_an_encoded_password_in_a_message_is_masked(message: str) -> None:
    shown = Mask([CASE_URL]).text(message)
    assert not any(form in shown for form in ("%2520", "%%2520", "%20", "x/", ":x", "%252520", "2541")), shown


def test_configparser_itself_gives_nothing_away() -> None:
    parser = configparser.ConfigParser()
    with pytest.raises(ValueError, match="invalid interpolation") as error:
        parser.read_dict({"alembic": {"url": "x"}})
        parser.set("alembic", "url", CASE_URL)
    assert Mask([CASE_URL]).text(str(error.value)) == "invalid interpolation syntax in '********' at position 20"


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("hunter", "key hunter refused", "key ******** refused"),
        ("hunter", "hunters", "********s"),
        ("4711", "pin 4711 is wrong, 47110 is a port", "pin ******** is wrong, 47110 is a port"),
        ("abc", "abc of abc", "abc of abc"),
        ("redis://:abc@h/0", "redis://:abc@h/0 and abc; rediss://x:abc@h", "******** and abc; rediss://x:********@h"),
        ("true", "it is true", "it is true"),
        ("        ", "a        b", "a        b"),
        ("", "a", "a"),
        ("redis://127.0.0.1:6379/0", "to redis://127.0.0.1:6379/0", "to ********"),
        ("postgresql://owner:swordfish@h/d", "FATAL: owner is unknown, h is up", "FATAL: owner is unknown, h is up"),
        ("postgresql://h/d?user=o&password=swordfish", "with swordfish", "with ********"),
        ("postgresql://o:sword/fish@h/d", "with sword/fish", "with ********"),
        ("postgresql://o:sword@fish@h/d", "with sword@fish", "with ********"),
        ("https://[bad", "to https://[bad", "to ********"),
        (PEM, "line q1+wZ0/Tz5dF3bMn8KpLrVeXsYtGhJu2 of -----BEGIN PRIVATE KEY-----", "line ******** of -----BEGIN PRIVATE KEY-----"),
        ("first-half-second-half", "first-half-\n    second-half.", "********."),
        ("first-half-second-half", "first-half-\\nsecond-half.", "********."),
        ("swordfish", "Basic " + base64.b64encode(b"anna:swordfish").decode(), "Basic ********"),
        ("++/a+/++", "key ++%2Fa+%2F++ is", "key ******** is"),
        ("it's-a-word", "sh -c 'it'\\''s-a-word' x", "sh -c '********' x"),
        ("it's-a-word", "sh -c 'it'\"'\"'s-a-word' x", "sh -c '********' x"),
        ("a1b2c3d4", "xa1b2c3d4a1b2c3d4x", "x********x"),
    ],
)
def test_mask_hides_the_secret_and_no_more(secret: str, text: str, expected: str) -> None:
    assert Mask([secret]).text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        PEM.replace("\n", "\r\n"),
        json.dumps(PEM),
        PEM.replace("\n", ""),
        base64.encodebytes(PEM.encode()).decode(),
        repr(PEM),
        PEM.replace("\n", "\n    "),
    ],
)
def test_a_key_over_several_lines_is_masked(text: str) -> None:
    shown = Mask({"KEY": PEM}).text(text)
    assert "MIIEvQ" not in shown and "q1+wZ0" not in shown and base64.b64encode(PEM.encode()).decode()[:30] not in shown


def test_what_bash_prints_is_masked() -> None:
    """`printf %q` and `declare -p` are how a shell shows a variable."""
    secret = 'it\'s $5 \\ "ü"\tand more'
    for words in ('printf %q "$A"', "declare -p A", 'printf %s "${A@Q}"', 'set -x; : "$A" 2>&1'):
        done = subprocess.run(["bash", "-c", words], env={"A": secret, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=True)
        shown = Mask([secret]).text(done.stdout + done.stderr)
        assert "********" in shown and "and more" not in shown and "and\\ more" not in shown, (words, shown)


def test_data_is_masked_keys_and_values() -> None:
    mask = Mask({"A": {"B": ["hunter22"]}, "N": 12345678, "none": None})
    assert mask.data({"k hunter22": ["x hunter22", 5, None, ("12345678",)]}) == {"k ********": ["x ********", 5, None, ["********"]]}


def test_values_of_takes_strings_and_numbers() -> None:
    assert values_of({"a": ["x", {"b": 5}], "c": None, "d": True, "e": b"y", "f": " "}) == ["x", "5", "y"]


class Module:
    """What Ansible's own class does with secrets: every one it knows is replaced in what it returns."""

    def __init__(self, *secrets: str) -> None:
        self.no_log_values = set(secrets)
        self.said: dict = {}

    def fail_json(self, **said: object) -> None:
        self.said = remove_values(said, self.no_log_values)


def test_mask_module_tells_ansible_the_usual_forms() -> None:
    module = Module(CASE_URL)
    mask_module(module, {"PIN": "4711"})
    assert {CASE_URL, "p%2520%3Ax%2F%2541", "p%252520%253Ax%252F%252541", "p%20:x/%41"} <= module.no_log_values
    assert "4711" not in module.no_log_values


def test_a_failing_module_masks_what_a_program_said_and_its_details() -> None:
    module = Module(NASTY)
    mask_module(module)
    fail_masked(module, f"psql: {json.dumps(shlex.quote(NASTY))}", server={"detail": urllib.parse.quote(repr(NASTY))})
    assert "hunter" not in json.dumps(module.said) and module.said["msg"].startswith("psql: ")


def test_last_lines_are_the_last_ones_masked() -> None:
    said = "\n".join(f"line {number}" for number in range(30)) + "\nkey hunter22\n"
    assert last_lines(said, Mask(["hunter22"]), lines=2) == "line 29\nkey ********"
    assert last_lines("x" * 50, most=10) == "..." + "x" * 10


def test_a_secret_cut_by_the_limit_of_last_lines_is_masked_before() -> None:
    assert "ter22" not in last_lines("a hunter22 end", Mask(["hunter22"]), most=9)


def test_a_long_log_takes_a_time_that_grows_with_its_length() -> None:
    secrets = [base64.b64encode(bytes([number] * 24)).decode() for number in range(10)] + [CASE_URL, NASTY, PEM]
    line = json.dumps({"msg": 'GET /documents/1?x=a%20b it\'s "fine" \\ 0123456789abcdef'}) + "\n"
    log = line * ((1 << 20) // len(line)) + f"password {NASTY}"
    began = time.monotonic()
    assert Mask(secrets).text(log).endswith("password ********")
    assert time.monotonic() - began < 10
