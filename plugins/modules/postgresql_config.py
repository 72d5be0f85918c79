#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_config
short_description: Keep a PostgreSQL cluster of the distribution running with the wanted configuration
version_added: 0.1.0
description:
  - Writes the settings (C(conf.d/50-parity.conf)) and the rules of access (C(pg_hba.conf)) of the cluster C(main),
    and brings them into the running server with a reload where that is enough and a restart where a setting needs it.
  - Tries the settings with C(postgres -C) on a copy of the configuration before it replaces a file. Where the server does not
    accept a file, or does not start with it, the module restores the earlier files, and the server runs with them.
  - In check mode it makes the same trial, and the result names the settings that would need a restart. On a host without
    PostgreSQL it predicts the files and the start.
requirements:
  - python3-psycopg2
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.postgresql]
options:
  settings:
    description: Settings that win over those derived from the host's memory.
    type: dict
    default: {}
  memory:
    description: How much memory PostgreSQL may use, such as C(2GB). By default all memory of the host.
    type: str
    default: ""
  networks:
    description: Networks in CIDR notation from which I(users) may connect, beside the host itself.
    type: list
    elements: str
    default: []
  certificate:
    description: >-
      The server's certificate with its chain, PEM. With one, I(users) may connect over TLS 1.2 or newer only. The module checks
      afterwards that the server shows it, because the server keeps the old one where it cannot read the new one.
    type: str
    default: ""
  certificate_key:
    description: Its private key, PEM. Never shown.
    type: str
    default: ""
  libraries:
    description: >-
      Libraries that extensions need in C(shared_preload_libraries), beside those of I(settings). In check mode they may not be
      installed yet.
    type: list
    elements: str
    default: []
  replication_user:
    description: Role that replicas in I(networks) follow the server with. Empty is none.
    type: str
    default: ""
  users:
    description: Roles that may connect over TCP with their password.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Configure and start PostgreSQL
  parity.stack.postgresql_config:
    settings:
      port: 5432
      listen_addresses: [localhost, 10.0.0.5]
      log_min_duration_statement: 500ms
    networks: [10.0.0.0/24]
    users: [docpipe_owner, docpipe]
"""

RETURN = r"""
action:
  description: What the server needed, or would need. One of none, reload, restart and start.
  type: str
  returned: always
restart_for:
  description: Settings that only take effect at a start of the server.
  type: list
  elements: str
  returned: always
version:
  description: Major version of the cluster, empty where PostgreSQL is not installed yet.
  type: str
  returned: always
"""

import os
import pwd
import shutil
import ssl
import tempfile
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils import systemd
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.files import newest_change, write_atomically
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings as server_settings


class Server:
    """One cluster: its files, its program, its unit and, where it runs, a superuser's connection."""

    def __init__(self, module: AnsibleModule, cluster: server_settings.Cluster) -> None:
        self.run = module.run_command
        self.cluster = cluster

    @property
    def running(self) -> bool:
        return systemd.read_unit(self.run, self.cluster.unit).active

    def ask(self, query: str) -> list[tuple]:
        """All rows of a query, through a connection of its own."""
        connection = postgresql.connect_locally(self._port())
        try:
            return postgresql.rows(connection, query)
        finally:
            connection.close()

    def values(self, names: list[str], content: str | None) -> dict[str, str]:
        """The values that the server would use for `names` if its settings file had `content`.

        Raises ParityError with the server's message when it would not accept the file.
        """
        configuration = self.cluster.configuration
        uid, gid = _owner()
        with tempfile.TemporaryDirectory(prefix="parity-postgresql-") as scratch:
            trial = Path(scratch) / configuration.name
            shutil.copytree(configuration, trial)
            if content is not None:
                (trial / server_settings.OURS).parent.mkdir(exist_ok=True)
                (trial / server_settings.OURS).write_text(content, encoding="utf-8")
            for path in (Path(scratch), *Path(scratch).rglob("*")):
                os.chown(path, uid, gid)
            result = {}
            for name in names:
                command = [self.cluster.server, "-C", name, "-c", f"config_file={trial}/postgresql.conf"]
                code, out, err = self.run([*server_settings.AS_POSTGRES, *command], cwd="/")
                if code != 0:
                    words = server_settings.complaints(err, str(trial), str(configuration))
                    raise ParityError(
                        f"PostgreSQL {self.cluster.version} does not accept these settings: {words}. "
                        "Nothing was changed and the server goes on as before. Correct database_settings."
                    )
                result[name] = out.strip()
            return result

    def steer(self, verb: str) -> None:
        """Start, restart or reload the unit, and wait until the server answers with the new settings."""
        before = self.ask("select pg_conf_load_time()")[0][0] if verb == "reload" else None
        code, out, err = self.run(["systemctl", verb, self.cluster.unit])
        if code != 0:
            raise ParityError(
                f"systemctl {verb} {self.cluster.unit} failed: {self.last_log_lines() or err.strip() or out.strip()}"
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                loaded = self.ask("select pg_conf_load_time()")[0][0]
                if before is None or loaded > before:
                    return
            except ParityError:
                loaded = None
            if time.monotonic() > deadline:
                raise ParityError(f"PostgreSQL does not answer a minute after a {verb}: {self.last_log_lines()}")
            time.sleep(0.05)

    def _port(self) -> int:
        """The port the running server has, which is not always the one its files name."""
        data = Path(f"/var/lib/postgresql/{self.cluster.version}/{self.cluster.configuration.name}/postmaster.pid")
        try:
            return int(data.read_text(encoding="utf-8").splitlines()[3])
        except (OSError, ValueError, IndexError):
            raise ParityError(f"{data} names no port: the server does not run") from None

    def last_log_lines(self) -> str:
        try:
            lines = self.cluster.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        except OSError:
            return ""
        return "; ".join(line for line in lines if "FATAL" in line or "HINT" in line or "could not" in line)


class Files:
    """The wanted files, and those they replace."""

    def __init__(self, wanted: dict[Path, str]) -> None:
        self.wanted = wanted
        self.before = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in wanted}
        self.times = {path: path.stat().st_mtime for path in wanted if path.exists()}

    @property
    def changed(self) -> bool:
        return self.wanted != self.before

    def write(self) -> None:
        uid, gid = _owner()
        for path, content in self.wanted.items():
            if self.before[path] != content:
                write_atomically(path, content, mode=_mode(path), uid=uid, gid=gid)

    def put_back(self) -> None:
        uid, gid = _owner()
        for path, content in self.before.items():
            if content is None:
                path.unlink(missing_ok=True)
            elif self.wanted[path] != content:
                write_atomically(path, content, mode=_mode(path), uid=uid, gid=gid)
                os.utime(path, (self.times[path], self.times[path]))

    def diff(self) -> list[dict[str, str]]:
        changed = [path for path, content in self.wanted.items() if self.before[path] != content]
        return [
            {"before_header": str(path), "after_header": str(path), "before": before, "after": after}
            for path in changed
            for before, after in [self._shown(path)]
        ]

    def _shown(self, path: Path) -> tuple[str, str]:
        if path.name == server_settings.CERTIFICATE_KEY:
            return "a private key\n" if self.before[path] else "", "another private key\n"
        return self.before[path] or "", self.wanted[path]


def converge(module: AnsibleModule) -> dict:
    params = module.params
    memory = server_settings.parse_size(params["memory"]) if params["memory"] else _host_memory()
    cluster = server_settings.find_cluster(server_settings.CLUSTERS, params["version"])
    directory = cluster.configuration if cluster else server_settings.CLUSTERS / (params["version"] or "VERSION") / "main"
    certificate = params["certificate"]
    settings = {
        **server_settings.derived(memory, params["settings"]),
        "password_encryption": "scram-sha-256",
        **params["settings"],
        **server_settings.tls(certificate, directory),
        **server_settings.preloaded(params["settings"], params["libraries"]),
    }
    rules = server_settings.render_hba(params["networks"], params["users"], bool(certificate), params["replication_user"])
    wanted = {directory / server_settings.OURS: server_settings.render(settings), directory / "pg_hba.conf": rules}
    if certificate:
        wanted[directory / server_settings.CERTIFICATE] = certificate.rstrip("\n") + "\n"
        wanted[directory / server_settings.CERTIFICATE_KEY] = params["certificate_key"].rstrip("\n") + "\n"
    files = Files(wanted)
    if cluster is None:
        if not module.check_mode:
            raise ParityError(f"There is no PostgreSQL cluster in {directory}. Install the package postgresql first.")
        return _result("", "start", [], files)
    if "include_dir = 'conf.d'" not in (directory / "postgresql.conf").read_text(encoding="utf-8"):
        raise ParityError(f"{directory}/postgresql.conf does not read its conf.d. Add the line: include_dir = 'conf.d'")

    server = Server(module, cluster)
    libraries = Path(f"/usr/lib/postgresql/{cluster.version}/lib")
    missing = server_settings.missing_libraries(settings, libraries)
    if module.check_mode:
        missing = [name for name in missing if name not in params["libraries"]]  # installed by the real run
    if missing:
        raise ParityError(
            f"shared_preload_libraries names {', '.join(missing)}, not installed in {libraries}: the server would not "
            "start. Nothing was changed. Install the extension's package or correct database_settings."
        )
    verb, reasons = _decide(server, files, settings, module.check_mode)
    enable = not systemd.read_unit(module.run_command, "postgresql").enabled
    if not module.check_mode and (verb != "none" or enable):
        _apply(server, files, verb, enable, settings)
        _warn_of_overrides(module, server, settings)
    return _result(cluster.version, verb, reasons, files, enable)


def _decide(server: Server, files: Files, settings: dict, check_mode: bool) -> tuple[str, list[str]]:
    """What the server needs to run with the wanted files, and the settings that need a restart."""
    content = files.wanted[server.cluster.configuration / server_settings.OURS]
    old = server_settings.parse(files.before[server.cluster.configuration / server_settings.OURS] or "")
    if not server.running:
        server.values(["port"], content)
        return "start", []
    if check_mode and postgresql.psycopg2 is None:
        return "restart", []  # A server without the driver, which the role installs first, cannot be asked why.
    loaded_at = float(server.ask("select extract(epoch from pg_conf_load_time())")[0][0])
    facts = server.ask("select name, setting, context, pending_restart from pg_settings")
    current = {name: (setting, context) for name, setting, context, pending in facts}
    pending = [name for name, setting, context, pending in facts if pending]
    loaded = newest_change(list(files.wanted)) <= loaded_at
    if not files.changed and loaded and not pending:
        return "none", []
    names = sorted(name for name in {*settings, *old, *pending} if current.get(name, ("", ""))[1] == "postmaster")
    reasons = server_settings.restart_reasons(server.values(["port", *names], content), current, pending)
    verb = server_settings.action(running=True, files_changed=files.changed, loaded=loaded, restart_for=reasons)
    return verb, reasons


def _apply(server: Server, files: Files, verb: str, enable: bool, settings: dict) -> None:
    """Write the files and bring them into the server; restore the earlier files where the server does not accept the new ones."""
    was_running = server.running
    if enable:
        server.run(["systemctl", "enable", "postgresql"], check_rc=True)
    if verb == "none":
        return
    files.write()
    try:
        if was_running:
            _refuse_broken_rules(server)
        server.steer(verb)
        _refuse_other_certificate(server, files, settings)
    except ParityError as error:
        files.put_back()
        if was_running and verb in ("reload", "restart"):
            server.steer(verb)
        state = "goes on with them" if was_running else "does not run, as before"
        raise ParityError(f"{error}. The earlier files are restored, and the server {state}.") from None


def _refuse_broken_rules(server: Server) -> None:
    """The server reads the file on disk for this view, and does not apply it."""
    broken = server.ask("select line_number, error from pg_hba_file_rules where error is not null")
    if broken:
        lines = "; ".join(f"line {number}: {words}" for number, words in broken)
        raise ParityError(f"PostgreSQL does not accept the rules of access in pg_hba.conf: {lines}")


def _refuse_other_certificate(server: Server, files: Files, settings: dict) -> None:
    """Check the served certificate: a server that cannot read a new one keeps the old one, and only its log says so."""
    wanted = files.wanted.get(server.cluster.configuration / server_settings.CERTIFICATE)
    if wanted is None:
        return
    addresses = server_settings.as_text(settings.get("listen_addresses", "localhost")).split(", ")
    host = "localhost" if {"localhost", "*", ""} & set(addresses) else addresses[0]
    served = postgresql.served_certificate(host, int(settings.get("port", 5432)))
    if served != ssl.PEM_cert_to_DER_cert(wanted[: wanted.index("-----END CERTIFICATE-----") + 25] + "\n"):
        raise ParityError(f"PostgreSQL does not serve the certificate it was given: {server.last_log_lines() or 'its log says why'}")


def _mode(path: Path) -> int:
    """The server refuses a key that its group can read."""
    return 0o600 if path.name == server_settings.CERTIFICATE_KEY else 0o640


def _warn_of_overrides(module: AnsibleModule, server: Server, settings: dict) -> None:
    """Another file (ALTER SYSTEM writes postgresql.auto.conf) may win over ours."""
    ours = str(server.cluster.configuration / server_settings.OURS)
    found = server.ask(
        "select name, sourcefile, source from pg_settings where source in ('configuration file', 'command line')"
    )
    for name, file, source in found:
        if name in settings and file != ours:
            module.warn(f"{name} has no effect: {file or source} sets it too, and wins.")


def _result(version: str, verb: str, reasons: list[str], files: Files, enable: bool = False) -> dict:
    because = f" ({', '.join(reasons)})" if reasons else ""
    server = [] if verb == "none" else [{"before": "server: unchanged\n", "after": f"server: {verb}{because}\n"}]
    return {
        "changed": files.changed or verb != "none" or enable,
        "action": verb,
        "restart_for": reasons,
        "version": version,
        "diff": [*files.diff(), *server],
    }


def _host_memory() -> int:
    limits = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    return server_settings.host_memory(
        Path("/proc/meminfo").read_text(encoding="utf-8"),
        [path.read_text(encoding="utf-8") for path in limits if path.exists()],
    )


def _owner() -> tuple[int, int]:
    user = pwd.getpwnam("postgres")
    return user.pw_uid, user.pw_gid


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **server_settings.SPEC,
            "settings": {"type": "dict", "default": {}},
            "memory": {"type": "str", "default": ""},
            "networks": {"type": "list", "elements": "str", "default": []},
            "certificate": {"type": "str", "default": ""},
            "certificate_key": {"type": "str", "default": "", "no_log": True},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "replication_user": {"type": "str", "default": ""},
            "users": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    answer(module, converge)


if __name__ == "__main__":
    main()
