# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for one of the applications below tests/fixtures/applications, and what can be asked of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from applications.releases import make

ROOT = Path(__file__).parents[2]
INVENTORIES = Path(__file__).parent / "inventories"
#: `make prove` runs the stories at full size; `make test` runs a small size.
FULL = os.environ.get("PARITY_PROVE") == "1"
#: systemd as PID 1 without --privileged, which some machines cannot grant.
_SYSTEMD = [
    "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec",
    "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro", "--env", "container=docker", "--env", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
    "--stop-signal", "SIGRTMIN+3",
]  # fmt: skip


@dataclass
class Run:
    """What a playbook printed, and how many changes it reported for each host."""

    code: int
    output: str

    @property
    def words(self) -> str:
        """What was said, wherever its lines were folded."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> dict[str, int]:
        return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE)}


class Users:
    """Users who ask for something all the time, one after the other, each on a connection of its own."""

    def __init__(self, servers: Servers, method: str, path: str, body: object = None, *, wanted: int = 200) -> None:
        self.servers, self.asked, self.wanted = servers, (method, path, None if body is None else json.dumps(body)), wanted
        #: What was answered with the wanted status, and what was not.
        self.answers: list[str] = []
        self.failures: list[str] = []

    @contextlib.contextmanager
    def asking(self) -> Iterator[Users]:
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,))
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                status, text = self.servers.request(*self.asked, **{"Content-Type": "application/json"})
            except OSError as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {error}")
            else:
                good = status == self.wanted
                (self.answers if good else self.failures).append(text if good else f"{time.strftime('%H:%M:%S')} {status} {text}")
            time.sleep(0.15)  # the gateway lets one address ask ten times a second


@dataclass
class Servers:
    """Containers with systemd for the hosts of an inventory, on a network of their own."""

    application: str
    hosts: tuple[str, ...]
    folder: Path
    name: str = field(init=False)
    inventory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"parity-{self.application}-{os.getpid()}"
        self.inventory = INVENTORIES / self.application
        names = {"PARITY_APPLICATION_STATE": str(self.folder), "PARITY_APPLICATION_NAME": self.name}
        self.environment = {**os.environ, **names, "ANSIBLE_PIPELINING": "true"}

    def start(self, image: str = "parity/debian:bookworm") -> None:
        self._docker("network", "create", self.name)
        for host in self.hosts:
            words = ["--detach", "--name", f"{self.name}-{host}", "--hostname", host, "--network", self.name, "--network-alias", host]
            self._docker("run", *words, *_SYSTEMD, image, "/lib/systemd/systemd")
        for host in self.hosts:
            subprocess.run(
                ["docker", "exec", f"{self.name}-{host}", "systemctl", "is-system-running", "--wait"], capture_output=True, check=False
            )
        self._certificate()

    def init(self, groups: dict[str, list[str]], **answers: object) -> None:
        """Let the playbook init write the inventory, and answer what it could not know: the hosts, and settings in a file of its own."""
        self.inventory = self.folder / self.application
        application = ROOT / "tests" / "fixtures" / "applications" / self.application
        command = ["ansible-playbook", "playbooks/init.yml", "-e", f"application={application}", "-e", f"inventory={self.inventory}"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [f"[{group}]\n" + "".join(f"{host}\n" for host in hosts) for group, hosts in groups.items()]
        (self.inventory / "hosts").write_text("\n".join(lines), encoding="utf-8")
        connection = {
            "ansible_connection": "community.docker.docker",
            "ansible_host": f"{self.name}-{{{{ inventory_hostname }}}}",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become": True,
        }
        addresses = {f"stack_address_of_{host}": self.address(host) for host in self.hosts}
        found = "{{ lookup('ansible.builtin.vars', 'stack_address_of_' ~ inventory_hostname) }}"
        given = {
            **connection,
            **addresses,
            "stack_address": found,
            "stack_gateway_certificate": str(self.folder / "gateway.pem"),
            "stack_gateway_certificate_key": str(self.folder / "gateway.key"),
            "stack_certificate_authority": str(self.folder / "gateway.pem"),
        }
        (self.inventory / "group_vars" / "all" / "tests.yml").write_text(json.dumps({**given, **answers}), encoding="utf-8")

    def remove(self) -> None:
        names = [f"{self.name}-{host}" for host in self.hosts]
        subprocess.run(["docker", "rm", "--force", "--volumes", *names], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", self.name], capture_output=True, check=False)

    def set_secrets(self, **values: str) -> None:
        """Write the .env file that the inventory reads. {password} in a value becomes a new one."""
        lines = [f"{name}={value.replace('{password}', secrets.token_hex(12))}\n" for name, value in values.items()]
        ours = self.inventory.is_relative_to(INVENTORIES)
        path = self.folder / f"{self.application}.env" if ours else self.inventory / f".env.{self.application}"
        path.write_text("".join(lines), encoding="utf-8")
        path.chmod(0o600)

    def play(self, playbook: str, *words: str, seconds: float = 900, **variables: object) -> Run:
        command = ["ansible-playbook", f"playbooks/{playbook}", "-i", str(self.inventory), *words]
        reports = str(self.folder / "reports")
        command += ["-e", json.dumps({"stack_reports": reports, "validation_report_directory": reports, **variables})]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False)
        return Run(done.returncode, done.stdout + done.stderr)

    def deploy(self, release: str, *words: str, changes: str = "", **variables: object) -> Run:
        """Deploy the application with `changes` (tests/fixtures/applications/releases.py) under the name `release`."""
        if changes:
            directory = self.folder / release
            if not directory.exists():
                make(self.application, changes, directory)
            variables["stack_application"] = str(directory)
            if (directory / "migrations").is_dir():  # init has named the folder of the first release
                variables["stack_application_migrations"] = str(directory / "migrations")
            elif (directory / "manage.py").exists():
                variables["stack_application_migrations"] = str(directory)
        return self.play("deploy.yml", *words, stack_release=release, **variables)

    def on(self, host: str, *words: str) -> str:
        done = subprocess.run(["docker", "exec", f"{self.name}-{host}", *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words} on {host}: {done.stdout}{done.stderr}"
        return done.stdout

    def live(self, host: str) -> str:
        """The release that is live on a host, as its links say."""
        slot = self.on(host, "readlink", f"/etc/{self.application}/live").strip()
        return self.on(host, "readlink", f"/opt/{self.application}/slots/{slot}").strip().rpartition("/")[2]

    def units(self, host: str) -> list[str]:
        words = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active", f"{self.application}-*@*"]
        return sorted(line.split()[0] for line in self.on(host, *words).splitlines())

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        """The status and text that users get from the gateway, on the first host of the inventory's group."""
        context = ssl.create_default_context(cafile=str(self.folder / "gateway.pem"))
        context.check_hostname = False  # it is valid for the name in the network of the containers
        connection = http.client.HTTPSConnection(self.address(self.hosts[0]), 8443, timeout=15, context=context)
        try:
            connection.request(method, path, body, {"Host": self.hosts[0], **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        return self.request("GET", path)

    def sql(self, query: str, host: str = "one") -> list[str]:
        return self.on(host, "su", "postgres", "-c", f'psql --no-align --tuples-only {self.application} -c "{query}"').splitlines()

    def address(self, host: str) -> str:
        """The address of a container in the network of the containers."""
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self._docker("inspect", "--format", template, f"{self.name}-{host}").strip()

    def _certificate(self) -> None:
        names = ",".join(f"DNS:{host}" for host in self.hosts)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "60",
             "-keyout", str(self.folder / "gateway.key"), "-out", str(self.folder / "gateway.pem"),
             "-subj", f"/CN={self.hosts[0]}", "-addext", f"subjectAltName={names}"],
            capture_output=True, check=True,
        )  # fmt: skip

    @staticmethod
    def _docker(*words: str) -> str:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"docker {words}: {done.stderr}"
        return done.stdout
