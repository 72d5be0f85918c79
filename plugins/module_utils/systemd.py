# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units: their state, and the steps that bring a unit to the wanted state with the configuration now on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError
from ansible_collections.parity.stack.plugins.module_utils.files import concerns, digest_of, newest_change, write_atomically

#: Runs a command (a list of words) and returns (return code, standard output, standard error).
Runner = Callable[[list[str]], "tuple[int, str, str]"]

MARKERS = Path("/run/parity")
#: Where units and their drop-ins are.
UNITS = Path("/etc/systemd/system")
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "InvocationID",
    "NeedDaemonReload",
    "ActiveEnterTimestampMonotonic",
    "Result",
    "ExecMainStatus",
)


@dataclass(frozen=True)
class Unit:
    """A unit as systemd reports it at one moment."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        return self.properties.get("LoadState") not in (None, "", "not-found")

    @property
    def masked(self) -> bool:
        return self.properties.get("LoadState") == "masked"

    @property
    def active(self) -> bool:
        return self.properties.get("ActiveState") in ("active", "reloading", "activating")

    @property
    def enabled(self) -> bool:
        return self.properties.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "indirect", "generated")

    @property
    def invocation(self) -> str:
        return self.properties.get("InvocationID", "")

    @property
    def active_since(self) -> float:
        """When the unit became active, in seconds since the epoch by the clock of now; 0 when it is not."""
        monotonic = int(self.properties.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        return time.time() - time.monotonic() + monotonic if monotonic else 0.0


def read_unit(run: Runner, name: str) -> Unit:
    """Ask systemd for a unit. Raises ParityError where systemd does not answer."""
    code, out, err = run(["systemctl", "show", name, "--property", ",".join(PROPERTIES)])
    if code != 0:
        raise ParityError(f"systemd does not answer about {name}: {err.strip() or out.strip()}. Is systemd running here?")
    return Unit(name, dict(line.split("=", 1) for line in out.splitlines() if "=" in line))


def configuration_applied(unit: Unit, paths: list[Path], markers: Path = MARKERS, coming: Mapping[Path, str] | None = None) -> bool:
    """Whether the running unit has the configuration that is on disk, once the files of `coming` have been written.

    After Parity has started or reloaded a unit, a marker holds what was on disk then. Where the marker speaks of
    another invocation (a reboot, a person's restart), the time of the last change decides.
    """
    if not paths:
        return True
    marker = _read_marker(markers / f"{unit.name}.json")
    if marker.get("invocation") == unit.invocation and marker.get("digest"):
        return marker["digest"] == digest_of(paths, coming)
    return newest_change(paths) <= unit.active_since and not any(concerns(path, paths) for path in coming or ())


def steps(
    unit: Unit,
    *,
    state: str,
    enabled: bool | None,
    config: list[Path],
    on_change: str,
    markers: Path = MARKERS,
    coming: Mapping[Path, str] | None = None,
    written: str = "",
) -> list[str]:
    """The systemctl verbs, in order, that bring `unit` to the wanted state; empty when it is there.

    `state` is started, stopped, or as_is for a unit that somebody else starts; `on_change` is reload or restart. `coming` are files
    (with their text) that the run is going to write, for a dry run. `written` is what a running unit needs (reload, restart, or
    nothing) because of files that this run has written, or would write.
    """
    result = []
    if enabled is not None and enabled != unit.enabled and (unit.known or enabled):
        result.append("enable" if enabled else "disable")
    if state == "stopped":
        return [*result, "stop"] if unit.active else result
    if not unit.active:
        return [*result, "start"] if state == "started" else result
    needed = {written, "" if configuration_applied(unit, config, markers, coming) else on_change}
    return [*result, *(["restart"] if "restart" in needed else ["reload"] if "reload" in needed else [])]


def apply(run: Runner, unit: Unit, verbs: list[str], config: list[Path], markers: Path = MARKERS) -> Unit:
    """Carry out `verbs` and remember the configuration the unit now runs with.

    Raises ParityError with systemd's message and the command that shows the unit's log.
    """
    # systemd of Debian 12 does not notice a drop-in in a new folder by itself.
    if unit.properties.get("NeedDaemonReload") == "yes" or not unit.known or any(UNITS in path.parents for path in config):
        reload_units(run)
    for verb in verbs:
        _systemctl(run, [verb, unit.name])
    unit = read_unit(run, unit.name)
    if config and unit.active:
        remember(unit, config, markers)
    return unit


def reload_units(run: Runner) -> None:
    """Let systemd read the unit files again."""
    _systemctl(run, ["daemon-reload"])


def remember(unit: Unit, config: list[Path], markers: Path = MARKERS) -> None:
    """Note that the running unit has the configuration that is on disk now."""
    content = json.dumps({"invocation": unit.invocation, "digest": digest_of(config)})
    write_atomically(markers / f"{unit.name}.json", content + "\n")


def remembered(unit: Unit, markers: Path = MARKERS) -> bool:
    """Whether a marker holds the configuration that this very run of the unit was started with."""
    return bool(unit.invocation) and _read_marker(markers / f"{unit.name}.json").get("invocation") == unit.invocation


def _systemctl(run: Runner, words: list[str]) -> None:
    code, out, err = run(["systemctl", *words])
    if code == 0:
        return
    unit = words[-1]
    raise ParityError(
        f"systemctl {' '.join(words)} failed: {err.strip() or out.strip() or f'exit code {code}'} "
        f"Read its log on the host with: journalctl -u {unit} -n 50"
    )


def _read_marker(path: Path) -> dict[str, str]:
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}
