# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for one of the inventories that Parity ships, at the addresses that stand in it, filled in as its user would."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from application_servers import ROOT, Run, Servers
from running_playbooks import RunningPlaybook

#: The network of an inventory that has everything on one host, which names none.
NETWORK_OF_ONE = "10.40.0"
#: Containers get new keys each time.
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"


@dataclass
class ShippedServers(Servers):
    """Containers in place of the hosts of `inventories/ENVIRONMENT`. What is filled in stands in a second inventory, the overlay."""

    environment_name: str
    overlay: Path = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name = f"parity-{self.environment_name}-{self.name.rpartition('-')[2]}"
        self.inventory = ROOT / "inventories" / self.environment_name
        self.overlay = self.folder / "overlay"
        self.environment |= {
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.folder / "ssh_key"), "ANSIBLE_SSH_COMMON_ARGS": SSH, "ANSIBLE_TIMEOUT": "120",
        }  # fmt: skip
        self.hosts = tuple(self.shipped["_meta"]["hostvars"])
        self.gateway_host = self.shipped["gateway"]["hosts"][0]
        self.gateway_port = urlsplit(self.public_url).port or 443
        self.authority = self.folder / "pki" / "ca.pem"

    @cached_property
    def shipped(self) -> dict:
        """The inventory as it is shipped, before anything is templated."""
        words = ["ansible-inventory", "-i", str(self.inventory), "--list"]
        return json.loads(subprocess.run(words, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True).stdout)

    def said(self, name: str) -> str:
        return self.shipped["_meta"]["hostvars"][self.hosts[0]][name]

    @property
    def public_url(self) -> str:
        return self.said("stack_public_url")

    @property
    def inventories(self) -> list[Path]:
        return [self.inventory, self.overlay]

    def group(self, name: str) -> list[str]:
        return self.shipped[name]["hosts"]

    # --- The servers ----------------------------------------------------------------------------------------------------

    def start(self, image: str = "") -> None:
        self._local("up")
        self._fill_in()

    def remove(self) -> None:
        self._local("down")

    def address(self, host: str) -> str:
        shipped = self.shipped["_meta"]["hostvars"][host]["stack_address"]
        return f"{NETWORK_OF_ONE}.11" if shipped == "127.0.0.1" else shipped

    def _local(self, verb: str) -> None:
        """The servers of the local environment's playbook, with the names, addresses and shared files of this inventory."""
        share = f"{self.name}-objects:{Path(self.said('stack_storage_path')).parent}"
        shared = {*self.group("storage"), *self.group("api"), *self.group("worker")}
        servers = [
            {
                "name": host,
                "address": int(self.address(host).rpartition(".")[2]),
                "volumes": [share] if host in shared else [],
                "aliases": [urlsplit(self.public_url).hostname] if host == self.gateway_host else [],
            }
            for host in self.hosts
        ]
        names = {"gateway": (self.gateway_host, urlsplit(self.public_url).hostname), "database": 2 * (self.group("database")[0],)}
        certified = [
            {"name": name, "host": valid_for, "address": int(self.address(host).rpartition(".")[2])}
            for name, (host, valid_for) in names.items()
        ]
        given = {
            "ansible_python_interpreter": sys.executable, "local_name": self.name, "local_state": str(self.folder), "local_ports": False,
            "local_net": self.address(self.hosts[0]).rpartition(".")[0], "local_all_servers": servers, "local_servers": servers,
            "local_certified": certified,
        }  # fmt: skip
        words = ["ansible-playbook", "-i", "localhost,", f".config/local/{verb}.yml", "-e", json.dumps(given)]
        done = subprocess.run(words, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    # --- What a user has to fill in -------------------------------------------------------------------------------------

    @property
    def overrides(self) -> list[list[str]]:
        """Host or `all`, the name, and what stands there now."""
        filled = yaml.safe_load((self.overlay / "group_vars" / "all.yml").read_text(encoding="utf-8"))
        lines = (self.overlay / "hosts").read_text(encoding="utf-8").splitlines()
        return [[line.split()[0], *line.split()[1].split("=")] for line in lines] + [["all", *pair] for pair in filled.items()]

    def _fill_in(self) -> None:
        """How the control node reaches each host, files on it, and secrets. Only what the inventory names is written over."""
        (self.overlay / "group_vars").mkdir(parents=True)
        lines = [f"{host} ansible_host={self.address(host)}\n" for host in self.hosts]
        (self.overlay / "hosts").write_text("".join(lines), encoding="utf-8")
        files = {
            "stack_gateway_certificate": "pki/gateway.pem", "stack_gateway_certificate_key": "pki/gateway.key",
            "stack_database_certificate": "pki/database.pem", "stack_database_certificate_key": "pki/database.key",
            "stack_certificate_authority": "pki/ca.pem", "stack_secrets_file": "env",
        }  # fmt: skip
        known = self.shipped["_meta"]["hostvars"][self.hosts[0]]
        filled = {name: str(self.folder / path) for name, path in files.items() if name in known}
        (self.overlay / "group_vars" / "all.yml").write_text(yaml.safe_dump(filled), encoding="utf-8")
        (self.folder / "env").write_text(self.secrets_file(), encoding="utf-8")
        (self.folder / "env").chmod(0o600)

    def secrets_file(self) -> str:
        """The example of the inventory's secrets, with values in place of the placeholders and of what it says is required."""
        example = (ROOT / f".env.{self.environment_name}.example").read_text(encoding="utf-8")
        text = re.sub("CHANGE-ME", lambda _found: secrets.token_hex(16), example)
        for name in ("JWT_SECRET_KEY", "DATABASE_MONITORING_PASSWORD"):
            text = re.sub(f"^{name}=$", f"{name}={secrets.token_hex(32)}", text, flags=re.MULTILINE)
        return text

    def secret_values(self) -> list[str]:
        return re.findall(r"[0-9a-f]{32,}", (self.folder / "env").read_text(encoding="utf-8"))

    # --- Runs -----------------------------------------------------------------------------------------------------------

    def play(self, playbook: str, *words: str, seconds: float = 3600, **variables: object) -> Run:
        """Six servers on one machine may take their time."""
        return super().play(playbook, *words, seconds=seconds, **variables)

    def beside(self, playbook: str, *words: str, **variables: object) -> RunningPlaybook:
        """A playbook that a test can kill."""
        return RunningPlaybook(self.command(playbook, *words, **variables), self.environment)

    def reports(self) -> list[dict]:
        """The reports of deployments so far, the newest last."""
        found = sorted((self.folder / "reports").glob("*/deployment.json"), key=lambda path: path.stat().st_mtime)
        return [json.loads(path.read_text(encoding="utf-8")) for path in found]

    def forget_reports(self) -> None:
        shutil.rmtree(self.folder / "reports", ignore_errors=True)
