# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole stack, deployed over SSH as an unprivileged user with sudo, to servers nobody has touched.

The tests tell one story, in order: dry-run, first deployment, second run, a release that never becomes healthy, a good one.
`tools/test stack` brings the servers up before and takes them away after.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = os.environ["PARITY_LOCAL_NAME"]
STATE = ROOT / ".cache" / NAME
HOSTS = ("app1", "app2")


class Run:
    """What a playbook printed, and how many changes it reported for each host."""

    def __init__(self, done: subprocess.CompletedProcess) -> None:
        self.code = done.returncode
        self.output = done.stdout + done.stderr
        recap = re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", done.stdout, re.M)
        self.changed = {host: int(changed) for host, changed in recap}


def deploy(*words: str) -> Run:
    command = ["ansible-playbook", "deploy.yml", "-i", "inventories/local", *words]
    return Run(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False))


def on(host: str, *words: str) -> str:
    command = ["docker", "exec", f"{NAME}-{host}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def version(host: str) -> str:
    """The release the gateway's backend on `host` answers with, asked from the gateway's own server."""
    code = f"import urllib.request as r; print(r.urlopen('http://{host}:8000/version', timeout=10).read().decode())"
    return json.loads(on("edge1", "python3", "-c", code))["release"]


def secrets() -> list[str]:
    return [path.read_text(encoding="utf-8").split()[0] for path in (STATE / "secrets").iterdir()]


def assert_keeps_secrets(output: str) -> None:
    assert secrets()
    assert not [secret for secret in secrets() if secret in output]


def wheel_with(fault: str, folder: Path) -> Path:
    """The reference application, built with a fault on purpose."""
    words = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), "examples/docpipe"]
    subprocess.run(words, cwd=ROOT, env={**os.environ, "DOCPIPE_FAULT": fault}, timeout=300, check=True)
    return next(folder.glob("*.whl"))


def application(wheel: Path) -> list[str]:
    """The arguments that deploy a wheel instead of the sources; the rest of the release stays the same."""
    source = ROOT / "examples/docpipe"
    values = {
        "stack_application": str(wheel),
        "stack_application_lock": str(source / "requirements.lock"),
        "stack_application_migrations": str(source / "supabase/migrations"),
    }
    return ["-e", json.dumps(values)]


predicted: dict[str, Run] = {}


def test_mistakes_are_reported_together_before_anything_changes():
    values = {"stack_release": 1.1, "stack_application": "/does/not/exist"}
    run = deploy("-e", json.dumps(values))
    assert run.code != 0
    assert "stack_release is a float" in run.output
    assert "stack_application does not exist" in run.output
    assert not any(run.changed.values())


@pytest.mark.parametrize("tags", ["infrastructure", "applications", "all"])
def test_dry_run_on_untouched_servers(tags: str):
    run = deploy("--check", "--diff", "--tags", tags)
    assert run.code == 0, run.output[-4000:]
    assert_keeps_secrets(run.output)
    predicted[tags] = run
    for host in HOSTS:
        assert subprocess.run(["docker", "exec", f"{NAME}-{host}", "test", "-e", "/opt/docpipe"], check=False).returncode != 0


def test_first_deployment():
    run = deploy("--diff")
    assert run.code == 0, run.output[-6000:]
    assert_keeps_secrets(run.output)
    assert {host for host, count in run.changed.items() if count} == {
        host for host, count in predicted["all"].changed.items() if count
    }
    assert [version(host) for host in HOSTS] == ["v1.0.0", "v1.0.0"]


def test_second_deployment_changes_nothing():
    run = deploy()
    assert run.code == 0, run.output[-4000:]
    assert run.changed and not any(run.changed.values()), run.output


def test_monitoring_sees_every_target():
    query = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/api/v1/targets').read().decode())"
    targets = json.loads(on("ops1", "python3", "-c", query))["data"]["activeTargets"]
    assert {target["labels"]["job"] for target in targets} >= {"api", "worker", "gateway", "node"}
    assert [target["scrapeUrl"] for target in targets if target["health"] == "down"] == []


def test_unhealthy_release_is_taken_back_everywhere(tmp_path: Path):
    run = deploy("-e", "stack_release=v1.1.0", *application(wheel_with("unhealthy", tmp_path)))
    assert run.code != 0
    assert "Release v1.1.0 was taken back." in run.output
    assert "Live on this host now: v1.0.0" in run.output
    assert_keeps_secrets(run.output)
    assert [version(host) for host in HOSTS] == ["v1.0.0", "v1.0.0"]
    for host in HOSTS:
        units = on(host, "systemctl", "list-units", "--plain", "--no-legend", "--state=active", "docpipe-*@*")
        assert sorted(line.split()[0] for line in units.splitlines()) == [
            "docpipe-api@blue.service",
            "docpipe-worker@blue.service",
        ]
    assert "deploy.lock" not in on("app1", "ls", "-A", "/var/lib/docpipe")


def test_good_release_after_a_bad_one_with_a_backup_before_it():
    run = deploy("-e", "stack_release=v1.2.0")
    assert run.code == 0, run.output[-6000:]
    assert [version(host) for host in HOSTS] == ["v1.2.0", "v1.2.0"]
    assert "v1.2.0" in on("data1", "sh", "-c", "cat /var/backups/docpipe/*.json")


def test_live_slot_comes_back_after_a_reboot():
    subprocess.run(["docker", "restart", f"{NAME}-app2"], capture_output=True, timeout=120, check=True)
    ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready')"
    on("app2", "sh", "-c", f'for i in $(seq 100); do python3 -c "{ask}" 2>/dev/null && exit 0; sleep 0.5; done; exit 1')
    assert version("app2") == "v1.2.0"
