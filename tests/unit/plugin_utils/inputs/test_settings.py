# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type is held against rules, and no answer gives a secret away."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import settings
from repositories import Repository

KEY = "kT9vQ2mZ4rX7wB1nC6yF3hJ8dL5gS0pa"
BAD_DATABASES = [
    "mysql://u:p@h/d", "postgresql:///d", "http://h", "postgres://h", "postgresql://u@h/d", "postgresql://:p@h/d", "postgresql://u:@h/d",
    "postgresql://u:50%off@h/d", "postgresql://u:p@ss@h/d", "postgresql://u:${DB_PASSWORD}@h/d", "postgresql://u:p@h/d?sslmode=nonsense",
    "postgresql://u:p@h1,h2/d", "postgresql://u:p@h:5432,i:5433/d", "postgresql://u:p@h/d\n", "postgresql://u:p@h:x/d", "postgresql://u:p@h:0/d",
    "postgresql://u:p@h:65536/d", "postgresql://u:p@h", "postgresql://u:p@h/", "postgresql://u:CHANGE-ME@h/d", "postgresql+mysql://u:p@h/d",
    "postgresql://u:p@/d?host=/var/run/postgresql", "postgresql://u:p@%2Fvar%2Frun/d", "postgresql://u:p@h/d?sslmode=require&sslmode=disable",
]  # fmt: skip
BAD_BROKERS = [
    "http://h", "redis://", "redis://h", "redis://:@h/0", "redis://u@h/0", "redis://:p@h/99", "redis://:p@h/16", "redis://:p@h/jobs",
    "redis://:p@h/0/", "redis://:p@h/-1", "redis://:p@h/0\n", "redis://:p@h/0 ", "redis://:50%off@h/0", "redis://:p@ss@h/0",
    "redis://:${PW}@h/0", "redis://:p@h,i/0", "redis://:p@h:x/0", "redis://:p@h:0/0", "redis://:p@h/0?db=3", "redis://:CHANGE-ME@h/0",
    "redis://:p@h/0;redis://:p@i/0", "rediss://:p@h/0?ssl_cert_reqs=maybe", "redis+socket:///run/redis.sock", "unix:///run/redis.sock",
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("required", ["x", 0, False, ["x"]], [None, "", "  ", [], {}]),
        (
            "release",
            ["v1.4", "v1", "1.4.2-rc1", "2026.11.27", "4f3e2a1", "main", "a_b+c", "A", "x" * 64, "1.10", "20261127", "true"],
            [None, "", "v1.4/..", "v1.4 ", "v1.4\n", "-v1", ".hidden", "..", "é", "a/b", 1.10, 20261127, True, ["v1.4"], "x" * 65],
        ),
        ("name", ["a", "docpipe", "a-1", "a" * 31], [None, "", "A", "1a", "-a", "a_b", "a\n", "a" * 32, 5]),
        ("url", ["http://h", "https://h:8443/x", "HTTP://h"], [None, "", "h", "ftp://h", "http://", "http://h:x", 5]),
        (
            "url",
            ["http://[::1]:80"],
            ["http://[::1", "http://h:99999", "http://h:0", "https://h\n", " https://h", "https://h,i", "https://h/a b"],
        ),
        ("url", ["https://h/"], ["https://u:p@h", "https://h?x=1", "https://h#x", "https://${HOST}", "https://-h", "https://10.0.0"]),
        ("database_url", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"], [None, "", 5, *BAD_DATABASES]),
        ("database_url", [], ["postgresql://u:p@h:6543/d"]),
        ("pooled_database_url", ["postgresql://u:p@h:6543/d", "postgresql://u:p@h/d"], [None, "", 5, *BAD_DATABASES]),
        (
            "broker_url",
            ["redis://:p@h", "redis://u:p@h:6379/15", "rediss://:p@h:6379/0?ssl_cert_reqs=required"],
            [None, "", 5, *BAD_BROKERS],
        ),
        ("signing_key", [KEY], [None, "", KEY[:31], " " * 40, KEY + "\n", '"-----BEGIN RSA PRIVATE KEY-----', "x" * 40]),
        ("optional", [None, "", "x"], []),
        ("port", [1, 8000, 65535], [None, "", 0, -1, 65536, "8000", True, 80.5]),
        (
            "application",
            ["https://h/x.whl", "git+https://h/x@v1", "git+https://h/x@{release}", str(Path(__file__).parent)],
            [None, "", "/none/at/all.whl", "https://h/x.whl\n", "https://h/x y.whl", "git+https://h/x", "https://h/x.zip", __file__],
        ),
        ("directory", ["/"], [None, "", "/none/at/all", __file__]),
        ("file", [__file__], [None, "", "/none/at/all", "/"]),
    ],
)
def test_rules(rule: str, good: list, bad: list) -> None:
    assert {value if isinstance(value, str) else repr(value): settings.RULES[rule](value) for value in good} == {
        value if isinstance(value, str) else repr(value): "" for value in good
    }
    assert [value for value in bad if not settings.RULES[rule](value)] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is no file"), ("a==1\n", "has no hashes, so nobody can check"), (f"a==1 --hash=sha256:{'0' * 64}\n", "")],
)
def test_lock_file(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "requirements.lock"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    wrong = settings.complaint("lock", str(path), "lock_file")
    assert words in wrong and bool(wrong) is bool(words)


@pytest.mark.parametrize(
    ("value", "rule", "more", "expected"),
    [
        ("v1.4", "release", {}, ""),
        (None, "required", {}, "x is missing or empty."),
        ("", "required", {"hint": "Set it."}, "x is missing or empty. Set it."),
        (0, "port", {}, "x has to be a port, a whole number from 1 to 65535. It is 0."),
        ("q" * 100, "port", {}, f"x has to be a port, a whole number from 1 to 65535. It is '{'q' * 79}... (cut)."),
        (0, "port", {"secret": True, "hint": "Ask."}, "x has to be a port, a whole number from 1 to 65535. Ask."),
    ],
)
def test_complaint(value: object, rule: str, more: dict, expected: str) -> None:
    assert settings.complaint("x", value, rule, **more) == expected


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        ("postgresql://owner:50%off@10.0.0.1:5432/shop", "database_url",
         "x has a % that is not followed by two hexadecimal digits. A % itself is written %25."),
        ("postgresql://app:p@ss@10.0.0.1:5432/shop", "pooled_database_url", "x cannot be read: it has more than one @."),
        ("postgresql://shop_app:CHANGE-ME@10.20.0.11:5432/shop", "pooled_database_url", "x is the example's value, which everybody knows."),
        ("redis://:pw@10.0.0.1:6379/99", "broker_url", "x names the database 99. The broker has 16, numbered from 0 to 15."),
        ("amqp://app:pw@10.0.0.1/a/b", "broker_url", "x cannot be read: after its host stands one virtual host"),
        ("amqp://10.0.0.1/shop", "broker_url", "x names no password. The broker takes none without one: amqp://user:password@host"),
        ("amqp://guest:own-1@10.0.0.1//", "broker_url", "x names the user guest, whom everybody knows."),
        ("amqp://app:CHANGE-ME@10.0.0.1/shop", "broker_url", "x is "),
        ("kafka://10.0.0.1:9092", "broker_url", "x is none of the brokers that Parity knows. It has to look like one of: redis://"),
        ("changeme", "required", "x is a placeholder, not a secret."),
        ("change-me", "optional", "x is"),
    ],
)  # fmt: skip
def test_what_comes_later_would_refuse_is_refused_in_its_words(value: str, rule: str, words: str) -> None:
    assert settings.complaint("x", value, rule, secret=True).startswith(words)


def test_the_number_of_databases_is_the_inventory_s() -> None:
    assert settings.complaint("x", "redis://:p@h/99", "broker_url", databases=100) == ""
    assert "has 100" in settings.complaint("x", "redis://:p@h/100", "broker_url", databases=100)


@pytest.mark.parametrize("value", ["https://u:hunter2@h/x.whl", "git+https://hunter2@h/x@v1", "https://h/x?key=hunter2"])
def test_an_address_is_shown_without_what_may_be_secret(value: str) -> None:
    for rule in ("application", "url", "lock_file"):
        said = settings.complaint("x", value, rule)
        assert said and "hunter2" not in said


def test_a_path_is_no_secret_itself() -> None:
    assert settings.complaint("x", "secret", "file", secret=True).startswith("x is no file")


def test_secrets_of_services_are_no_placeholders() -> None:
    given = {"api": {"A": "CHANGE-ME", "B": "fine-and-own", "C": ""}, "worker": {"A": "CHANGE-ME", "D": "<your key>"}}
    found = settings.service_complaints(given)
    assert [words.split(" is ", maxsplit=1)[0] for words in found] == ["A", "D"] and "It is given to: api, worker." in found[0]
    assert settings.service_complaints(given, ["CHANGE-ME", "<your key>"]) == []
    assert "are no mapping" in settings.service_complaints({"api": ["A"]})[0]


@pytest.mark.parametrize("rule", sorted(settings.RULES))
def test_a_secret_is_never_shown(rule: str) -> None:
    for value in ("hunter2 hunter2", "postgresql://hunter2", "redis://:hunter2@hunter2@h/0", "https://a:hunter2@h", "-----BEGIN hunter2"):
        assert "hunter2" not in settings.complaint("x", value, rule, secret=True)


@pytest.mark.parametrize(
    ("groups", "required", "expected"),
    [
        ({"api": ["a"]}, ["api"], []),
        ({}, [], []),
        ({"all": ["a"], "ungrouped": []}, ["api"], ["no host in the group 'api'. Other groups in it: none."]),
        ({"api": [], "db": ["a"]}, ["api"], ["no host in the group 'api'. Other groups in it: db."]),
        ({"workers": ["a"]}, ["worker"], ["There is a group 'workers': is it meant? Other groups in it: workers."]),
        ({}, ["api", "worker"], ["group 'api'", "group 'worker'"]),
        ({"api": ["a", "b"], "worker": ["b", "a"]}, ["api", "worker"], []),
        ({"api": ["a", "b"], "worker": ["b", "c"]}, ["api"], []),
        ({"api": ["a"]}, ["api"], []),
    ],
)
def test_group_complaints(groups: dict[str, list[str]], required: list[str], expected: list[str]) -> None:
    found = settings.group_complaints(groups, required)
    assert len(found) == len(expected)
    assert all(words in wrong for words, wrong in zip(expected, found))


def test_kind_of_a_value_that_ansible_has_marked() -> None:
    class Marked(float):
        """As Ansible marks where a value comes from."""

    assert "is a float, not text" in settings.complaint("stack_release", Marked(1.1), "release")


@pytest.mark.parametrize("value", [1.1, 20261127, True])
def test_a_release_that_is_no_text_says_how_to_quote_it(value: object) -> None:
    said = settings.complaint("stack_release", value, "release")
    assert "not text" in said and "stack_release: '1.10' in YAML, -e stack_release=1.10 in a shell" in said


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit({"shop/main.py": "1"})
    made.git("tag", "v1.0")
    return made


def test_the_name_of_a_release_may_come_from_git(shop: Repository, tmp_path: Path) -> None:
    here = settings.Beside(application=str(shop.folder))
    assert settings.complaint("stack_release", "git", "release", beside=here) == ""
    nowhere = settings.Beside(application=str(tmp_path / "none"))
    assert "is no directory in a checkout" in settings.complaint("stack_release", "git", "release", beside=nowhere)


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("v1.0", ""),
        ("v2.0", "has no tag and no branch of this name"),
        (None, ""),  # its own rule speaks of it
        (1.0, ""),
        ("git", ""),
    ],
)
def test_a_source_that_is_elsewhere_is_asked_for_the_release(shop: Repository, release: object, words: str) -> None:
    address = f"git+{shop.address}@{{release}}"
    wrong = settings.complaint("stack_application", address, "application", beside=settings.Beside(release=release))
    assert words in wrong and bool(wrong) is bool(words)


def test_a_lock_file_may_be_without_hashes_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("a==1\n", encoding="utf-8")
    said = settings.complaint("lock", str(path), "lock_file")
    assert "uv pip compile --universal --generate-hashes requirements.txt" in said and "stack_lock_without_hashes: true" in said
    assert settings.complaint("lock", str(path), "lock_file", beside=settings.Beside(hashless=True)) == ""
