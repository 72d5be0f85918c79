#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_replica
short_description: Make a PostgreSQL server a replica of another one, or promote it
version_added: 0.1.0
description:
  - Makes the cluster C(main) of this host a streaming replica with a physical slot of its own. Copies the primary with
    C(pg_basebackup) beside the cluster, and replaces the cluster only with a complete copy.
  - Never overwrites a server that holds databases of its own.
  - Promotes a replica only where the primary does not answer any more, so that no two servers take writes.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.postgresql]
requirements:
  - python3-psycopg2
options:
  state:
    description: Whether the server follows the primary, or becomes a primary.
    type: str
    choices: [following, promoted]
    default: following
  primary:
    description: Host of the primary.
    type: str
    required: true
  primary_port:
    description: Its port.
    type: int
    default: 5432
  user:
    description: Role with the right to replicate. Needed to follow.
    type: str
    default: ""
  password:
    description: Its password.
    type: str
    default: ""
  slot:
    description: Name of the replica's slot on the primary.
    type: str
    default: ""
  encrypted:
    description: Whether the connection has to use TLS.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Replicate the primary server
  parity.stack.postgresql_replica:
    primary: 10.0.0.5
    user: shop_replication
    password: "{{ replication_password }}"
    slot: data2

- name: Promote the replica
  parity.stack.postgresql_replica:
    state: promoted
    primary: 10.0.0.5
"""

RETURN = r"""
following:
  description: Whether the server follows a primary.
  type: bool
  returned: when the server answers
lag_seconds:
  description: Seconds since the last transaction that was replayed; none where there was none yet.
  type: float
  returned: when the server follows a primary
reason:
  description: What was done, or would be.
  type: str
  returned: always
"""

import re
import shutil
import socket
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import answer
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings


class Replica:
    """The cluster of this host and the primary that it follows."""

    def __init__(self, module: AnsibleModule, cluster: settings.Cluster) -> None:
        self.module = module
        self.params = module.params
        self.cluster = cluster
        self.data = Path(f"/var/lib/postgresql/{cluster.version}/{cluster.configuration.name}")
        self.port = int(settings.written(cluster).get("port") or 5432)

    def ask(self, query: str) -> list[tuple]:
        connection = postgresql.connect_locally(self.port)
        try:
            return postgresql.rows(connection, query)
        finally:
            connection.close()

    def follow(self) -> dict:
        """Make the server follow the primary; in check mode only return what that takes."""
        if self.ask("select pg_is_in_recovery()")[0][0]:
            return self._correct()
        own = [name for (name,) in self.ask("select datname from pg_database where not datistemplate and datname <> 'postgres'")]
        if own:
            raise ParityError(
                f"The server of this host holds the database {', '.join(own)} and is no replica: it is not overwritten. Where it is an "
                "old primary that nobody needs any more, remove its cluster (pg_dropcluster --stop) and make an empty one "
                "(pg_createcluster), and run this again."
            )
        says = f"The server becomes a replica of {self.params['primary']}"
        if not self.module.check_mode:
            self._copy()
        return {"changed": True, "reason": says, "diff": {"before": "an empty server\n", "after": f"{says}\n"}}

    def _correct(self) -> dict:
        """Point the replica to the right address and slot, where it uses others."""
        conninfo, slot = self.ask("select current_setting('primary_conninfo'), current_setting('primary_slot_name')")[0]
        has = dict(re.findall(r"(\w+)=('(?:[^'\\]|\\.)*'|\S+)", conninfo))
        wanted = {"host": self.params["primary"], "port": str(self.params["primary_port"]), "user": self.params["user"]}
        same = all(has.get(key, "").strip("'") == value for key, value in wanted.items()) and slot == self.params["slot"]
        if not same and not self.module.check_mode:
            connection = postgresql.connect_locally(self.port)
            for name, value in (("primary_conninfo", self._conninfo(self.params["password"])), ("primary_slot_name", self.params["slot"])):
                text = value.replace("'", "''")
                postgresql.rows(connection, f"alter system set {name} = '{text}'")
            postgresql.rows(connection, "select pg_reload_conf()")
            connection.close()
        return {"changed": not same, "reason": "The server follows the primary", **self.status()}

    def _copy(self) -> None:
        new, before = (self.data.with_name(f"{self.data.name}.{part}") for part in ("new", "before"))
        for path in (new, before):  # of a run that was killed
            shutil.rmtree(path, ignore_errors=True)
        self._base_backup(new)
        self._systemctl("stop")
        self.data.rename(before)
        new.rename(self.data)
        try:
            self._systemctl("start")
            self._wait_for_recovery()
        except ParityError:
            self.module.run_command(["systemctl", "stop", self.cluster.unit])
            shutil.rmtree(self.data)
            before.rename(self.data)
            self._systemctl("start")
            raise
        shutil.rmtree(before)

    def _base_backup(self, to: Path) -> None:
        words = ["pg_basebackup", f"--pgdata={to}", "--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf", "--no-password"]
        words += [f"--slot={self.params['slot']}", f"--dbname={self._conninfo('')}"]
        for create in (["--create-slot"], []):
            code, _out, err = self.module.run_command(
                [*settings.AS_POSTGRES, *words, *create], environ_update={"PGPASSWORD": self.params["password"]}, cwd="/"
            )
            if code == 0:
                return
            if "already exists" not in err:
                break
        target = postgresql.Target(self.params["primary"], self.params["primary_port"], self.params["user"], "", "replication")
        raise ParityError(f"The primary cannot be copied. {postgresql.explain_connection(target, err)}")

    def _conninfo(self, password: str) -> str:
        target = postgresql.Target(
            self.params["primary"],
            self.params["primary_port"],
            self.params["user"],
            password,
            "replication",
            {"application_name": self.params["slot"], "sslmode": "require" if self.params["encrypted"] else "prefer"},
        )
        words = [word for word in target.conninfo().split(" ") if not word.startswith("dbname=")]
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        return " ".join(words + ([f"password='{quoted}'"] if password else []))

    def promote(self) -> dict:
        """Promote a replica, where its primary does not answer any more."""
        if not self.ask("select pg_is_in_recovery()")[0][0]:
            return {"changed": False, "following": False, "reason": "The server takes writes already"}
        primary, port = self.params["primary"], self.params["primary_port"]
        if _answers(primary, port):
            raise ParityError(
                f"The primary {primary}:{port} still answers. Stop it and keep it from starting (systemctl disable --now postgresql), "
                "or two servers take writes that nobody can merge again. Then run this again."
            )
        says = f"The server takes writes in the place of {primary}"
        if not self.module.check_mode:
            self.ask("select pg_promote(true, 60)")
            if self.ask("select pg_is_in_recovery()")[0][0]:
                raise ParityError("The server still follows after 60 s. Its log in /var/log/postgresql says why.")
        return {"changed": True, "following": False, "reason": says, "diff": {"before": "a replica\n", "after": f"{says}\n"}}

    def status(self) -> dict:
        lag = self.ask("select extract(epoch from now() - pg_last_xact_replay_timestamp())::float8")[0][0]
        return {"following": True, "lag_seconds": lag}

    def _systemctl(self, verb: str) -> None:
        code, out, err = self.module.run_command(["systemctl", verb, self.cluster.unit])
        if code != 0:
            raise ParityError(f"systemctl {verb} {self.cluster.unit} failed: {err.strip() or out.strip()}")

    def _wait_for_recovery(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.ask("select 1 from pg_stat_wal_receiver where status = 'streaming'"):
                    return
            except ParityError:
                pass  # still starting
            if time.monotonic() > deadline:
                raise ParityError("The replica does not stream from the primary after a minute. Its log in /var/log/postgresql says why.")
            time.sleep(0.2)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def converge(module: AnsibleModule) -> dict:
    cluster = settings.find_cluster(settings.CLUSTERS, module.params["version"])
    if cluster is None or (module.check_mode and postgresql.psycopg2 is None):
        if module.check_mode and module.params["state"] == "following":
            says = f"The server, once it is installed, becomes a replica of {module.params['primary']}"
            return {"changed": True, "reason": says, "diff": {"before": "", "after": f"{says}\n"}}
        raise ParityError("There is no PostgreSQL on this host. The role database installs it.")
    replica = Replica(module, cluster)
    return replica.follow() if module.params["state"] == "following" else replica.promote()


def main() -> None:
    text = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            **settings.SPEC,
            "state": {"type": "str", "choices": ["following", "promoted"], "default": "following"},
            "primary": {"type": "str", "required": True},
            "primary_port": {"type": "int", "default": 5432},
            "user": text,
            "password": {"type": "str", "default": "", "no_log": True},
            "slot": text,
            "encrypted": {"type": "bool", "default": False},
        },
        required_if=[("state", "following", ["user", "password", "slot"])],
        supports_check_mode=True,
    )
    answer(module, converge)


if __name__ == "__main__":
    main()
