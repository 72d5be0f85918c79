# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole stack, deployed over SSH as an unprivileged user with sudo, to servers nobody has touched.

The tests tell one story, in order: dry run, first deployment, second run, a release that never becomes healthy, a good one.
`tools/test.py stack` brings the servers up before and takes them away after.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from running_playbooks import wheel_with
from servers import (
    HOSTS,
    NAME,
    NOT_MEASURED,
    Run,
    application,
    assert_keeps_secrets,
    deploy,
    on,
    running_units,
    size,
    values,
    version,
    versions,
)

predicted: dict[str, Run] = {}


def test_mistakes_are_reported_together_before_anything_changes():
    run = deploy(*values(stack_release=1.1, stack_application="/does/not/exist"))
    assert run.code != 0
    assert "stack_release is a float" in run.output
    assert "stack_application does not exist" in run.output
    assert not any(run.changed.values())


@pytest.mark.parametrize("tags", ["all", "applications", "infrastructure"][: size(1, 3)])
def test_dry_run_on_untouched_servers(tags: str):
    run = deploy("--check", "--diff", "--tags", tags, *values(**NOT_MEASURED))
    assert run.code == 0, run.output[-4000:]
    assert_keeps_secrets(run.output)
    predicted[tags] = run
    for host in HOSTS:
        assert subprocess.run(["docker", "exec", f"{NAME}-{host}", "test", "-e", "/opt/docpipe"], check=False).returncode != 0


def test_first_deployment():
    run = deploy("--diff", *values(**NOT_MEASURED))
    assert run.code == 0, run.output[-6000:]
    assert_keeps_secrets(run.output)
    assert {host for host, count in run.changed.items() if count} == {
        host for host, count in predicted["all"].changed.items() if count
    }
    assert versions() == ["v1.0.0", "v1.0.0"]


def test_second_deployment_changes_nothing():
    run = deploy()
    assert run.code == 0, run.output[-4000:]
    assert run.changed and not any(run.changed.values()), run.output


def test_monitoring_sees_every_target():
    query = "import urllib.request as r; print(r.urlopen('http://ops1:9090/api/v1/targets').read().decode())"
    targets = json.loads(on("ops1", "python3", "-c", query))["data"]["activeTargets"]
    assert {target["labels"]["job"] for target in targets} >= {"api", "worker", "gateway", "node"}
    assert [target["scrapeUrl"] for target in targets if target["health"] == "down"] == []


@pytest.mark.full  # test_rollback.py has faulty releases, in the application phase alone
def test_unhealthy_release_is_rolled_back_everywhere(tmp_path: Path):
    run = deploy("-e", "stack_release=v1.1.0", *application(wheel_with("unhealthy", tmp_path)))
    assert run.code != 0
    assert "Release v1.1.0 was rolled back." in run.output
    assert "Live on this host now: v1.0.0" in run.output
    assert_keeps_secrets(run.output)
    assert versions() == ["v1.0.0", "v1.0.0"]
    for host in HOSTS:
        assert running_units(host) == ["docpipe-api@blue.service", "docpipe-worker@blue.service"]
    assert "deploy.lock" not in on("app1", "ls", "-A", "/var/lib/docpipe")


def test_good_release_after_a_bad_one_with_a_backup_before_it():
    run = deploy("-e", "stack_release=v1.2.0")
    assert run.code == 0, run.output[-6000:]
    assert versions() == ["v1.2.0", "v1.2.0"]
    assert "v1.2.0" in on("data1", "sh", "-c", "cat /var/backups/docpipe/*.json")
    assert "-v1.2.0.manifest.json" in on("data1", "ls", "/var/backups/docpipe-objects")


def test_live_slot_comes_back_after_a_reboot():
    subprocess.run(["docker", "restart", f"{NAME}-app2"], capture_output=True, timeout=120, check=True)
    ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready')"
    on("app2", "sh", "-c", f'for i in $(seq 100); do python3 -c "{ask}" 2>/dev/null && exit 0; sleep 0.5; done; exit 1')
    assert version("app2") == "v1.2.0"
