#!/usr/bin/python
# Copyright: The Parity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_checks
short_description: Check a host's preconditions, and report all that are not met
version_added: 0.1.0
description:
  - Makes many read-only checks in one call. Every complaint is a sentence with the rule, the value seen, the value wanted and the
    remedy.
  - Never fails by itself, so that its complaints can be reported together with those of the other hosts.
author: The Parity authors (!UNKNOWN)
extends_documentation_fragment: [parity.stack.attributes.no_diff]
options:
  platforms:
    description: Distributions with their versions that are supported, as C(/etc/os-release) writes them.
    type: dict
    default: {debian: ["12", "13"], ubuntu: ["24.04"]}
  python:
    description: The lowest version of C(/usr/bin/python3) that is wanted.
    type: str
    default: "3.11"
  ports:
    description: Ports the stack needs on this host.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: TCP port.
        type: int
        required: true
      service:
        description: What needs it, for the message.
        type: str
        required: true
      processes:
        description: Names of processes that may already listen there, because they are the stack's own.
        type: list
        elements: str
        default: []
  memory_mib:
    description: Memory the host needs, in MiB.
    type: int
    default: 0
  free_mib:
    description: Free disk space that is needed, in MiB, by path. The file system the path is or will be on counts.
    type: dict
    default: {}
  application_python:
    description: Which Python the application gets on this host. Not looked for when not given.
    type: dict
    suboptions:
      stack:
        description: Name of the stack. uv's interpreters are below C(/opt/NAME/python).
        type: str
        required: true
      wanted:
        description: A version such as V(3.13), or the path of an interpreter. Empty for the host's C(python3).
        type: str
        default: ""
      downloads:
        description: What uv would install, from P(parity.stack.python_downloads#lookup).
        type: dict
        default: {}
  time:
    description: The control node's time in seconds since the epoch. The clock is not checked when not given.
    type: float
  time_tolerance:
    description: By how many seconds the host's clock may differ from O(time).
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Check the host for the stack
  parity.stack.host_checks:
    ports:
      - {port: 8000, service: the API, processes: [haproxy]}
    free_mib: {/opt: 2048}
"""

RETURN = r"""
failures:
  description: One sentence for each precondition that is not met.
  type: list
  elements: str
  returned: always
python:
  description: The application's Python on this host, as M(parity.stack.python_info) returns it. Empty where there is none.
  type: dict
  returned: always
"""

import os
import re
import shutil
import sys
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.parity.stack.plugins.module_utils.checks import host_facts
from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.failures import errors_as_failures
from ansible_collections.parity.stack.plugins.module_utils.release import interpreters


def platform(params: dict) -> list[str]:
    name, version = host_facts.os_release(Path("/etc/os-release").read_text(encoding="utf-8"))
    if version in params["platforms"].get(name, []):
        return []
    wanted = "; ".join(f"{name} {', '.join(versions)}" for name, versions in params["platforms"].items())
    return [f"the distribution is {name or 'unknown'} {version}, supported are: {wanted}. Use another host."]


def privileges(params: dict) -> list[str]:
    if os.geteuid() == 0:
        return []
    return ["tasks do not run as root. Let the connecting user use sudo and set ansible_become: true."]


def systemd(params: dict) -> list[str]:
    if Path("/run/systemd/system").is_dir():
        return []
    return [
        "systemd does not run as the init system, and services cannot run without it. Use a host that boots with it."
    ]


def python(params: dict) -> list[str]:
    wanted = tuple(int(part) for part in params["python"].split("."))
    if sys.version_info[: len(wanted)] >= wanted:
        return []
    seen = ".".join(str(part) for part in sys.version_info[:3])
    return [
        f"{sys.executable} is Python {seen}, wanted is {params['python']} or newer. "
        "Use a release of the distribution that has it."
    ]


def packages(params: dict) -> list[str]:
    found = []
    if not Path("/usr/lib/python3/dist-packages/apt").is_dir():
        found.append(
            "the package python3-apt is missing, so Ansible cannot read which packages are installed. "
            "Install it: apt-get install python3-apt"
        )
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        found.append("there are no package lists. Fetch them: apt-get update")
    return found


def ports(params: dict) -> list[str]:
    paths = map(Path, ("/proc/net/tcp", "/proc/net/tcp6"))
    tables = [path.read_text(encoding="utf-8") for path in paths if path.exists()]
    sockets = host_facts.listening(*tables)
    found = []
    for wanted in params["ports"]:
        held_by = host_facts.owners(sockets.get(wanted["port"], set()))
        foreign = sorted(held_by - set(wanted["processes"]))
        if foreign:
            found.append(
                f"port {wanted['port']} is taken by {', '.join(foreign)}, and {wanted['service']} needs it. Stop that, or give "
                f"{wanted['service']} another port."
            )
    return found


def memory(params: dict) -> list[str]:
    seen = host_facts.memory_mib(Path("/proc/meminfo").read_text(encoding="utf-8"))
    if seen >= params["memory_mib"]:
        return []
    return [f"the host has {seen} MiB of memory, wanted are {params['memory_mib']}. Use a larger host."]


def disk(params: dict) -> list[str]:
    found = []
    for name, wanted in params["free_mib"].items():
        path = Path(name)
        while not path.exists():
            path = path.parent
        free = shutil.disk_usage(path).free >> 20
        if free < int(wanted):
            found.append(f"{name} has {free} MiB free, wanted are {wanted}. Make room, for example with apt-get clean.")
    return found


def clock(params: dict) -> list[str]:
    if params["time"] is None:
        return []
    off = time.time() - params["time"]
    if abs(off) <= params["time_tolerance"]:
        return []
    return [
        f"the clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the control node's, more than "
        f"{params['time_tolerance']:.0f} s. Synchronise it, for example with systemd-timesyncd: certificates and tokens depend on it."
    ]


def application_python(module: AnsibleModule) -> tuple[dict, list[str]]:
    """The interpreter of the application's virtual environments, and why there is none."""
    given = module.params["application_python"]
    if given is None:
        return {}, []
    try:
        places = interpreters.Places(module.run_command, given["stack"])
        return interpreters.choose(given["wanted"], places, given["downloads"]).described(), []
    except ParityError as error:
        return {}, [str(error)]


CHECKS = (platform, privileges, systemd, python, packages, ports, memory, disk, clock)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "platforms": {"type": "dict", "default": {"debian": ["12", "13"], "ubuntu": ["24.04"]}},
            "python": {"type": "str", "default": "3.11"},
            "ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "service": {"type": "str", "required": True},
                    "processes": {"type": "list", "elements": "str", "default": []},
                },
            },
            "memory_mib": {"type": "int", "default": 0},
            "free_mib": {"type": "dict", "default": {}},
            "application_python": {"type": "dict", "options": {"stack": {"type": "str", "required": True}, **interpreters.SPEC}},
            "time": {"type": "float"},
            "time_tolerance": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    if not re.fullmatch(r"\d+(\.\d+)*", module.params["python"]):
        module.fail_json(msg=f"python has to be a version such as 3.11, it is {module.params['python']!r}")
    with errors_as_failures(module):
        found, without = application_python(module)
        failures = [words for check in CHECKS for words in check(module.params)]
        module.exit_json(changed=False, failures=failures + without, python=found)


if __name__ == "__main__":
    main()
