# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module service: a dry run predicts what the real run does with files that earlier tasks write."""

from __future__ import annotations

import pytest
from ansible_collections.parity.stack.plugins.modules import service

RUNNING = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nInvocationID=one\n"


class Module:
    """What converge needs of a module, on a host where the unit runs with the configuration on disk."""

    def __init__(self, *, check_mode: bool, **wanted: object) -> None:
        defaults = {"name": "shop", "state": "started", "enabled": True, "config": [], "on_change": "restart"}
        self.params = {**defaults, "restart_on": [], "reload_on": [], **wanted}
        self.check_mode = check_mode
        self.verbs: list[str] = []

    def run_command(self, words: list[str]) -> tuple[int, str, str]:
        self.verbs += [words[1]] if words[1] != "show" else []
        return 0, RUNNING, ""


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        ({}, []),
        ({"restart_on": [False, False]}, []),
        ({"restart_on": [False, True]}, ["restart"]),
        ({"reload_on": [True], "on_change": "reload"}, ["reload"]),
        ({"reload_on": [True], "restart_on": [True], "on_change": "reload"}, ["restart"]),
        ({"reload_on": [False], "restart_on": [True], "on_change": "reload"}, ["restart"]),
        ({"restart_on": [True], "state": "stopped"}, ["stop"]),
    ],
)
def test_a_dry_run_predicts_what_the_real_run_does(wanted: dict, steps: list[str]) -> None:
    dry, real = Module(check_mode=True, **wanted), Module(check_mode=False, **wanted)
    assert service.converge(dry)["steps"] == service.converge(real)["steps"] == steps
    assert (dry.verbs, real.verbs) == ([], steps)
    assert service.converge(Module(check_mode=True, **wanted))["changed"] is bool(steps)
