# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a deployment takes, as a ratio to a deployment script written by hand.

`make bench` brings up servers of its own and runs this. Reference and Parity take turns, so that whatever the machine does
meanwhile hits both alike; what counts is the ratio of the medians. The reference is what such a script does: over one ssh a host,
unpack, make a virtual environment with uv from wheels that are there already, switch a link, restart both services, wait until
they are healthy (the worker is once it takes tasks). It restarts in place, so that requests fail meanwhile; compares nothing; and
cannot go back.

Looking whether there is anything to do, script and playbook open their connections: nobody deploys the same release again within
the two minutes for which connections are kept. In a deployment both find them open.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "stack"))
ROOT = Path(__file__).parents[2]
NAME, NET = os.environ["PARITY_LOCAL_NAME"], os.environ["PARITY_LOCAL_NET"]
STATE = ROOT / ".cache" / NAME
WORK = ROOT / ".cache/bench"
BUNDLES = WORK / "bundles"
#: A path of its own, and a short one: the name of a socket has at most 108 characters.
CONNECTIONS = Path(tempfile.mkdtemp(prefix="parity-bench-"))
ADDRESSES = {"app1": f"{NET}.21", "app2": f"{NET}.22", "app3": f"{NET}.23"}
ROUNDS = int(os.environ.get("PARITY_BENCH_ROUNDS", "5"))
SSH = [
    "ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto", "-o", "ControlPersist=120s",
    "-o", f"ControlPath={CONNECTIONS}/script-%C", "-i", str(STATE / "ssh_key"),
]  # fmt: skip


def ssh(host: str, name: str, *words: str, stdin: bytes = b"") -> None:
    script = Path(__file__).with_name(f"{name}.sh").read_text(encoding="utf-8")
    line = " ".join(["sudo", "bash", "-c", "'" + script.replace("'", "'\\''") + "'", "bash", *words])
    done = subprocess.run([*SSH, f"deploy@{ADDRESSES[host]}", line], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the reference failed on {host}: {done.stderr.decode()[-2000:]}")


def inventory(hosts: list[str]) -> Path:
    """The local inventory with other application hosts."""
    folder = WORK / f"inventory-{len(hosts)}"
    folder.mkdir(parents=True, exist_ok=True)
    lines, group = [], ""
    for line in (ROOT / "inventories/local/hosts").read_text(encoding="utf-8").splitlines():
        group = line if line.startswith("[") else group
        if not line.startswith("app"):
            lines.append(line)
        if line == "[api]":
            lines += [f"{host} stack_local_address={ADDRESSES[host].rsplit('.', 1)[1]}" for host in hosts]
        if line == "[worker]":
            lines += hosts
    (folder / "hosts").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not (folder / "group_vars").exists():
        (folder / "group_vars").symlink_to(ROOT / "inventories/local/group_vars")
    return folder


def play(playbook: str, hosts: list[str], release: str, wheel: Path, **more: object) -> str:
    source = ROOT / "examples/docpipe"
    given = {
        "stack_release": release, "stack_local_state": str(STATE), "stack_application": str(wheel),
        "stack_application_lock": str(source / "requirements.lock"),
        "stack_application_migrations": str(source / "supabase/migrations"), "release_bundle_cache": str(BUNDLES), **more,
    }  # fmt: skip
    words = ["ansible-playbook", playbook, "-i", str(inventory(hosts)), "-e", json.dumps(given)]
    environment = {**os.environ, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(CONNECTIONS)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{playbook} failed:\n{done.stdout[-6000:]}{done.stderr[-2000:]}")
    return done.stdout


def on_each(hosts: list[str], name: str, *words: str, stdin: bytes = b"") -> None:
    for host in hosts:
        ssh(host, name, *words, stdin=stdin)


def close_connections() -> None:
    """End what keeps connections to the servers, the script's and the playbook's."""
    for socket in [path for path in CONNECTIONS.iterdir() if path.is_socket()]:
        subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "servers"], capture_output=True, check=False)


def timed(action: Callable, *arguments: object, **more: object) -> float:
    started = time.monotonic()
    action(*arguments, **more)
    return time.monotonic() - started


def row(title: str, seconds: list[float], reference: list[float] | None, aim: str = "") -> str:
    ratio = f"{statistics.median(seconds) / statistics.median(reference):5.2f}" if reference else " 1.00"
    spread = f"{min(seconds):6.2f} .. {max(seconds):6.2f}"
    return f"{title:58}{statistics.median(seconds):7.2f} s {statistics.mean(seconds):7.2f} s  {spread:>17}  {ratio}  {aim}"


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", str(WORK), "examples/docpipe"], cwd=ROOT, check=True)
    wheel = next(WORK.glob("*.whl"))
    everywhere = list(ADDRESSES)
    play("deploy.yml", everywhere, "v1.0.0", wheel)
    # One tar for each Python that is there; the servers are all alike.
    [wheels] = BUNDLES.glob("wheels-*.tar")
    for host in everywhere:
        ssh(host, "prepare", stdin=wheels.read_bytes())
    lock = (ROOT / "examples/docpipe/requirements.lock").read_bytes()
    (WORK / "requirements.lock").write_bytes(lock)
    packed = ["tar", "cf", "-", "-C", str(WORK), wheel.name, "requirements.lock"]
    sent = subprocess.run(packed, capture_output=True, check=True).stdout

    number = int(time.time())
    cases = {
        "one host": [everywhere[0]],
        "three hosts": everywhere,
    }
    print(f"{ROUNDS} rounds, reference and Parity in turn; load at the start {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(f"{'':58}{'median':>9} {'mean':>9}  {'fastest .. slowest':>17}  ratio  limit")
    for title, hosts in cases.items():
        shell, check, bare, judged, nothing = [], [], [], [], []
        for _round in range(ROUNDS + 1):  # the first round warms up and does not count
            number += 1
            release = f"v3.{number}"
            deployed, alone = ("playbooks/applications.yml", hosts, release, wheel), {"stack_skip_validation": True}
            shell.append(timed(on_each, hosts, "reference", release, stdin=sent))
            bare.append(timed(play, *deployed, **alone))
            close_connections()
            check.append(timed(on_each, hosts, "check", release))
            nothing.append(timed(play, *deployed, **alone))
            number += 1
            judged.append(timed(play, "playbooks/applications.yml", hosts, f"v3.{number}", wheel))
        shell, check, bare, judged, nothing = (each[1:] for each in (shell, check, bare, judged, nothing))
        limit = "2.5, aim 1.8" if len(hosts) == 1 else "2.0, aim 1.5"
        print(row(f"{title}: script written by hand", shell, None))
        print(row(f"{title}: applications.yml, stack_skip_validation=true", bare, shell, limit))
        print(row(f"{title}: applications.yml, compared and validated", judged, shell))
        print(row(f"{title}: nothing to do, the script's check", check, None))
        print(row(f"{title}: nothing to do, applications.yml", nothing, check, "6"))
        print(f"load {os.getloadavg()[0]:.1f}\n", flush=True)


try:
    main()
finally:
    close_connections()
    shutil.rmtree(CONNECTIONS)
