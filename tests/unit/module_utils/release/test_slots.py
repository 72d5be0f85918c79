# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files say what was meant, logs give nothing away, and slots change hands in a safe order."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import environment_files, slots
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout

PORTS = {"blue": 8001, "green": 8002}


def service(health_path: str = "/health", **more: object) -> slots.Service:
    return slots.Service("api", "docpipe-api", PORTS, "PORT", health_path, **more)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("x", 'A="x"'),
        ("", 'A=""'),
        (5, 'A="5"'),
        ("a b # c", 'A="a b # c"'),
        ('a"b', r'A="a\"b"'),
        ("a'b", 'A="a\'b"'),
        ("a\\b", r'A="a\\b"'),
        ("$HOME`x`", r'A="\$HOME\`x\`"'),
        ("ü=%n", 'A="ü=%n"'),
        ("a\nB=b\n", 'A="a\nB=b\n"'),
    ],
)
def test_environment_file(tmp_path: Path, value: object, line: str) -> None:
    text = slots.environment_file(service(environment={"A": value}), "green", "v1.0")
    assert text == f'{line}\nAPP_RELEASE="v1.0"\nAPP_SLOT="green"\nPORT="8002"\n'
    (tmp_path / "api.env").write_text(text, encoding="utf-8")
    assert environment_files.read(tmp_path / "api.env")["A"] == str(value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("A", "top\rsecret", "control character"),
        ("A", "top\x00secret", "control character"),
        ("A", "top\x7fsecret", "control character"),
        ("1A", "top secret", "cannot be an environment variable"),
        ("A-B", "top secret", "cannot be an environment variable"),
        ("A\n", "top secret", "cannot be an environment variable"),
    ],
)
def test_environment_file_refuses(name: str, value: str, words: str) -> None:
    with pytest.raises(ParityError, match=words) as error:
        slots.environment_file(service(secrets={name: value}), "blue", "v1.0")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("secret", "log", "expected"),
    [
        ("hunter22", "key hunter22 refused", "key ******** refused"),
        ('hun"ter\\2', 'key hun"ter\\2', "key ********"),
        ('hun"ter\\2', '{"key": "hun\\"ter\\\\2"}', '{"key": "********"}'),
        ("hünter22", '"h\\u00fcnter22"', '"********"'),
        ("redis://:swordfish@h/0", "auth swordfish failed", "auth ******** failed"),
        ("redis://:swordfish@h/0", "cannot reach redis://:swordfish@h/0", "cannot reach ********"),
        ("hunter22", "nothing to hide", "nothing to hide"),
        ("first-line\nsecond-line-of-a-key", "it read second-line-of-a-key", "it read ********"),
        ("first-line\nsecond-line", '"first-line\\nsecond-line"', '"********"'),
    ],
)
def test_redact(secret: str, log: str, expected: str) -> None:
    environment = slots.environment_file(service(secrets={"A": secret}), "blue", "v1")
    assert slots.redact(log, environment) == expected


def test_redact_leaves_short_settings_and_no_short_secret() -> None:
    environment = slots.environment_file(service(environment={"LEVEL": "info"}, secrets={"PIN": "4711"}), "blue", "v1")
    assert slots.redact("info: pin 4711 is wrong", environment, {"PIN"}) == "info: pin ******** is wrong"


def test_the_name_of_the_stack_is_no_secret_unless_somebody_made_it_one() -> None:
    environment = slots.environment_file(service(environment={"POSTGRES_DB": "docpipe", "REGION": "eu-north"}), "blue", "v1")
    assert slots.hidden_values(environment, known=("docpipe",)) == ["eu-north"]
    assert "docpipe" in slots.hidden_values(environment, {"POSTGRES_DB"}, ("docpipe",))


class Systemd:
    """Units that start and stop; `done` is what was asked of them, in order."""

    def __init__(self, known: set[str], active: set[str], restarts: int = 0, crashes: bool = False) -> None:
        self.known, self.active, self.done = known, set(active), []
        self.restarts, self.crashes, self.starts = restarts, crashes, 0

    def __call__(self, words: list[str]) -> tuple[int, str, str]:
        verb, units = words[1], words[2:]
        if words[0] == "journalctl":
            return 0, "it said hunter22", ""
        if verb == "show" and "NRestarts" in words:
            self.restarts += self.crashes
            return 0, f"{self.restarts}\n", ""
        if verb == "show":
            state = "active" if units[0] in self.active else "inactive"
            load = "loaded" if "@" in units[0] or units[0] in self.known else "not-found"
            invocation = f"{units[0]} {self.starts}" if state == "active" else ""
            return 0, f"LoadState={load}\nActiveState={state}\nInvocationID={invocation}\n", ""
        told = " ".join([verb, *(word for word in units if word.startswith("--"))])
        units = [unit for unit in units if not unit.startswith("--")]
        self.done += [f"{told} {unit.removesuffix('.service')}" for unit in units if verb != "reset-failed"]
        self.starts += bool(verb == "start" and set(units) - self.active)
        self.active = self.active | set(units) if verb == "start" else self.active - set(units)
        return 0, "", ""


def host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd, answers: tuple[int, str] = (200, "")
) -> slots.Host:
    class Proxy:
        def switch(self, slot: str, *, drain_seconds: float) -> bool:
            systemd.done.append(f"switch to {slot}, live is {layout.live_slot()}")
            return True

    layout = Layout("docpipe", tmp_path)
    layout.config.mkdir(parents=True)
    for slot in ("blue", "green"):
        layout.slot(slot).parent.mkdir(parents=True, exist_ok=True)
        layout.slot(slot).symlink_to("../releases/v1.0")
    monkeypatch.setattr(slots, "_get", lambda _url: answers)
    monkeypatch.setattr(slots, "_POLL_SECONDS", 0)
    monkeypatch.setattr(slots.Host, "proxy", Proxy())
    return slots.Host(layout, [service(start_seconds=0.2)], systemd, user="nobody")


PROXY = "docpipe-proxy.service"
SWITCHED = "switch to green, live is green"


@pytest.mark.parametrize(
    ("known", "active", "expected"),
    [
        (set(), set(), ["start docpipe-api@green", "stop docpipe-api@blue"]),
        ({PROXY}, set(), ["start docpipe-api@green", "start docpipe-proxy", "stop docpipe-api@blue"]),
        ({PROXY}, {PROXY}, ["start docpipe-api@green", SWITCHED, "stop docpipe-api@blue"]),
    ],
)
def test_promote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: set[str], active: set[str], expected: list[str]
) -> None:
    systemd = Systemd(known, active)
    mine = host(tmp_path, monkeypatch, systemd)
    mine.promote("green")
    assert systemd.done == expected
    assert mine.running("green") and not mine.running("blue")


def test_nobody_waits_for_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd({PROXY}, {PROXY, "docpipe-api@blue.service"})
    mine = host(tmp_path, monkeypatch, systemd)
    mine.promote("green", wait=False)
    assert systemd.done == ["start docpipe-api@green", SWITCHED, "stop --no-block docpipe-api@blue"]


def test_a_service_beside_the_live_one_keeps_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = host(tmp_path, monkeypatch, Systemd(set(), set()))
    mine.services = [service(private_environment={"QUEUES": "private-{slot}"}, go_public=[["add", "{slot}"], ["more"]])]
    path, told, code = mine.layout.private_environment("green", "api"), [], 0
    monkeypatch.setattr(slots.Host, "_run_as", lambda _self, _service, slot, words: (told.append((slot, words)), (code, "", "no"))[1])
    mine.start("green", private=True)
    assert path.read_text(encoding="utf-8") == 'QUEUES="private-green"\n' and told == []
    code = 69
    with pytest.raises(ParityError, match=r"api in slot green did not begin to take work: add {slot}: no"):
        mine.promote("green")
    assert path.exists() and mine.layout.live_slot() is None
    code = 0
    told.clear()
    mine.promote("green")
    assert told == [("green", ["add", "{slot}"]), ("green", ["more"])] and not path.exists()
    # A rollback starts a slot for everybody, whatever a killed run left there.
    mine.layout.private_environment("blue", "api").write_text("QUEUES=left\n", encoding="utf-8")
    told.clear()
    mine.promote("blue")
    assert not mine.layout.private_environment("blue", "api").exists() and told == []


def test_a_ping_is_answered_once_in_the_life_of_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(set(), {"docpipe-api@blue.service"})
    mine = host(tmp_path, monkeypatch, systemd)
    mine.services, pinged = [service(ping=["inspect"])], []
    monkeypatch.setattr(slots.Host, "_run_as", lambda _self, _service, slot, _words: (pinged.append(slot), (0, "", ""))[1])
    mine.start("green", private=True)
    mine.promote("green")
    assert pinged == ["green"]
    systemd.starts += 1  # somebody has restarted it: whether it answers is open again
    mine.promote("green")
    assert pinged == ["green", "green"]


@pytest.mark.parametrize(
    ("answers", "proxy", "words"),
    [
        ((200, '{"release": "v1.0"}'), {PROXY}, ""),
        ((200, '{"release": "v1.0"}'), set(), "docpipe-proxy.service: it does not run"),
        ((503, ""), {PROXY}, "api: /health answered 503, wanted 200"),
        ((200, '{"release": "v0.9"}'), {PROXY}, "api: /version answered 'v0.9', wanted 'v1.0'"),
    ],
)
def test_complaints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple, proxy: set[str], words: str) -> None:
    mine = host(tmp_path, monkeypatch, Systemd({PROXY}, proxy), answers)
    mine.services = [service(version_path="/version")]
    assert "; ".join(mine.complaints("blue")) == words


@pytest.mark.parametrize(
    ("answer", "complaint", "advice"),
    [
        ((0, '{"node": {"acks_late": true, "list": [{"deep": 1}]}}', ""), "", []),
        ((0, '{"node": {"acks_late": false}}', ""), "", ["acks_late is False, wanted True"]),
        ((0, "pong", ""), "", ["acks_late is None, wanted True"]),
        ((69, "", "Error: nobody\nreplied\n"), "its ping ended with 69: replied", []),
    ],
)
def test_ping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple, complaint: str, advice: list[str]) -> None:
    mine = host(tmp_path, monkeypatch, Systemd(set(), set()))
    monkeypatch.setattr(slots.Host, "_run_as", lambda *_words: answer)
    assert mine._ping_complaint(service(ping=["inspect"], ping_advises={"acks_late": True}), "blue") == complaint
    # A setting that may lose a task is worth a warning, and no reason to refuse a release.
    assert [line.split("api: ")[1].split(". A task")[0] for line in mine.advice] == advice


def with_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd) -> slots.Host:
    found = host(tmp_path, monkeypatch, systemd)
    found.services.append(slots.Service("beat", "docpipe-beat", start_seconds=5, singleton=True))
    monkeypatch.setattr(slots, "_STEADY_SECONDS", 0)
    return found


def test_what_runs_once_is_no_part_of_a_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd({PROXY}, {PROXY, "docpipe-api@blue.service", "docpipe-beat@blue.service"})
    mine = with_beat(tmp_path, monkeypatch, systemd)
    mine.start("green", private=True)
    assert systemd.done == ["start docpipe-api@green"]


def test_what_runs_once_never_runs_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd({PROXY}, {PROXY, "docpipe-api@blue.service", "docpipe-beat@blue.service"})
    with_beat(tmp_path, monkeypatch, systemd).promote("green")
    assert systemd.done == [
        "start docpipe-api@green", SWITCHED, "stop docpipe-beat@blue", "start docpipe-beat@green",
        "stop docpipe-api@blue", "stop docpipe-beat@blue",
    ]  # fmt: skip


@pytest.mark.parametrize(("age", "healthy"), [(0.0, False), (3.0, True)])
def test_a_service_that_answers_nobody_is_healthy_once_it_has_run_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, healthy: bool
) -> None:
    mine = host(tmp_path, monkeypatch, Systemd(set(), set()))
    mine.services = [slots.Service("ticker", "docpipe-ticker", start_seconds=0.2)]
    monkeypatch.setattr(slots.Unit, "active_since", property(lambda _unit: slots.time.time() - age))
    if healthy:
        mine.start("blue")
        return
    with pytest.raises(ParityError, match=r"ticker of release v1.0 is not healthy in slot blue: it has run for 0\.\d s, wanted 2 s"):
        mine.start("blue")


@pytest.mark.parametrize(
    ("answer", "advised"), [((0, "nothing (Connection refused)"), True), ((503, "starting"), False)], ids=["no port yet", "it answers"]
)
def test_a_service_that_only_starts_slowly_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str], advised: bool
) -> None:
    mine = host(tmp_path, monkeypatch, Systemd(set(), set()))
    mine.services = [service(start_seconds=0.2)]
    monkeypatch.setattr(slots, "_get", lambda _url: answer)
    with pytest.raises(ParityError, match="not healthy in slot blue") as error:
        mine.start("blue")
    assert ("it runs since 0.2 s. Where it only starts slowly, write more start_seconds" in str(error.value)) is advised


def test_a_slot_runs_the_processes_of_its_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that came with today's inventory is no part of the release before, which a rollback starts again."""
    systemd = Systemd({PROXY}, {PROXY})
    mine = host(tmp_path, monkeypatch, systemd)
    path = mine.layout.processes_file("blue")
    path.parent.mkdir(parents=True)
    path.write_text(slots.json.dumps(slots.described([service(start_seconds=0.2)])), encoding="utf-8")
    mine.services = [service(health_path="/healthz"), slots.Service("mail", "docpipe-mail")]
    mine.promote("blue")
    assert systemd.done[0] == "start docpipe-api@blue" and "start docpipe-mail@blue" not in systemd.done
    assert [one.health_path for one in mine.services_in("blue")] == ["/health"]
    assert [one.name for one in mine.services_in("green")] == ["api", "mail"]


@pytest.mark.parametrize(
    ("before", "proxy", "reloaded"), [(None, True, True), ("other", True, True), ("new", True, False), (None, False, False)]
)
def test_the_proxy_is_reloaded_where_a_release_has_other_health_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, proxy: bool, reloaded: bool
) -> None:
    systemd, waited = Systemd({PROXY}, {PROXY} if proxy else set()), []
    mine = host(tmp_path, monkeypatch, systemd)
    monkeypatch.setattr(slots.Host, "proxy", SimpleNamespace(worker=lambda: "12", wait_for_another=waited.append))
    if before:
        mine.layout.checks("green").parent.mkdir(parents=True)
        mine.layout.checks("green").write_text(before, encoding="utf-8")
    mine.set_checks("green", "new")
    assert mine.layout.checks("green").read_text(encoding="utf-8") == "new"
    assert systemd.done == (["reload docpipe-proxy"] if reloaded else []) and waited == (["12"] if reloaded else [])


def test_make_none_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd({PROXY}, {PROXY, "docpipe-api@blue.service"})
    mine = host(tmp_path, monkeypatch, systemd)
    mine.layout.set_live("blue")
    mine.demote()
    assert mine.layout.live_slot() is None and not systemd.active


def test_a_slot_that_does_not_come_up_is_not_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd({PROXY}, {PROXY})
    mine = host(tmp_path, monkeypatch, systemd, answers=(500, "no"))
    mine.layout.set_live("blue")
    mine.layout.environment("green", "api").parent.mkdir(parents=True)
    mine.layout.environment("green", "api").write_text('KEY="hunter22"\n', encoding="utf-8")
    with pytest.raises(ParityError, match=r"answered 500, wanted 200.*\nit said \*{8}$"):
        mine.promote("green")
    assert mine.layout.live_slot() == "blue" and systemd.done == ["start docpipe-api@green"]


@pytest.mark.parametrize(("restarts", "crashes", "healthy"), [(0, False, True), (7, False, True), (0, True, False)])
def test_restarts_of_long_ago_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int, crashes: bool, healthy: bool
) -> None:
    systemd = Systemd(set(), set(), restarts, crashes)
    mine = host(tmp_path, monkeypatch, systemd, answers=(200 if healthy else 0, "nothing"))
    if healthy:
        mine.start("blue")
        return
    with pytest.raises(ParityError, match="its process ends"):
        mine.start("blue")


class Draining(Systemd):
    """The worker that was live before is still at a task; starting it again waits until it has ended."""

    def __init__(self, **more: object) -> None:
        super().__init__({PROXY}, {PROXY}, **more)
        self.ending = {"docpipe-worker@green.service"}

    def __call__(self, words: list[str]) -> tuple[int, str, str]:
        if words[1] == "show" and words[2] in self.ending and "NRestarts" not in words:
            return 0, "LoadState=loaded\nActiveState=deactivating\n", ""
        if words[1] in ("start", "stop") and "--no-block" not in words:
            self.done += [f"wait for {unit.removesuffix('.service')}" for unit in words[2:] if unit in self.ending]
            self.ending -= set(words)
        return super().__call__(words)


def with_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd, **more: object) -> slots.Host:
    found = host(tmp_path, monkeypatch, systemd)
    worker = slots.Service("worker", "docpipe-worker", PORTS, "PORT", "/metrics", ping=["celery"], start_seconds=0.2, **more)
    found.services.append(worker)
    monkeypatch.setattr(slots, "run_as", lambda *_how: (0, "", ""))
    return found


def test_the_traffic_does_not_wait_for_a_task_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Draining()
    with_worker(tmp_path, monkeypatch, systemd).promote("green")
    assert systemd.done == [
        "start docpipe-api@green", SWITCHED, "wait for docpipe-worker@green", "start docpipe-worker@green",
        "stop docpipe-api@blue", "stop docpipe-worker@blue",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (True, ["stop docpipe-api@green"]),
        (False, ["wait for docpipe-worker@green", "stop docpipe-api@green", "stop docpipe-worker@green"]),
    ],
)
def test_a_worker_that_ends_is_waited_for_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool, expected: list[str]
) -> None:
    systemd = Draining()
    with_worker(tmp_path, monkeypatch, systemd).stop("green", late=late)
    assert systemd.done == expected


def test_a_worker_goes_public_on_each_of_its_queues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd, asked = Systemd({PROXY}, {PROXY}), []
    commands = {"go_public": [["celery", "add", "{queue}"], ["celery", "say", "{slot}"]], "queues": ["fast", "slow"]}
    found = with_worker(tmp_path, monkeypatch, systemd, private_environment={"QUEUES": "private"}, **commands)
    monkeypatch.setattr(slots, "run_as", lambda *how: asked.append(how[-1]) or (0, "", ""))
    found.start("green", private=True)
    asked.clear()
    found.promote("green")
    assert asked == [["celery", "add", "fast"], ["celery", "add", "slow"], ["celery", "say", "{slot}"]]


def test_units_of_what_runs_once_beside_those_that_belong_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(set(), {"docpipe-beat@blue.service", "docpipe-api@blue.service", "docpipe-tick@green.service"})
    mine = host(tmp_path, monkeypatch, systemd)
    beat, tick = (slots.Service(name, f"docpipe-{name}", singleton=True) for name in ("beat", "tick"))
    for slot, services in (("blue", [service(), beat]), ("green", [service(), beat, tick])):
        path = mine.layout.processes_file(slot)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(slots.described(services)))
    assert mine.singletons_beside({"beat", "tick"}) == []
    assert mine.singletons_beside({"beat"}) == ["docpipe-tick@green.service"]
    assert mine.singletons_beside(()) == ["docpipe-beat@blue.service", "docpipe-tick@green.service"]
    mine.stop_units(mine.singletons_beside({"tick"}))
    assert systemd.done == ["stop docpipe-beat@blue"]
