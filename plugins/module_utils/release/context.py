# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all modules of a release share: which stack, on which host, who changes it (doc_fragments/release.py)."""

from __future__ import annotations

import contextlib
import grp
import pwd
from collections.abc import Iterator

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.release import commands, interpreters, journal
from ansible_collections.parity.stack.plugins.module_utils.release.layout import Layout
from ansible_collections.parity.stack.plugins.module_utils.release.planner import Planner
from ansible_collections.parity.stack.plugins.module_utils.release.run import Run
from ansible_collections.parity.stack.plugins.module_utils.release.slots import Host, Service
from ansible_collections.parity.stack.plugins.module_utils.systemd import Runner

_SERVICE = {
    "name": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "ports": {"type": "dict", "default": {}},
    "port_variable": {"type": "str", "default": "PORT"},
    "health_path": {"type": "str", "default": ""},
    "version_path": {"type": "str"},
    "ping": {"type": "list", "elements": "str", "default": []},
    "ping_advises": {"type": "dict", "default": {}},
    "private_environment": {"type": "dict", "default": {}},
    "go_public": {"type": "list", "elements": "list", "default": []},
    "queues": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "start_seconds": {"type": "int", "default": 60},
    "singleton": {"type": "bool", "default": False},
    "directory": {"type": "str", "default": ""},
}
_CONTEXT = {
    "stack": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "host": {"type": "str"},
    "run": {"type": "str"},
    "operator": {"type": "str", "default": "unknown"},
    "job": {"type": "str"},
    "drain_seconds": {"type": "int", "default": 30},
    "python": {"type": "dict", "options": interpreters.SPEC, "apply_defaults": True},
    "services": {"type": "list", "elements": "dict", "default": [], "options": _SERVICE},
    "build": {"type": "list", "elements": "dict", "default": [], "options": commands.OPTIONS},
}
#: The options that these modules share. Secrets are an option of their own, because an option as a whole is kept out of the log.
SPEC = {
    "context": {"type": "dict", "required": True, "options": _CONTEXT},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}


def run_of(options: dict, command: Runner) -> Run:
    """The run that a module's options name, with its planner. `command` runs programs on the host."""
    context, secrets = options["context"], options["secrets"]
    services = [Service(**{**service, "secrets": secrets.get(service["name"], {})}) for service in context["services"]]
    host = Host(Layout(context["stack"]), services, command, user=context["user"], drain_seconds=context["drain_seconds"])
    author = {key: context[key] for key in ("host", "operator", "job")}
    build = [commands.Command(**command) for command in context["build"]]

    def find_python() -> interpreters.Python:
        return interpreters.choose(
            context["python"]["wanted"], interpreters.Places(command, context["stack"]), context["python"]["downloads"]
        )

    planner = Planner(host, context["run"] or "", build, find_python)
    return Run(planner, group_id=_group_id(context["user"]), author=author)


@contextlib.contextmanager
def changing(run: Run, *, predicted: bool) -> Iterator[None]:
    """No other process changes the host meanwhile, not even one that a killed control node has left. A dry run changes nothing."""
    if predicted:
        yield
        return
    if not run.run_id:
        raise ParityError("context.run is missing: a change names the run that makes it. Take the deployment lock first.")
    with journal.alone(run.layout.busy):
        yield


def _group_id(user: str) -> int:
    """The primary group of the service user; -1 (leave it) where a dry run meets a host without that user."""
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_gid
    except KeyError:
        return -1
