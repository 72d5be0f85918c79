# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the host's proxy that belongs to a release: which path it asks in a slot to know that a process can work.

The role api writes the rest. The paths are HAProxy's environment variables, one for each slot and process, so that two releases with
different health paths can be live one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.parity.stack.plugins.module_utils.release.slots import Service


def variable(slot: str, process: str) -> str:
    """The variable of HAProxy's configuration that holds the health path of `process` in `slot`."""
    return "HEALTH_" + re.sub(r"[^A-Z0-9]", "_", f"{slot}_{process}".upper())


def checks(slot: str, services: Iterable[Service]) -> str:
    """HAProxy's configuration that sets the variables of a slot, for the services of the release in it."""
    asked = sorted((service.name, service.health_path) for service in services if service.ports and service.health_path)
    lines = [f"    setenv {variable(slot, name)} {path}" for name, path in asked]
    return "\n".join([f"# The health paths of the release in slot {slot}.", "global", *lines, ""])
