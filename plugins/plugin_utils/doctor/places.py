# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the control node has the tools that a deployment uses, and what keeps hosts from taking part: each with how to repair it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.parity.stack.plugins.plugin_utils.bundle.fetching import Runner
from ansible_collections.parity.stack.plugins.plugin_utils.doctor.application import WIDTH

#: meta/runtime.yml asks for the same.
ANSIBLE = (2, 19)
PYTHON = (3, 11)


@dataclass(frozen=True)
class Tool:
    """`seen` is its version or place, empty where it is missing; `repair` what to do, empty where it is good."""

    name: str
    seen: str
    repair: str


def tools(ansible_version: str, run: Runner, find: Callable[[str], str | None]) -> list[Tool]:
    """`find` returns the path of a program, or None."""
    found = [_version("ansible-core", ansible_version, ANSIBLE, "pip install 'ansible-core>=2.19' beside Ansible's Python")]
    here = ".".join(map(str, sys.version_info[:3]))
    found.append(_version("Python of Ansible", here, PYTHON, "run Ansible with Python 3.11 or newer"))
    found.append(_program("git", "apt install git; without it, applications come from directories, wheels and URLs only", run, find))
    found.append(_program("uv", "pip install uv beside Ansible: hosts make their virtual environments with a copy of it", run, find))
    found.append(_program("ssh", "apt install openssh-client, unless hosts are reached in another way", run, find))
    pip = run([sys.executable, "-m", "pip", "--version"])
    seen = re.match(r"pip (\S+)", pip[1])
    found.append(Tool("pip", seen[1] if seen else "", "" if seen else "install pip beside Ansible's Python: it builds wheels"))
    return [*found, Tool("docker", "not needed", "")]


def _version(name: str, seen: str, wanted: tuple[int, int], repair: str) -> Tool:
    numbers = tuple(int(part) for part in re.findall(r"\d+", seen)[:2])
    return Tool(name, seen, "" if numbers >= wanted else repair)


def _program(name: str, repair: str, run: Runner, find: Callable[[str], str | None]) -> Tool:
    path = find(name)
    if not path:
        return Tool(name, "", repair)
    _code, out, err = run([path, "-V" if name == "ssh" else "--version"])
    version = re.search(r"\d+(\.\d+)+\w*", out or err)
    return Tool(name, version[0] if version else path, "")


def hosts(results: dict[str, dict]) -> list[tuple[str, list[str]]]:
    """Of each host what keeps it from taking part, from the result of host_checks, or of the attempt to reach it."""
    return [(host, _complaints(result)) for host, result in results.items()]


def _complaints(result: dict) -> list[str]:
    if result.get("unreachable"):
        said = " ".join(str(result.get("msg", "")).split())[:200]
        return [f"cannot be reached: {said} Check its address, the key and the user (ansible HOST -m ping)."]
    if "failures" not in result:
        said = " ".join(str(result.get("msg", "nothing was checked")).split())[:200]
        return [f"the checks could not run: {said}. It needs python3, and the user may use sudo (ansible_become)."]
    return list(result["failures"])


def page(found: list[Tool], checked: list[tuple[str, list[str]]]) -> str:
    """One list: what is there, and of what is not, how to repair it."""
    lines = ["CONTROL NODE"]
    for tool in found:
        state = "" if not tool.repair else "too old: " if tool.seen else "missing: "
        lines += _entry(f"{tool.name} {tool.seen}".rstrip(), f"{state}{tool.repair}")
    lines += ["", "HOSTS" if checked else "HOSTS: none was checked."]
    for host, complaints in checked:
        lines += _entry(host, "" if complaints else "it can be reached and has what is needed")
        for words in complaints:
            lines += textwrap.wrap(words, WIDTH, initial_indent="    - ", subsequent_indent="      ", break_on_hyphens=False)
    return "\n".join(lines)


def _entry(what: str, words: str) -> list[str]:
    text = f"{what}: {words}" if words else what
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
