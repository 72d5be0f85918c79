#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pgbackrest
short_description: Keep a pgBackRest stanza with a full backup, or restore a second server to a point in time
version_added: 0.1.0
description:
  - I(state=ready) makes the stanza, checks that the server's log reaches it, and makes a full backup.
  - I(state=beside) restores a cluster of another name to a point in time. It is beside the cluster C(main), has a port of its own, and
    is reachable from this host only. The running server is not touched.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes, parity.stack.postgresql]
requirements:
  - pgbackrest
options:
  state:
    description: The wanted state. V(absent) removes the cluster beside C(main).
    type: str
    choices: [ready, beside, absent]
    default: ready
  stanza:
    description: Name of the stanza.
    type: str
    required: true
  target:
    description: Point in time, such as V(2030-05-01 12:00:00+00).
    type: str
    default: ""
  cluster:
    description: Name of the cluster beside C(main).
    type: str
    default: pointintime
  port:
    description: Its port.
    type: int
    default: 5439
"""

EXAMPLES = r"""
- name: Archive the log and take a full backup
  parity.stack.pgbackrest:
    stanza: shop

- name: Start a second server at that time
  parity.stack.pgbackrest:
    state: beside
    stanza: shop
    target: "2030-05-01 12:00:00+00"
"""

RETURN = r"""
backups:
  description: Labels of the backups in the stanza, oldest first.
  type: list
  elements: str
  returned: when the stanza could be read
reason:
  description: What was done, or would be.
  type: str
  returned: always
"""

import json
import re
import shutil
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.postgresql import client as postgresql
from ansible_collections.parity.stack.plugins.module_utils.postgresql import settings as server_settings

_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:?\d\d)?$")


class Stanza:
    """One stanza, as pgBackRest on this host knows it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name = module.params["stanza"]

    def backups(self) -> list[dict]:
        """The backups in it; empty where it does not exist yet."""
        found = json.loads(self.run("info", "--output=json"))
        return next((stanza.get("backup", []) for stanza in found if stanza["name"] == self.name), [])

    def run(self, command: str, *words: str) -> str:
        line = [*server_settings.AS_POSTGRES, "pgbackrest", f"--stanza={self.name}", "--log-level-console=warn", *words, command]
        code, out, err = self.module.run_command(line, cwd="/")
        if code != 0:
            said = [line for line in (out + err).splitlines() if "ERROR" in line or "HINT" in line]
            raise ParityError(f"pgbackrest {command} failed: {' '.join(said or [err.strip() or out.strip()])[:600]}")
        return out


def ready(module: AnsibleModule) -> dict:
    if module.check_mode and module.get_bin_path("pgbackrest") is None:
        return _says(True, f"The stanza {module.params['stanza']} gets a full backup once pgbackrest is installed")
    stanza = Stanza(module)
    found = stanza.backups()
    if any(backup["type"] == "full" and not backup.get("error") for backup in found):
        return {**_says(False, "The stanza has a full backup"), "backups": [backup["label"] for backup in found]}
    if not module.check_mode:
        stanza.run("stanza-create")
        stanza.run("check")
        module.log("pgbackrest: the first full backup begins")
        stanza.run("backup", "--type=full")
        found = stanza.backups()
    return {**_says(True, "The stanza is made and gets a full backup"), "backups": [backup["label"] for backup in found]}


def beside(module: AnsibleModule) -> dict:
    params = module.params
    if not _TIME.match(params["target"]):
        raise ParityError(
            f"The point in time is {params['target']!r}. Write it with its offset from UTC, such as 2030-05-01 12:00:00+00."
        )
    cluster = _main(module)
    stanza = Stanza(module)
    _refuse_impossible(params["target"], stanza.backups())
    says = f"A server as it was at {params['target']} runs on port {params['port']}"
    if not module.check_mode:
        _drop(module, cluster)
        _restore(module, cluster, stanza)
    return _says(True, says)


def absent(module: AnsibleModule) -> dict:
    cluster = _main(module)
    there = (server_settings.CLUSTERS / cluster.version / module.params["cluster"]).exists()
    if there and not module.check_mode:
        _drop(module, cluster)
    return _says(there, f"There is no cluster {module.params['cluster']}")


def _refuse_impossible(target: str, found: list[dict]) -> None:
    if not found:
        raise ParityError("There is no backup to start from. Apply the entry point pgbackrest of the role backup first.")
    moment = server_settings.moment(target)
    first = min(backup["timestamp"]["stop"] for backup in found)
    if moment < first:
        when = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(first))
        raise ParityError(f"The point in time {target} is before the end of the first backup, {when}. Choose a later one.")
    if moment > time.time():
        raise ParityError(f"The point in time {target} is in the future. Choose an earlier one.")


def _restore(module: AnsibleModule, cluster: server_settings.Cluster, stanza: Stanza) -> None:
    params, name = module.params, module.params["cluster"]
    create = ["pg_createcluster", cluster.version, name, "--port", str(params["port"])]
    module.run_command(create, check_rc=True)
    data = Path(f"/var/lib/postgresql/{cluster.version}/{name}")
    shutil.rmtree(data)
    try:
        stanza.run(
            "restore", f"--pg1-path={data}", "--type=time", f"--target={params['target']}", "--target-action=promote", "--archive-mode=off"
        )
        # Without hot_standby, the limits of the original server do not matter.
        settings = {"hot_standby": "off", "listen_addresses": "localhost", "fsync": "off"}
        preloaded = server_settings.written(cluster).get("shared_preload_libraries")
        settings |= {"shared_preload_libraries": preloaded} if preloaded else {}
        ours = server_settings.CLUSTERS / cluster.version / name / server_settings.OURS
        ours.parent.mkdir(exist_ok=True)
        ours.write_text(server_settings.render(settings), encoding="utf-8")
        code, out, err = module.run_command(["systemctl", "start", f"postgresql@{cluster.version}-{name}"])
        if code != 0:
            raise ParityError(f"The restored server does not start: {(err or out).strip()}")
        _wait(params["port"], Path(f"/var/log/postgresql/postgresql-{cluster.version}-{name}.log"))
    except ParityError:
        _drop(module, cluster)
        raise


def _wait(port: int, log: Path) -> None:
    """Wait until the log is replayed up to the point in time, which may take long."""
    while True:
        try:
            connection = postgresql.connect_locally(port)
        except ParityError:
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:] if log.exists() else []
            fatal = [line for line in words if "FATAL" in line and "starting up" not in line and "not yet accepting" not in line]
            if fatal:
                raise ParityError(f"The restored server did not reach the point in time: {fatal[-1]}") from None
            time.sleep(0.5)
            continue
        recovering = postgresql.rows(connection, "select pg_is_in_recovery()")[0][0]
        connection.close()
        if not recovering:
            return
        time.sleep(0.5)


def _drop(module: AnsibleModule, cluster: server_settings.Cluster) -> None:
    name = module.params["cluster"]
    if (server_settings.CLUSTERS / cluster.version / name).exists():
        module.run_command(["systemctl", "stop", f"postgresql@{cluster.version}-{name}"])
        module.run_command(["pg_dropcluster", "--stop", cluster.version, name])
    for path in (server_settings.CLUSTERS / cluster.version / name, Path(f"/var/lib/postgresql/{cluster.version}/{name}")):
        shutil.rmtree(path, ignore_errors=True)


def _main(module: AnsibleModule) -> server_settings.Cluster:
    cluster = server_settings.find_cluster(server_settings.CLUSTERS, module.params["version"])
    if cluster is None:
        raise ParityError("There is no PostgreSQL on this host. Run this on the database's server.")
    return cluster


def _says(changed: bool, words: str) -> dict:
    return {"changed": changed, "reason": words, "diff": {"before": "", "after": f"{words}\n" if changed else ""}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **server_settings.SPEC,
            "state": {"type": "str", "choices": ["ready", "beside", "absent"], "default": "ready"},
            "stanza": {"type": "str", "required": True},
            "target": {"type": "str", "default": ""},
            "cluster": {"type": "str", "default": "pointintime"},
            "port": {"type": "int", "default": 5439},
        },
        supports_check_mode=True,
    )
    with errors_as_failures(module):
        module.exit_json(**{"ready": ready, "beside": beside, "absent": absent}[module.params["state"]](module))


if __name__ == "__main__":
    main()
