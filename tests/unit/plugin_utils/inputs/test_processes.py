# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of an application's processes is completed, and refused where it cannot work."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.plugin_utils.inputs import processes

GROUPS = {"api": ["app1", "app2"], "worker": ["job1", "job2"], "mailers": ["job2"], "database": ["data1"]}
API = {"run": "uvicorn", "application": "shop.main:app", "health": "/healthz"}
WORKER = {"run": "celery", "application": "shop.tasks:app"}
STATIC = {"run": "static", "directory": "shop/static", "path": "/static"}


def expanded(**given: object) -> dict[str, dict]:
    return {process["name"]: process for process in processes.expand(given, GROUPS)}


def test_what_is_left_out_is_derived() -> None:
    found = expanded(
        api=API,
        worker={**WORKER, "queues": ["default"]},
        mail={**WORKER, "queues": ["mail"], "hosts": "mailers"},
        beat={"run": "celery-beat", "application": "shop.tasks:app"},
        admin={"run": "gunicorn", "application": "shop.wsgi", "health": "/admin/health", "path": "/admin"},
        ticker={"run": "command", "command": ["python", "-m", "shop.ticker"]},
    )
    assert {name: process["hosts"] for name, process in found.items()} == {
        "api": ["app1", "app2"], "worker": ["job1", "job2"], "mail": ["job2"], "beat": ["job1"], "admin": ["app1", "app2"],
        "ticker": ["job1", "job2"],
    }  # fmt: skip
    ports = {name: (process["port"], *process["slot_ports"].values()) for name, process in found.items() if process["port"]}
    assert ports == {"api": (8000, 8001, 8002), "admin": (8010, 8011, 8012)}
    assert [name for name, process in found.items() if process["web"]] == ["api", "admin"]
    assert [name for name, process in found.items() if process["singleton"]] == ["beat"]
    assert {name: process["path"] for name, process in found.items()} == {
        "api": "/", "worker": "", "mail": "", "beat": "", "admin": "/admin", "ticker": "",
    }  # fmt: skip
    assert found["worker"]["concurrency"] == 2 and found["worker"]["stop_seconds"] == 600 and found["api"]["stop_seconds"] == 30


def test_without_a_group_of_their_own_all_run_on_the_hosts_of_the_api() -> None:
    found = processes.expand({"api": API, "worker": WORKER}, {"api": ["app1"]})
    assert [process["hosts"] for process in found] == [["app1"], ["app1"]]


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-1.2/x=y", "plain-1.2/x=y"),
        ("two words", '"two words"'),
        ('say "it"', r'"say \"it\""'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ("a;b", '"a;b"'),
        ("back\\slash", r'"back\\slash"'),
    ],
)
def test_words_reach_systemd_as_they_are(word: str, written: str) -> None:
    assert expanded(ticker={"run": "command", "command": ["python", word]})["ticker"]["words"] == f"python {written}"
    # systemd's rules for quotes are those of a shell, once its own % and $ are undone.
    assert shlex.split(written.replace("%%", "%").replace("$$", "$")) == [word]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"api": "uvicorn"}, "stack_processes.api: run is 'uvicorn'"),
        ({"api": {**API, "run": "flask"}}, "run is 'flask'; it says how the process is run: uvicorn, gunicorn, celery"),
        ({"API": API}, "a process named 'API'; use lower-case letters"),
        ({"all": API}, "not all or proxy or live"),
        ({"a" * 33: API}, "at most 32"),
        ({5: API}, "a process named 5"),
        ({"api": {**API, "healht": "/x"}}, "stack_processes.api.healht is not known for run: uvicorn. Known are: application, arguments"),
        ({"api": {**API, "queues": ["a"]}}, "queues is not known for run: uvicorn"),
        ({"api": {"run": "uvicorn", "health": "/"}}, "application is missing; write where the application is"),
        ({"api": {**API, "application": "shop main"}}, "application is 'shop main'"),
        ({"api": {**API, "health": "healthz"}}, "health is 'healthz'; write a path that begins with /"),
        ({"api": {**API, "health": "/a b"}}, "health is '/a b'"),
        ({"api": {"run": "gunicorn", "application": "a:b"}}, "health is missing; write the path that answers 200"),
        ({"api": {**API, "port": "eighty"}}, "port is 'eighty'; write a port from 1 to 65535"),
        ({"api": {**API, "port": True}}, "port is True"),
        ({"api": {**API, "slot_ports": {"blue": 1}}}, "slot_ports is {'blue': 1}; write a port for each slot"),
        ({"api": {**API, "slot_ports": {"blue": 1, "green": 70000}}}, "slot_ports.green is 70000"),
        ({"api": {**API, "port_variable": "A B"}}, "port_variable is 'A B'"),
        ({"api": {**API, "start_seconds": 0.5}}, "start_seconds is 0.5; write a whole number from 1 to 3600"),
        ({"api": API, "beat": {"run": "celery-beat", "application": "a:b", "instances": 2}}, "instances is 2; write a whole number: 1, or"),
        ({"worker": {**WORKER, "queues": "default"}}, "queues is 'default'; write the names of the queues as a list"),
        ({"worker": {**WORKER, "queues": []}}, "queues is []"),
        ({"worker": {**WORKER, "queues": ["a b"]}}, "queues is ['a b']"),
        ({"worker": {**WORKER, "metrics": "/metrics"}}, "port is missing; metrics are collected at a port"),
        ({"ticker": {"run": "command", "command": "python -m x"}}, "command is 'python -m x'; write the words of the command as a list"),
        ({"ticker": {"run": "command"}}, "command is missing"),
        ({"api": {**API, "arguments": "--workers 2"}}, "arguments is '--workers 2'; write the words as a list"),
        ({"api": {**API, "arguments": ["a\nb"]}}, "arguments is"),
        ({"api": {**API, "environment": ["A=1"]}}, "environment is no mapping"),
        ({"api": {**API, "hosts": []}}, "hosts is []; write a group, or a list of hosts"),
        ({"api": {**API, "hosts": "nobody"}}, "nobody is in neither of the groups api and worker"),
        ({"api": {**API, "hosts": "database"}}, "data1 is in neither of the groups api and worker"),
        ({"api": API, "web": {**API}}, "stack_processes.web.path is missing; the gateway has to know which requests"),
        ({"api": API, "web": {**API, "path": "/"}}, "api and web have the same path /"),
        ({"api": API, "a": {**API, "domain": "a.org"}, "b": {**API, "domain": "a.org"}}, "a and b have the same path a.org/"),
        ({"api": {**API, "domain": "a.org"}}, "stack_processes.api.domain: the first web process answers every request"),
        ({"api": API, "a": {**API, "domain": "https://a.org"}}, "domain is 'https://a.org'; write a name in lower case, without a scheme"),
        ({"api": API, "a": {**API, "domain": "A.org"}}, "domain is 'A.org'; write a name in lower case"),
        ({"api": API, "a": {**API, "domain": 7}}, "domain is 7; write a name"),
        ({"api": API, "web": {**API, "path": "/w", "port": 8001}}, "port 8001 is used twice, by api and web"),
        ({"static": {**STATIC, "directory": "../etc"}}, "directory is '../etc'; write a directory of the release"),
        ({"static": {**STATIC, "directory": "shop/.git"}}, "directory is 'shop/.git'"),
        ({"static": {**STATIC, "directory": "/var/lib/../../etc"}}, "directory is '/var/lib/../../etc'"),
        ({"static": {**STATIC, "directory": "/"}}, "directory is '/'"),
        ({"static": {**STATIC, "directory": "a;b"}}, "directory is 'a;b'"),
        ({"static": {**STATIC, "directory": "."}}, "directory is '.'"),
        ({"static": {"run": "static", "path": "/static"}}, "directory is missing"),
        ({"static": {**STATIC, "path": "/a;b"}}, "path is '/a;b'; write the path that has the files"),
        ({"static": {**STATIC, "path": "/$uri"}}, "path is '/$uri'"),
        ({"static": {**STATIC, "path": "/a/../b"}}, "path is '/a/../b'"),
        ({"static": {**STATIC, "path": "static"}}, "path is 'static'"),
        ({"static": {"run": "static", "directory": "shop/static"}}, "path is missing; write the path that has the files"),
        ({"static": {**STATIC, "health": "/x"}}, "stack_processes.static.health is not known for run: static"),
        ({"static": {**STATIC, "environment": {}}}, "environment is not known for run: static. Known are: directory, hosts, path, port"),
        ({"api": {**API, "directory": "shop/static"}}, "directory is not known for run: uvicorn"),
        ({"api": API, "static": {**STATIC, "path": "/"}}, "api and static have the same path /"),
        (["api"], "stack_processes is ['api']; write a mapping"),
    ],
)
def test_what_cannot_work_is_refused(given: object, words: str) -> None:
    with pytest.raises(ParityError) as error:
        processes.expand(given, GROUPS)
    assert words in str(error.value)


def test_numbers_as_a_survey_gives_them() -> None:
    found = expanded(api={**API, "port": "8080", "start_seconds": "5"}, worker={**WORKER, "concurrency": "4"})
    assert (found["api"]["port"], found["api"]["start_seconds"], found["worker"]["concurrency"]) == (8080, 5, 4)


def test_the_same_port_on_other_hosts_is_fine() -> None:
    groups = {"api": ["app1"], "worker": ["job1"]}
    worker = {**WORKER, "port": 8000, "health": "/metrics"}
    assert len(processes.expand({"api": API, "worker": worker}, groups)) == 2


def test_a_celery_worker_keeps_to_itself_until_it_is_promoted() -> None:
    found = processes.service(expanded(api=API, mail={**WORKER, "queues": ["mail"]})["mail"], "shop", "job1")
    assert found["unit"] == "shop-mail" and found["queues"] == ["mail"] and found["ports"] == {}
    assert found["private_environment"] == {"WORKER_QUEUES": "private-mail-{slot}-job1"}
    assert found["ping"][-1] == "mail-{slot}@job1" == found["go_public"][0][-1]
    assert processes.service(expanded(api=API)["api"], "shop", "app1")["ports"] == {"blue": 8001, "green": 8002}


def test_secrets_of_all_and_of_one() -> None:
    given = {"all": {"A": 1, "B": 1}, "mail": {"B": 2}}
    api, mail, static = {"name": "api"}, {"name": "mail", "directory": ""}, {"name": "static", "directory": "shop/static"}
    assert processes.secrets_of(given, [api, mail, static]) == {"api": {"A": 1, "B": 1}, "mail": {"A": 1, "B": 2}, "static": {}}
    assert processes.secrets_of(None, [api]) == {"api": {}}
    assert processes.secrets_of({"all": None}, [api]) == {"api": {}}


def test_each_celery_worker_of_a_host_is_asked_by_its_own_name() -> None:
    beat = {"run": "celery-beat", "application": "shop.tasks:app"}
    found = expanded(api=API, worker=WORKER, mail={**WORKER, "queues": ["mail"]}, beat=beat)
    asked = processes.inspections(found.values(), "app1")
    assert set(asked) == {"worker", "mail"}
    assert asked["mail"] == [
        *("celery", "--app", WORKER["application"], "inspect", "registered", "--json", "--destination", "mail-{slot}@app1")
    ]


@pytest.mark.parametrize(
    ("given", "connections"),
    [
        ({"api": API}, 20),
        ({"api": API, "worker": {**WORKER, "concurrency": 3}}, 26),
        ({"api": API, "static": STATIC}, 20),
        ({"api": API, "worker": WORKER, "ticker": {"run": "command", "command": ["x"], "instances": 1}}, 25),
        ({}, 0),
    ],
)
def test_connections_that_all_processes_need(given: dict, connections: int) -> None:
    found = processes.expand(given, {"api": ["app1", "app2"], "worker": ["app1", "app2"]})
    assert processes.connections(found, 10) == connections


def test_a_health_path_gives_a_worker_the_port_of_its_metrics() -> None:
    assert expanded(worker={**WORKER, "health": "/m", "metrics": "/m"})["worker"]["port"] == 8000


def test_files_need_a_directory_and_a_path() -> None:
    # The first program is what all other paths lead to, also where files come first.
    found = expanded(static=STATIC, api=API, media={**STATIC, "directory": "/var/lib/shop/media", "path": "/media/"})
    assert [(found[name]["path"], found[name]["health_path"]) for name in ("static", "api", "media")] == [
        ("/static", "/static/parity/health"), ("/", "/healthz"), ("/media/", "/media/parity/health"),
    ]  # fmt: skip
    assert found["static"]["web"] and found["static"]["hosts"] == ["app1", "app2"] and found["static"]["port"] == 8000
    served = processes.service(found["media"], "shop", "app1")
    assert (served["directory"], served["environment"], served["singleton"]) == ("/var/lib/shop/media", {}, False)
    assert expanded(site={**STATIC, "path": "/"})["site"]["health_path"] == "/parity/health"
