# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.filter.database_problems import database_problems
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings

GIB = 1024**3


@pytest.mark.parametrize(
    ("memory", "overrides", "expected"),
    [
        (GIB, {}, {"shared_buffers": "256MB", "effective_cache_size": "640MB", "work_mem": "4MB"}),
        (GIB // 4, {}, {"shared_buffers": "128MB", "maintenance_work_mem": "64MB"}),
        (16 * GIB, {}, {"shared_buffers": "4096MB", "maintenance_work_mem": "1024MB", "work_mem": "28MB"}),
        (16 * GIB, {"max_connections": 20}, {"work_mem": "64MB", "max_connections": 20}),
        (256 * GIB, {}, {"shared_buffers": "8192MB"}),
        (GIB, {"max_connections": "plenty"}, {"max_connections": 100}),
    ],
)
def test_derived(memory, overrides, expected):
    assert expected.items() <= settings.derived(memory, overrides).items()


def test_a_little_less_memory_changes_nothing():
    assert settings.derived(24_682_512 * 1024, {}) == settings.derived(24_601_000 * 1024, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "on"), (False, "off"), (5, "5"), (1.1, "1.1"), (["a", "b"], "a, b"), ([], ""), ("it's", "it's")],
)
def test_what_is_written_can_be_read(value, expected):
    assert settings.parse(settings.render({"name": value})) == {"name": expected}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"work_mem": "8MB", "pgaudit.log": "ddl"}, None),
        ({"port": 1}, "set database_port"),
        ({"hba_file": "/x"}, "set database_allowed_networks"),
        ({"work mem": 1}, "cannot be a setting"),
        ({"work_mem = '1'\nport": 1}, "cannot be a setting"),
        ({"work_mem": "1\nport = 2"}, "one line"),
        ({"work_mem": None}, "one line"),
        (["work_mem"], "dictionary"),
    ],
)
def test_overrides(given, words):
    problems = settings.setting_problems(given)
    assert problems == [] if words is None else words in problems[0]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("10.0.0.0/24", None),
        ("2001:db8::/64", None),
        ("10.0.0.5/24", "Write 10.0.0.0/24"),
        ("10.0.0.5", "with its length"),
        ("10.0.0.0/33", "not a network"),
        ("office", "with its length"),
        ("0/0 all trust\nhost", "not a network"),
        (10, "with its length"),
    ],
)
def test_networks(network, words):
    problem = settings.network_problem("database_allowed_networks", network)
    assert problem is None if words is None else words in problem


def test_rules_let_the_named_roles_in_with_scram_only():
    lines = settings.render_hba(["10.0.0.0/24"], ["owner", "app"]).splitlines()
    rules = [line.split() for line in lines if not line.startswith("#")]
    assert ["host", "all", "owner,app", "10.0.0.0/24", "scram-sha-256"] in rules
    assert {rule[-1] for rule in rules} == {"peer", "scram-sha-256"}
    assert all(rule[2] == "postgres" for rule in rules if rule[-1] == "peer")


@pytest.mark.parametrize(
    ("running", "changed", "loaded", "restart_for", "expected"),
    [
        (False, False, True, [], "start"),
        (False, True, False, ["port"], "start"),
        (True, False, True, [], "none"),
        (True, True, True, [], "reload"),
        (True, False, False, [], "reload"),
        (True, True, True, ["port"], "restart"),
        (True, False, True, ["port"], "restart"),
    ],
)
def test_action(running, changed, loaded, restart_for, expected):
    got = settings.action(running=running, files_changed=changed, loaded=loaded, restart_for=restart_for)
    assert got == expected


@pytest.mark.parametrize(
    ("wanted", "pending", "expected"),
    [
        ({"port": "5432", "work_mem": "4096"}, [], []),
        ({"port": "5433", "work_mem": "8192"}, [], ["port"]),
        ({"new.setting": "1"}, [], []),
        ({"port": "5432"}, ["port"], []),  # taken back before the restart came
        ({}, ["wal_level"], ["wal_level"]),
    ],
)
def test_restart_reasons(wanted, pending, expected):
    current = {"port": ("5432", "postmaster"), "work_mem": ("4096", "user"), "wal_level": ("replica", "postmaster")}
    assert settings.restart_reasons(wanted, current, pending) == expected


def test_libraries_that_are_not_installed(tmp_path):
    (tmp_path / "pgaudit.so").touch()
    wanted = {"shared_preload_libraries": "pgaudit, pg_stat_statement"}
    assert settings.missing_libraries(wanted, tmp_path) == ["pg_stat_statement"]
    assert settings.missing_libraries({}, tmp_path) == []


def test_complaints_are_the_servers_words_about_the_real_file():
    stderr = (
        '2030-01-01 00:00:00 GMT [7] LOG:  unrecognized configuration parameter "x" in file "/tmp/t/conf.d/a" line 2\n'
        '2030-01-01 00:00:00.000 GMT [7] FATAL:  configuration file "/tmp/t/conf.d/a" contains errors\n'
    )
    wanted = 'unrecognized configuration parameter "x" in file "/etc/p/conf.d/a" line 2'
    assert settings.complaints(stderr, "/tmp/t", "/etc/p") == wanted
    assert settings.complaints("", "/tmp/t", "/etc/p") == "no reason given"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [([], 2048000), (["max\n"], 2048000), (["1024000\n"], 1024000), (["9223372036854771712"], 2048000)],
)
def test_memory_is_the_smaller_of_host_and_group(limits, expected):
    assert settings.host_memory("MemTotal:        2000 kB\nMemFree: 1 kB\n", limits) == expected


@pytest.mark.parametrize(("text", "expected"), [("512MB", 512 * 1024**2), ("2 GB", 2 * GIB)])
def test_sizes(text, expected):
    assert settings.parse_size(text) == expected


def test_a_size_without_unit_is_refused():
    with pytest.raises(ParityError, match="its unit"):
        settings.parse_size("512")


def test_the_cluster_is_found(tmp_path):
    assert settings.find_cluster(tmp_path) is None
    for version in ("15", "17"):
        (tmp_path / version / "main").mkdir(parents=True)
        (tmp_path / version / "main" / "postgresql.conf").touch()
    with pytest.raises(ParityError, match="15, 17"):
        settings.find_cluster(tmp_path)
    assert settings.find_cluster(tmp_path, "17").unit == "postgresql@17-main"


INPUTS = {
    "name": "shop",
    "port": 5432,
    "listen_addresses": ["localhost", "10.0.0.5", "::1", "*"],
    "allowed_networks": ["10.0.0.0/24"],
    "owner": "shop_owner",
    "owner_password": "geheim-1",
    "application_user": "shop_app",
    "application_password": "geheim-2",
    "memory": "",
    "settings": {},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"name": "Shop"}, "database_name"),
        ({"port": 70000}, "database_port is 70000"),
        ({"port": "db"}, "database_port is 'db'"),
        ({"port": True}, "database_port"),
        ({"listen_addresses": ["10.0.0.0/24"]}, "without a network's length"),
        ({"allowed_networks": ["10.0.0.1"]}, "database_allowed_networks"),
        ({"owner": "shop_app"}, "have to differ"),
        ({"owner_password": ""}, "database_owner_password is empty"),
        ({"application_password": None}, "database_application_password is empty"),
        ({"application_password": 12345678}, "Put it in quotes"),
        ({"application_password": "geheim\nx"}, "line break"),
        ({"memory": "lots"}, "database_memory"),
        ({"settings": {"port": 1}}, "set database_port"),
    ],
)
def test_inputs(change, words):
    problems = database_problems({**INPUTS, **change})
    assert problems == [] if words is None else len(problems) == 1 and words in problems[0]
    assert "geheim" not in " ".join(problems)


def test_rules_of_access_keep_their_columns_apart():
    rules = settings.render_hba(["10.0.0.0/24"], ["a_long_name_of_the_owner", "another_long_name"], True, "copies")
    rows = [line.split() for line in rules.splitlines() if line.startswith("hostssl")]
    assert ["hostssl", "all", "a_long_name_of_the_owner,another_long_name", "10.0.0.0/24", "scram-sha-256"] in rows
    assert ["hostssl", "replication", "copies", "10.0.0.0/24", "scram-sha-256"] in rows
    assert "\nhost " not in rules


@pytest.mark.parametrize(
    ("given", "libraries", "expected"),
    [
        ({}, [], {}),
        ({}, ["pgaudit"], {"shared_preload_libraries": ["pgaudit"]}),
        ({"shared_preload_libraries": "auto_explain, pgaudit"}, ["pgaudit"], {"shared_preload_libraries": ["auto_explain", "pgaudit"]}),
        ({"shared_preload_libraries": ["a"]}, ["b"], {"shared_preload_libraries": ["a", "b"]}),
    ],
)
def test_libraries_of_extensions_are_added(given, libraries, expected):
    assert settings.preloaded(given, libraries) == expected
