# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of processes that are gone: no release in a slot has them any more, or the host runs no process any more.

A file is the stack's where its text names the stack's directory: a stack `shop` must not touch `shop-admin-web@.service` of the stack
`shop-admin`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.parity.stack.plugins.module_utils.release.layout import SLOTS, Layout

UNITS = Path("etc/systemd/system")


@dataclass(frozen=True)
class Leftovers:
    """Units to stop, and files to remove once they have ended."""

    units: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()


def of_processes(layout: Layout, needed: Collection[str]) -> Leftovers:
    """What belongs to processes of the stack that are not `needed`."""
    names = [name for name in _processes(layout) if name not in needed]
    paths = [path for name in names for path in _files(layout, name)]
    return Leftovers(tuple(_unit(layout, name, slot) for name in names for slot in SLOTS), tuple(paths))


def of_host(layout: Layout) -> Leftovers:
    """What belongs to all processes of a host that runs none any more: units, the proxy, and what its slots hold of secrets."""
    processes = of_processes(layout, ())
    proxy = f"{layout.stack}-proxy.service"
    units = layout.prefix / UNITS
    paths = [units / proxy, *(wants / proxy for wants in units.glob("*.wants")), layout.config / "live"]
    for slot in SLOTS:
        paths += [*layout.environment(slot, "*").parent.glob("*.env"), *layout.served(slot, "*").parent.glob("*.files")]
        paths += [layout.processes_file(slot), layout.slot(slot)]
    paths += layout.kept(None).parent.glob("*/environment/*")
    there = [path for path in paths if path.is_symlink() or path.exists()]
    return Leftovers((proxy, *processes.units) if there or processes.units else (), (*processes.paths, *there))


def unit_files(layout: Layout, name: str) -> list[Path]:
    """The units of a process that are there, and what starts them at boot."""
    units = layout.prefix / UNITS
    at_boot = f"{layout.stack}-{name}-live.service"
    paths = [units / f"{layout.stack}-{name}@.service", units / at_boot, *(wants / at_boot for wants in units.glob("*.wants"))]
    return [path for path in paths if path.is_symlink() or path.exists()]


def _processes(layout: Layout) -> list[str]:
    """The processes of the stack that have a unit file on this host."""
    found = []
    for path in sorted((layout.prefix / UNITS).glob(f"{layout.stack}-*@.service")):
        name = path.name.removeprefix(f"{layout.stack}-").removesuffix("@.service")
        text = path.read_text(encoding="utf-8", errors="replace")
        if f"/etc/{layout.stack}/%i/{name}.env" in text or f"/etc/{layout.stack}/%i/{name}.nginx.conf" in text:
            found.append(name)
    return found


def _unit(layout: Layout, name: str, slot: str) -> str:
    return f"{layout.stack}-{name}@{slot}.service"


def _files(layout: Layout, name: str) -> list[Path]:
    configuration = [layout.served_by(slot, name) for slot in SLOTS]
    return unit_files(layout, name) + [path for path in configuration if path.exists()]
