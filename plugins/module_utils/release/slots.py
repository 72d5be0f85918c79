# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two slots a service: start one, wait until it is healthy, give it the traffic, stop the other.

`Host.promote` is the only way a slot becomes live, for a promotion as for every rollback.
"""

from __future__ import annotations

import http.client
import json
import pwd
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import write_atomically
from ansible_collections.parity.stack.plugins.module_utils.masking import Mask, last_lines
from ansible_collections.parity.stack.plugins.module_utils.release import commands, environment_files
from ansible_collections.parity.stack.plugins.module_utils.release.haproxy import Runtime
from ansible_collections.parity.stack.plugins.module_utils.release.layout import SLOTS, Layout, other
from ansible_collections.parity.stack.plugins.module_utils.release.leftovers import Leftovers
from ansible_collections.parity.stack.plugins.module_utils.systemd import (
    MARKERS,
    Runner,
    Unit,
    configuration_applied,
    read_unit,
    reload_units,
    remember,
    remembered,
)

_POLL_SECONDS = 0.05
_STEADY_SECONDS = 2
_LOG_LINES, _LOG_CHARACTERS = 15, 10000


@dataclass(frozen=True)
class Service:
    """One service of the stack on this host.

    `ports` maps a slot to its port, where it has one; `port_variable` is the environment variable that gives it to the service.
    `health_path`, where given, must answer 200 and `version_path` the release (JSON with a key `release`).
    `ping` is a command below the release's virtual environment that succeeds once the service is ready; `ping_advises` are
    settings the JSON it prints should hold, wherever they stand in it. Others are worth a warning.
    `private_environment` keeps a canary's service from taking work, and the commands of `go_public` let the running service take
    work; a command with `{queue}` in it runs for each of `queues`. In all of them `{slot}` stands for the slot.
    A `singleton` runs once in the whole stack: it is no part of a canary, and its promotion stops the one before first.
    With a `directory` it is no program of the application, and serves the files of that: one of the release, or an absolute one.
    """

    name: str
    unit: str
    ports: dict[str, int] = field(default_factory=dict)
    port_variable: str = "PORT"
    health_path: str = ""
    version_path: str | None = None
    ping: list[str] = field(default_factory=list)
    ping_advises: dict[str, object] = field(default_factory=dict)
    private_environment: dict[str, str] = field(default_factory=dict)
    go_public: list[list[str]] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    start_seconds: int = 60
    singleton: bool = False
    directory: str = ""

    def commands_to_go_public(self) -> list[list[str]]:
        found = []
        for words in self.go_public:
            each = self.queues if any("{queue}" in word for word in words) else [""]
            found += [[word.replace("{queue}", queue) for word in words] for queue in each]
        return found

    def unit_in(self, slot: str) -> str:
        return f"{self.unit}@{slot}.service"

    def url(self, slot: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[slot]}{path}"


def described(services: Iterable[Service]) -> list[dict]:
    """The services as a slot keeps them: what runs there belongs to the release in it, and not to the inventory of today."""
    return [{key: value for key, value in asdict(service).items() if key not in ("environment", "secrets")} for service in services]


def read_described(path: Path) -> list[dict]:
    """What `described` gave, from its file; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return content if isinstance(content, list) else []


def _known(entry: dict) -> Service:
    """A service of `read_described`."""
    return Service(**entry)


def services_of(path: Path, today: list[Service]) -> list[Service]:
    """The services that a file of `described` holds, with the secrets of `today`; those of today where there is no such file.

    A host without services today has no slots, whatever files are there.
    """
    kept = read_described(path) if today else []
    secrets = {service.name: service.secrets for service in today}
    return [Service(**entry, secrets=secrets.get(entry["name"], {})) for entry in kept] or today


def program_variables(services: Iterable[Service]) -> tuple[dict, dict]:
    """Settings and secrets of the first service that is a program of the application: what commands get that are no services."""
    first = next((service for service in services if not service.directory), None)
    return (first.environment, first.secrets) if first else ({}, {})


def environment_file(service: Service, slot: str, release: str, build: Path = Path("build")) -> str:
    """The text of a service's environment file, in systemd's syntax, sorted by name. `build` is the release's build directory."""
    port = {service.port_variable: service.ports[slot]} if service.ports else {}
    return environment_files.text({
        **commands.expanded(service.environment, build),
        **service.secrets,
        **port,
        "APP_RELEASE": release,
        "APP_SLOT": slot,
    })  # fmt: skip


def redact(text: str, environment: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the values of an environment file, so that a log excerpt shows no secret.

    A value shorter than six characters stays, unless its name is among `secrets`: too many words of a log are equal to it. Of a value
    with several lines, each line is left out too.
    """
    return Mask(hidden_values(environment, secrets)).text(text)


def hidden_values(environment: str, secrets: Iterable[str] = (), known: Iterable[str] = ()) -> list[str]:
    """The values of an environment file that nobody may see: every long one, except the names of release and slot, and `known` ones.

    A database or its user often has the name of the stack, which every unit and path has, too.
    """
    pairs = environment_files.parse(environment).items()
    shown = ("APP_RELEASE", "APP_SLOT")
    return [value for name, value in pairs if (len(value) > 5 and name not in shown and value not in known) or name in secrets]


class Host:
    """The slots of one application host."""

    def __init__(self, layout: Layout, services: list[Service], run: Runner, *, user: str, drain_seconds: int = 30):
        self.layout = layout
        self.services = services
        self.run = run
        self.user = user
        self.drain_seconds = drain_seconds
        #: What an operator should know of the services that were started, and what keeps no release from being live.
        self.advice: list[str] = []
        self.markers = MARKERS if layout.prefix == Path("/") else layout.prefix / "run/parity"

    @property
    def proxy_unit(self) -> str:
        return f"{self.layout.stack}-proxy.service"

    @property
    def proxy(self) -> Runtime:
        return Runtime(Path("/run") / f"{self.layout.stack}-proxy" / "admin.sock")

    def services_in(self, slot: str) -> list[Service]:
        """The services of the release in the slot. They are those of the inventory until something is staged there."""
        return services_of(self.layout.processes_file(slot), self.services)

    def running(self, slot: str) -> bool:
        """Whether every service of the slot runs."""
        return all(read_unit(self.run, service.unit_in(slot)).active for service in self.services_in(slot))

    def outdated(self, slot: str) -> list[str]:
        """The services of the slot that run with an older unit file than the one on disk."""
        units = ((service, read_unit(self.run, service.unit_in(slot))) for service in self.services_in(slot))
        return [service.name for service, unit in units if not configuration_applied(unit, self._unit_files(service, slot), self.markers)]

    def complaints(self, slot: str) -> list[str]:
        """Why the slot's services, or the proxy before them, do not answer with the release of the slot."""
        release = self.layout.release_in(slot)
        found = [(service.name, self._complaint(service, slot, release)) for service in self.services_in(slot)]
        proxy = read_unit(self.run, self.proxy_unit)
        if proxy.known and not proxy.active:
            found.append((self.proxy_unit, "it does not run"))
        return [f"{name}: {complaint}" for name, complaint in found if complaint]

    def start(self, slot: str, *, private: bool = False, services: list[Service] | None = None) -> None:
        """Start the slot's services, or some of them, and wait until each is healthy. With `private`, services that start now take
        no work, and what may run only once in the stack does not start.

        Raises ParityError with the service's last log lines when one is not healthy.
        """
        services = self._canary(slot) if private else self.services_in(slot) if services is None else services
        before = [read_unit(self.run, service.unit_in(slot)) for service in services]
        if any(unit.properties.get("NeedDaemonReload") == "yes" for unit in before):
            reload_units(self.run)
        for service, unit in zip(services, before):
            if not unit.active:
                self._keep_private(service, slot, private)
        self._systemctl("start", [unit.name for unit in before])
        for service, unit in zip(services, before):
            # A service that this host has started and found healthy before has answered its ping then.
            proven = unit.active and remembered(unit, self.markers)
            self._wait_healthy(service, slot, time.monotonic() + service.start_seconds, ping=not proven)
            if not unit.active:
                remember(read_unit(self.run, unit.name), self._unit_files(service, slot), self.markers)

    def stop(self, slot: str, *, wait: bool = True, late: bool = False) -> None:
        """Stop the slot's services; each drains first (its unit's TimeoutStopSec).

        Without `wait` it only sends the command: systemd ends the services, and the next run that needs the slot waits for that.
        `late` skips a worker that is ending already: `promote` waits for it after the traffic has moved.
        """
        ending = self._late(slot) if late else []
        units = [service.unit_in(slot) for service in self.services_in(slot) if service not in ending]
        self._systemctl("stop", units, options=[] if wait else ["--no-block"])
        if not wait:
            return
        self._systemctl("reset-failed", [unit for unit in units if read_unit(self.run, unit).known], check=False)
        for service in self.services_in(slot):
            self.layout.private_environment(slot, service.name).unlink(missing_ok=True)

    def promote(self, slot: str, *, wait: bool = True) -> bool:
        """Start `slot`, send it the traffic, and stop the other slot. Safe to repeat from every state that an interruption leaves.

        Without `wait` the other slot drains by itself. Returns whether its requests ended within their time.
        A worker of `slot` may still be ending, with a long task from before. No user waits for it: it starts after the traffic has moved,
        and until then the worker of the other slot goes on.
        """
        late = self._late(slot)
        prompt = [service for service in self._canary(slot) if service not in late]
        self.start(slot, services=prompt)
        self._go_public(slot, prompt)
        self.layout.set_live(slot)
        drained = self._route(slot)
        if late:
            self.start(slot, services=late)
            self._go_public(slot, late)
        self._move_singletons(slot)
        self.stop(other(slot), wait=wait)
        return drained

    def set_checks(self, slot: str, text: str) -> None:
        """Let the proxy ask the health paths of the release in `slot`. It is reloaded only where they differ."""
        path = self.layout.checks(slot)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
        if read_unit(self.run, self.proxy_unit).active:
            worker = self.proxy.worker()
            self._systemctl("reload", [self.proxy_unit])
            self.proxy.wait_for_another(worker)

    def demote(self) -> None:
        """Restore the state before the first release: no service runs, no slot gets traffic."""
        self.layout.set_live(None)
        if self._has_proxy():
            self._systemctl("stop", [self.proxy_unit])
        for slot in SLOTS:
            self.stop(slot)

    def singletons_beside(self, names: Collection[str]) -> list[str]:
        """Units that run here of services that run once in the stack, other than those of `names`."""
        there = {
            service.unit_in(slot)
            for slot in SLOTS
            for service in map(_known, read_described(self.layout.processes_file(slot)))
            if service.singleton and service.name not in names
        }
        return sorted(unit for unit in there if read_unit(self.run, unit).properties.get("ActiveState") not in (None, "inactive", "failed"))

    def stop_units(self, units: Collection[str]) -> None:
        """Stop units and wait until they have ended; an unknown one has."""
        self._systemctl("stop", [unit for unit in units if read_unit(self.run, unit).known])

    def start_singletons(self, slot: str) -> None:
        """Start what runs once in the stack in a slot of a host that has no services today."""
        services = map(_known, read_described(self.layout.processes_file(slot)))
        self.start(slot, services=[service for service in services if service.singleton])

    def remove(self, leftovers: Leftovers) -> None:
        """Stop units of processes that are gone, and remove their files."""
        self.stop_units(leftovers.units)
        for path in leftovers.paths:
            path.unlink(missing_ok=True)
        if leftovers.units:
            reload_units(self.run)
            self._systemctl("reset-failed", [unit for unit in leftovers.units if read_unit(self.run, unit).known], check=False)

    def _canary(self, slot: str) -> list[Service]:
        """The services that may run in both slots at one time."""
        return [service for service in self.services_in(slot) if not service.singleton]

    def _move_singletons(self, slot: str) -> None:
        """Never two at one time: the one before has ended when this one starts."""
        moving = [service for service in self.services_in(slot) if service.singleton]
        before = [service.unit_in(other(slot)) for service in self.services_in(other(slot)) if service.singleton]
        self._systemctl("stop", before)
        if moving:
            self.start(slot, services=moving)

    def _keep_private(self, service: Service, slot: str, private: bool) -> None:
        path = self.layout.private_environment(slot, service.name)
        if private and service.private_environment:
            path.parent.mkdir(parents=True, exist_ok=True)
            values = {name: value.format(slot=slot) for name, value in service.private_environment.items()}
            write_atomically(path, environment_files.text(values))
        else:
            path.unlink(missing_ok=True)

    def _late(self, slot: str) -> list[Service]:
        """Workers of the slot that are still ending, which takes as long as their tasks. A service with a ping answers no user."""
        units = ((service, read_unit(self.run, service.unit_in(slot))) for service in self.services_in(slot) if service.ping)
        return [service for service, unit in units if unit.properties.get("ActiveState") == "deactivating"]

    def _go_public(self, slot: str, services: list[Service]) -> None:
        """Let the services that took no work take work. A restart from now on starts them public too."""
        for service in services:
            path = self.layout.private_environment(slot, service.name)
            for words in service.commands_to_go_public() if path.exists() else []:
                code, out, err = self._run_as(service, slot, words)
                if code != 0:
                    said = self._said(service, slot, err, out)
                    raise ParityError(f"{service.name} in slot {slot} did not begin to take work: {' '.join(words)}: {said}")
            path.unlink(missing_ok=True)

    def _route(self, slot: str) -> bool:
        proxy = read_unit(self.run, self.proxy_unit)
        if proxy.active:
            return self.proxy.switch(slot, drain_seconds=self.drain_seconds)
        if proxy.known:
            self._systemctl("start", [self.proxy_unit])
        return True

    def _unit_files(self, service: Service, slot: str) -> list[Path]:
        unit = self.layout.prefix / "etc/systemd/system" / f"{service.unit}@.service"
        return [unit, self.layout.served_by(slot, service.name)] if service.directory else [unit]

    def _has_proxy(self) -> bool:
        return read_unit(self.run, self.proxy_unit).known

    def _wait_healthy(self, service: Service, slot: str, deadline: float, *, ping: bool) -> None:
        release = self.layout.release_in(slot)
        reason = "it did not answer"
        restarts = self._restarts(service, slot)  # of its whole life, where it has long been running
        while time.monotonic() < deadline:
            unit = read_unit(self.run, service.unit_in(slot))
            ended = unit.properties.get("ActiveState") in ("failed", "inactive")
            if ended or self._restarts(service, slot) > restarts + 1:
                reason = f"its process ends (exit status {unit.properties.get('ExecMainStatus', 'unknown')})"
                break
            reason = self._complaint(service, slot, release)
            if not reason and not service.health_path and ping:
                reason = self._unsteady(unit)
            if not reason and ping and service.ping:
                reason = self._ping_complaint(service, slot)
            if not reason:
                return
            time.sleep(_POLL_SECONDS)
        else:
            if "answered nothing" in reason:
                reason += f"; it runs since {service.start_seconds} s. Where it only starts slowly, write more start_seconds to the process"
        raise ParityError(
            f"{service.name} of release {release} is not healthy in slot {slot}: {reason}. "
            f"Its last log lines:\n{self._last_log_lines(service, slot)}",
            service=service.name,
            release=release,
            slot=slot,
            reason=reason,
        )

    def _complaint(self, service: Service, slot: str, release: str | None) -> str:
        """What is wrong with the service, without its ping; empty when nothing is."""
        if not service.health_path:
            return "" if read_unit(self.run, service.unit_in(slot)).active else "it does not run"
        status, body = _get(service.url(slot, service.health_path))
        if status != 200:
            return f"{service.health_path} answered {status or body}, wanted 200"
        if service.version_path:
            status, body = _get(service.url(slot, service.version_path))
            answered = _release_of(body) if status == 200 else status
            if answered != release:
                return f"{service.version_path} answered {answered!r}, wanted {release!r}"
        return ""

    @staticmethod
    def _unsteady(unit: Unit) -> str:
        """A service that answers nobody is healthy when it has run for a while."""
        ran = max(0.0, time.time() - unit.active_since) if unit.active_since else 0.0
        return f"it has run for {ran:.1f} s, wanted {_STEADY_SECONDS} s" if ran < _STEADY_SECONDS else ""

    def _ping_complaint(self, service: Service, slot: str) -> str:
        code, out, err = self._run_as(service, slot, service.ping)
        if code != 0:
            return f"its ping ended with {code}: {self._said(service, slot, err, out)}"
        found = _settings(out) if service.ping_advises else {}
        advised = service.ping_advises.items()
        wrong = [f"{name} is {found.get(name)!r}, wanted {wanted!r}" for name, wanted in advised if found.get(name) != wanted]
        if wrong:
            said = self._mask(service, slot).text("; ".join(wrong))
            self.advice.append(f"{service.name}: {said}. A task that its worker is killed in may be lost. Set this in Celery's settings.")
        return ""

    def _said(self, service: Service, slot: str, *outputs: str) -> str:
        """The last line of a command of the service, masked."""
        said = next((output for output in outputs if output.strip()), "no output")
        return last_lines(said, self._mask(service, slot), lines=1)

    def _mask(self, service: Service, slot: str) -> Mask:
        path = self.layout.environment(slot, service.name)
        environment = path.read_text(encoding="utf-8") if path.exists() else ""
        known = (self.layout.stack, self.user)
        return Mask([*hidden_values(environment, service.secrets, known), *map(str, service.secrets.values())])

    def _run_as(self, service: Service, slot: str, words: list[str]) -> tuple[int, str, str]:
        return run_as(self.layout, service.name, slot, self.user, words)

    def _restarts(self, service: Service, slot: str) -> int:
        out = self.run(["systemctl", "show", service.unit_in(slot), "--property", "NRestarts", "--value"])[1]
        return int(out.strip() or 0)

    def _last_log_lines(self, service: Service, slot: str) -> str:
        words = ["journalctl", "-u", service.unit_in(slot), "-n", str(_LOG_LINES), "-o", "cat", "--no-pager"]
        out = self.run(words)[1]
        if not self.layout.environment(slot, service.name).exists():  # nobody knows what to mask
            return "(its log is on the host: journalctl -u " + service.unit_in(slot) + ")"
        return last_lines(out, self._mask(service, slot), lines=_LOG_LINES, most=_LOG_CHARACTERS)

    def _systemctl(self, verb: str, units: list[str], check: bool = True, options: Sequence[str] = ()) -> None:
        if not units:
            return
        code, out, err = self.run(["systemctl", verb, *units, *options])
        if code != 0 and check and verb != "stop":
            raise ParityError(f"systemctl {verb} {' '.join(units)} failed: {err.strip() or out.strip()}")
        if code != 0 and check:
            still = [unit for unit in units if read_unit(self.run, unit).active]
            if still:
                raise ParityError(f"these units do not stop: {', '.join(still)}: {err.strip() or out.strip()}")


def run_as(layout: Layout, service: str, slot: str, user: str, words: list[str]) -> tuple[int, str, str]:
    """Run `python -m words` the way a service of the slot runs: as its user, with its environment and its release.

    `{slot}` in the words stands for the slot. Returns code, output and errors; 124 where it took longer than 30 seconds.
    """
    release, account = layout.slot(slot), pwd.getpwnam(user)
    environment = {
        **environment_files.read(layout.environment(slot, service)),
        "PATH": "/usr/bin:/bin",
        "HOME": account.pw_dir,
        "PYTHONPATH": str(release / "app"),
    }
    command = [str(release / "venv/bin/python"), "-m", *(word.format(slot=slot) for word in words)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=release,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, "", "it did not end within 30 s"
    return done.returncode, done.stdout, done.stderr


class _SameHost(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get(url: str) -> tuple[int, str]:
    """GET without redirects to other hosts or proxies: (status, body), or (0, why not)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHost())
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status, answer.read(65536).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.reason
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, f"nothing ({getattr(error, 'reason', error)})"


def _release_of(body: str) -> object:
    try:
        return json.loads(body).get("release")
    except (ValueError, AttributeError):
        return None


def _settings(text: str) -> dict[str, object]:
    """Every key and value of the JSON objects in a command's output, however deep; empty where it is no JSON."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    found: dict[str, object] = {}
    queue = [content]
    while queue:
        entry = queue.pop()
        if isinstance(entry, dict):
            found.update(entry)
            queue += entry.values()
        elif isinstance(entry, list):
            queue += entry
    return found
